"""A channel, a spy and a bridge on FreeSWITCH."""

from collections.abc import Sequence
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING

from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import Cause
from contactcentre.pbx.freeswitch import translate
from contactcentre.pbx.freeswitch.playing import OVERTIME, Step
from contactcentre.pbx.freeswitch.protocol import harmless, identity
from contactcentre.pbx.freeswitch.taps import FreeSwitchTap
from contactcentre.pbx.protocol import DIGIT_SECONDS, RECORDING, Channel, Medium, Progress
from contactcentre.pbx.timing import BRIDGE, CHANNEL, timed

if TYPE_CHECKING:
    from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx

QUIET = 200
"""Below this energy FreeSWITCH takes a recorded frame for silence, as its own documentation does."""


@timed(*CHANNEL)
class FreeSwitchChannel:
    """See pbx.protocol.Channel."""

    __slots__ = ("_pbx", "id")

    def __init__(self, pbx: "FreeSwitchPbx", channel_id: str) -> None:
        self._pbx, self.id = pbx, identity(channel_id)

    def __repr__(self) -> str:
        return f"<channel {self.id}>"

    def answer(self) -> None:
        self._pbx.ask("uuid_answer", self.id)

    def ring(self) -> None:
        leg = self._pbx.legs.get(self.id)
        if leg is not None and not leg.answered:
            self._pbx.ask("uuid_ring_ready", self.id)
        else:
            self._pbx.run(self.id, "playback", translate.RINGING)
            self._pbx.ringing.add(self.id)

    def stop_ringing(self) -> None:
        if self.id in self._pbx.ringing:
            self._pbx.ringing.discard(self.id)
            self._pbx.ask("uuid_break", self.id)

    def hangup(self, cause: Cause = Cause.NORMAL) -> None:
        self._pbx.legs.note_cause(self.id, cause)
        with suppress(Gone):
            self._pbx.ask("uuid_kill", self.id, translate.cause_name(cause))

    def play(self, playback_id: str, media: Sequence[Medium], language: str = "") -> None:
        steps: list[Step] = []
        for medium in media:
            if medium.startswith(RECORDING):
                translate.media(medium, "")
                if not self._pbx.recordings.exists(medium.removeprefix(RECORDING)):
                    raise Refused(f"{medium[:100]!r} is not on the PBX")
            steps += translate.media(medium, self._pbx.recordings.directory)
        spoken = base if (base := language[:2]).isascii() and base.isalpha() else "en"
        steps = [(application, text.replace("{language}", spoken)) for application, text in steps]
        self._pbx.playing.play(self.id, playback_id, self._pbx.sounds.found(steps, spoken))

    def stop_playing(self, playback_id: str) -> None:
        self._pbx.playing.stop(playback_id)

    def wait_with_music(self, music: str) -> None:
        self._pbx.leaving(self.id)
        self._pbx.places.music(self.id, music)

    def stop_waiting(self) -> None:
        self._pbx.places.stop_music(self.id)

    def mute(self) -> None:
        self._pbx.ask("uuid_audio", self.id, "start read mute 1")

    def unmute(self) -> None:
        with suppress(Refused):
            self._pbx.ask("uuid_audio", self.id, "stop")

    def send_digits(self, digits: str) -> None:
        length = round(DIGIT_SECONDS * 1000 / 2)
        self._pbx.ask("uuid_send_dtmf", self.id, f"{translate.digits_to_send(digits)}@{length}")

    def transfer_progress(self, progress: Progress) -> None:
        """See Pbx.transfer_progress. A phone's attended transfer was confirmed by FreeSWITCH itself."""
        if progress is not Progress.TRYING:
            self._pbx.transfers.confirm(self.id, done=progress is Progress.DONE)

    def packets(self) -> int:
        self._pbx.ask("uuid_set_media_stats", self.id)
        counted = self._pbx.ask("uuid_getvar", self.id, "rtp_audio_in_packet_count")
        if not counted.isdecimal():
            raise Refused(f"no RTP is counted on {self.id}")
        return int(counted)

    def set_variable(self, name: str, value: str) -> None:
        self._pbx.ask("uuid_setvar", self.id, f"{identity(name)} {harmless(value)}")

    def record(self, name: str, *, max_seconds: float, max_silence: float, terminate_on: str, beep: bool) -> None:
        ends = "".join(sign for sign in terminate_on if sign in translate.DIGITS) or "none"
        self._pbx.ask("uuid_setvar", self.id, f"playback_terminators {ends}")
        limits = f"{max(1, round(max_seconds))} {QUIET} {max(0, round(max_silence)) or 3600}"
        steps: list[Step] = translate.media("tone:beep", "") if beep else []
        steps.append(("record", f"{self._pbx.recordings.path(name)} {limits}"))
        self._pbx.playing.record(self.id, name, steps, time() + max_seconds + OVERTIME)

    def stop_recording(self, name: str) -> None:
        self._pbx.playing.stop(name)

    def tap(self, tap_id: str) -> FreeSwitchTap:
        return self._pbx.taps.start(self.id, tap_id)

    def leave_to(self, context: str, extension: str) -> None:
        self._pbx.leave_to(self.id, context, extension)


class FreeSwitchSpy(FreeSwitchChannel):
    """A spy is no channel of FreeSWITCH: it can be put into a bridge, and ended."""

    __slots__ = ()

    def hangup(self, cause: Cause = Cause.NORMAL) -> None:
        self._pbx.end_spy(self.id)


@timed(*BRIDGE, prefix="bridge_")
class FreeSwitchBridge:
    """See pbx.protocol.Bridge."""

    __slots__ = ("_pbx", "id")

    def __init__(self, pbx: "FreeSwitchPbx", bridge_id: str) -> None:
        self._pbx, self.id = pbx, bridge_id

    def __repr__(self) -> str:
        return f"<bridge {self.id}>"

    def add(self, *channels: Channel, absorb: bool = False) -> None:
        for channel in channels:
            self._pbx.leaving(channel.id)
        self._pbx.places.enter(self.id, [channel.id for channel in channels], absorb)

    def remove(self, channel: Channel) -> None:
        self._pbx.places.leave(self.id, channel.id)

    def destroy(self) -> None:
        self._pbx.places.destroy(self.id)
