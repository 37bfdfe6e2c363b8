"""A channel and a bridge of Asterisk: each verb one request, as a rule."""

from collections.abc import Sequence
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING

from contactcentre.pbx.asterisk.protocol import Query, resource
from contactcentre.pbx.asterisk.taps import AsteriskTap
from contactcentre.pbx.asterisk.translate import digits_to_send, media
from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.events import Cause
from contactcentre.pbx.protocol import DIGIT_SECONDS, RECORDING, Channel, Medium, Progress
from contactcentre.pbx.timing import BRIDGE, CHANNEL, timed

if TYPE_CHECKING:
    from contactcentre.pbx.asterisk.driver import AsteriskPbx

OVERTIME = 2.0
"""Seconds that a recording may run beyond its limit before it is stopped."""


@timed(*CHANNEL)
class AsteriskChannel:
    """See pbx.protocol.Channel."""

    __slots__ = ("_path", "_pbx", "id")

    def __init__(self, pbx: "AsteriskPbx", channel_id: str) -> None:
        self._pbx, self.id = pbx, channel_id
        self._path = resource("channels", channel_id)

    def __repr__(self) -> str:
        return f"<channel {self.id}>"

    def answer(self) -> None:
        self._pbx.request_on(self.id, method="POST", path=f"{self._path}/answer")
        self._pbx.company.rang(self.id)

    def ring(self) -> None:
        self._pbx.company.ringing(self.id)
        self._pbx.request("POST", f"{self._path}/ring")

    def stop_ringing(self) -> None:
        self._pbx.request("DELETE", f"{self._path}/ring")
        self._pbx.company.rang(self.id)

    def hangup(self, cause: Cause = Cause.NORMAL) -> None:
        self._pbx.legs.note_cause(self.id, cause)
        # reason_code came with 16.21 and 18.7; an older server ignores it and hangs up with the normal cause.
        with suppress(Gone):
            self._pbx.request("DELETE", self._path, {"reason_code": int(cause)} if cause else None)

    def play(self, playback_id: str, media_: Sequence[Medium], language: str = "") -> None:
        query: Query = {"media": ",".join([media(medium) for medium in media_]), "lang": language or None}
        for name in (medium.removeprefix(RECORDING) for medium in media_ if medium.startswith(RECORDING)):
            self._find_recording(name)
        self._pbx.company.break_silence([self.id])
        self._pbx.legs.begin(self.id, playback_id)
        try:
            with self._pbx.decoders.playing(self.id):
                self._pbx.request("POST", f"{self._path}/play/{resource(playback_id)}", query)
        except (Gone, Refused):
            self._pbx.legs.done(self.id, playback_id)
            raise

    def _find_recording(self, name: str) -> None:
        """Of the playback of one that is not there Asterisk would tell no end."""
        try:
            self._pbx.request("GET", resource("recordings", "stored", name))
        except Gone:
            raise Refused(f"recording {name[:100]!r} is not on the PBX") from None

    def stop_playing(self, playback_id: str) -> None:
        self._pbx.stop_playback(self.id, playback_id)

    def wait_with_music(self, music: str) -> None:
        self._pbx.rooms.enter(self.id, music)

    def stop_waiting(self) -> None:
        self._pbx.rooms.leave(self.id)

    def mute(self) -> None:
        self._pbx.request("POST", f"{self._path}/mute", {"direction": "in"})

    def unmute(self) -> None:
        self._pbx.request("DELETE", f"{self._path}/mute", {"direction": "in"})

    def send_digits(self, digits: str) -> None:
        half = round(DIGIT_SECONDS * 1000 / 2)
        query: Query = {"dtmf": digits_to_send(digits), "duration": half, "between": half}
        self._pbx.legs.occupy(self.id, time() + len(digits) * DIGIT_SECONDS + OVERTIME)
        self._pbx.request("POST", f"{self._path}/dtmf", query)

    def transfer_progress(self, progress: Progress) -> None:
        self._pbx.transfers.answer(self.id, progress)

    def packets(self) -> int:
        try:
            return int(self._pbx.request("GET", f"{self._path}/rtp_statistics")["rxcount"])
        except Gone:  # said of a channel without RTP, too
            self._pbx.request("GET", self._path)
            raise Refused(f"no RTP is counted on {self.id}") from None

    def set_variable(self, name: str, value: str) -> None:
        query: Query = {"variable": name, "value": value}
        self._pbx.request_on(self.id, method="POST", path=f"{self._path}/variable", query=query)

    def record(self, name: str, *, max_seconds: float, max_silence: float, terminate_on: str, beep: bool) -> None:
        query: Query = {
            "name": name,
            "format": "wav",
            "maxDurationSeconds": max(1, round(max_seconds)),
            "maxSilenceSeconds": max(0, round(max_silence)),
            "terminateOn": terminate_on or "none",
            "beep": beep,
            "ifExists": "fail",
        }
        # A caller that sends no audio stops Asterisk's clock for the recording: the driver's own ends it then.
        self._pbx.intake.recordings[name] = time() + max_seconds + OVERTIME
        self._pbx.legs.begin(self.id, name)
        try:
            self._pbx.request("POST", f"{self._path}/record", query)
        except PbxError:
            self._pbx.intake.recordings.pop(name, None)
            self._pbx.legs.done(self.id, name)
            raise

    def stop_recording(self, name: str) -> None:
        with suppress(Gone):
            self._pbx.request("POST", f"{resource('recordings', 'live', name)}/stop")

    def tap(self, tap_id: str) -> AsteriskTap:
        return self._pbx.taps.start(self.id, tap_id, recovered=self._pbx.legs.is_recovered(self.id))

    def leave_to(self, context: str, extension: str) -> None:
        self._pbx.legs.set_leaving(self.id, True)
        try:
            query: Query = {"context": context, "extension": extension, "priority": 1}
            self._pbx.request("POST", f"{self._path}/continue", query)
        except (Gone, Refused):
            self._pbx.legs.set_leaving(self.id, False)
            raise


@timed(*BRIDGE, prefix="bridge_")
class AsteriskBridge:
    """See pbx.protocol.Bridge."""

    __slots__ = ("_path", "_pbx", "id")

    def __init__(self, pbx: "AsteriskPbx", bridge_id: str) -> None:
        self._pbx, self.id = pbx, bridge_id
        self._path = resource("bridges", bridge_id)

    def __repr__(self) -> str:
        return f"<bridge {self.id}>"

    def add(self, *channels: Channel, absorb: bool = False) -> None:
        # A channel in a waiting room needs no removal: joining a bridge takes it out of the one it is in.
        ids = [channel.id for channel in channels]
        rooms = {channel_id: self._pbx.rooms.left(channel_id) for channel_id in ids}
        try:
            self._pbx.change(self.id, "addChannel", *ids, absorb=absorb)
        except (Gone, Refused):
            for channel_id, room in rooms.items():
                self._pbx.rooms.stayed(channel_id, room)
            raise

    def remove(self, channel: Channel) -> None:
        self._pbx.change(self.id, "removeChannel", channel.id)

    def destroy(self) -> None:
        self._pbx.company.dissolved(self.id, time())
        try:
            self._pbx.request("DELETE", self._path)
        except Gone:
            pass
        except Refused as refused:
            if refused.status != 409:  # no bridge of ours: one that was destroyed is remembered for a moment
                raise
