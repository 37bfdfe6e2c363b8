"""Asterisk's events, one by one, into what they mean for legs, waiting rooms, taps and the controller.

Called by the socket's reader: nothing here waits.
"""

import logging
from collections.abc import Callable, Iterable
from time import time

from contactcentre.pbx.asterisk import translate
from contactcentre.pbx.asterisk.company import Company
from contactcentre.pbx.asterisk.decoders import Decoders
from contactcentre.pbx.asterisk.entries import Entries
from contactcentre.pbx.asterisk.protocol import Event
from contactcentre.pbx.asterisk.taps import Taps
from contactcentre.pbx.asterisk.transfers import Transfers
from contactcentre.pbx.asterisk.waiting import WaitingRooms
from contactcentre.pbx.events import Arrived, Cause, Digit, PhoneHeld, PhoneResumed, PlaybackEnded, RecordingEnded
from contactcentre.pbx.legs import Legs

_CHANNEL = "channel:"

log = logging.getLogger(__name__)


class Intake:
    """`tell` takes an Arrived, `stop_playback` sends a request to stop one and does not wait."""

    def __init__(
        self,
        legs: Legs,
        rooms: WaitingRooms,
        company: Company,
        decoders: Decoders,
        taps: Taps,
        entries: Entries,
        transfers: Transfers,
        *,
        tell: Callable[[Arrived], None],
        stop_playback: Callable[[str], None],
    ) -> None:
        self.legs, self.rooms, self.company, self.decoders, self.taps = legs, rooms, company, decoders, taps
        self.entries, self.transfers = entries, transfers
        self._tell, self._stop_playback = tell, stop_playback
        self.stopping: set[str] = set()
        """Playbacks that could not be stopped in their present part (a spoken number) and shall be before the next."""
        self.recordings: dict[str, float] = {}
        """Recordings of channels that run, and when (by our clock) they must have ended."""
        self.malformed = 0
        """Events that lacked what they must have."""
        self._handlers: dict[str, Callable[[Event, float], None]] = {
            "StasisStart": self._on_stasis_start,
            "StasisEnd": self._on_stasis_end,
            "ChannelStateChange": self._on_state,
            "ChannelHangupRequest": self._on_hangup_request,
            "ChannelDestroyed": self._on_destroyed,
            "ChannelDtmfReceived": self._on_digit,
            "ChannelHold": self._on_hold,
            "ChannelUnhold": self._on_unhold,
            "ChannelTransfer": transfers.on_told,
            "BridgeBlindTransfer": transfers.on_blind,
            "BridgeAttendedTransfer": transfers.on_attended,
            "PlaybackContinuing": self._on_playback_continuing,
            "PlaybackFinished": self._on_playback_finished,
            "RecordingStarted": self._on_recording_started,
            "RecordingFinished": self._on_recording_ended,
            "RecordingFailed": self._on_recording_ended,
        }

    @property
    def kinds(self) -> Iterable[str]:
        """The events that mean something here; the PBX need not send others."""
        return self._handlers

    def lost(self) -> None:
        """The link is gone: what would be told over it is not told any more."""
        self.stopping.clear()

    def gone(self, channel_id: str, at: float, cause: Cause) -> None:
        self._out_of_bridges(channel_id)
        self.legs.end(channel_id, at, cause)

    def _out_of_bridges(self, channel_id: str) -> None:
        self.rooms.ended(channel_id)
        self.company.ended(channel_id, time())
        self.decoders.ended(channel_id)

    def take(self, event: Event) -> None:
        if (handler := self._handlers.get(event["type"])) is None:
            return
        try:
            handler(event, translate.epoch(event["timestamp"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.malformed += 1
            log.warning("malformed %s event: %r", event["type"], error)

    def _on_stasis_start(self, event: Event, at: float) -> None:
        channel = event["channel"]
        channel_id = channel["id"]
        self.entries.entered(channel_id)
        if not translate.is_party(channel["name"]):
            self.taps.snoop_started(channel_id)
            return
        leg = self.legs.get(channel_id)
        if leg is not None and leg.called:
            self.legs.answer(channel_id, at)
            return
        if self.transfers.took(channel_id, event):
            self.company.replaced(event.get("replace_channel", {}).get("id", ""), channel_id, time())
            return
        args = tuple(str(arg) for arg in event["args"])
        arrived: Arrived = translate.arrived(channel, translate.without_speaks(args), at)
        if leg is None:
            self.legs.arrive(channel_id, time(), answered=arrived.up).speaks = translate.speaks(args)
            if arrived.args[:1] == ("feature",):
                self.transfers.keep(channel_id)
            self._tell(arrived)

    def _on_stasis_end(self, event: Event, at: float) -> None:
        channel_id = event["channel"]["id"]
        self._out_of_bridges(channel_id)
        if not translate.is_party(event["channel"]["name"]):
            self._on_tool_ended(channel_id, at)
        else:
            self.legs.release(channel_id, at, time())

    def _on_tool_ended(self, channel_id: str, at: float) -> None:
        self.taps.snoop_ended(channel_id)
        self.entries.ended(channel_id)
        self.legs.end(channel_id, at, Cause.NORMAL)

    def _on_state(self, event: Event, at: float) -> None:
        channel = event["channel"]
        state = channel["state"]
        if state == "Ringing":
            self.legs.ringing(channel["id"], at)
        elif state == "Up":
            leg = self.legs.get(channel["id"])
            # A leg that we called counts as answered when it is in our hands (StasisStart), not a moment before.
            if leg is not None and not leg.called:
                self.legs.answer(channel["id"], at)

    def _on_hangup_request(self, event: Event, at: float) -> None:
        # With `soft` (asked for on this side of the PBX) the event's cause is a flag, not a cause.
        cause = Cause.UNKNOWN if event.get("soft") else translate.cause(event.get("cause"))
        self.legs.hang_up(event["channel"]["id"], cause)

    def _on_destroyed(self, event: Event, at: float) -> None:
        channel_id = event["channel"]["id"]
        if not translate.is_party(event["channel"]["name"]):
            self._on_tool_ended(channel_id, at)
            return
        leg = self.legs.get(channel_id)
        if leg is None:
            return
        self.gone(channel_id, at, leg.reason(translate.cause(event["cause"]), time()))

    def _on_digit(self, event: Event, at: float) -> None:
        if (digit := event["digit"]) in translate.DIGITS:
            self.legs.tell(Digit(event["channel"]["id"], at, digit))

    def _on_hold(self, event: Event, at: float) -> None:
        self.legs.tell(PhoneHeld(event["channel"]["id"], at))

    def _on_unhold(self, event: Event, at: float) -> None:
        self.legs.tell(PhoneResumed(event["channel"]["id"], at))

    def _on_playback_continuing(self, event: Event, at: float) -> None:
        if event["playback"]["id"] in self.stopping:
            self._stop_playback(event["playback"]["id"])

    def _on_playback_finished(self, event: Event, at: float) -> None:
        playback = event["playback"]
        self.stopping.discard(playback["id"])
        target: str = playback["target_uri"]
        if target.startswith(_CHANNEL):
            self.playback_ended(target.removeprefix(_CHANNEL), at, playback["id"], playback["state"] == "done")

    def _on_recording_started(self, event: Event, at: float) -> None:
        self.taps.recording_started(event["recording"]["name"], at)

    def _on_recording_ended(self, event: Event, at: float) -> None:
        recording = event["recording"]
        name = recording["name"]
        if self.taps.recording_ended(name):
            return
        target: str = recording["target_uri"]
        seconds = float(recording.get("duration", 0))
        ok = event["type"] == "RecordingFinished"
        self.recording_ended(target.removeprefix(_CHANNEL), at, name, seconds, ok)

    def playback_ended(self, channel_id: str, at: float, playback_id: str, ok: bool) -> None:
        self.legs.done(channel_id, playback_id)
        if not self.decoders.played(channel_id, playback_id, ok):
            self.legs.tell(PlaybackEnded(channel_id, at, playback_id, ok))

    def recording_ended(self, channel_id: str, at: float, name: str, seconds: float, ok: bool) -> None:
        self.recordings.pop(name, None)
        self.legs.done(channel_id, name)
        self.legs.tell(RecordingEnded(channel_id, at, name, seconds, ok))
