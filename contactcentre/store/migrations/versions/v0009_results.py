"""What agents say of contacts: dispositions, notes, answers."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _time(name: str, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "said_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        _time("at"),
        _text("kind"),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_said_event"),
        comment="What people say of a contact, perhaps after its end",
    )
    op.create_index("ix_said_event_contact_id", "said_event", ["contact_id"])
    op.create_table(
        "said",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        _text("queue"),
        _text("agent"),
        _text("code"),
        _text("label"),
        _time("at"),
        _text("by"),
        _time("callback_at", nullable=True),
        _text("number"),
        _time("called_at", nullable=True),
        sa.PrimaryKeyConstraint("contact_id", "queue", name="pk_said"),
        comment="how each contact ended for each of its queues, as was said last",
    )
    op.create_index("ix_said_at", "said", ["at"])
    op.create_index("ix_said_promise", "said", ["callback_at"], postgresql_where=sa.text("callback_at IS NOT NULL"))
    op.create_table(
        "contact_note",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        _text("queue"),
        _text("note"),
        sa.Column("answers", JSONB(), nullable=False, comment="of the script: name -> {label, value}"),
        sa.Column("version", sa.Integer(), nullable=False),
        _time("at"),
        _text("by"),
        sa.PrimaryKeyConstraint("contact_id", "queue", name="pk_contact_note"),
        comment="what agents write down about a contact; erased with the customer's data, so it is in no event",
    )
