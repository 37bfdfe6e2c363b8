"""Puts facts into the webhooks' outbox, in the transaction that makes them history: what is there was committed, and
what was committed is there, once."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from contactcentre.domain.events import Kind
from contactcentre.domain.webhooks import AGENT_STATE, ALERT, message_id, wants
from contactcentre.store import bulk
from contactcentre.store.bulk import Row
from contactcentre.store.tables import event
from contactcentre.store.webhook_tables import webhook, webhook_delivery

Fact = tuple[str, Row]
"""The table that a fact is in, and its row."""

_KEYS = {
    "event": ("contact_id", "seq"),
    "said_event": ("id",),
    "recording_event": ("recording", "kind"),
    "agent_event": ("agent", "at", "version"),
    "alert_event": ("id", "state"),
}
"""By what a fact is known in its table; the order is part of every message's id."""

_KINDS = {"agent_event": AGENT_STATE, "alert_event": ALERT}
_SUBJECTS = {"agent_event": "agent", "alert_event": "id"}


def put(connection: sa.Connection, facts: Sequence[Fact]) -> int:
    """How many messages are to be sent that were not before."""
    asking = sa.select(webhook.c.name, webhook.c.kinds, webhook.c.queues).where(webhook.c.enabled)
    hooks = [(name, frozenset(kinds), frozenset(queues)) for name, kinds, queues in connection.execute(asking)]
    if not hooks or not facts:
        return 0
    choosy = any(queues for _, _, queues in hooks)
    passed = _passed(connection, {row["contact_id"] for _, row in facts if row.get("contact_id")} if choosy else set())
    rows: dict[tuple[str, str], Row] = {}
    for table, row in facts:
        kind = _KINDS.get(table) or row["kind"]
        key = {name: row[name] for name in _KEYS[table]}
        message = message_id(table, *key.values())
        for name, kinds, queues in hooks:
            if wants(kinds, kind, row.get("data", {})) and (not queues or queues & _queues(row, passed)):
                rows[name, message] = {
                    "webhook": name,
                    "message": message,
                    "kind": kind,
                    "subject": str(row[_SUBJECTS.get(table, "contact_id")]),
                    "fact": {"in": table, **key},
                }
    bulk.insert(connection, webhook_delivery, list(rows.values()))
    return len(rows)


def _passed(connection: sa.Connection, contacts: Collection[str]) -> dict[str, list[tuple[int, str]]]:
    """The queues of these contacts: (number of the fact, queue)."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    if contacts:
        own = event.c
        statement = sa.select(own.contact_id, own.seq, own.data["queue"].astext).where(
            own.contact_id.in_(sorted(contacts)), own.kind == Kind.QUEUED.value
        )
        for contact, seq, queue in connection.execute(statement):
            found[str(contact)].append((seq, queue))
    return found


def _queues(row: Row, passed: dict[str, list[tuple[int, str]]]) -> set[str]:
    """To which queues a fact belongs: the one it names, else all that its contact had entered by then, so the answer
    does not depend on what was written together."""
    if named := row.get("queue") or row.get("data", {}).get("queue"):
        return {named}
    until = row.get("seq")
    return {queue for seq, queue in passed.get(row.get("contact_id") or "", ()) if until is None or seq <= until}
