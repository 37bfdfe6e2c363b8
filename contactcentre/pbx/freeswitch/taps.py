"""Stereo recording of a leg: left is what it says, right what it hears. It runs through everything that becomes of the
leg, and ends with it. FreeSWITCH writes one file of both (two would not be of one length); `recordings` parts them."""

from collections.abc import Mapping
from contextlib import suppress

from gevent.event import Event as Flag

from contactcentre.domain.stereo import SIDES, SUFFIX
from contactcentre.pbx.errors import Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.protocol import identity
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.freeswitch.recordings import Recordings
from contactcentre.pbx.protocol import REQUEST_DEADLINE


class FreeSwitchTap:
    """See pbx.protocol.Tap."""

    def __init__(self, taps: "Taps", channel_id: str, tap_id: str, path: str) -> None:
        self._taps, self.channel_id, self.id, self.path = taps, identity(channel_id), tap_id, path
        self.started: dict[str, float] = {}
        self.finished = Flag()

    def pause(self) -> None:
        self._taps.do(self, "mask")

    def resume(self) -> None:
        self._taps.do(self, "unmask")

    def stop(self) -> Mapping[str, str]:
        self._taps.stop(self)
        return {side: f"{self.id}-{side}" for side in SIDES}


class Taps:
    """All taps that run."""

    def __init__(self, link: Connection, recordings: Recordings) -> None:
        self._link, self._recordings = link, recordings
        self._by_path: dict[str, FreeSwitchTap] = {}
        self._to_stop: list[FreeSwitchTap] = []

    def running(self, name: str) -> bool:
        """As far as we know. `name`: of the file of both sides."""
        tap = self._by_path.get(self._recordings.path(name)) if name else None
        return tap is not None and not tap.finished.is_set()

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def start(self, channel_id: str, tap_id: str) -> FreeSwitchTap:
        """One that runs already is taken over: FreeSWITCH begins no file twice. Raises Gone (the channel), Refused,
        LinkDown, Deadline."""
        tap = FreeSwitchTap(self, channel_id, tap_id, self._recordings.path(f"{identity(tap_id)}{SUFFIX}"))
        before, self._by_path[tap.path] = self._by_path.get(tap.path), tap
        if before is not None:
            tap.started = before.started
        try:
            sent = [
                self._link.send(f"uuid_setvar {tap.channel_id} RECORD_STEREO true"),
                self._link.send(f"uuid_record {tap.channel_id} start {tap.path}"),
            ]
            for pending in sent:
                pending.wait()
        except BaseException:
            self._by_path.pop(tap.path, None)
            raise
        return tap

    def do(self, tap: FreeSwitchTap, verb: str) -> None:
        """What is over stays as it is. Raises LinkDown, Deadline."""
        with suppress(Gone, Refused):
            self._link.request(f"uuid_record {tap.channel_id} {verb} {tap.path}")

    def stop(self, tap: FreeSwitchTap) -> None:
        """Returns when the file is complete; without a link it is when that is back."""
        if tap.path not in self._by_path:
            return
        try:
            self._link.request(f"uuid_record {tap.channel_id} stop {tap.path}")
        except (Gone, Refused):
            tap.finished.set()  # it has ended with its channel
        except LinkDown:
            self._to_stop.append(tap)
            return
        tap.finished.wait(REQUEST_DEADLINE)
        self._by_path.pop(tap.path, None)

    # -- called by the reader and the driver ---------------------------------------------------------------------------

    def recording_started(self, event: Event, at: float) -> None:
        if (tap := self._by_path.get(event.get("Record-File-Path", ""))) is not None:
            tap.started.update(dict.fromkeys(SIDES, at))

    def recording_stopped(self, event: Event) -> None:
        if (tap := self._by_path.get(event.get("Record-File-Path", ""))) is not None:
            tap.finished.set()

    def ended(self, channel_id: str) -> None:
        """The channel is gone, and its file is complete."""
        for tap in self._by_path.values():
            if tap.channel_id == channel_id:
                tap.finished.set()

    def linked(self) -> None:
        """The link is back: what could not be stopped is."""
        taps, self._to_stop = self._to_stop, []
        for tap in taps:
            with suppress(PbxError):
                self.do(tap, "stop")
            tap.finished.set()
            self._by_path.pop(tap.path, None)
