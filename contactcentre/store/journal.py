"""Writes facts, and what they mean: every batch is one transaction that adds events and folds the contacts
they touch."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contactcentre.domain.alerts import AlertFact
from contactcentre.domain.contacts import ContactHistory, fold
from contactcentre.domain.events import AFTERWARDS, SAID, Event, Kind
from contactcentre.domain.notation import decode
from contactcentre.store import bulk, outbox, tables
from contactcentre.store.bulk import Row
from contactcentre.store.database import RECORD_LOCK, Database
from contactcentre.store.values import storable

_LATEST = 253_402_300_799.0
"""Epoch seconds of the year 9999's end, the last time that can be stored."""
_LARGEST = 2**31 - 1
_SERVERS_FAULT = ("08", "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE that are no fault of the data: connection, deadlock, resources, shutdown, system,
internal."""


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
            return self._write(connection, events, agent_facts, alert_facts)

    @staticmethod
    def _write(
        connection: sa.Connection,
        events: Iterable[Event],
        agent_facts: Iterable[AgentChange] = (),
        alert_facts: Iterable[AlertFact] = (),
    ) -> Recorded:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(RECORD_LOCK)))
        batch = _Batch(connection)
        batch.take(events, agent_facts)
        batch.take_alerts(alert_facts)
        return batch.write()

    def refold(self, contact_ids: Sequence[str]) -> None:
        """Derives these contacts' rows again from their events (after a change of the rules in
        `domain.contacts`)."""
        with self._begin() as connection:
            self._fold(connection, contact_ids)

    @staticmethod
    def _fold(connection: sa.Connection, contact_ids: Sequence[str]) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(RECORD_LOCK)))
        batch = _Batch(connection)
        batch.fold(contact_ids)
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
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        names = ("event", "said_event", "recording_event", "agent_event", "alert_event")
        self.rows: dict[str, list[Row]] = {name: [] for name in names}
        self.rejects: list[Row] = []
        self.new: list[outbox.Fact] = []
        self.touched: set[str] = set()
        self.offered = 0
        self.written = 0

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

    def write(self) -> Recorded:
        for name, rows in self.rows.items():
            self._bisected(rows, partial(self._insert, tables.metadata.tables[name]))
        self.fold(sorted(self.touched))
        messages = outbox.put(self.connection, self.new)
        if self.rejects:
            self.connection.execute(insert(tables.rejected_event).on_conflict_do_nothing(), self.rejects)
        rejected = len(self.rejects)
        return Recorded(self.written, max(0, self.offered - self.written - rejected), rejected, messages)

    def reject(self, text: str, error: Exception) -> None:
        text, reason = (
            storable(text),
            storable(f"{type(error).__name__}: {getattr(error, 'orig', None) or error}".strip()),
        )
        self.rejects.append({"digest": sha256(f"{text}\n{reason}".encode()).hexdigest(), "text": text, "error": reason})

    def _insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Adds what is new and notes its contacts. A row whose key is taken by a different fact is rejected."""
        key = [column.name for column in table.primary_key]
        new = bulk.insert_new(self.connection, table, rows)
        self.written += len(new)
        repeated = []
        for row in rows:
            row_key = tuple(row[name] for name in key)
            if row_key not in new:
                repeated.append(row)
            else:
                self.new.append((table.name, row))
                if table not in (tables.agent_event, tables.alert_event):
                    self.touched.add(row["contact_id"])
            new.discard(row_key)
        if repeated and table is tables.event:
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

    # -- what the facts mean ---------------------------------------------------------------------------------

    def fold(self, contact_ids: Sequence[str]) -> None:
        histories = []
        for contact_id, events in events_of(self.connection, contact_ids).items():
            if any(event.seq != AFTERWARDS for event in events):
                try:
                    histories.append(fold(events))
                except Exception as error:
                    self.reject(f"contact {contact_id} cannot be folded", error)
        self._bisected(histories, self._write_histories)

    def _write_histories(self, histories: Sequence[ContactHistory]) -> None:
        ids = [history.contact.id for history in histories]
        bulk.upsert(self.connection, tables.contact, "id", [_row(history.contact) for history in histories])
        for table, part in (
            (tables.leg, "legs"),
            (tables.segment, "segments"),
            (tables.participation, "participations"),
            (tables.queue_visit, "visits"),
            (tables.said, "said"),
        ):
            bulk.delete(self.connection, table, ids)
            bulk.insert(self.connection, table, _parts(histories, part, numbered="n" in table.c))
        for table, part in ((tables.recording, "recordings"), (tables.voicemail, "voicemails")):
            # one that two contacts claim stays with the first
            bulk.upsert(self.connection, table, "contact_id", _parts(histories, part))

    def _bisected(self, items: Sequence[Any], write: Callable[[Sequence[Any]], None]) -> None:
        """Writes all at once; where the database refuses a value, in halves, until only what it refuses is
        left out."""
        if not items:
            return
        try:
            with self.connection.begin_nested():
                write(items)
        except sa.exc.DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None) or "08"
            if state[:2] in _SERVERS_FAULT:
                raise
            if len(items) == 1:
                self.reject(repr(items[0]), error)
                return
            half = len(items) // 2
            self._bisected(items[:half], write)
            self._bisected(items[half:], write)


def _event_row(event: Event) -> Row:
    row = {"contact_id": str(UUID(event.contact_id)), "at": _time(event.at), "kind": str(Kind(event.kind))}
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


def _agent_row(fact: AgentChange) -> Row:
    names = ("agent", "previous", "state", "reason", "queue")
    row: Row = {name: storable(str(getattr(fact, name))) for name in names}
    contact_id = str(UUID(fact.contact_id)) if fact.contact_id else None
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


def _row(record: Any, **more: Any) -> Row:
    """A row of a frozen record of `domain.contacts`, whose fields are named like the columns."""
    row = {field.name: getattr(record, field.name) for field in fields(record)}
    return {**row, **more}


def _parts(histories: Iterable[ContactHistory], part: str, numbered: bool = False) -> list[Row]:
    rows = []
    for history in histories:
        for n, record in enumerate(getattr(history, part)):
            rows.append(_row(record, contact_id=history.contact.id, **({"n": n} if numbered else {})))
    return rows


def events_of(connection: sa.Connection, contact_ids: Sequence[str]) -> dict[str, list[Event]]:
    """All events of these contacts by contact, those added afterwards included."""
    found: dict[str, list[Event]] = defaultdict(list)
    if not contact_ids:
        return found
    ids = list(contact_ids)
    for contact_id, text in connection.exec_driver_sql(_EVENTS, (ids, ids, ids)):
        for seq, at, kind, data in decode(text):
            if kind in _KINDS:  # a newer program may have written others
                found[contact_id].append(Event(contact_id, seq, at, Kind(kind), data))
    return found


# A contact's facts as one text: the driver's work for each row costs several times what reading the text does.
_EVENTS = f"""
SELECT CAST(contact_id AS text), CAST(json_agg(json_build_array(
    seq, CAST(extract(epoch FROM at) AS double precision), kind, data)) AS text)
FROM (
    SELECT contact_id, seq, at, kind, data FROM event WHERE contact_id = ANY(CAST(%s AS uuid[]))
    UNION ALL
    SELECT contact_id, {AFTERWARDS}, at, kind, data FROM recording_event WHERE contact_id = ANY(CAST(%s AS uuid[]))
    UNION ALL
    SELECT contact_id, {AFTERWARDS}, at, kind, data FROM said_event WHERE contact_id = ANY(CAST(%s AS uuid[]))
) AS facts
GROUP BY contact_id
"""  # noqa: S608 (a number of ours)
_KINDS = frozenset(Kind)
