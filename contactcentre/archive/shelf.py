"""Where recordings lie, and how one is opened, sealed or not."""

import os
import re
from io import BufferedReader
from pathlib import Path
from typing import Self

from contactcentre.archive.keys import KEY, KeyRing, KeySource, LostKey
from contactcentre.archive.sealed import unseal
from contactcentre.domain.contacts import Recording
from contactcentre.settings import Settings
from contactcentre.store import Store

SEALED = ".sealed"
"""What the name of a sealed file ends with, after the suffix of its sound."""
SOUND = {".wav": "audio/wav", ".flac": "audio/flac", ".opus": "audio/ogg"}
"""The media types of what we store, by suffix."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class BadName(ValueError):
    """The name of a recording or file could leave its directory."""


class NotThere(Exception):
    """The recording has no file (yet, or any more)."""


def checked(name: str) -> str:
    """The name, if it can be part of a path. Raises BadName."""
    if not NAME.fullmatch(name):
        raise BadName(f"{name!r} is no name of a recording")
    return name


class Shelf:
    """The recordings directory. `root` is closed to other users; all that is below it is ours."""

    def __init__(self, store: Store, root: Path, keys: KeySource) -> None:
        self._store, self.root, self._source = store, root, keys
        self._ring: KeyRing | None = None

    @classmethod
    def of(cls, store: Store, settings: Settings) -> Self:
        return cls(store, settings.recordings_dir, KeySource.of(settings))

    def path(self, recording: Recording) -> Path:
        """A stored recording's file. Raises BadName when the stored path would lead out of the directory."""
        path = (self.root / recording.path).resolve()
        if not recording.path or not path.is_relative_to(self.root.resolve()) or suffix_of(path) not in SOUND:
            raise BadName(f"recording {recording.id}: {recording.path!r} is no sound below the recordings directory")
        return path

    def open(self, recording: Recording) -> BufferedReader:
        """Its sound, to be read from anywhere. Raises NotThere, BadName, LostKey, BadKeys, Tampered, OSError."""
        if recording.state != "stored":
            raise NotThere(f"recording {recording.id} has no file: it is {recording.state}. {recording.error}".strip())
        path = self.path(recording)
        if not path.is_file():
            raise NotThere(f"recording {recording.id}: {path} is not there")
        return self.open_file(recording.id, path)

    def open_file(self, recording: str, path: Path) -> BufferedReader:
        """As `open`, of a file that no fact tells of yet."""
        if path.suffix != SEALED:
            return path.open("rb")
        key, file = self._key(recording), path.open("rb")
        try:
            return unseal(file, key, recording)
        except BaseException:
            file.close()
            raise

    def new_key(self, recording: str) -> bytes | None:
        """The data key to seal it with, kept before it is used; None where nothing is sealed: there is no master key
        and never was. Raises LostKey, BadKeys, StoreUnavailable."""
        self._ring = self._source.read()
        if not self._ring.current:
            if self._store.data_keys():
                raise LostKey("there are sealed recordings, but no master key: bring the key file back")
            return None
        self._store.keep_data_key(recording, *self._ring.wrap(recording, os.urandom(KEY)))
        return self._key(recording)  # an earlier try's, if there was one

    def rewrap(self, limit: int = 200) -> int:
        """Wraps data keys by the current master key that another one wraps, at most so many; returns how many. No file
        is touched, and every key is changed by itself: it may be stopped at any moment. Raises LostKey, BadKeys."""
        self._ring = self._source.read()
        if not self._ring.current:
            raise LostKey("there is no master key")
        done = 0
        for recording, master, wrapped in self._store.data_keys_of_others(self._ring.current, limit):
            new = self._ring.wrap(recording, self._ring.unwrap(recording, master, wrapped))
            done += self._store.replace_data_key(recording, wrapped, *new)
        return done

    def _key(self, recording: str) -> bytes:
        found = self._store.data_key(recording)
        if found is None:
            raise LostKey(f"recording {recording} is sealed, and its key is not in the database")
        if self._ring is None or found[0] not in self._ring.keys:  # or rotated since
            self._ring = self._source.read()
        return self._ring.unwrap(recording, *found)


def suffix_of(path: Path) -> str:
    """The suffix that tells what sound a file holds, sealed or not."""
    return (path.with_suffix("") if path.suffix == SEALED else path).suffix
