"""What each agent did in a conversation, and for how long customers heard music. History of before gets it by
`contactcentre db refold`."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("hold", "consult"):
        op.add_column("contact", sa.Column(name, sa.Double(), nullable=False, server_default="0"))
        op.alter_column("contact", name, server_default=None)
    op.create_table(
        "participation",
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("started", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("had_customer", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "n", name="pk_participation"),
        comment="what each agent did in a conversation",
    )
    op.create_index("ix_participation_agent_started", "participation", ["agent", "started"], unique=False)
