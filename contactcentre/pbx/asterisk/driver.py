"""The verbs of a PBX (`pbx.protocol.Pbx`) on an Asterisk."""

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from time import time
from typing import Any

from gevent.event import Event as Flag

from contactcentre.pbx.asterisk import translate
from contactcentre.pbx.asterisk.channels import AsteriskBridge, AsteriskChannel
from contactcentre.pbx.asterisk.connection import Connection, Pending
from contactcentre.pbx.asterisk.endpoints import POLL, Endpoints
from contactcentre.pbx.asterisk.legs import Legs
from contactcentre.pbx.asterisk.protocol import Event, Query, resource
from contactcentre.pbx.asterisk.taps import Taps
from contactcentre.pbx.asterisk.waiting import WaitingRooms
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import (
    Arrived,
    Cause,
    Digit,
    LinkLost,
    LinkUp,
    NodeEvent,
    Party,
    PlaybackEnded,
    RecordingEnded,
)
from contactcentre.pbx.protocol import BridgeInfo, Inbox, Inventory

SWEEP = 0.5
"""Seconds between two looks for channels that left our hands without a word."""
_CHANNEL = "channel:"
_app_name = re.compile(r"[A-Za-z0-9_-]{1,60}").fullmatch

log = logging.getLogger(__name__)


class AsteriskPbx:
    """See pbx.protocol.Pbx. `technology` is the channel driver of phones and trunks (tests use Local)."""

    def __init__(
        self,
        node: str,
        url: str,
        user: str,
        secret: str,
        app: str = "contactcentre",
        *,
        technology: str = "PJSIP",
    ) -> None:
        if not _app_name(app):
            raise ValueError(f"ARI application {app!r}: must be letters, digits, _ and -")
        self.node, self.app, self._technology = node, app, technology
        self.malformed = 0
        """Events that lacked what they must have."""
        self._sink: Callable[[NodeEvent], None] = _nobody
        self._stopped = Flag()
        self._held: list[NodeEvent] | None = []
        self.stopping: set[str] = set()
        """Playbacks that could not be stopped in their present part (a spoken number) and shall be before the next."""
        self.legs = Legs(self._report)
        self._link = Connection(
            url, user, secret, app, on_event=self._handle, on_up=self._set_up, on_lost=self._lost
        )
        self.request = self._link.request
        self.rooms = WaitingRooms(self._link.request, self.make_bridge)
        self.taps = Taps(app, self._link.send)
        self._endpoints = Endpoints(technology, self._link.over_http, self._tell)
        self._handlers: dict[str, Callable[[Event, float], None]] = {
            "StasisStart": self._on_stasis_start,
            "StasisEnd": self._on_stasis_end,
            "ChannelStateChange": self._on_state,
            "ChannelHangupRequest": self._on_hangup_request,
            "ChannelDestroyed": self._on_destroyed,
            "ChannelDtmfReceived": self._on_digit,
            "PlaybackContinuing": self._on_playback_continuing,
            "PlaybackFinished": self._on_playback_finished,
            "RecordingStarted": self._on_recording_started,
            "RecordingFinished": self._on_recording_ended,
            "RecordingFailed": self._on_recording_ended,
        }

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def start(self, sink: Callable[[NodeEvent], None]) -> None:
        """See Pbx.start. Returns at once; LinkUp tells when the PBX is there."""
        self._sink = sink
        self._link.open()
        self._link.spawn(self._sweep)
        self._link.spawn(self._watch_endpoints)

    def stop(self) -> None:
        self._stopped.set()
        self._link.close()

    def adopt(self, channel_id: str, inbox: Inbox) -> AsteriskChannel:
        """Raises Gone for a channel that is not there (any more)."""
        known = channel_id in self.legs
        channel = AsteriskChannel(self, channel_id)
        leg = self.legs.bind(channel_id, inbox)
        if not known:
            try:
                leg.answered = self.request("GET", resource("channels", channel_id))["state"] == "Up"
            except BaseException:
                self.legs.drop(channel_id)
                raise
        return channel

    def call(
        self,
        endpoint: str,
        *,
        channel_id: str,
        inbox: Inbox,
        contact_id: str,
        caller: Party,
        ring_seconds: float,
    ) -> AsteriskChannel:
        """See Pbx.call. An endpoint that cannot be called at all is no error: Ended(UNREACHABLE) follows at once."""
        channel = AsteriskChannel(self, channel_id)
        query: Query = {
            "endpoint": translate.dial_string(self._technology, endpoint),
            "app": self.app,
            "appArgs": f"leg,{contact_id}",
            "callerId": translate.caller_id(caller),
            "timeout": max(1, math.ceil(ring_seconds)),
        }
        body = {"variables": {translate.TIE: contact_id}}
        leg = self.legs.bind(channel_id, inbox, called=True)
        leg.deadline = time() + ring_seconds
        try:
            self.request("POST", resource("channels", channel_id), query, body)
        except Refused as refused:
            if refused.status in (401, 403):
                self.legs.drop(channel_id)
                raise
            # 409: it is there already, the request was repeated. Else: no such endpoint, or nowhere to reach it.
            if refused.status != 409:
                self.legs.end(channel_id, time(), Cause.UNREACHABLE)
        except (LinkDown, Deadline):
            # It may ring or it may not. Should it be answered, it arrives as ("leg", contact_id).
            self.legs.drop(channel_id)
            self._try("DELETE", resource("channels", channel_id))
            raise
        except BaseException:
            self.legs.drop(channel_id)
            self._try("DELETE", resource("channels", channel_id))
            raise
        return channel

    def bridge(self, bridge_id: str) -> AsteriskBridge:
        self.make_bridge(bridge_id, "mixing")
        return AsteriskBridge(self, bridge_id)

    def make_bridge(self, bridge_id: str, kind: str) -> None:
        """One that exists already is no error (older servers say nothing, newer ones 409)."""
        try:
            self.request("POST", resource("bridges", bridge_id), {"type": kind, "name": bridge_id})
        except Refused as refused:
            if refused.status != 409:
                raise

    def inventory(self) -> Inventory:
        """Everything that is there now, but for the channels that are tools (music, announcements, recording).

        `ours` are those in our Stasis application; a leg that still rings is not, but has its `contact_id`.
        """
        channels = [c for c in self._link.over_http("GET", "channels") if translate.is_party(c["name"])]
        subscribed = set(self._link.over_http("GET", resource("applications", self.app))["channel_ids"])
        ties = {c["id"]: self._send_tie(c["id"]) for c in channels if c["id"] in subscribed}
        return Inventory(
            channels={
                c["id"]: translate.info(
                    c,
                    ours=translate.in_application(c, self.app, c["id"] in subscribed),
                    contact_id=self._tie(ties.get(c["id"])),
                )
                for c in channels
            },
            bridges={
                b["id"]: BridgeInfo(b["id"], b["bridge_type"], tuple(b["channels"]))
                for b in self._link.over_http("GET", "bridges")
            },
        )

    def reachable(self) -> Mapping[str, bool]:
        """Endpoint -> is it registered, or (with a fixed address) not known to be away."""
        return self._endpoints.reachable()

    def recording(self, name: str) -> Iterator[bytes]:
        return self._link.stream(f"{resource('recordings', 'stored', name)}/file")

    def delete_recording(self, name: str) -> None:
        """A recording that is gone already is no error."""
        try:
            self.request("DELETE", resource("recordings", "stored", name))
        except Gone:
            pass

    def _send_tie(self, channel_id: str) -> Pending:
        return self._link.send(
            "GET", f"{resource('channels', channel_id)}/variable", {"variable": translate.TIE}
        )

    @staticmethod
    def _tie(asked: Pending | None) -> str:
        try:
            return str(asked.wait()["value"]) if asked is not None else ""
        except (Gone, Refused):  # 404: it has no such variable, or ended meanwhile
            return ""

    def _try(self, method: str, path: str) -> None:
        try:
            self._link.send(method, path)
        except PbxError:
            pass

    # -- the link, called by its keeper ----------------------------------------------------------------------------------

    def _set_up(self) -> None:
        """A link is there: say which events we want, find out what we missed, then tell LinkUp."""
        bound = self.legs.ids()
        # The filter drops answers to requests like any event, were they not on the list.
        wanted = (*self._handlers, "ApplicationReplaced", "RESTResponse")
        self.request(
            "PUT",
            f"{resource('applications', self.app)}/eventFilter",
            body={"allowed": [{"type": kind} for kind in wanted], "disallowed": []},
        )
        if bound:
            self._end_missing(bound)
        self.rooms.forget()
        self._sink_safely(LinkUp(time()))
        held, self._held = self._held or [], None
        for event in held:
            self._sink_safely(event)

    def _end_missing(self, bound: set[str]) -> None:
        there = {channel["id"] for channel in self._link.over_http("GET", "channels")}
        for channel_id in bound - there:
            self._gone(channel_id, time(), Cause.UNKNOWN)

    def _lost(self, reason: str, replaced: bool) -> None:
        self._held = []
        self.stopping.clear()
        self.taps.lost(LinkDown(reason))
        self._sink_safely(LinkLost(time(), reason, replaced))

    def _tell(self, event: NodeEvent) -> None:
        """To the sink; between a new link and LinkUp it waits."""
        if self._held is not None:
            self._held.append(event)
        else:
            self._sink_safely(event)

    def _sink_safely(self, event: NodeEvent) -> None:
        try:
            self._sink(event)
        except Exception:
            self._report(f"the sink failed on {type(event).__name__}")

    @staticmethod
    def _report(text: str) -> None:
        log.exception(text)

    def _sweep(self) -> None:
        while not self._stopped.wait(SWEEP):
            now = time()
            for leg in self.legs.overdue(now):
                leg.released_at = now
                self._settle(leg.id, leg.cause)
            for channel_id in self.legs.expire(now):
                log.warning("channel %s: nobody took it within 30 s", channel_id)

    def _watch_endpoints(self) -> None:
        while not self._stopped.wait(POLL):
            if self._held is not None:  # no link
                continue
            try:
                self._endpoints.look()
            except PbxError as error:
                log.info("endpoints: %s", error)

    def _settle(self, channel_id: str, cause: Cause) -> None:
        try:
            self.request("GET", resource("channels", channel_id))
        except Gone:
            self._gone(channel_id, time(), cause)
        except PbxError:
            pass  # asked again at the next sweep
        else:
            self.legs.leave(channel_id, time())

    def _gone(self, channel_id: str, at: float, cause: Cause) -> None:
        self.rooms.left(channel_id)
        self.legs.end(channel_id, at, cause)

    # -- events, called by the reader ------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
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
        if not translate.is_party(channel["name"]):
            self.taps.snoop_started(channel_id)
            return
        leg = self.legs.get(channel_id)
        if leg is not None and leg.called:
            self.legs.answer(channel_id, at)
            return
        arrived: Arrived = translate.arrived(channel, tuple(str(arg) for arg in event["args"]), at)
        if leg is None:
            self.legs.arrive(channel_id, time(), answered=arrived.up)
            self._tell(arrived)

    def _on_stasis_end(self, event: Event, at: float) -> None:
        channel_id = event["channel"]["id"]
        self.rooms.left(channel_id)
        if channel_id in self.legs:
            self.legs.release(channel_id, at, time())
        else:
            self.taps.snoop_ended(channel_id)

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
        leg = self.legs.get(channel_id)
        if leg is None:
            self.taps.snoop_ended(channel_id)
            return
        cause = translate.cause(event["cause"])
        if leg.called and not leg.answered and cause in (Cause.UNKNOWN, Cause.NORMAL) and at >= leg.deadline:
            cause = Cause.NO_ANSWER
        self._gone(channel_id, at, cause)

    def _on_digit(self, event: Event, at: float) -> None:
        if (digit := event["digit"]) in translate.DIGITS:
            self.legs.tell(Digit(event["channel"]["id"], at, digit))

    def _on_playback_continuing(self, event: Event, at: float) -> None:
        if event["playback"]["id"] in self.stopping:
            self._try("DELETE", resource("playbacks", event["playback"]["id"]))

    def _on_playback_finished(self, event: Event, at: float) -> None:
        playback = event["playback"]
        self.stopping.discard(playback["id"])
        target: str = playback["target_uri"]
        if target.startswith(_CHANNEL):
            ok = playback["state"] == "done"
            self.legs.tell(PlaybackEnded(target.removeprefix(_CHANNEL), at, playback["id"], ok))

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
        self.legs.tell(RecordingEnded(target.removeprefix(_CHANNEL), at, name, seconds, ok))


def _nobody(event: NodeEvent) -> None:
    """The sink of a PBX that was not started."""
