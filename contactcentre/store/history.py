"""Reads what happened: contacts and all that belongs to them."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from contactcentre.domain.contacts import (
    Contact,
    ContactHistory,
    Leg,
    Participation,
    Phase,
    Recording,
    Said,
    Segment,
    Visit,
    Voicemail,
)
from contactcentre.domain.events import Event
from contactcentre.store import tables
from contactcentre.store.database import Database, by_name
from contactcentre.store.derived import events_of
from contactcentre.store.paging import after, cursor_at

MAX_PAGE = 1000
SAID_NOTHING = "-"
"""In place of a disposition: of contacts that an agent talked with, and of which nobody has said how they ended."""


class NoSuchContact(Exception):
    """No contact has this id, or begins with it."""


class AmbiguousContact(Exception):
    """Several contacts' ids begin with this text."""


class NoSuchRecording(Exception):
    """There is no recording of this id."""


@dataclass(frozen=True, slots=True)
class Page:
    """Contacts, latest arrival first. `cursor` gets the next page; "" on the last one."""

    contacts: tuple[Contact, ...]
    cursor: str = ""


class History(Database):
    def contacts(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        queue: str = "",
        agent: str = "",
        caller: str = "",
        callers: Collection[str] | None = None,
        outcome: str = "",
        disposition: str = "",
        live: bool | None = None,
        limit: int = 50,
        cursor: str = "",
        only: Collection[str] | None = None,
    ) -> Page:
        """Contacts that arrived in [since, until) and match all that is given. `live`: only those that (have
        not) ended. `queue` and `agent`: any that it passed through; `only`: it passed through one of these queues.
        `callers`: from one of these numbers, as they came.
        `disposition`: said for one of its queues; SAID_NOTHING: an agent talked, and it has none. `limit` is at most
        MAX_PAGE. Raises BadCursor."""
        columns = tables.contact.c
        limit = max(1, min(limit, MAX_PAGE))
        statement = sa.select(tables.contact).order_by(columns.arrived.desc(), columns.id.desc()).limit(limit + 1)
        if since is not None:
            statement = statement.where(columns.arrived >= since)
        if until is not None:
            statement = statement.where(columns.arrived < until)
        if queue:
            statement = statement.where(columns.queues.contains([queue]))
        if only is not None:
            statement = statement.where(columns.queues.overlap(list(only)))
        if agent:
            statement = statement.where(columns.agents.contains([agent]))
        if caller:
            statement = statement.where(columns.caller == caller)
        if callers is not None:
            statement = statement.where(columns.caller.in_(list(callers)))
        if outcome:
            statement = statement.where(columns.outcome == outcome)
        if disposition == SAID_NOTHING:
            statement = statement.where(columns.disposition == "", columns.connected.is_not(None))
        elif disposition:
            own = tables.said.c
            said = sa.exists().where(own.contact_id == columns.id, own.code == disposition)
            statement = statement.where(said if only is None else said.where(own.queue.in_(list(only))))
        if live is not None:
            statement = statement.where(columns.ended.is_(None) if live else columns.ended.is_not(None))
        if cursor:
            statement = statement.where(after(cursor, columns.arrived, columns.id))
        with self._begin() as connection:
            found = [_contact(row) for row in connection.execute(statement).mappings()]
        more = len(found) > limit
        return Page(tuple(found[:limit]), cursor_at(found[limit - 1].arrived, found[limit - 1].id) if more else "")

    def contact(self, id: str) -> Contact:
        """By its id, or by the beginning of one if only one contact has it. Raises NoSuchContact,
        AmbiguousContact."""
        digits = id.strip().lower().replace("-", "")
        if not re.fullmatch(r"[0-9a-f]{4,32}", digits):
            raise NoSuchContact(
                f"{id!r} is no contact id: give at least its first 4 digits (`contactcentre contact list`)"
            )
        column = tables.contact.c.id
        low, high = digits.ljust(32, "0"), digits.ljust(32, "f")
        statement = sa.select(tables.contact).where(column.between(low, high)).limit(2)
        with self._begin() as connection:
            found = [_contact(row) for row in connection.execute(statement).mappings()]
        if not found:
            raise NoSuchContact(
                f"no contact has an id that begins with {id!r} (`contactcentre contact list` shows them)"
            )
        if len(found) > 1:
            raise AmbiguousContact(
                f"several contacts' ids begin with {id!r}: {found[0].id}, {found[1].id} ...: give more of it"
            )
        return found[0]

    def events(self, contact_id: str) -> list[Event]:
        """All facts about a contact in order; what was added afterwards (`seq` 0) comes last."""
        with self._begin() as connection:
            found = events_of(connection, [contact_id]).get(contact_id, [])
        return sorted(found, key=lambda event: (event.seq == 0, event.seq, event.at))

    def legs(self, contact_id: str) -> list[Leg]:
        return [Leg(**row) for row in self._of(tables.leg, contact_id, tables.leg.c.started)]

    def segments(self, contact_id: str) -> list[Segment]:
        rows = self._of(tables.segment, contact_id, tables.segment.c.n)
        return [Segment(**{**row, "kind": Phase(row["kind"])}) for row in rows]

    def participations(self, contact_id: str) -> list[Participation]:
        rows = self._of(tables.participation, contact_id, tables.participation.c.n)
        return [Participation(**{**row, "kind": Phase(row["kind"])}) for row in rows]

    def visits(self, contact_id: str) -> list[Visit]:
        return [Visit(**row) for row in self._of(tables.queue_visit, contact_id, tables.queue_visit.c.n)]

    def said(self, contact_id: str) -> list[Said]:
        return [Said(**row) for row in self._of(tables.said, contact_id, tables.said.c.at)]

    def history(self, contact_id: str) -> ContactHistory:
        """Everything derived about one contact. Raises NoSuchContact, AmbiguousContact."""
        contact = self.contact(contact_id)
        voicemails = self._of(tables.voicemail, contact.id, tables.voicemail.c.at)
        return ContactHistory(
            contact,
            tuple(self.legs(contact.id)),
            tuple(self.segments(contact.id)),
            tuple(self.participations(contact.id)),
            tuple(self.visits(contact.id)),
            tuple(self.recordings(contact_id=contact.id)),
            tuple(Voicemail(**row) for row in voicemails),
            tuple(self.said(contact.id)),
        )

    def recordings(
        self,
        *,
        contact_id: str = "",
        queue: str = "",
        agent: str = "",
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> list[Recording]:
        """Latest first; of a contact in the order they began."""
        columns = tables.recording.c
        begun = sa.func.coalesce(columns.started, columns.ended)
        order = (begun, columns.id) if contact_id else (begun.desc(), columns.id.desc())
        statement = sa.select(tables.recording).order_by(*order).limit(max(1, min(limit, MAX_PAGE)))
        for column, wanted in (
            (columns.contact_id, contact_id),
            (columns.queue, queue),
            (columns.agent, agent),
        ):
            if wanted:
                statement = statement.where(column == wanted)
        if since is not None:
            statement = statement.where(begun >= since)
        if until is not None:
            statement = statement.where(begun < until)
        with self._begin() as connection:
            return [read_recording(row) for row in connection.execute(statement).mappings()]

    def recording(self, id: str) -> tuple[str, Recording]:
        """(contact's id, recording). Raises NoSuchRecording."""
        with self._begin() as connection:
            row = (
                connection.execute(sa.select(tables.recording).where(tables.recording.c.id == id))
                .mappings()
                .one_or_none()
            )
        if row is None:
            raise NoSuchRecording(f"there is no recording {id!r} (`contactcentre recording list` shows them)")
        return str(row["contact_id"]), read_recording(row)

    def recording_of_file(self, name: str) -> Recording | None:
        """The recording that a file on the PBX (name without suffix) is a side of; None when it is none of
        ours."""
        files = tables.recording.c.files
        begun = name.rpartition("-")[0] or name  # a side is called ID, ID-left or ID-right
        candidates = sa.select(tables.recording).where(tables.recording.c.id.in_([name, begun]))
        statement = candidates.where(sa.or_(files["left"].astext == name, files["right"].astext == name))
        with self._begin() as connection:
            row = connection.execute(statement).mappings().first()
        return None if row is None else read_recording(row)

    def unfinished_recordings(self, before: float, limit: int = 100) -> list[str]:
        """Ids of recordings that ended before a time and were neither stored nor given up."""
        columns = tables.recording.c
        statement = (
            sa.select(columns.id)
            .where(columns.ended < before, columns.stored_at.is_(None), columns.failed_at.is_(None))
            .order_by(columns.ended)
            .limit(limit)
        )
        with self._begin() as connection:
            return [str(id) for id in connection.scalars(statement)]

    def pending_recordings(self) -> tuple[int, float | None]:
        """(how many recordings ended and are neither stored nor given up, when the first of them ended)."""
        columns = tables.recording.c
        statement = sa.select(sa.func.count(), sa.func.min(columns.ended)).where(
            columns.ended.is_not(None), columns.stored_at.is_(None), columns.failed_at.is_(None)
        )
        with self._begin() as connection:
            number, first = connection.execute(statement).one()
        return int(number), None if first is None else float(first)

    def failed_recordings(self, since: float, limit: int = MAX_PAGE) -> list[str]:
        """Ids of recordings that failed since then and were not stored after all."""
        columns = tables.recording.c
        statement = (
            sa.select(columns.id)
            .where(columns.failed_at >= since, columns.stored_at.is_(None), columns.deleted_at.is_(None))
            .order_by(columns.failed_at)
            .limit(limit)
        )
        with self._begin() as connection:
            return [str(id) for id in connection.scalars(statement)]

    def expired_recordings(
        self, days: Mapping[str, float], default_days: float, now: float, limit: int = MAX_PAGE
    ) -> list[tuple[str, Recording]]:
        """(contact's id, recording) of those stored, not deleted, and older than their queue's days (0 = kept
        for ever). A queue that is not in `days`, and voicemail, has `default_days`."""
        columns = tables.recording.c
        kept = by_name(columns.queue, days, default_days)
        born = sa.func.extract("epoch", sa.func.coalesce(columns.started, columns.stored_at))
        statement = (
            sa.select(tables.recording)
            .where(columns.stored_at.is_not(None), columns.deleted_at.is_(None))
            .where(kept > 0, born + kept * 86400 <= now)
            .where(~sa.exists().where(tables.legal_hold.c.recording == columns.id))
            .order_by(columns.stored_at)
            .limit(limit)
        )
        with self._begin() as connection:
            return [(str(row["contact_id"]), read_recording(row)) for row in connection.execute(statement).mappings()]

    def _of(self, table: sa.Table, contact_id: str, order: Any) -> list[dict[str, Any]]:
        """One contact's rows of a derived table, without the columns that only the table has."""
        columns = [column for column in table.c if column.name not in ("contact_id", "n")]
        statement = sa.select(*columns).where(table.c.contact_id == contact_id).order_by(order)
        with self._begin() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]


def _contact(row: sa.RowMapping) -> Contact:
    missing = tuple((first, last) for first, last in row["missing"])
    return Contact(**{**row, "queues": tuple(row["queues"]), "agents": tuple(row["agents"]), "missing": missing})


def read_recording(row: sa.RowMapping) -> Recording:
    return Recording(**{name: value for name, value in row.items() if name != "contact_id"})
