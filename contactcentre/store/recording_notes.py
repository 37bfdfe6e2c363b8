"""What people wrote at a second of a recording. It goes with the recording."""

from dataclasses import dataclass

import sqlalchemy as sa

from contactcentre.domain.ids import uuid7
from contactcentre.store.database import Database
from contactcentre.store.tables import Epoch, metadata

recording_note = sa.Table(
    "recording_note",
    metadata,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("recording", sa.Text, nullable=False, index=True),
    sa.Column("second", sa.Float, nullable=False, comment="from the recording's beginning"),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False, comment="an account"),
    sa.Column("at", Epoch, nullable=False),
)


@dataclass(frozen=True, slots=True)
class RecordingNote:
    id: str
    recording: str
    second: float
    text: str
    by: str
    at: float  # epoch seconds


class RecordingNotes(Database):
    def add_recording_note(self, recording: str, second: float, text: str, by: str, now: float) -> RecordingNote:
        made = RecordingNote(uuid7(now), recording, second, text, by, now)
        values = {name: getattr(made, name) for name in ("id", "recording", "second", "text", "by", "at")}
        with self._begin() as connection:
            connection.execute(sa.insert(recording_note).values(values))
        return made

    def recording_notes(self, recording: str) -> list[RecordingNote]:
        """In the order of the recording."""
        own = recording_note.c
        statement = sa.select(recording_note).where(own.recording == recording).order_by(own.second, own.id)
        with self._begin() as connection:
            return [RecordingNote(**row._mapping) for row in connection.execute(statement)]

    def forget_recording_notes(self, recording: str) -> None:
        with self._begin() as connection:
            connection.execute(sa.delete(recording_note).where(recording_note.c.recording == recording))
