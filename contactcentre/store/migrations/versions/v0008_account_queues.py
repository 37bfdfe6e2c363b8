"""Which queues an account is limited to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "user_account",
        sa.Column(
            "queues", ARRAY(sa.Text()), nullable=False, server_default="{}", comment="the only ones it sees; empty: all"
        ),
    )
