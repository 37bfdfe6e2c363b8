"""Where recordings lie, and what becomes of them: from two files on the PBX to one of ours, and one day to
none."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

from contactcentre import logs
from contactcentre.archive import SEALED, LostKey, Shelf, Tampered, checked, seal
from contactcentre.archive.erasing import erase
from contactcentre.archive.shelf import suffix_of
from contactcentre.domain.contacts import Recording
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.site import Queue, Site
from contactcentre.store import Store
from contactcentre.tasks.audio import BadAudio, NotReady, Side, assemble, describe
from contactcentre.tasks.encode import encode, measure
from contactcentre.tasks.pbx_files import PbxAway, PbxFiles

FAILED_KEPT_SECONDS = 7 * 86400
"""For so long the PBX's files of a recording that could not be assembled stay there for a person to look at.
"""
STALE_SECONDS = 3600
"""So long after the end of all work on a recording its files on the PBX are swept away."""

MAKING = ".making"
"""Directory below the recordings where a file is made before it has its place. What a killed worker left there is
removed after MAKING_SECONDS, longer than any task runs."""
MAKING_SECONDS = 900
SUFFIXES = {"wav": ".wav", "flac": ".flac", "opus": ".opus"}

log = logs.get(__name__)


class Facts(Protocol):
    """Where facts go that are added afterwards."""

    def append(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording's file. `sha256` is of its sound; `file_sha256` and `bytes` are of the file, sealed or not."""

    path: str
    seconds: float
    sha256: str
    file_sha256: str
    bytes: int
    channels: int


@dataclass(frozen=True, slots=True)
class Keeper:
    """Looks after recordings. `pbx` is None when the PBX's files cannot be reached from here; `form` is what new
    ones are kept as: wav, flac or opus."""

    store: Store
    facts: Facts
    shelf: Shelf
    pbx: PbxFiles | None
    form: str = "wav"

    # -- the beginning ---------------------------------------------------------------------------------------

    def store_recording(self, contact_id: str, recording: Recording, *, last_try: bool = False) -> Kept | None:
        """Assembles, encodes and seals a recording, and notes the fact; each step is proved before the next one, the
        originals go last, and doing it again is harmless. None when there is nothing left to do.

        Raises NotReady when the PBX's files are not complete yet, PbxAway when nobody can tell. On the last
        try it makes do with what is there: a side that is missing is silent and noted as a failure too.
        Raises BadAudio, BadName, BadKeys, LostKey, OSError.
        """
        if recording.deleted_at is not None:
            return None
        names = {side: checked(str(recording.files[side])) for side in ("left", "right") if recording.files.get(side)}
        if recording.stored_at is not None:
            self._delete_originals(names.values())
            return None
        kept = self._earlier(recording)
        if kept is None:
            sides, lacking = self._sides(recording, names, last_try)
            kept = self._make(recording, sides, salvage=last_try)
            if lacking:
                self.failed(contact_id, recording.id, lacking)
        if self.store.recording(recording.id)[1].deleted_at is not None:  # in the meantime
            self._destroy(recording.id, self.shelf.root / kept.path)
            return None
        stored = {"recording": recording.id, **asdict(kept)}
        self.facts.append(Event(contact_id, AFTERWARDS, time.time(), Kind.RECORDING_STORED, stored))
        self._delete_originals(names.values())
        return kept

    def _earlier(self, recording: Recording) -> Kept | None:
        """What an earlier try has made, which died before it could say so."""
        place = self._place(recording)
        for suffix in SUFFIXES.values():
            for path in (place.with_name(f"{place.name}{suffix}{sealed}") for sealed in ("", SEALED)):
                with suppress(OSError, BadAudio, Tampered, LostKey):
                    return self._describe(recording, path)
        return None

    def _make(self, recording: Recording, sides: list[Side], *, salvage: bool) -> Kept:
        place = self._place(recording)
        with self._making(recording) as here:
            assemble(sides, here / "sound.wav", salvage=salvage)
            plain = encode(here / "sound.wav", SUFFIXES[self.form])
            done, name = plain, f"{place.name}{plain.suffix}"
            if (key := self.shelf.new_key(recording.id)) is not None:
                done, name = here / f"sound{plain.suffix}{SEALED}", f"{name}{SEALED}"
                with plain.open("rb") as source, done.open("wb") as target:
                    seal(source, target, key, recording.id)
                with plain.open("rb") as meant, self.shelf.open_file(recording.id, done) as found:
                    if file_digest(meant, "sha256").digest() != file_digest(found, "sha256").digest():
                        raise BadAudio("what was opened again is not what was sealed")
            done.chmod(0o600)
            with done.open("rb") as file:
                os.fsync(file.fileno())
            return self._describe(recording, done.replace(place.with_name(name)))

    def _describe(self, recording: Recording, path: Path) -> Kept:
        """Raises BadAudio, Tampered, LostKey, OSError."""
        with self.shelf.open_file(recording.id, path) as file:
            seconds, channels = describe(file) if suffix_of(path) == ".wav" else measure(file)
            file.seek(0)
            digest = file_digest(file, "sha256").hexdigest()
        with path.open("rb") as stored:
            whole, size = file_digest(stored, "sha256").hexdigest(), os.fstat(stored.fileno()).st_size
        return Kept(str(path.relative_to(self.shelf.root)), seconds, digest, whole, size, channels)

    @contextmanager
    def _making(self, recording: Recording) -> Iterator[Path]:
        """A directory of ours alone, gone afterwards; what killed workers left in others is removed, too."""
        making = self.shelf.root / MAKING
        making.mkdir(mode=0o700, exist_ok=True)
        for left in making.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > MAKING_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        here = Path(mkdtemp(prefix=f"{recording.id}.", dir=making))
        try:
            yield here
        finally:
            shutil.rmtree(here, ignore_errors=True)

    def failed(self, contact_id: str, recording: str, error: str) -> None:
        """Notes that a recording could not be stored (as it should be)."""
        log.error("recording failed", contact_id=contact_id, recording=recording, error=error)
        data = {"recording": recording, "error": error}
        self.facts.append(Event(contact_id, AFTERWARDS, time.time(), Kind.RECORDING_FAILED, data))

    def _place(self, recording: Recording) -> Path:
        """recordings/YYYY/MM/DD/ID (no suffix yet), of the day (UTC) it began; directories made with mode 0700."""
        began = time.gmtime(recording.started or recording.ended or 0.0)
        directory = self.shelf.root
        for part in ("", *time.strftime("%Y/%m/%d", began).split("/")):
            directory = directory / part
            directory.mkdir(mode=0o700, exist_ok=True)
        return directory / checked(recording.id)

    def _sides(self, recording: Recording, names: dict[str, str], last_try: bool) -> tuple[list[Side], str]:
        """The sides to assemble, left (the customer) before right (the agent), and what is lacking, in words."""
        if self.pbx is None:
            raise PbxAway("the PBX's recordings cannot be reached from here: set CONTACTCENTRE_PBX_RECORDINGS_DIR")
        if not names:
            raise BadAudio("no files are known of it")
        paths = {side: self.pbx.get(name) for side, name in names.items()}
        missing = [side for side, path in paths.items() if path is None]
        if missing and (not last_try or len(missing) == len(names)):
            raise NotReady(f"not on the PBX: {', '.join(names[side] for side in missing)}")
        sides = [
            Side(path, float(recording.offsets.get(side, 0.0)) if path is not None else 0.0)
            for side, path in paths.items()
        ]
        return sides, f"the {missing[0]} side is missing: {names[missing[0]]} is not on the PBX" if missing else ""

    def _delete_originals(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                if self.pbx is not None:
                    self.pbx.delete(name)
            except (OSError, NotReady) as error:  # the sweep tries again
                log.warning("cannot delete a file on the PBX", name=name, error=str(error))

    # -- the end ---------------------------------------------------------------------------------------------

    def retire(self, site: Site | None, now: float) -> int:
        """Deletes recordings older than their queue's `retention_days`; row and audit entry stay. Returns how
        many."""
        days = {name: float(queue.retention_days) for name, queue in site.queues.items()} if site else {}
        default = float(Queue.model_fields["retention_days"].default)
        retired = 0
        while found := self.store.expired_recordings(days, default, now, limit=100):
            for contact_id, recording in found:
                self.delete(contact_id, recording, "retention", "worker", now)
            retired += len(found)
        return retired

    def delete(self, contact_id: str, recording: Recording, reason: str, actor: str, now: float) -> None:
        """See `archive.erasing`. Raises OnHold."""
        erase(self.store, self.shelf, (contact_id, recording), reason, actor, now)

    def _destroy(self, recording: str, path: Path | None) -> None:
        self.store.destroy_data_key(recording)  # copies of the file, in backups too, are of no use from now on
        if path is not None:
            path.unlink(missing_ok=True)

    def sweep(self, now: float) -> int:
        """Deletes files on the PBX that are of no use any more: their recording was stored or deleted some
        time ago, or has failed long ago. Files that are not ours are never touched. Returns how many."""
        swept = 0
        for name in list(self.pbx.names()) if self.pbx else ():
            recording = self.store.recording_of_file(name)
            if recording is not None and _useless(recording, now):
                self._delete_originals([name])
                swept += 1
        return swept


def _useless(recording: Recording, now: float) -> bool:
    kept = recording.stored_at or recording.deleted_at
    if kept is not None:
        return now - kept > STALE_SECONDS
    return recording.failed_at is not None and now - recording.failed_at > FAILED_KEPT_SECONDS
