"""What people say of contacts: dispositions, which are facts, and notes and answers, which are the customer's data."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.history import Said
from contactcentre.domain.ids import uuid7
from contactcentre.domain.results import Answer, Result, Wish
from contactcentre.domain.said import say
from contactcentre.domain.site import Queue
from contactcentre.store.journal import JournalWriter
from contactcentre.store.tables import contact, contact_note, said, said_event


@dataclass(frozen=True, slots=True)
class Note:
    """What was written down about a contact for one of its queues."""

    queue: str
    note: str
    answers: Mapping[str, Answer]
    version: int
    at: float
    by: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A call back that an agent has promised."""

    contact_id: str
    caller: str
    caller_name: str
    said: Said


@dataclass(frozen=True, slots=True)
class SaidCount:
    """How often a disposition was said for a queue."""

    queue: str
    code: str
    label: str
    number: int


class Changed(Exception):
    """Somebody else has changed it since it was read."""


class Results(JournalWriter):
    def notes(self, contact_id: str) -> list[Note]:
        """By queue; the order in which they were changed."""
        statement = sa.select(contact_note).where(contact_note.c.contact_id == contact_id).order_by(contact_note.c.at)
        with self._begin() as connection:
            return [_note(row) for row in connection.execute(statement).mappings()]

    def result(self, contact_id: str, queue: str, agent: str) -> Result:
        """What was said of a contact for this queue. `agent`: whose contact it was, where nobody has said any. Read
        from what people said itself: the contact's own facts may still be on their way."""
        noted = (contact_note.c.contact_id == contact_id) & (contact_note.c.queue == queue)
        with self._begin() as connection:
            was = _said_of(connection, contact_id)
            note = connection.execute(sa.select(contact_note).where(noted)).mappings().one_or_none()
        found = Result(contact_id, queue, agent, was.get(queue))
        if note is None:
            return found
        return replace(found, note=note["note"], answers=_answers(note), version=note["version"])

    def say(self, known: Result, rules: Queue, wish: Wish, by: str, at: float, *, done: bool = False) -> Result:
        """As it is after this, all of it or nothing; `known` itself where it changes nothing. Raises
        domain.results.NotAcceptable and Incomplete, and Changed where somebody else was quicker."""
        change = known.changed(rules, wish, by, at, done=done)
        if change is None:
            return known
        answers = {name: asdict(answer) for name, answer in change.answers.items()}
        row = {"note": change.note, "answers": answers, "by": by, "at": at, "version": known.version + 1}
        key = {"contact_id": known.contact, "queue": known.queue}
        statement: sa.Insert | sa.Update
        if known.version:
            own = (contact_note.c[name] == value for name, value in key.items())
            statement = sa.update(contact_note).where(*own, contact_note.c.version == known.version).values(row)
        else:
            statement = insert(contact_note).values(key | row).on_conflict_do_nothing()
        with self._begin() as connection:
            if connection.execute(statement.returning(contact_note.c.version)).one_or_none() is None:
                raise Changed(f"contact {known.contact}: somebody else has written something meanwhile")
            if change.fact is not None:
                self._write(connection, [_event(known.contact, at, Kind.DISPOSITION, change.fact)])
        return self.result(known.contact, known.queue, known.agent)

    def called_back(self, contact_id: str, queue: str, agent: str, by: str, at: float) -> None:
        """Notes that a promise was kept."""
        data = {"agent": agent, "queue": queue, "by": by}
        with self._begin() as connection:
            self._write(connection, [_event(contact_id, at, Kind.CALLED_BACK, data)])

    def promises(
        self, agent: str = "", queue: str = "", only: Collection[str] | None = None, limit: int = 100
    ) -> list[Promise]:
        """Calls back that were promised and not made yet, the earliest first: by this agent, for this queue, of these
        queues."""
        own = said.c
        columns = (contact.c.caller, contact.c.caller_name, said)
        statement = (
            sa.select(*columns)
            .join(contact, contact.c.id == own.contact_id)
            .where(own.callback_at.is_not(None), own.called_at.is_(None))
            .order_by(own.callback_at)
            .limit(limit)
        )
        if agent:
            statement = statement.where(own.agent == agent)
        if queue:
            statement = statement.where(own.queue == queue)
        if only is not None:
            statement = statement.where(own.queue.in_(list(only)))
        with self._begin() as connection:
            return [_promise(row) for row in connection.execute(statement).mappings()]

    def count_said(self, since: float, until: float, only: Collection[str] | None = None) -> list[SaidCount]:
        """How often each disposition was said in [since, until), by queue, the most frequent first; of each contact and
        queue the last one."""
        own = said.c
        number = sa.func.count()
        statement = (
            sa.select(own.queue, own.code, sa.func.max(own.label), number)
            .where(own.at >= since, own.at < until)
            .group_by(own.queue, own.code)
            .order_by(own.queue, number.desc(), own.code)
        )
        if only is not None:
            statement = statement.where(own.queue.in_(list(only)))
        with self._begin() as connection:
            return [SaidCount(*row) for row in connection.execute(statement)]


def _event(contact_id: str, at: float, kind: Kind, data: Mapping[str, object]) -> Event:
    return Event(contact_id, AFTERWARDS, at, kind, {**data, "id": uuid7(at)})


def _said_of(connection: sa.Connection, contact_id: str) -> dict[str, Said]:
    own = said_event.c
    statement = sa.select(own.at, own.kind, own.data).where(own.contact_id == contact_id).order_by(own.id)
    found: dict[str, Said] = {}
    for at, kind, data in connection.execute(statement):
        say(found, Event(contact_id, AFTERWARDS, at, Kind(kind), data))
    return found


def _note(row: sa.RowMapping) -> Note:
    return Note(row["queue"], row["note"], _answers(row), row["version"], row["at"], row["by"])


def _answers(row: sa.RowMapping) -> dict[str, Answer]:
    return {name: Answer(**answer) for name, answer in row["answers"].items()}


def _said(row: sa.RowMapping) -> Said:
    return Said(**{one.name: row[one.name] for one in fields(Said)})


def _promise(row: sa.RowMapping) -> Promise:
    return Promise(str(row["contact_id"]), row["caller"], row["caller_name"], _said(row))
