"""Whether the customer called, or an agent called the customer."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contact", sa.Column("direction", sa.Text(), nullable=False, server_default="inbound"))
