"""Webhooks, and what they are still to be told."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _time(name: str, nullable: bool = True, **options: object) -> sa.Column[datetime]:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable, **options)  # type: ignore[arg-type]


def _text(name: str, default: str | None = None, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default=default, **options)  # type: ignore[arg-type]


def upgrade() -> None:
    op.create_table(
        "webhook",
        _text("name"),
        _text("url"),
        sa.Column("kinds", ARRAY(sa.Text()), nullable=False),
        sa.Column("queues", ARRAY(sa.Text()), nullable=False, comment="empty: all"),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _time("created_at", nullable=False),
        _time("paused_at"),
        _text("paused_why", ""),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        _time("failing_since"),
        _time("next_at"),
        sa.Column("delivered", sa.BigInteger(), nullable=False, server_default="0"),
        _time("delivered_at"),
        _text("error", ""),
        sa.PrimaryKeyConstraint("name", name="pk_webhook"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("n", sa.BigInteger(), sa.Identity(), nullable=False),
        _text("webhook"),
        _text("message"),
        _text("kind"),
        _text("subject", comment="of one subject, one after the other"),
        sa.Column("fact", JSONB(), nullable=False),
        _time("made_at", nullable=False, server_default=sa.text("now()")),
        sa.Column("letter", sa.Boolean(), nullable=False, server_default=sa.false(), comment="nobody took it"),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        _time("next_at", nullable=False, server_default=sa.text("now()")),
        _time("tried_at"),
        _text("error", ""),
        sa.PrimaryKeyConstraint("n", name="pk_webhook_delivery"),
        comment="what was not delivered yet, and what could not be",
    )
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["webhook", "subject", "n"],
        postgresql_where=sa.text("NOT letter"),
    )
