"""Legal holds: recordings that neither retention nor a request deletes, until somebody takes the hold back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contactcentre.domain.contacts import Recording
from contactcentre.store.database import Database
from contactcentre.store.history import MAX_PAGE, read_recording
from contactcentre.store.tables import audit, contact, legal_hold, recording


@dataclass(frozen=True, slots=True)
class Hold:
    recording: str
    by: str
    at: float  # epoch seconds
    reason: str


class OnHold(Exception):
    """The recording is under a legal hold: nothing deletes it."""


class Holds(Database):
    def hold(self, recordings: Sequence[str], by: str, reason: str, address: str = "") -> int:
        """Puts these on hold, with a line each in the audit log; those that are stay as they are. How many are new."""
        with self._begin() as connection:
            rows = [{"recording": id, "by": by, "reason": reason} for id in recordings]
            if not rows:
                return 0
            added = insert(legal_hold).values(rows).on_conflict_do_nothing().returning(legal_hold.c.recording)
            new = list(connection.scalars(added))
            self._note(connection, new, by, "recording.hold", reason, address)
            return len(new)

    def release(self, recordings: Sequence[str], by: str, reason: str, address: str = "") -> int:
        """Takes holds back. How many there were."""
        with self._begin() as connection:
            gone = sa.delete(legal_hold).where(legal_hold.c.recording.in_(recordings)).returning(legal_hold.c.recording)
            ended = list(connection.scalars(gone))
            self._note(connection, ended, by, "recording.release", reason, address)
            return len(ended)

    @staticmethod
    def _note(connection: sa.Connection, ids: Sequence[str], by: str, action: str, reason: str, address: str) -> None:
        if ids:
            line = {"actor": by, "action": action, "detail": {"reason": reason}, "address": address}
            connection.execute(sa.insert(audit), [{**line, "subject": id} for id in ids])

    def holds(self) -> list[Hold]:
        """The latest first."""
        statement = sa.select(legal_hold).order_by(legal_hold.c.at.desc()).limit(MAX_PAGE)
        with self._begin() as connection:
            return [Hold(**row) for row in connection.execute(statement).mappings()]

    def held(self, id: str) -> Hold | None:
        with self._begin() as connection:
            row = connection.execute(sa.select(legal_hold).where(legal_hold.c.recording == id)).mappings().first()
        return Hold(**row) if row is not None else None

    def recordings_of_caller(self, numbers: Collection[str]) -> list[tuple[str, Recording]]:
        """(contact's id, recording) of all that is kept of a caller, by the number as it came: one of these."""
        statement = (
            sa.select(recording)
            .join(contact, contact.c.id == recording.c.contact_id)
            .where(contact.c.caller.in_(numbers), recording.c.deleted_at.is_(None))
            .order_by(recording.c.stored_at)
        )
        with self._begin() as connection:
            found = connection.execute(statement).mappings()
            return [(str(row["contact_id"]), read_recording(row)) for row in found]
