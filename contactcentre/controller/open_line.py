"""One agent's open line: the device is called once, and stays connected in a room of its own.

A contact reaches the agent through a leg that leads into that room (`Pbx.call("line:NAME")`). To the contact it is a
leg like any other, that is answered, spoken to and hung up; only this module knows that the agent's device stays.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import StrEnum
from itertools import count

import structlog
from gevent.queue import Empty, Queue

from contactcentre.controller.confirming import Confirming
from contactcentre.controller.node import Node
from contactcentre.domain.devices import Device
from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.events import (
    Answered,
    Arrived,
    Cause,
    ChannelEvent,
    Ended,
    Left,
    Party,
    PhoneHeld,
    PhoneResumed,
    PlaybackEnded,
    TransferAsked,
)
from contactcentre.pbx.protocol import LINE, Bridge, Channel, Progress, line_end

log = structlog.get_logger(__name__)

RING_SECONDS = 30.0
"""For so long the device rings for its open line."""

BEEP = "tone:beep"

_id = re.compile(rf"{LINE}([a-z][a-z0-9_-]{{0,39}})-[0-9a-f]{{8}}").fullmatch


class Ending(StrEnum):
    CLOSED = "closed"  # by us
    HUNG_UP = "hung up"  # by the agent
    LOST = "lost"  # or it was never there


class _Close:
    """A wish to end the line, when nobody talks through it."""


def agent_of(channel_id: str) -> str:
    """Whose open line this channel is; "" = it is none."""
    match = _id(channel_id)
    return match[1] if match else ""


def room_of(line_id: str) -> str:
    """The bridge of a line."""
    return f"{line_id}.r"


class OpenLine:
    def __init__(self, node: Node, agent: str, device: Device, channel_id: str = "", ends: Iterable[str] = ()) -> None:
        """`channel_id`: of a line that is open already, and the `ends` of legs in its room."""
        self.agent, self.device = agent, device
        self.id = channel_id or f"{LINE}{agent}-{secrets.token_hex(4)}"
        self.opened = 0.0
        """When it was opened, or taken up (epoch seconds); 0 = it was not yet."""
        self.is_open = False
        self._node = node
        self._there = bool(channel_id)
        self._channel: Channel | None = None
        self._inbox: Queue[ChannelEvent | _Close] = Queue()
        self._ends: dict[str, Channel | None] = dict.fromkeys(ends)  # of the legs that lead into the room
        self._beeps: dict[str, str] = {}  # playback -> end that is let in after it
        self._closing = False
        self._number = count(1)

    def device_of(self, leg: str) -> Channel | None:
        """The device, if this leg leads into its line."""
        return self._channel if line_end(leg) in self._ends else None

    # -- told by others -----------------------------------------------------------------------------------------------

    def post(self, event: ChannelEvent) -> None:
        """Never blocks."""
        self._inbox.put_nowait(event)

    def close(self) -> None:
        """Ends it, as soon as nobody talks through it."""
        if not self._closing:
            self._closing = True
            self._inbox.put_nowait(_Close())

    def closed_within(self, seconds: float) -> bool:
        """Waits, between two attempts to open it: is it to be closed?"""
        until = self._node.now() + seconds
        while not self._closing and (left := until - self._node.now()) > 0:
            with suppress(Empty):
                self._inbox.get(timeout=left)
        return self._closing

    # -- its greenlet -------------------------------------------------------------------------------------------------

    def run(self, opened: Callable[["OpenLine"], None]) -> Ending:
        """From the call to its end. `opened` is told when offers may come. Raises LinkDown, Deadline: then it may live
        on, and is found when the PBX is asked what is there."""
        try:
            if not self._there and not self._open():
                return Ending.CLOSED if self._closing else Ending.LOST
            self._channel = self._node.pbx.adopt(self.id, self.post)
            self._room().add(self._channel)
            if self._there:
                self._channel.stop_ringing()  # whoever asked somebody when the controller was killed asks again
            for end in list(self._ends):
                self._take_back(end)
            self._idle()
        except (Gone, Refused):
            return Ending.LOST
        self.opened, self.is_open = self._node.now(), True
        opened(self)
        try:
            return self._serve()
        finally:
            self.is_open = False
            self._clear()

    def _open(self) -> bool:
        """Calls the device, and asks for the key where it has one."""
        node, device = self._node, self.device
        name = node.site.settings.name or "Contact centre"
        channel = node.pbx.call(
            device.address,
            channel_id=self.id,
            inbox=self.post,
            contact_id="",
            caller=node.shown(device, Party("", name)),
            ring_seconds=RING_SECONDS,
        )
        until, confirming = node.now() + RING_SECONDS + 1, None
        while not self._closing and (left := until - node.now()) > 0:
            try:
                message = self._inbox.get(timeout=left)
            except Empty:
                break
            match message:
                case Answered(channel_id=self.id) if not device.line_key:
                    return True
                case Answered(channel_id=self.id):
                    confirming = Confirming(node.now(), self._new_id, channel, device.line_key)
                    until = confirming.until
                case Ended(channel_id=self.id, cause=cause):
                    log.info("open line: the device was not reached", agent=self.agent, cause=cause.name)
                    return False
                case _ if confirming is not None and confirming.takes(message):
                    return True
        channel.hangup(Cause.NO_ANSWER)
        return False

    def _serve(self) -> Ending:
        assert self._channel is not None
        while not self._closing or self._ends:
            match message := self._inbox.get():
                case Ended(channel_id=self.id) | Left(channel_id=self.id):
                    for end in list(self._ends):
                        self._node.hang_up(end)
                    self._room().destroy()
                    by_agent = isinstance(message, Ended) and message.cause is Cause.NORMAL
                    return Ending.HUNG_UP if by_agent else Ending.LOST
                case ChannelEvent():
                    with suppress(Gone, Refused):  # of whom the end is on its way
                        self._take(message)
        self._channel.hangup()
        self._room().destroy()
        return Ending.CLOSED

    def _take(self, message: ChannelEvent) -> None:
        match message:
            case Arrived(channel_id=end):
                self._announce(end)
            case PlaybackEnded(playback_id=beep) if beep in self._beeps:
                self._let_in(self._beeps.pop(beep))
            case Ended(channel_id=end) | Left(channel_id=end) if end in self._ends:
                del self._ends[end]
                if not self._ends:
                    self._idle()
            case PhoneHeld(at=at):
                self._pass_on(lambda leg: PhoneHeld(leg, at))
            case PhoneResumed(at=at):
                self._pass_on(lambda leg: PhoneResumed(leg, at))
            case TransferAsked() if self._channel is not None:  # it would transfer the line; keys transfer the customer
                self._channel.transfer_progress(Progress.DECLINED)

    def _announce(self, end: str) -> None:
        """A beep tells the agent that somebody comes."""
        assert self._channel is not None
        self._ends[end] = channel = self._node.pbx.adopt(end, self.post)
        channel.ring()
        beep = self._new_id()
        self._beeps[beep] = end
        self._channel.play(beep, [BEEP])

    def _let_in(self, end: str) -> None:
        channel = self._ends.get(end)
        if channel is not None and self._channel is not None:
            self._room().add(self._channel, channel)
            channel.answer()

    def _take_back(self, end: str) -> None:
        """It was in the room when an earlier controller was killed."""
        try:
            self._ends[end] = self._node.pbx.adopt(end, self.post)
        except Gone:
            del self._ends[end]

    def _idle(self) -> None:
        """Nobody talks through it: music, or silence in the room."""
        music = self._node.site.settings.line_music
        if music and not self._ends and self._channel is not None:
            self._channel.wait_with_music(music)

    def _pass_on(self, event: Callable[[str], ChannelEvent]) -> None:
        """What the agent's phone does, to the contacts that it talks with."""
        for end in self._ends:
            leg = end.removesuffix(line_end(""))
            contact = self._node.contacts.get(leg.partition(".")[0])
            if contact is not None:
                contact.post(event(leg))

    def _room(self) -> Bridge:
        return self._node.pbx.bridge(room_of(self.id))

    def _clear(self) -> None:
        """Who has come in the last moment is sent away. Of a line that lives on the room stays."""
        ends = [event.channel_id for event in self._inbox.queue if isinstance(event, Arrived)]
        with suppress(PbxError):
            for end in ends:
                self._node.hang_up(end, Cause.UNREACHABLE)

    def _new_id(self) -> str:
        return f"{self.id}.p{self.opened:.0f}-{next(self._number)}"
