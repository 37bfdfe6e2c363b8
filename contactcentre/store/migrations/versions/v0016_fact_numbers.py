"""A number for each fact, in the order in which they are recorded, so that programs can follow them."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = ("event", "said_event", "recording_event", "agent_event")


def upgrade() -> None:
    op.execute("CREATE SEQUENCE fact_number")
    for table in TABLES:
        # without a default first: what is there already gets no number, and no table is written anew
        op.add_column(table, sa.Column("number", sa.BigInteger(), nullable=True))
        op.alter_column(table, "number", server_default=sa.text("nextval('fact_number')"))
        op.create_index(f"ix_{table}_number", table, ["number"], postgresql_where=sa.text("number IS NOT NULL"))
