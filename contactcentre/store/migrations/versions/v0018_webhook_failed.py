"""How many tries of a webhook failed, ever."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook", sa.Column("failed", sa.BigInteger(), nullable=False, server_default="0"))
