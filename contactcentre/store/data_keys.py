"""The wrapped data keys of sealed recordings. Without its row a recording cannot be read by anybody."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contactcentre.store.database import Database
from contactcentre.store.tables import recording_key

_column = recording_key.c


class DataKeys(Database):
    def keep_data_key(self, recording: str, master: str, wrapped: bytes) -> None:
        """Where there is one, it stays."""
        values = {"recording": recording, "master": master, "wrapped": wrapped}
        with self._begin() as connection:
            connection.execute(insert(recording_key).values(values).on_conflict_do_nothing())

    def data_key(self, recording: str) -> tuple[str, bytes] | None:
        """(master key's name, wrapped key)."""
        statement = sa.select(_column.master, _column.wrapped).where(_column.recording == recording)
        with self._begin() as connection:
            row = connection.execute(statement).first()
        return None if row is None else (str(row[0]), bytes(row[1]))

    def destroy_data_key(self, recording: str) -> None:
        """Nobody can read the recording any more, wherever a copy of its file may lie."""
        with self._begin() as connection:
            connection.execute(sa.delete(recording_key).where(_column.recording == recording))

    def data_keys(self) -> dict[str, int]:
        """How many data keys each master key wraps."""
        statement = sa.select(_column.master, sa.func.count()).group_by(_column.master)
        with self._begin() as connection:
            return {str(master): int(count) for master, count in connection.execute(statement)}

    def data_keys_of_others(self, master: str, limit: int) -> list[tuple[str, str, bytes]]:
        """(recording, master key's name, wrapped key) of those that another master key than this one wraps."""
        statement = sa.select(_column.recording, _column.master, _column.wrapped).where(_column.master != master)
        with self._begin() as connection:
            rows = connection.execute(statement.order_by(_column.recording).limit(limit))
            return [(str(recording), str(other), bytes(wrapped)) for recording, other, wrapped in rows]

    def replace_data_key(self, recording: str, before: bytes, master: str, wrapped: bytes) -> int:
        """Only where it is still the one of `before`. Returns how many were replaced: 1 or 0."""
        statement = sa.update(recording_key).where(_column.recording == recording, _column.wrapped == before)
        with self._begin() as connection:
            return connection.execute(statement.values(master=master, wrapped=wrapped)).rowcount
