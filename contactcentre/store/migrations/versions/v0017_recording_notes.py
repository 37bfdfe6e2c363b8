"""What people wrote at a second of a recording."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recording_note",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("recording", sa.Text(), nullable=False),
        sa.Column("second", sa.Float(), nullable=False, comment="from the recording's beginning"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False, comment="an account"),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording_note"),
    )
    op.create_index("ix_recording_note_recording", "recording_note", ["recording"])
