"""A second factor beside the password, and recovery codes for who has lost it."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "second_factor",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="by a key that is not in this database"),
        sa.Column("since", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "last_step", sa.BigInteger(), nullable=False, comment="of the code that was accepted last (RFC 6238)"
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_second_factor"),
        sa.ForeignKeyConstraint(["account_id"], ["user_account.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "recovery_code",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("used_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "code_hash", name="pk_recovery_code"),
        sa.ForeignKeyConstraint(["account_id"], ["user_account.id"], ondelete="CASCADE"),
    )
