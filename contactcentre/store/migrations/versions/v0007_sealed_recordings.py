"""Data keys of sealed recordings, and the checksum of a stored file."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recording", sa.Column("file_sha256", sa.Text(), server_default="", nullable=False))
    op.alter_column("recording", "file_sha256", server_default=None)
    op.create_table(
        "recording_key",
        sa.Column("recording", sa.Text(), nullable=False),
        sa.Column("master", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("made", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("recording", name="pk_recording_key"),
        comment="data keys of sealed recordings, wrapped by a master key that is not in this database",
    )
    op.create_index("ix_recording_key_master", "recording_key", ["master"])
