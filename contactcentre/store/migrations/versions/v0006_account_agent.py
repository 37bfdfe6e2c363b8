"""Which agent an account is at the phone."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "user_account",
        sa.Column("agent", sa.Text(), nullable=False, server_default="", comment="of the site; empty: nobody's"),
    )
