"""What facts mean: derives the rows of the contacts that they touch, in the transaction that adds them.

A contact that lives is remembered: its next facts are added to what those before meant, and only rows that have changed
are written. Reading all its facts again for each burst of new ones was half of what the history of a call cost. What is
remembered counts only while the database says the same: another recorder may have written, or a person said something.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from contactcentre.domain.contacts import Contact, ContactHistory, Folding, fold
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.notation import decode
from contactcentre.store import bulk, tables
from contactcentre.store.bulk import Row

REMEMBERED = 2000
"""Contacts that are remembered at most: those that had facts last."""

Refuse = Callable[[str, Exception], None]
"""Puts aside what cannot be stored, with the reason."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that belong to a contact, and what names one of them there: a field, or its number (`n`)."""

    table: sa.Table
    name: str  # in ContactHistory
    key: str

    def names(self, history: ContactHistory) -> Collection[Any]:
        records = getattr(history, self.name)
        return range(len(records)) if self.key == "n" else {getattr(record, self.key) for record in records}

    def changed(self, before: ContactHistory, after: ContactHistory) -> list[Row]:
        had, has, rows = getattr(before, self.name), getattr(after, self.name), []
        if not has:
            return []
        for n, record in enumerate(has):
            if n >= len(had) or (had[n] is not record and had[n] != record):
                rows.append({**vars(record), "contact_id": after.contact.id, **({"n": n} if self.key == "n" else {})})
        return rows


_PARTS = (
    _Part(tables.leg, "legs", "leg"),
    _Part(tables.segment, "segments", "n"),
    _Part(tables.participation, "participations", "n"),
    _Part(tables.queue_visit, "visits", "n"),
    _Part(tables.said, "said", "queue"),
)
_WITH_KEYS = (_Part(tables.recording, "recordings", "id"), _Part(tables.voicemail, "voicemails", "recording"))
"""Of their own: one that two contacts claim stays with the first."""


@dataclass(frozen=True, slots=True)
class Living:
    """A contact whose facts came without a gap, and what of them is in the database."""

    folding: Folding
    written: ContactHistory


class Memory:
    """The living contacts of one process. One is taken out by a transaction, and put back when that is committed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Living] = OrderedDict()

    def take(self, contact_id: str) -> Living | None:
        return self._kept.pop(contact_id, None)

    def keep(self, living: Iterable[Living]) -> None:
        """But those that have ended: from then on what is known of one may be erased on request."""
        for one in living:
            if one.written.contact.ended is None:
                self._kept[one.written.contact.id] = one
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Change:
    before: ContactHistory | None  # as it is in the database; None: not known
    after: ContactHistory
    folding: Folding | None = None  # by which it goes on

    def is_smaller(self) -> bool:
        """A row is in the database that means nothing any more, or one may be."""
        if self.before is None:
            return True
        return any(not set(part.names(self.before)) <= set(part.names(self.after)) for part in _PARTS)


@dataclass
class Derivation:
    """Of one transaction, which holds RECORD_LOCK. `living` is for the memory, once it is committed."""

    connection: sa.Connection
    memory: Memory
    refuse: Refuse
    living: list[Living] = field(default_factory=list)

    def derive(self, contact_ids: Collection[str], told: Mapping[str, list[Event]]) -> None:
        """Writes what is known of these contacts. `told`: the facts of their owners that this transaction has added."""
        changes = self._grown(told)
        rest = sorted(set(contact_ids) - {change.after.contact.id for change in changes})
        for contact_id, events in events_of(self.connection, rest).items():
            self.memory.take(contact_id)
            if any(event.seq != AFTERWARDS for event in events):
                changes += self._attempt(contact_id, partial(_whole, events))
        bulk.bisected(self.connection, changes, self._write, self.refuse)

    def _grown(self, told: Mapping[str, list[Event]]) -> list[_Change]:
        """Of contacts whose facts go on where those before ended."""
        going: dict[str, Living | None] = {}
        for contact_id, events in told.items():
            events.sort(key=lambda event: event.seq)
            living = self.memory.take(contact_id)
            first = living.written.contact.last_seq + 1 if living is not None else 1
            if events[0].seq == first and events[-1].seq - first + 1 == len(events):
                going[contact_id] = living
        changes = []
        at = self._last_numbers(list(going))
        for contact_id, living in going.items():
            before = living.written if living is not None else ContactHistory(Contact(contact_id))
            if at.get(contact_id, 0) == before.contact.last_seq:
                folding = living.folding if living is not None else Folding(told[contact_id][0])
                changes += self._attempt(contact_id, partial(_goes_on, folding, before, told[contact_id]))
        return changes

    def _attempt(self, contact_id: str, make: Callable[[], _Change]) -> list[_Change]:
        try:
            return [make()]
        except Exception as error:
            self.refuse(f"contact {contact_id} cannot be folded", error)
            return []

    def _last_numbers(self, contact_ids: list[str]) -> dict[str, int]:
        """Of the facts that these contacts' rows are made of; -1 where somebody has added something afterwards."""
        if not contact_ids:
            return {}
        found = self.connection.exec_driver_sql(_LAST_NUMBERS, (contact_ids,) * 3)
        return {row.contact_id: row.number for row in found}

    def _write(self, changes: Sequence[_Change]) -> None:
        anew = {change.after.contact.id for change in changes if change.is_smaller()}
        pairs = []
        for change in changes:
            nothing = ContactHistory(change.after.contact)
            pairs.append((nothing if change.after.contact.id in anew else change.before or nothing, change.after))
        contacts = [dict(vars(after.contact)) for _, after in pairs]
        bulk.upsert(self.connection, tables.contact, "id", contacts)
        for part in (*_PARTS, *_WITH_KEYS):
            if anew and part in _PARTS:
                bulk.delete(self.connection, part.table, sorted(anew))
            rows = [row for before, after in pairs for row in part.changed(before, after)]
            bulk.upsert(self.connection, part.table, "contact_id", rows)
        self.living += [Living(one.folding, one.after) for one in changes if one.folding is not None]


def _whole(events: Iterable[Event]) -> _Change:
    return _Change(None, fold(events))


def _goes_on(folding: Folding, before: ContactHistory, events: Iterable[Event]) -> _Change:
    for event in events:
        folding.take(event)
    return _Change(before, folding.history(), folding)


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
_LAST_NUMBERS = """
SELECT CAST(contact_id AS text) AS contact_id, min(number) AS number FROM (
    SELECT id AS contact_id, last_seq AS number FROM contact WHERE id = ANY(CAST(%s AS uuid[]))
    UNION ALL
    SELECT contact_id, -1 FROM recording_event WHERE contact_id = ANY(CAST(%s AS uuid[]))
    UNION ALL
    SELECT contact_id, -1 FROM said_event WHERE contact_id = ANY(CAST(%s AS uuid[]))
) AS known
GROUP BY contact_id
"""
