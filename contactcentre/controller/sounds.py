"""The sound of messages, for the PBX to play: its own file, or ours where it can read it."""

import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

import gevent
from gevent import subprocess

from contactcentre.archive import BadKeys, BadName, LostKey, NotThere, Shelf, Tampered
from contactcentre.archive.shelf import suffix_of
from contactcentre.pbx.protocol import RECORDING, Medium
from contactcentre.store import NoSuchRecording, Store

UNPACK_SECONDS = 20.0
"""To unpack FLAC or Opus may take so long; an hour takes two seconds."""

_UNPACK = Path(__file__).with_name("unpack.py")  # not imported: what it loads would delay each start of a controller


class NoSound(Exception):
    """It cannot be played here and now."""


class Sounds:
    def __init__(self, store: Store, shelf: Shelf, lent: Path) -> None:
        """`lent`, which the PBX can read like a prompt, holds copies in the clear while they are played. What a killed
        controller left there is removed."""
        self._store, self._shelf, self._lent = store, shelf, lent
        shutil.rmtree(lent, ignore_errors=True)

    @contextmanager
    def lend(self, id: str) -> Iterator[Medium]:
        """A recording's sound, as long as the block lasts. Raises NoSound, StoreUnavailable."""
        try:
            _, recording = self._store.recording(id)
            if recording.state == "ended" and "left" in recording.files:  # nobody has fetched it from the PBX yet
                yield f"{RECORDING}{recording.files['left']}"
                return
            sound = self._shelf.open(recording)
        except (NoSuchRecording, NotThere, BadName, BadKeys, LostKey, Tampered, OSError) as error:
            raise NoSound(str(error)) from error
        # Nobody else can list the directory, and the name cannot be guessed.
        copy = self._lent / f"{secrets.token_hex(16)}.wav"
        try:
            with sound:
                self._copy(sound, suffix_of(Path(recording.path)), copy)
            yield f"sound:{copy.with_suffix('')}"
        finally:
            copy.unlink(missing_ok=True)

    def _copy(self, sound: BufferedReader, suffix: str, copy: Path) -> None:
        """Raises NoSound."""
        pool = gevent.get_hub().threadpool  # reading and decrypting is no work for the thread of calls
        try:
            data = pool.apply(sound.read)
            pool.apply(_write, (copy, data if suffix == ".wav" else _unpacked(data)))
        except (Tampered, OSError, subprocess.TimeoutExpired) as error:
            raise NoSound(str(error)) from error


def _unpacked(data: bytes) -> bytes:
    """Raises NoSound, OSError, TimeoutExpired."""
    done = subprocess.run(
        [sys.executable, "-I", _UNPACK], input=data, capture_output=True, timeout=UNPACK_SECONDS, check=False
    )
    if done.returncode:
        raise NoSound(f"not unpacked: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return bytes(done.stdout)


def _write(copy: Path, data: bytes) -> None:
    if not copy.parent.is_dir():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.parent.chmod(0o711)
    copy.write_bytes(data)
    copy.chmod(0o644)
