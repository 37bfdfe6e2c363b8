"""What another program has said of customers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    said = sa.Column(
        "looked_up",
        JSONB(),
        nullable=False,
        server_default="{}",
        comment="what another program has said last: when, name, fields, tags",
    )
    op.add_column("customer", said)
