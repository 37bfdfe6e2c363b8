"""The tables of webhooks and of what they are still to be told. A message names its fact; nobody's data is in it."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from contactcentre.store.tables import Epoch, metadata


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, Epoch, nullable=True)


def _text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="", **options)  # type: ignore[arg-type]


def _count(name: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, server_default="0")


webhook = sa.Table(
    "webhook",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("kinds", ARRAY(sa.Text), nullable=False),
    sa.Column("queues", ARRAY(sa.Text), nullable=False, comment="empty: all"),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Epoch, nullable=False),
    _time("paused_at"),
    _text("paused_why"),
    _count("failures"),
    _count("failed", sa.BigInteger),
    _time("failing_since"),
    _time("next_at"),
    _count("delivered", sa.BigInteger),
    _time("delivered_at"),
    _text("error"),
)

webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    sa.Column("n", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("webhook", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, comment="of one subject, one after the other"),
    sa.Column("fact", JSONB, nullable=False),
    sa.Column("made_at", Epoch, nullable=False, server_default=sa.func.now()),
    sa.Column("letter", sa.Boolean, nullable=False, server_default=sa.false(), comment="nobody took it"),
    _count("tries"),
    sa.Column("next_at", Epoch, nullable=False, server_default=sa.func.now()),
    _time("tried_at"),
    _text("error"),
    comment="what was not delivered yet, and what could not be",
)
sa.Index(
    "ix_webhook_delivery_due",
    webhook_delivery.c.webhook,
    webhook_delivery.c.subject,
    webhook_delivery.c.n,
    postgresql_where=~webhook_delivery.c.letter,
)
