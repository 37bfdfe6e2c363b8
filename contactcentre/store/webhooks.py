"""Webhooks: kept, changed, and what each of them is still to be told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.webhooks import MOST, ORDERED_TRIES, Delivery, Webhook
from contactcentre.store import tables
from contactcentre.store.database import Database
from contactcentre.store.results import Changed
from contactcentre.store.webhook_tables import webhook, webhook_delivery

_out = webhook_delivery.c
_before = webhook_delivery.alias("before")
_FREE: sa.ColumnElement[bool] = ~sa.exists().where(
    _before.c.webhook == _out.webhook,
    _before.c.subject == _out.subject,
    _before.c.n < _out.n,
    ~_before.c.letter,
    _before.c.tries < ORDERED_TRIES,
)
"""Nothing of the same subject is to be delivered before."""

_SUMMARY = (
    *(
        "direction",
        "did",
        "caller",
        "caller_name",
        "language",
        "flow",
        "arrived",
        "answered",
        "connected",
        "ended",
        "outcome",
    ),
    *("queue", "queues", "agent", "agents", "waited", "talk", "wrap_up", "transferred_to", "disposition"),
)

_ALERT = ("id", "state", "queue", "name", "when", "limit", "value", "by")


class NoSuchWebhook(Exception):
    """There is no webhook of this name."""


class WebhookThere(Exception):
    """There is one of this name already."""


class Webhooks(Database):
    def webhooks(self) -> list[Webhook]:
        """By name."""
        with self._begin() as connection:
            return _read(connection)

    def webhook(self, name: str, *, counted: bool = True) -> Webhook:
        """`counted`: with how much it is still to be told, which costs most where that is much. Raises
        NoSuchWebhook."""
        with self._begin() as connection:
            found = _read(connection, webhook.c.name == name, counted=counted)
        if not found:
            raise NoSuchWebhook(f"there is no webhook {name[:40]!r}")
        return found[0]

    def add_webhook(self, hook: Webhook, by: str, at: float, address: str = "") -> Webhook:
        """Raises WebhookThere, NotAcceptable where there are too many."""
        row = {**_wish(hook), "name": hook.name, "version": 1, "created_at": at}
        with self._begin() as connection:
            if (connection.scalar(sa.select(sa.func.count()).select_from(webhook)) or 0) >= MOST:
                raise NotAcceptable(f"webhooks: there are {MOST} already")
            added = insert(webhook).values(row).on_conflict_do_nothing().returning(webhook.c.name)
            if connection.execute(added).one_or_none() is None:
                raise WebhookThere(f"there is a webhook {hook.name} already")
            _note(connection, by, "webhook.add", hook.name, _wish(hook), address)
        return self.webhook(hook.name)

    def change_webhook(self, before: Webhook, after: Webhook, by: str, at: float, address: str = "") -> Webhook:
        """Switched on again, it is no longer paused either. Raises Changed where somebody else was quicker."""
        row = {**_wish(after), "version": before.version + 1}
        if after.enabled and (before.paused_at or not before.enabled or after.url != before.url):
            row |= {"paused_at": None, "paused_why": "", "failures": 0, "failing_since": None, "next_at": None}
        own = (webhook.c.name == before.name) & (webhook.c.version == before.version)
        with self._begin() as connection:
            if not connection.execute(sa.update(webhook).where(own).values(row)).rowcount:
                raise Changed(f"webhook {before.name}: somebody else has changed it meanwhile")
            _note(connection, by, "webhook.change", before.name, _wish(after), address)
        return self.webhook(before.name)

    def remove_webhook(self, name: str, by: str, address: str = "") -> None:
        """With all that it was still to be told. Raises NoSuchWebhook."""
        with self._begin() as connection:
            if not connection.execute(sa.delete(webhook).where(webhook.c.name == name)).rowcount:
                raise NoSuchWebhook(f"there is no webhook {name[:40]!r}")
            connection.execute(sa.delete(webhook_delivery).where(_out.webhook == name))
            _note(connection, by, "webhook.remove", name, {}, address)

    # -- delivering --------------------------------------------------------------------------------------------

    def due_webhooks(self, now: float) -> list[str]:
        """Those that something can be sent to now."""
        statement = sa.select(webhook.c.name).where(_open(now), sa.exists().where(_due(webhook.c.name, now)))
        with self._begin() as connection:
            return list(connection.scalars(statement))

    def due_deliveries(self, name: str, now: float, limit: int) -> list[Delivery]:
        """What can be sent to it now, no two of one subject that have an order; oldest first."""
        statement = sa.select(webhook_delivery).where(_due(sa.literal(name), now)).order_by(_out.n).limit(limit)
        running = sa.exists().where(webhook.c.name == name, _open(now))
        with self._begin() as connection:
            return [_delivery(row) for row in connection.execute(statement.where(running)).mappings()]

    def content(self, one: Delivery) -> tuple[float, dict[str, Any]] | None:
        """(when it was, what is told of it), as history has it now; None where the fact is there no more."""
        where = dict(one.fact)
        table = tables.metadata.tables[where.pop("in")]
        with self._begin() as connection:
            found = connection.execute(
                sa.select(table).where(*(_key(table.c[name], value) for name, value in where.items()))
            ).mappings()
            row = found.one_or_none()
            if row is None:
                return None
            if table is tables.agent_event:
                told = {name: row[name] or "" for name in ("agent", "state", "previous", "reason", "queue")}
                return row["at"], {**told, "contact_id": str(row["contact_id"] or "")}
            if table is tables.alert_event:
                return row["at"], {name: row[name] for name in _ALERT}
            contact = sa.select(tables.contact).where(tables.contact.c.id == row["contact_id"])
            known = connection.execute(contact).mappings().one_or_none()
        summary = {name: known[name] for name in _SUMMARY} if known is not None else {}
        data = {"contact_id": str(row["contact_id"]), "seq": row.get("seq", 0), "fact": dict(row["data"])}
        return row["at"], {**data, "contact": summary}

    def took(self, one: Delivery, at: float) -> None:
        """It was delivered."""
        row = {"delivered": webhook.c.delivered + 1, "delivered_at": at, "failures": 0, "failing_since": None}
        row |= {"next_at": None, "error": ""}
        with self._begin() as connection:
            connection.execute(sa.delete(webhook_delivery).where(_out.n == one.n))
            connection.execute(sa.update(webhook).where(webhook.c.name == one.webhook).values(row))

    def refused(
        self, one: Delivery, at: float, error: str, next_at: float | None, rest_until: float | None, pause: str = ""
    ) -> None:
        """It was not. `next_at` None: it is a dead letter. `rest_until`: nothing else is tried before; `pause`: nothing
        at all until somebody switches it on again, and why."""
        tried = {"tries": one.tries + 1, "tried_at": at, "error": error, "letter": next_at is None}
        if next_at is not None:
            tried["next_at"] = next_at
        row: dict[str, Any] = {"failures": webhook.c.failures + 1, "failed": webhook.c.failed + 1, "error": error}
        row["failing_since"] = sa.func.coalesce(webhook.c.failing_since, sa.literal(at, webhook.c.failing_since.type))
        if rest_until is not None:
            row["next_at"] = rest_until
        if pause:
            row |= {"paused_at": at, "paused_why": pause}
        with self._begin() as connection:
            connection.execute(sa.update(webhook_delivery).where(_out.n == one.n).values(tried))
            connection.execute(sa.update(webhook).where(webhook.c.name == one.webhook).values(row))

    def drop_delivery(self, one: Delivery) -> None:
        """There is nothing to tell any more."""
        with self._begin() as connection:
            connection.execute(sa.delete(webhook_delivery).where(_out.n == one.n))

    def give_up(self, before: float, kept_since: float) -> int:
        """What waits since before then, because its webhook is paused or off, becomes a dead letter; letters older than
        `kept_since` go. How many became one."""
        shut = sa.exists().where(
            webhook.c.name == _out.webhook, sa.or_(webhook.c.paused_at.is_not(None), ~webhook.c.enabled)
        )
        stale = sa.update(webhook_delivery).where(~_out.letter, _out.made_at < before, shut)
        with self._begin() as connection:
            connection.execute(sa.delete(webhook_delivery).where(_out.letter, _out.made_at < kept_since))
            return connection.execute(stale.values(letter=True)).rowcount

    # -- dead letters ------------------------------------------------------------------------------------------

    def letters(self, name: str, limit: int = 100, before: int | None = None) -> list[Delivery]:
        """What nobody took, newest first; those before the delivery with this `n`."""
        statement = sa.select(webhook_delivery).where(_out.webhook == name, _out.letter).order_by(_out.n.desc())
        if before is not None:
            statement = statement.where(_out.n < before)
        with self._begin() as connection:
            return [_delivery(row) for row in connection.execute(statement.limit(limit)).mappings()]

    def resend(self, name: str, messages: Collection[str] | None, by: str, at: float, address: str = "") -> int:
        """Dead letters that are sent again, with the ids they had; None: all of them. How many."""
        own = [_out.webhook == name, _out.letter]
        if messages is not None:
            own.append(_out.message.in_(list(messages)))
        again = {"letter": False, "tries": 0, "made_at": at, "next_at": at, "error": ""}
        with self._begin() as connection:
            number = connection.execute(sa.update(webhook_delivery).where(*own).values(again)).rowcount
            _note(connection, by, "webhook.resend", name, {"messages": number}, address)
        return number


def _due(name: sa.ColumnElement[str], now: float) -> sa.ColumnElement[bool]:
    return sa.and_(_out.webhook == name, ~_out.letter, _out.next_at <= _moment(now), _FREE)


def _open(now: float) -> sa.ColumnElement[bool]:
    own = webhook.c
    return sa.and_(own.enabled, own.paused_at.is_(None), sa.or_(own.next_at.is_(None), own.next_at <= _moment(now)))


def _moment(now: float) -> sa.ColumnElement[float]:
    return sa.literal(now, _out.next_at.type)


def _key(column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = column == value
    return found


def _wish(hook: Webhook) -> dict[str, Any]:
    return {"url": hook.url, "kinds": list(hook.kinds), "queues": list(hook.queues), "enabled": hook.enabled}


def _read(connection: sa.Connection, *wanted: sa.ColumnElement[bool], counted: bool = True) -> list[Webhook]:
    counts: dict[tuple[str, bool], int] = {}
    counting = sa.select(_out.webhook, _out.letter, sa.func.count()).group_by(_out.webhook, _out.letter)
    for name, letter, number in connection.execute(counting) if counted else ():
        counts[name, letter] = number
    found = []
    for row in connection.execute(sa.select(webhook).where(*wanted).order_by(webhook.c.name)).mappings():
        name = row["name"]
        known = {**_filled(row), "waiting": counts.get((name, False), 0), "letters": counts.get((name, True), 0)}
        found.append(Webhook(**known))
    return found


def _filled(row: Mapping[str, Any] | sa.RowMapping) -> dict[str, Any]:
    names = {one.name for one in fields(Webhook)}
    found = {name: 0.0 if value is None else value for name, value in row.items() if name in names}
    return {**found, "kinds": tuple(row["kinds"]), "queues": tuple(row["queues"])}


def _delivery(row: sa.RowMapping) -> Delivery:
    names: Sequence[str] = [one.name for one in fields(Delivery)]
    known: dict[str, Any] = {name: 0.0 if row[name] is None else row[name] for name in names}
    return Delivery(**known)


def _note(
    connection: sa.Connection, actor: str, action: str, subject: str, detail: Mapping[str, Any], address: str
) -> None:
    line = {"actor": actor, "action": action, "subject": subject, "detail": dict(detail), "address": address}
    connection.execute(sa.insert(tables.audit).values(line))
