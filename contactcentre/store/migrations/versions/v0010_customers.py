"""Customers and their numbers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fields", JSONB(), nullable=False),
        sa.Column("tags", ARRAY(sa.Text()), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("changed_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True, comment="then nothing else is left in it"),
        sa.PrimaryKeyConstraint("id", name="pk_customer"),
    )
    op.create_index("ix_customer_changed_at_id", "customer", [sa.text("changed_at DESC"), sa.text("id DESC")])
    op.create_index(
        "ix_customer_merged_into", "customer", ["merged_into"], postgresql_where=sa.text("merged_into IS NOT NULL")
    )
    op.create_table(
        "customer_number",
        sa.Column("number", sa.Text(), nullable=False, comment="E.164"),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, comment="its place among the customer's"),
        sa.Column("spellings", ARRAY(sa.Text()), nullable=False, comment="all that a caller's number may have come as"),
        sa.PrimaryKeyConstraint("number", name="pk_customer_number"),
    )
    op.create_index("ix_customer_number_customer_id", "customer_number", ["customer_id"])
