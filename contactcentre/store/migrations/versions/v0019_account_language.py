"""In which language an account sees the pages."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "user_account",
        sa.Column("language", sa.Text(), nullable=False, server_default="", comment="ISO 639; empty: the browser's"),
    )
