"""Who accounts are at a provider of sign-ins (OpenID Connect)."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identity"),
        sa.ForeignKeyConstraint(["account_id"], ["user_account.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_identity_account_id", "identity", ["account_id"])
