"""FreeSWITCH's events, one by one, into what they mean for legs, places, playbacks, taps and the controller.

Called by the socket's reader: nothing here waits.
"""

import logging
from collections.abc import Callable
from time import time

import gevent

from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import (
    Arrived,
    Cause,
    Digit,
)
from contactcentre.pbx.freeswitch import translate
from contactcentre.pbx.freeswitch.awaited import BRIDGED, PARKED, Awaited
from contactcentre.pbx.freeswitch.endpoints import REGISTRATIONS
from contactcentre.pbx.freeswitch.holds import Holds
from contactcentre.pbx.freeswitch.places import Places
from contactcentre.pbx.freeswitch.playing import Playing
from contactcentre.pbx.freeswitch.protocol import identity
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.freeswitch.spies import Spies
from contactcentre.pbx.freeswitch.stock import DROP, NOTE
from contactcentre.pbx.freeswitch.taps import Taps
from contactcentre.pbx.freeswitch.transfers import Transfers
from contactcentre.pbx.legs import Legs

CONTROLLERS = "contactcentre::controller"
"""The event by which a controller says that it is there now."""

OFFERED = "sofia::reinvite"

OF_CHANNELS = (
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_ANSWER",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_PARK",
    "CHANNEL_BRIDGE",
    "CHANNEL_HANGUP_COMPLETE",
)
"""They have the channel's variables, so that only those of our channels are sent."""
OF_ALL = (
    "CHANNEL_HOLD",
    "DTMF",
    "RECORD_START",
    "RECORD_STOP",
    "BACKGROUND_JOB",
    "CUSTOM",
)
"""These are short, or come without variables."""
EVENTS = (*OF_CHANNELS, *OF_ALL, CONTROLLERS, *REGISTRATIONS, OFFERED)

NOT_OF = ("park", "socket", "transfer", "uuid_bridge")
"""Applications whose beginning and end says nothing that another event does not: half of all that would be sent."""

SPY_SETTLES = 0.3
"""Seconds after the end of what a supervisor heard in which the end of the call is told that was heard."""

log = logging.getLogger(__name__)


class Intake:
    """`tell` takes an Arrived, `attempt` sends an api and does not wait, `spy_ended` is told of a spy that is over."""

    def __init__(
        self,
        app: str,
        legs: Legs,
        places: Places,
        playing: Playing,
        taps: Taps,
        spies: Spies,
        awaited: Awaited,
        transfers: Transfers,
        holds: Holds,
        *,
        tell: Callable[[Arrived], None],
        attempt: Callable[[str], None],
        another: Callable[[Event], None],
        registered: Callable[[Event], None],
    ) -> None:
        self._app = app
        self.legs, self.places, self.playing, self.taps = legs, places, playing, taps
        self.spies, self.awaited, self.transfers, self.holds = spies, awaited, transfers, holds
        self._tell, self._attempt, self._another = tell, attempt, another
        self._registered = registered
        self.malformed = 0
        """Events that lacked what they must have."""
        self._handlers: dict[str, Callable[[Event, str, float], None]] = {
            "CHANNEL_PROGRESS": self._on_progress,
            "CHANNEL_PROGRESS_MEDIA": self._on_progress,
            "CHANNEL_ANSWER": self._on_answer,
            "CHANNEL_EXECUTE": self._on_execute,
            "CHANNEL_EXECUTE_COMPLETE": self._on_complete,
            "CHANNEL_PARK": self._on_park,
            "CHANNEL_BRIDGE": self._on_bridge,
            "CHANNEL_HANGUP_COMPLETE": self._on_hangup,
            "CHANNEL_HOLD": self._on_hold,
            "DTMF": self._on_digit,
            "RECORD_START": self._on_record_start,
            "RECORD_STOP": self._on_record_stop,
        }

    def take(self, event: Event) -> None:
        if event["Event-Name"] == "CUSTOM":
            if event.get("Event-Subclass") == CONTROLLERS:
                self._another(event)
            elif event.get("Event-Subclass") in REGISTRATIONS:
                self._registered(event)
            elif event.get("Event-Subclass") == OFFERED:
                self.holds.offered(event.get("Unique-ID", ""), time())
            return
        if (handler := self._handlers.get(event["Event-Name"])) is None:
            return
        try:
            handler(event, identity(event["Unique-ID"]), translate.moment(event))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, Refused) as error:
            self.malformed += 1
            log.warning("malformed %s event: %r", event["Event-Name"], error)

    def gone(self, channel_id: str, at: float, cause: Cause) -> None:
        self.awaited.ended(channel_id)
        self.playing.ended(channel_id)
        self.taps.ended(channel_id)
        self.transfers.ended(channel_id)
        self.holds.ended(channel_id)
        self.places.ended(channel_id)
        spies = self.spies.of_target(channel_id)
        self.legs.end(channel_id, at, cause)
        for spy_id in spies:
            self.spy_over(spy_id, at)

    def spy_over(self, spy_id: str, at: float) -> None:
        self.places.ended(spy_id)
        self.spies.end(spy_id, at)

    def _spied_out(self, spy_id: str, at: float) -> None:
        """Nothing is heard through it any more: mostly because its target is just going, whose end is told first."""
        gevent.sleep(SPY_SETTLES)
        self.spy_over(spy_id, at)

    # -- events --------------------------------------------------------------------------------------------------------

    def _on_park(self, event: Event, channel_id: str, at: float) -> None:
        self.places.parked(channel_id)
        if channel_id in self.legs and not event.get("variable_park_after_bridge"):
            # FreeSWITCH takes it away when it parks somebody for a time, as whoever asked for a transfer
            self._attempt(f"uuid_setvar {channel_id} park_after_bridge true")
        if event.get(f"variable_{translate.ATTENDED}"):
            self.transfers.handed_over(event, channel_id)
        if target := event.get(f"variable_{translate.REFERRED}"):
            self.transfers.parked(channel_id, target, at)
        self.awaited.happened(PARKED, channel_id, event)
        leg = self.legs.get(channel_id)
        if leg is not None and leg.called:
            self.legs.answer(channel_id, at)
        elif leg is None and event.get(f"variable_{translate.ARGS}") and not event.get(f"variable_{translate.TOLD}"):
            self._arrive(event, channel_id, at)
        self._hear_codec(event, channel_id)

    def _hear_codec(self, event: Event, channel_id: str) -> None:
        if (leg := self.legs.get(channel_id)) is not None:
            leg.speaks = translate.heard_codecs(event) or leg.speaks

    def _arrive(self, event: Event, channel_id: str, at: float) -> None:
        up = event.get("Answer-State") == "answered"
        args = tuple(event[f"variable_{translate.ARGS}"].split(","))
        self._attempt(f"uuid_setvar {channel_id} {translate.TOLD} true")
        if args[0] == "feature":
            self.transfers.allow(channel_id)
            for name, value in self.transfers.variables(channel_id).items():
                self._attempt(f"uuid_setvar {channel_id} {name} {value}")
        elif args[0] == "line":  # it did not come through the door
            self._attempt(f"{NOTE}/{self._app}/{channel_id}/1")
        self.legs.arrive(channel_id, time(), answered=up)
        self._tell(
            Arrived(
                channel_id=channel_id,
                at=at,
                args=args,
                caller=translate.caller(event),
                dialled=args[1] if len(args) > 1 else event.get("Caller-Destination-Number", ""),
                endpoint=translate.whose(event),
                language=event.get("variable_default_language") or "en",
                up=up,
            )
        )

    def _on_progress(self, event: Event, channel_id: str, at: float) -> None:
        self.legs.ringing(channel_id, at)

    def _on_answer(self, event: Event, channel_id: str, at: float) -> None:
        self._hear_codec(event, channel_id)
        leg = self.legs.get(channel_id)
        # A leg that we called counts as answered when it is in our hands (parked), not a moment before.
        if leg is not None and not leg.called:
            self.legs.answer(channel_id, at)

    def _on_execute(self, event: Event, channel_id: str, at: float) -> None:
        self.awaited.happened(event["Application"], channel_id, event)
        self.playing.began(event, self._attempt)

    def _on_complete(self, event: Event, channel_id: str, at: float) -> None:
        if event["Application"] == "eavesdrop":
            if spy_id := self.spies.completed(event.get("Application-UUID", "")):
                self.places.later(lambda: self._spied_out(spy_id, at))
            return
        self.playing.completed(event, at)

    def _on_bridge(self, event: Event, channel_id: str, at: float) -> None:
        first, second = event["Bridge-A-Unique-ID"], event["Bridge-B-Unique-ID"]
        self.places.connected(first, second)
        for one in (first, second):
            self.awaited.happened(BRIDGED, one, event)

    def _on_hangup(self, event: Event, channel_id: str, at: float) -> None:
        self.transfers.hangs_up(channel_id, event.get("variable_transfer_destination", ""), at)
        leg = self.legs.get(channel_id)
        cause = translate.cause(event.get("Hangup-Cause", ""))
        if leg is not None:
            if leg.cause:
                cause = leg.cause  # what we asked for
            cause = leg.reason(cause, time())
        self._attempt(f"{DROP}/{self._app}/{channel_id}")
        self.transfers.ends(channel_id, event, at, lambda: self.gone(channel_id, at, cause))

    def _on_hold(self, event: Event, channel_id: str, at: float) -> None:
        self.holds.held(channel_id, at)

    def _on_digit(self, event: Event, channel_id: str, at: float) -> None:
        if (digit := event["DTMF-Digit"]) in translate.DIGITS:
            self.legs.tell(Digit(channel_id, at, digit))
            if self.places.in_conference(channel_id) and not self.places.absorbed(channel_id):
                for other in self.places.others(channel_id):  # a conference passes on none
                    self._attempt(f"uuid_send_dtmf {other} {digit}")

    def _on_record_start(self, event: Event, channel_id: str, at: float) -> None:
        self.taps.recording_started(event, at)

    def _on_record_stop(self, event: Event, channel_id: str, at: float) -> None:
        self.taps.recording_stopped(event)
