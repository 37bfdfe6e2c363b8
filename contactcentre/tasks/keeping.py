"""Where recordings lie, and what becomes of them: from two files on the PBX to one of ours, and one day to
none."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contactcentre import logs
from contactcentre.domain.contacts import Recording
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.site import Queue, Site
from contactcentre.store import OnHold, Store
from contactcentre.tasks.audio import Assembled, BadAudio, NotReady, Side, assemble, describe
from contactcentre.tasks.pbx_files import SUFFIX, BadName, PbxAway, PbxFiles, checked

FAILED_KEPT_SECONDS = 7 * 86400
"""For so long the PBX's files of a recording that could not be assembled stay there for a person to look at.
"""
STALE_SECONDS = 3600
"""So long after the end of all work on a recording its files on the PBX are swept away."""

log = logs.get(__name__)


class Facts(Protocol):
    """Where facts go that are added afterwards."""

    def append(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Keeper:
    """Looks after recordings. `pbx` is None when the PBX's files cannot be reached from here."""

    store: Store
    facts: Facts
    recordings: Path
    pbx: PbxFiles | None

    # -- the beginning ---------------------------------------------------------------------------------------

    def store_recording(self, contact_id: str, recording: Recording, *, last_try: bool = False) -> Assembled | None:
        """Assembles a recording, and notes the fact; doing it again is harmless. None when there is nothing
        left to do.

        Raises NotReady when the PBX's files are not complete yet, PbxAway when nobody can tell. On the last
        try it makes do with what is there: a side that is missing is silent and noted as a failure too.
        Raises BadAudio, BadName, OSError.
        """
        if recording.deleted_at is not None:
            return None
        names = {side: checked(str(recording.files[side])) for side in ("left", "right") if recording.files.get(side)}
        if recording.stored_at is not None:
            self._delete_originals(names.values())
            return None
        target = self._path(recording)
        lacking = ""
        try:
            made = describe(target)  # an earlier try got as far as this
        except (OSError, BadAudio):
            sides, lacking = self._sides(recording, names, last_try)
            made = assemble(sides, target, salvage=last_try)
        if lacking:
            self.failed(contact_id, recording.id, lacking)
        stored = {
            "recording": recording.id,
            "path": str(target.relative_to(self.recordings)),
            "seconds": made.seconds,
            "sha256": made.sha256,
            "bytes": made.bytes,
            "channels": made.channels,
        }
        self.facts.append(Event(contact_id, AFTERWARDS, time.time(), Kind.RECORDING_STORED, stored))
        self._delete_originals(names.values())
        return made

    def failed(self, contact_id: str, recording: str, error: str) -> None:
        """Notes that a recording could not be stored (as it should be)."""
        log.error("recording failed", contact_id=contact_id, recording=recording, error=error)
        data = {"recording": recording, "error": error}
        self.facts.append(Event(contact_id, AFTERWARDS, time.time(), Kind.RECORDING_FAILED, data))

    def _path(self, recording: Recording) -> Path:
        """recordings/YYYY/MM/DD/ID.wav, of the day (UTC) it began; directories made with mode 0700."""
        began = time.gmtime(recording.started or recording.ended or 0.0)
        directory = self.recordings
        for part in ("", *time.strftime("%Y/%m/%d", began).split("/")):
            directory = directory / part
            directory.mkdir(mode=0o700, exist_ok=True)
        return directory / f"{checked(recording.id)}{SUFFIX}"

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
        """The file first: a crash in between is mended by doing it again. Raises OnHold."""
        if (held := self.store.held(recording.id)) is not None:
            raise OnHold(f"recording {recording.id} is on hold since {held.by} said so: {held.reason}")
        if recording.path:  # else its sound is still on the PBX, and swept away there
            stored_file(self.recordings, recording).unlink(missing_ok=True)
        detail = {"reason": reason, "contact": contact_id, "queue": recording.queue, "path": recording.path}
        self.store.audit(actor, "recording.delete", recording.id, detail)
        data = {"recording": recording.id, "reason": reason}
        self.store.record([Event(contact_id, AFTERWARDS, now, Kind.RECORDING_DELETED, data)])

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


def stored_file(recordings: Path, recording: Recording) -> Path:
    """A stored recording's file. Raises BadName when the stored path would lead out of the directory."""
    path = (recordings / recording.path).resolve()
    if not recording.path or not path.is_relative_to(recordings.resolve()):
        raise BadName(f"recording {recording.id}: {recording.path!r} is no path below the recordings directory")
    return path
