"""Where recordings lie, and what becomes of them: from two files on the PBX to one of ours, and one day to
none."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contactcentre import logs
from contactcentre.domain.contacts import Recording
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.site import Queue, Site
from contactcentre.store import Store
from contactcentre.tasks.audio import Assembled, BadAudio, NotReady, Side, assemble, describe

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a recording's id and a file's name on the PBX may be: both become part of a path."""
SUFFIX = ".wav"
FAILED_KEPT_SECONDS = 7 * 86400
"""For so long the PBX's files of a recording that could not be assembled stay there for a person to look at.
"""
STALE_SECONDS = 3600

log = logs.get(__name__)


class BadName(ValueError):
    """A recording's id or file name could leave its directory."""


class Facts(Protocol):
    """Where facts go that are added afterwards."""

    def append(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Keeper:
    """Looks after recordings. `pbx` is the PBX's own recordings directory, None when it cannot be read from
    here."""

    store: Store
    facts: Facts
    recordings: Path
    pbx: Path | None

    def path(self, recording: str, started: float) -> Path:
        """recordings/YYYY/MM/DD/ID.wav, of the day (UTC) it began; directories made with mode 0700."""
        directory = self.recordings
        for part in ("", *time.strftime("%Y/%m/%d", time.gmtime(started)).split("/")):
            directory = directory / part
            directory.mkdir(mode=0o700, exist_ok=True)
        return directory / f"{_checked(recording)}{SUFFIX}"

    def store_recording(self, contact_id: str, recording: Recording, *, last_try: bool = False) -> Assembled | None:
        """Assembles a recording, and notes the fact; doing it again is harmless. None when there is nothing
        left to do.

        Raises NotReady when the PBX's files are not complete yet. On the last try it makes do with what is
        there: a side that is missing is silent and noted as a failure too. Raises BadAudio, BadName, OSError.
        """
        if recording.deleted_at is not None:
            return None
        target = self.path(recording.id, recording.started or recording.ended or 0.0)
        originals = self._originals(recording)
        if recording.stored_at is not None:
            _remove(originals.values())
            return None
        missing = ""
        try:
            made = describe(target)  # an earlier try got as far as this
        except (OSError, BadAudio):
            made, missing = self._assemble(recording, originals, target, last_try)
        if missing:
            self.failed(contact_id, recording.id, missing)
        stored = {
            "recording": recording.id,
            "path": str(target.relative_to(self.recordings)),
            "seconds": made.seconds,
            "sha256": made.sha256,
            "bytes": made.bytes,
            "channels": made.channels,
        }
        self.facts.append(Event(contact_id, AFTERWARDS, time.time(), Kind.RECORDING_STORED, stored))
        _remove(originals.values())
        return made

    def failed(self, contact_id: str, recording: str, error: str) -> None:
        """Notes that a recording could not be stored (as it should be)."""
        log.error("recording failed", contact_id=contact_id, recording=recording, error=error)
        data = {"recording": recording, "error": error}
        self.facts.append(Event(contact_id, AFTERWARDS, time.time(), Kind.RECORDING_FAILED, data))

    def _assemble(
        self, recording: Recording, originals: Mapping[str, Path], target: Path, last_try: bool
    ) -> tuple[Assembled, str]:
        if not originals:
            raise BadAudio("no files are known of it")
        offsets = {side: float(recording.offsets.get(side, 0.0)) for side in originals}
        sides = {side: Side(path, offsets[side]) for side, path in originals.items()}
        missing = [name for name, path in originals.items() if not path.exists()] if last_try else []
        if missing and len(missing) == len(sides):
            raise NotReady(f"no file of it is on the PBX: {', '.join(path.name for path in originals.values())}")
        sides.update({name: Side(None) for name in missing})
        lacking = f"the {missing[0]} side is missing: {originals[missing[0]].name} is not on the PBX" if missing else ""
        return assemble(list(sides.values()), target, salvage=last_try), lacking

    def _originals(self, recording: Recording) -> dict[str, Path]:
        """Side -> file on the PBX, left (the customer) before right (the agent)."""
        names = {side: recording.files[side] for side in ("left", "right") if recording.files.get(side)}
        if self.pbx is None:
            raise NotReady("the PBX's recordings directory is not known here (CONTACTCENTRE_PBX_RECORDINGS_DIR)")
        return {side: self.pbx / f"{_checked(str(name))}{SUFFIX}" for side, name in names.items()}

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
        """The file first: a crash in between is mended by doing it again."""
        stored_file(self.recordings, recording).unlink(missing_ok=True)
        detail = {"reason": reason, "contact": contact_id, "queue": recording.queue, "path": recording.path}
        self.store.audit(actor, "recording.delete", recording.id, detail)
        data = {"recording": recording.id, "reason": reason}
        self.store.record([Event(contact_id, AFTERWARDS, now, Kind.RECORDING_DELETED, data)])

    def sweep(self, now: float) -> int:
        """Deletes files on the PBX that are of no use any more: their recording is stored or deleted, or has
        failed long ago. Files that are not ours are never touched. Returns how many."""
        swept = 0
        for path in sorted(self.pbx.glob(f"*{SUFFIX}")) if self.pbx else ():
            try:
                if now - path.stat().st_mtime < STALE_SECONDS:
                    continue
            except FileNotFoundError:
                continue
            recording = self.store.recording_of_file(path.name.removesuffix(SUFFIX))
            if recording is None:
                continue
            failed_long_ago = recording.failed_at is not None and now - recording.failed_at > FAILED_KEPT_SECONDS
            if recording.stored_at is not None or recording.deleted_at is not None or failed_long_ago:
                path.unlink(missing_ok=True)
                swept += 1
        return swept


def stored_file(recordings: Path, recording: Recording) -> Path:
    """A stored recording's file. Raises BadName when the stored path would lead out of the directory."""
    path = (recordings / recording.path).resolve()
    if not recording.path or not path.is_relative_to(recordings.resolve()):
        raise BadName(f"recording {recording.id}: {recording.path!r} is no path below the recordings directory")
    return path


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise BadName(f"{name!r} is no name of a recording")
    return name


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # the sweep tries again
            log.warning("cannot delete a file on the PBX", path=str(path), error=str(error))
