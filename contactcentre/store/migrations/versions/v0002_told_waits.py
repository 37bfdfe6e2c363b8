"""Estimates that callers were told are found without looking at every fact."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    told = sa.text("kind = 'queue.announced' AND (data ->> 'estimate') <> ''")
    op.create_index("ix_event_told_wait", "event", ["at"], unique=False, postgresql_where=told)
