"""What people at work tell each other."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False, comment="an account"),
        sa.Column("agent", sa.Text(), nullable=False, comment="whose account that is, or nothing"),
        sa.Column("audience", sa.Text(), nullable=False, comment="all, queue:NAME, agent:NAME or supervisors"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notice"),
    )
    op.create_index("ix_notice_at", "notice", ["at"])
    op.create_table(
        "notice_reader",
        sa.Column("notice_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("reader", sa.Text(), nullable=False, comment="an agent, or nothing: the supervisors"),
        sa.Column("read_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("read_by", sa.Text(), server_default="", nullable=False, comment="an account"),
        sa.PrimaryKeyConstraint("notice_id", "reader", name="pk_notice_reader"),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_notice_reader_reader", "notice_reader", ["reader"])
