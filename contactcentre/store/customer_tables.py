"""The tables of customers. What is in them is theirs: no event, log or audit line repeats it."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from contactcentre.store.tables import Epoch, metadata

customer = sa.Table(
    "customer",
    metadata,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("fields", JSONB, nullable=False),
    sa.Column("tags", ARRAY(sa.Text), nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Epoch, nullable=False),
    sa.Column("changed_at", Epoch, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Column(
        "looked_up",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="what another program has said last: when, name, fields, tags",
    ),
    sa.Column("merged_into", sa.Uuid(as_uuid=False), nullable=True, comment="then nothing else is left in it"),
)
sa.Index("ix_customer_changed_at_id", customer.c.changed_at.desc(), customer.c.id.desc())
sa.Index("ix_customer_merged_into", customer.c.merged_into, postgresql_where=customer.c.merged_into.is_not(None))

customer_number = sa.Table(
    "customer_number",
    metadata,
    sa.Column("number", sa.Text, primary_key=True, comment="E.164"),
    sa.Column("customer_id", sa.Uuid(as_uuid=False), nullable=False, index=True),
    sa.Column("n", sa.Integer, nullable=False, comment="its place among the customer's"),
    sa.Column("spellings", ARRAY(sa.Text), nullable=False, comment="all that a caller's number may have come as"),
)
