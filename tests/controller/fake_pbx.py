"""A PBX in memory that keeps the promises of pbx.protocol, for interleavings that a real one shows once in a year.

Tests play the people (`arrive`, `answer`, `leave`, `press`) and the trouble: `cut` and `mend` the link, or let the next
requests fail before or after they took effect.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gevent

from contactcentre.pbx.errors import Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import (
    Answered,
    Arrived,
    Cause,
    ChannelEvent,
    Digit,
    Ended,
    EndpointChanged,
    Left,
    LinkLost,
    LinkUp,
    NodeEvent,
    Party,
    Phone,
    PhoneHeld,
    PhoneResumed,
    PlaybackEnded,
    RecordingEnded,
    Ringing,
    TransferAsked,
)
from contactcentre.pbx.protocol import (
    MAX_DIGITS,
    NO_ACCOUNTS,
    SPY,
    BridgeInfo,
    ChannelInfo,
    Inbox,
    Inventory,
    Medium,
    Mode,
    Progress,
    line_end,
)

SAID = 0.03
"""Seconds that every prompt takes."""


@dataclass
class Line:
    """One channel."""

    id: str
    endpoint: str
    dialled: str = ""
    contact_id: str = ""  # of a leg that we called
    up: bool = False
    ours: bool = True
    inbox: Inbox | None = None
    kept: list[ChannelEvent] = field(default_factory=list)
    bridge: str = ""
    recordings: set[str] = field(default_factory=set)
    heard: list[tuple[Medium, str]] = field(default_factory=list)  # what was played to it, in which language
    born: float = field(default_factory=time.time)
    muted: bool = False
    silent: bool = False  # nothing comes from it any more
    packets: int = 0
    hears_ringing: bool = False
    digits: str = ""  # that were sent to it
    progress: list[Progress] = field(default_factory=list)  # what it was told of the transfer it asked for
    spies_on: str = ""
    mode: Mode = Mode.LISTEN
    tool_of: str = ""  # of the end of a leg into an open line: the leg
    other_end: str = ""  # of such a leg
    waits_since: int = 0  # in the PBX's own queue, epoch seconds; 0 = it is not there
    went_to: str = ""  # the place in the PBX's own dialplan that it was given back to

    def tell(self, event: ChannelEvent) -> None:
        if self.inbox is None:
            self.kept.append(event)
        else:
            self.inbox(event)


class FakePbx:
    link_is_shared = True

    def __init__(self, endpoints: Sequence[str], node: str = "node1") -> None:
        self.node = node
        self.shared: list[FakePbx] = [self]
        """The PBXs through which the same phones ring."""
        self.lines: dict[str, Line] = {}
        self.bridges: dict[str, str] = {}  # id -> kind
        self.complete: set[str] = set()  # recordings
        self.paused: set[str] = set()  # taps
        self.passwords: dict[str, str] = {}  # of softphones
        self.lamps: dict[str, tuple[int, int]] = {}  # agent -> messages that their phones show
        self.lamps_at: dict[str, tuple[int, int]] = {}  # the same, by SIP account
        self.missing: set[Medium] = set()  # what cannot be played
        self.violations: list[str] = []
        self.linked = False
        self.troubles: deque[tuple[type[PbxError], bool]] = deque()
        """What befalls the next requests: the error, and whether they take effect all the same."""
        self._endpoints = endpoints
        self.states: dict[str, Phone] = {}  # of endpoints that are not free
        self._missed: dict[str, ChannelEvent] = {}
        self._sink: Callable[[NodeEvent], None] = lambda event: None
        self._numbers = itertools.count(1)

    # -- people and trouble -------------------------------------------------------------------------------------------

    def arrive(self, did: str, endpoint: str = "carrier") -> Line:
        line = self.lines[name] = Line((name := f"{self.node}-{next(self._numbers)}"), endpoint, did)
        args = ("feature", did, endpoint) if did.startswith("*") else ("did", did)
        number = Party(f"+33{name.rpartition('-')[2]}", name)
        self._sink(Arrived(line.id, line.born, args, number, did, endpoint, "", up=False))
        return line

    def answer(self, line: Line) -> None:
        if line.id in self.lines and not line.up:
            line.up = line.ours = True
            self._tell(line, Answered(line.id, time.time()))

    def leave(self, line: Line, cause: Cause = Cause.NORMAL) -> None:
        """Hangs up, or declines."""
        if self.lines.pop(line.id, None) is not None:
            for other in (line.tool_of, line.other_end):
                if other in self.lines:
                    self.leave(self.lines[other], cause)
            self.complete |= line.recordings
            self._tell(line, Ended(line.id, time.time(), cause))
            for spy in [spy for spy in self.lines.values() if spy.spies_on == line.id]:
                self.leave(spy)

    def press(self, line: Line, digit: str) -> None:
        if line.id in self.lines:
            self._tell(line, Digit(line.id, time.time(), digit))

    def hold(self, line: Line) -> None:
        """The phone's own hold key."""
        if line.id in self.lines:
            self._tell(line, PhoneHeld(line.id, time.time()))

    def unhold(self, line: Line) -> None:
        if line.id in self.lines:
            self._tell(line, PhoneResumed(line.id, time.time()))

    def ask_transfer(self, line: Line, target: str, other: str = "", peer: str = "") -> None:
        """The phone's own transfer key."""
        if line.id in self.lines:
            self._tell(line, TransferAsked(line.id, time.time(), target, other, peer))

    def cut(self) -> None:
        if self.linked:
            self.linked = False
            self._sink(LinkLost(time.time(), "cut by the test"))

    def mend(self) -> None:
        """The ends that nobody heard are told first, as the driver does."""
        if not self.linked:
            self.linked = True
            missed, self._missed = self._missed, {}
            for line_id, event in missed.items():
                if (inbox := self._inboxes.pop(line_id, None)) is not None:
                    inbox(event)
            self._sink(LinkUp(time.time()))

    def ringing(self) -> list[Line]:
        return [line for line in self.lines.values() if line.contact_id and not line.up]

    def _tell(self, line: Line, event: ChannelEvent) -> None:
        if self.linked:
            line.tell(event)
        elif isinstance(event, Ended) and line.inbox is not None:
            self._inboxes[line.id], self._missed[line.id] = line.inbox, event

    @property
    def _inboxes(self) -> dict[str, Inbox]:
        return self.__dict__.setdefault("_bound", {})  # type: ignore[no-any-return]

    # -- pbx.protocol.Pbx ---------------------------------------------------------------------------------------------

    def start(self, sink: Callable[[NodeEvent], None]) -> None:
        self._sink, self.linked = sink, True
        self._missed, self.__dict__["_bound"] = {}, {}
        for line in self.lines.values():
            line.inbox = None
        sink(LinkUp(time.time()))

    def stop(self) -> None:
        self.linked = False

    def adopt(self, channel_id: str, inbox: Inbox, *, rings_until: float = 0.0) -> "FakeChannel":
        line = self.request(channel_id, harmless=True)
        line.inbox, kept, line.kept = inbox, line.kept, []
        if rings_until and line.up and not kept:
            kept = [Answered(channel_id, time.time())]
        for event in kept:
            inbox(event)
        return FakeChannel(self, channel_id)

    def call(
        self,
        endpoint: str,
        *,
        channel_id: str,
        inbox: Inbox,
        contact_id: str,
        caller: Party,
        ring_seconds: float,
        auto_answer: bool = False,
        beside: str = "",
    ) -> "FakeChannel":
        with self.effect(harmless=False):
            lines = [line for pbx in self.shared for line in pbx.lines.values()]
            there = [line for line in lines if line.endpoint == endpoint and line.contact_id]
            # a browser that was loaded anew gets another leg into the call it has
            if busy := [line.id for line in there if not (auto_answer and line.up and line.contact_id == contact_id)]:
                self.violations.append(f"{endpoint} rings for {contact_id}, but also for {busy}")
            line = self.lines[channel_id] = Line(channel_id, endpoint, contact_id=contact_id, ours=False, inbox=inbox)
            if endpoint.startswith("line:"):
                gevent.spawn_later(0.001, self._lead_in, line)
            else:
                gevent.spawn_later(0.001, self._tell, line, Ringing(channel_id, time.time()))
            gevent.spawn_later(ring_seconds, self._ring_out, line)
        return FakeChannel(self, channel_id)

    def _lead_in(self, leg: Line) -> None:
        """The other end of a leg into an open line arrives, if there is somebody to take it."""
        if leg.id in self.lines:
            end = self.lines[line_end(leg.id)] = Line(line_end(leg.id), "", tool_of=leg.id)
            leg.other_end, agent = end.id, leg.endpoint.removeprefix("line:")
            if self.linked:
                self._sink(Arrived(end.id, end.born, ("line", agent), Party(), agent, "", "", up=False))
            else:
                self.leave(leg, Cause.UNREACHABLE)

    def _ring_out(self, line: Line) -> None:
        if not line.up:
            self.leave(line, Cause.NO_ANSWER)

    def spy(self, channel_id: str, *, spy_id: str, mode: Mode, inbox: Inbox) -> "FakeChannel":
        target = self.request(channel_id)
        if not spy_id.startswith(SPY):
            raise Refused(f"{spy_id} is no spy's id")
        self.lines[spy_id] = Line(spy_id, "", up=True, inbox=inbox, spies_on=target.id, mode=mode)
        return FakeChannel(self, spy_id)

    def take(self, channel_id: str, inbox: Inbox) -> "FakeChannel":
        line = self.request(channel_id)
        line.ours, line.inbox, line.bridge = True, inbox, "" if not line.ours else line.bridge
        return FakeChannel(self, channel_id)

    def fetch(self, channel_id: str) -> None:
        line = self.request(channel_id)
        if line.waits_since:
            args, line.waits_since, line.ours = ("did", line.dialled, str(line.waits_since)), 0, True
            number = Party(f"+33{line.id.rpartition('-')[2]}", line.id)
            self._sink(Arrived(line.id, time.time(), args, number, line.dialled, line.endpoint, "", up=True))

    def bridge(self, bridge_id: str, *, digits: bool = False) -> "FakeBridge":
        with self.effect():
            self.bridges[bridge_id] = "mixing"
        return FakeBridge(self, bridge_id)

    def inventory(self) -> Inventory:
        with self.effect():
            pass
        return Inventory(
            {
                line.id: ChannelInfo(
                    line.id, line.id, line.up, line.ours, Party(), line.dialled, line.endpoint, line.born,
                    line.contact_id, waits=line.waits_since > 0,
                )
                for line in self.lines.values()
                if not line.spies_on and not line.tool_of
            },
            {
                name: BridgeInfo(name, kind, tuple(line.id for line in self.lines.values() if line.bridge == name))
                for name, kind in self.bridges.items()
            },
            {line.id: line.spies_on for line in self.lines.values() if line.spies_on},
        )  # fmt: skip

    def phones(self) -> Mapping[str, Phone]:
        with self.effect():
            return dict.fromkeys(self._endpoints, Phone.FREE) | self.states

    def becomes(self, endpoint: str, phone: Phone) -> None:
        self.states[endpoint] = phone
        self._sink(EndpointChanged(time.time(), endpoint, phone))

    def show_messages(self, counts: Mapping[str, tuple[int, int]], accounts: Mapping[str, str] = NO_ACCOUNTS) -> None:
        with self.effect(harmless=False):
            self.lamps |= counts
            self.lamps_at |= {accounts.get(agent, agent): count for agent, count in counts.items()}

    def set_password(self, account: str, password: str) -> None:
        with self.effect(harmless=False):
            self.passwords[account] = password

    def stay(self, seconds: float, *, answers: bool = False) -> None:
        self.led_until = time.time() + seconds  # a request, but none that the troubles of a test are meant for

    def recording(self, name: str) -> Iterator[bytes]:
        with self.effect():
            if name not in self.complete:
                raise Gone(name)
        return iter([b"sound"])

    def delete_recording(self, name: str) -> None:
        self.complete.discard(name)

    # -- for its channels ---------------------------------------------------------------------------------------------

    def effect(self, harmless: bool = True) -> "Effect":
        return Effect(self, harmless)

    def request(self, channel_id: str, harmless: bool = False) -> Line:
        with self.effect(harmless):
            if channel_id not in self.lines:
                raise Gone(channel_id)
            return self.lines[channel_id]


class Effect:
    """Around what a request does: it takes its time, and trouble may come before or after."""

    def __init__(self, pbx: FakePbx, harmless: bool) -> None:
        """`harmless`: cannot be refused."""
        self.pbx, self.harmless = pbx, harmless
        self.after: type[PbxError] | None = None

    def __enter__(self) -> None:
        gevent.sleep(0.0005)
        if not self.pbx.linked:
            raise LinkDown("no link")
        if self.pbx.troubles and not (self.harmless and self.pbx.troubles[0][0] is Refused):
            error, takes_effect = self.pbx.troubles.popleft()
            if not takes_effect:
                raise error("trouble before")
            self.after = error

    def __exit__(self, kind: Any, *_: Any) -> None:
        gevent.sleep(0.0005)
        if kind is None and not self.pbx.linked:
            raise LinkDown("cut while we waited")
        if kind is None and self.after is not None:
            raise self.after("trouble after")


class FakeTap:
    def __init__(self, pbx: FakePbx, tap_id: str) -> None:
        self.id, self._pbx = tap_id, pbx
        self.started: Mapping[str, float] = {"left": time.time(), "right": time.time()}

    def pause(self) -> None:
        with self._pbx.effect():
            self._pbx.paused.add(self.id)

    def resume(self) -> None:
        with self._pbx.effect():
            self._pbx.paused.discard(self.id)

    def stop(self) -> Mapping[str, str]:
        self._pbx.paused.discard(self.id)
        return {side: f"{self.id}-{side}" for side in self.started}


class FakeChannel:
    def __init__(self, pbx: FakePbx, channel_id: str) -> None:
        self.id, self._pbx = channel_id, pbx

    def answer(self) -> None:
        line = self._pbx.request(self.id)
        line.up = True
        if line.tool_of in self._pbx.lines:
            self._pbx.answer(self._pbx.lines[line.tool_of])

    def ring(self) -> None:
        line = self._pbx.request(self.id)
        line.hears_ringing = True
        if line.tool_of in self._pbx.lines:
            self._pbx._tell(self._pbx.lines[line.tool_of], Ringing(line.tool_of, time.time()))

    def stop_ringing(self) -> None:
        self._pbx.request(self.id).hears_ringing = False

    def hangup(self, cause: Cause = Cause.NORMAL) -> None:
        with self._pbx.effect():
            if (line := self._pbx.lines.get(self.id)) is not None:
                self._pbx.leave(line, cause)

    def play(self, playback_id: str, media: Sequence[Medium], language: str = "") -> None:
        line = self._pbx.request(self.id)
        line.heard += [(medium, language) for medium in media]
        if not self._pbx.missing.isdisjoint(media):
            raise Refused(f"{media}")
        ended = PlaybackEnded(self.id, time.time(), playback_id, ok=True)
        gevent.spawn_later(SAID, self._said, line, ended)

    def _said(self, line: Line, ended: PlaybackEnded) -> None:
        if line.id in self._pbx.lines:
            self._pbx._tell(line, ended)

    def stop_playing(self, playback_id: str) -> None:
        with self._pbx.effect():
            pass

    def wait_with_music(self, music: str) -> None:
        self._pbx.request(self.id).bridge = "waiting"

    def stop_waiting(self) -> None:
        with self._pbx.effect():
            if self.id in self._pbx.lines:
                self._pbx.lines[self.id].bridge = ""

    def mute(self) -> None:
        self._pbx.request(self.id).muted = True

    def unmute(self) -> None:
        self._pbx.request(self.id).muted = False

    def send_digits(self, digits: str) -> None:
        line = self._pbx.request(self.id)
        if not digits or len(digits) > MAX_DIGITS or set(digits) - set("0123456789*#ABCD"):
            raise Refused(digits)
        line.digits += digits

    def transfer_progress(self, progress: Progress) -> None:
        with self._pbx.effect():
            if (line := self._pbx.lines.get(self.id)) is not None:
                line.progress.append(progress)

    def packets(self) -> int:
        line = self._pbx.request(self.id)
        line.packets += not line.silent
        return line.packets

    def set_variable(self, name: str, value: str) -> None:
        self._pbx.request(self.id)

    def record(self, name: str, *, max_seconds: float, max_silence: float, terminate_on: str, beep: bool) -> None:
        line = self._pbx.request(self.id)
        if line.bridge:
            raise Refused("in a bridge", 409)
        line.recordings.add(name)
        gevent.spawn_later(max_seconds, self._recorded, line, name, max_seconds)

    def _recorded(self, line: Line, name: str, seconds: float) -> None:
        if name in line.recordings and line.id in self._pbx.lines:
            line.recordings.discard(name)
            self._pbx.complete.add(name)
            self._pbx._tell(line, RecordingEnded(line.id, time.time(), name, seconds, ok=True))

    def stop_recording(self, name: str) -> None:
        with self._pbx.effect():
            pass

    def tap(self, tap_id: str) -> FakeTap:
        self._pbx.request(self.id)
        return FakeTap(self._pbx, tap_id)

    def leave_to(self, context: str, extension: str) -> None:
        line = self._pbx.request(self.id)
        line.ours, line.went_to = False, f"{context},{extension}"
        self._pbx._tell(line, Left(line.id, time.time()))


class FakeBridge:
    def __init__(self, pbx: FakePbx, bridge_id: str) -> None:
        self.id, self._pbx = bridge_id, pbx

    def add(self, *channels: Any, absorb: bool = False) -> None:
        with self._pbx.effect(harmless=False):
            lines = [self._pbx.lines.get(channel.id) for channel in channels]
            if self.id not in self._pbx.bridges or not all(lines):
                raise Gone("one of them")
            for line in lines:
                assert line is not None
                line.bridge = self.id

    def remove(self, channel: Any) -> None:
        self._pbx.request(channel.id).bridge = ""

    def destroy(self) -> None:
        with self._pbx.effect():
            self._pbx.bridges.pop(self.id, None)
            for line in self._pbx.lines.values():
                line.bridge = line.bridge if line.bridge != self.id else ""
