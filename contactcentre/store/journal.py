"""Writes facts, and what they mean: every batch is one transaction that adds events and derives the contacts that they
touch (`derived.py`)."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contactcentre.domain.alerts import AlertFact
from contactcentre.domain.events import AFTERWARDS, SAID, Event
from contactcentre.store import bulk, outbox, tables
from contactcentre.store.bulk import Row
from contactcentre.store.database import RECORD_LOCK, Database
from contactcentre.store.derived import Derivation, Memory
from contactcentre.store.values import storable

_LATEST = 253_402_300_799.0
"""Epoch seconds of the year 9999's end, the last time that can be stored."""
_LARGEST = 2**31 - 1


_set_aside = insert(tables.rejected_event).on_conflict_do_nothing()


class AgentChange(Protocol):
    """One change of an agent's state (`live.AgentFact`). Times in epoch seconds; `contact_id` "" = none."""

    @property
    def agent(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def at(self) -> float: ...
    @property
    def previous(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def contact_id(self) -> str: ...
    @property
    def queue(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: facts written, facts that were there already, facts put into `rejected_event`; and how
    many messages webhooks are to be sent because of it."""

    written: int = 0
    repeated: int = 0
    rejected: int = 0
    messages: int = 0


class JournalWriter(Database):
    def __init__(self, url: str, pool_size: int = 5) -> None:
        super().__init__(url, pool_size)
        self._memory = Memory()

    def record(
        self,
        events: Iterable[Event],
        agent_facts: Iterable[AgentChange] = (),
        alert_facts: Iterable[AlertFact] = (),
    ) -> Recorded:
        """Writes a batch in one transaction; doing it twice changes nothing. A fact that cannot be stored
        goes to `rejected_event` with the reason and holds up no other. Raises StoreUnavailable, with nothing
        written."""
        with self._begin() as connection:
            batch = self._write(connection, events, agent_facts, alert_facts, self._memory)
        self._memory.keep(batch.derivation.living)
        return batch.recorded

    @staticmethod
    def _write(
        connection: sa.Connection,
        events: Iterable[Event],
        agent_facts: Iterable[AgentChange] = (),
        alert_facts: Iterable[AlertFact] = (),
        memory: Memory | None = None,
    ) -> "_Batch":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(RECORD_LOCK)))
        batch = _Batch(connection, memory)
        batch.take(events, agent_facts)
        batch.take_alerts(alert_facts)
        batch.write()
        return batch

    def refold(self, contact_ids: Sequence[str]) -> None:
        """Derives these contacts' rows again from their events (after a change of the rules in
        `domain.contacts`)."""
        with self._begin() as connection:
            self._fold(connection, contact_ids)

    @staticmethod
    def _fold(connection: sa.Connection, contact_ids: Sequence[str]) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(RECORD_LOCK)))
        batch = _Batch(connection)
        batch.touched.update(contact_ids)
        batch.write()

    def reject(self, text: str, error: Exception) -> None:
        """Puts a fact aside that could not even be tried."""
        with self._begin() as connection:
            batch = _Batch(connection)
            batch.reject(text, error)
            batch.write()

    def rejected(self, limit: int = 100) -> list[tuple[float, str, str]]:
        """(at, text, error) of facts that could not be stored, newest first."""
        table = tables.rejected_event.c
        statement = sa.select(table.at, table.text, table.error).order_by(table.at.desc()).limit(limit)
        with self._begin() as connection:
            return [(row.at, row.text, row.error) for row in connection.execute(statement)]


class _Batch:
    def __init__(self, connection: sa.Connection, memory: Memory | None = None) -> None:
        self.connection = connection
        self.derivation = Derivation(connection, memory or Memory(), self.reject)
        names = ("event", "said_event", "recording_event", "agent_event", "alert_event")
        self.rows: dict[str, list[Row]] = {name: [] for name in names}
        self.rejects: list[Row] = []
        self.new: list[outbox.Fact] = []
        self.touched: set[str] = set()
        self.told: dict[str, list[Event]] = defaultdict(list)  # new facts of their owners, by contact
        self.offered = 0
        self.written = 0
        self.recorded = Recorded()

    def take(self, events: Iterable[Event], agent_facts: Iterable[AgentChange]) -> None:
        for event in events:
            afterwards = "said_event" if event.kind in SAID else "recording_event"
            self._prepare(event, afterwards if event.seq == AFTERWARDS else "event", _event_row)
        for fact in agent_facts:
            self._prepare(fact, "agent_event", _agent_row)

    def take_alerts(self, facts: Iterable[AlertFact]) -> None:
        for fact in facts:
            self._prepare(fact, "alert_event", _alert_row)

    def _prepare(self, fact: Any, table: str, make: Callable[[Any], Row]) -> None:
        self.offered += 1
        try:
            self.rows[table].append(make(fact))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            self.reject(repr(fact), error)

    def write(self) -> None:
        for name, rows in self.rows.items():
            add = partial(self._insert, tables.metadata.tables[name])
            bulk.bisected(self.connection, rows, add, self.reject)
        self.derivation.derive(self.touched, self.told)
        messages = outbox.put(self.connection, self.new)
        if self.rejects:
            self.connection.execute(_set_aside, self.rejects)
        rejected = len(self.rejects)
        self.recorded = Recorded(self.written, max(0, self.offered - self.written - rejected), rejected, messages)

    def reject(self, text: str, error: Exception) -> None:
        text, reason = (
            storable(text),
            storable(f"{type(error).__name__}: {getattr(error, 'orig', None) or error}".strip()),
        )
        self.rejects.append({"digest": sha256(f"{text}\n{reason}".encode()).hexdigest(), "text": text, "error": reason})

    def _insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Adds what is new and notes its contacts. A row whose key is taken by a different fact is rejected."""
        new, repeated = list(rows), list[Row]()
        if (keys := bulk.insert_new(self.connection, table, rows)) is not None:
            names, new = [column.name for column in table.primary_key], []
            for row in rows:
                key = tuple(row[name] for name in names)
                (new if key in keys else repeated).append(row)
                keys.discard(key)
        self.written += len(new)
        self.new += [(table.name, row) for row in new]
        if "data" in table.c:
            self.touched.update(row["contact_id"] for row in new)
        if table is tables.event:
            for row in new:
                event = Event(row["contact_id"], row["seq"], row["at"], row["kind"], row["data"])
                self.told[event.contact_id].append(event)
            if repeated:
                self._compare(repeated)

    def _compare(self, repeated: Sequence[Row]) -> None:
        key = sa.tuple_(tables.event.c.contact_id, tables.event.c.seq)
        statement = sa.select(tables.event).where(key.in_([(row["contact_id"], row["seq"]) for row in repeated]))
        stored = {(row.contact_id, row.seq): row for row in self.connection.execute(statement)}
        for row in repeated:
            have = stored[row["contact_id"], row["seq"]]
            if have.kind != row["kind"] or have.data != row["data"]:
                taken = ValueError(f"this number belongs to another fact, {have.kind} of {have.at}")
                self.reject(json.dumps(row, default=str), taken)


def _event_row(event: Event) -> Row:
    row: Row = {"contact_id": _id(event.contact_id), "at": _time(event.at), "kind": event.kind}
    data = storable(dict(event.data))
    if event.seq == AFTERWARDS and event.kind in SAID:
        return {**row, "id": str(UUID(data["id"])), "data": data}
    if event.seq == AFTERWARDS:
        if not isinstance(data.get("recording"), str) or not data["recording"]:
            raise ValueError(f"{event.kind} names no recording, and only facts about recordings have no number")
        return {**row, "recording": data["recording"], "data": data}
    if not 0 < event.seq <= _LARGEST:
        raise ValueError(f"number {event.seq} is outside 1..{_LARGEST}")
    return {**row, "seq": event.seq, "data": data}


@lru_cache(maxsize=4096)
def _id(text: str) -> str:
    return str(UUID(text))


def _agent_row(fact: AgentChange) -> Row:
    names = ("agent", "previous", "state", "reason", "queue")
    row: Row = {name: storable(str(getattr(fact, name))) for name in names}
    contact_id = _id(fact.contact_id) if fact.contact_id else None
    return {**row, "version": int(fact.version), "at": _time(fact.at), "contact_id": contact_id}


def _alert_row(fact: AlertFact) -> Row:
    row: Row = {name: storable(str(getattr(fact, name))) for name in ("state", "queue", "name", "when", "by")}
    return {
        **row,
        "id": str(UUID(fact.id)),
        "at": _time(fact.at),
        "limit": float(fact.limit),
        "value": float(fact.value),
    }


def _time(at: float) -> float:
    if not 0 <= at <= _LATEST:
        raise ValueError(f"time {at} is outside the years 1970..9999")
    return round(at, 6)  # as the database keeps it
