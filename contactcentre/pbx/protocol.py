"""The verbs of a PBX, as few as a contact centre needs. `pbx.asterisk` and `pbx.freeswitch` implement them.

All verbs block the calling greenlet until the PBX has accepted or refused, at most `REQUEST_DEADLINE` seconds, and
raise `pbx.errors`. No verb waits for what happens later (a prompt's end, an answer): that comes as an event to the
channel's inbox.

Ids of channels, bridges, playbacks and recordings are chosen by us, so that a request can be repeated and a restarted
controller recognises its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from contactcentre.pbx.events import Cause, ChannelEvent, NodeEvent, Party, Phone

REQUEST_DEADLINE = 5.0
"""Seconds that a verb waits for the PBX at most."""

MAX_DIGITS = 32
"""Digits that are sent at once."""
DIGIT_SECONDS = 0.2
"""How long one takes, with the pause after it."""

MayAct = Callable[[], bool]
"""Whether this controller may do something on the PBX: not when another one took over. May wait for the answer; asked
before anything is sent."""
NOT_OURS = "another controller drives the PBX"


def always() -> bool:
    """The MayAct of whoever is alone."""
    return True


Inbox = Callable[[ChannelEvent], None]
"""Takes one event; must not block (it is called by the socket's reader)."""

# A medium is a text: `sound:NAME` (a prompt in the PBX's sound directories), `sound:/absolute/path` (without suffix),
# `digits:123`, `number:42`, `tone:beep`, `silence:SECONDS`, `recording:NAME` (that has ended, and is still on the PBX).
Medium = str

RECORDING = "recording:"


NO_ACCOUNTS: Mapping[str, str] = MappingProxyType({})
"""Every agent's phone has the agent's name."""

FALLBACK = "contactcentre-fallback"
"""The place in the PBX's dialplan where it serves calls by itself: one of its own queues for each of ours, by name."""

SPY = "spy-"
"""Ids of spies begin with this, so that a restarted controller finds those of the one before (`Inventory.spies`)."""


LINE = "line-"
"""Ids of open lines begin with this, so that a restarted controller finds those of the one before."""


def line_end(leg: str) -> str:
    """The id of the other end of a leg into an open line."""
    return f"{leg}.line"


class Mode(StrEnum):
    """Who hears a supervisor who hears both sides of a call."""

    LISTEN = "listen"  # nobody
    WHISPER = "whisper"  # the owner of the channel that is spied on, and nobody else
    BARGE = "barge"  # everybody


class Progress(StrEnum):
    """What a phone that asked for a transfer is told. All but the first are final."""

    TRYING = "trying"
    DONE = "done"
    DECLINED = "declined"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """What the PBX says of a channel that is there now."""

    id: str
    name: str
    up: bool
    ours: bool  # in the hands of our application
    caller: Party
    dialled: str
    endpoint: str
    created_at: float
    contact_id: str  # the tie we set (variable CONTACT_ID), "" if none
    waits: bool = False  # in the PBX's own queue, where nobody talks to it yet


@dataclass(frozen=True, slots=True)
class BridgeInfo:
    id: str
    kind: str  # "mixing" | "holding"
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """`channels` are those of somebody. Tools (music, recording, spies) are none, though they may be in bridges."""

    channels: Mapping[str, ChannelInfo]
    bridges: Mapping[str, BridgeInfo]
    spies: Mapping[str, str] = field(default_factory=dict)
    """Spy -> the channel it spies on, of every spy that is there. One that nobody answers for any more (its controller
    was killed) is ended by `adopt(spy, inbox).hangup()`."""


def fetchable(did: str, since: float, queue: str) -> Mapping[str, str]:
    """Variables of a channel that is led to the PBX's own queue for want of a controller: the dialplans set them where
    nobody was there when it came (`since`, epoch seconds), and `Pbx.fetch` goes by them."""
    return {
        "CONTACTCENTRE_DID": did,
        "CONTACTCENTRE_SINCE": str(int(since)),
        "contactcentre_since": str(int(since)),
        "contactcentre_next": f"queue-{queue}",
        "contactcentre_waits": "true",
    }


class Tap(Protocol):
    """A stereo recording that runs: one file for what the channel says, one for what it hears."""

    id: str

    @property
    def started(self) -> Mapping[str, float]:
        """When the first sample of each file ("left", "right") was taken, as far as the PBX told; to align the two."""

    def pause(self) -> None:
        """From now on the files are silent, and as long as if they were not. No error when it is paused, or over."""

    def resume(self) -> None:
        """The files go on with what is said. No error when it is not paused, or over."""

    def stop(self) -> Mapping[str, str]:
        """Ends it. Returns {"left": name, "right": name} of the two files on the PBX. A gone channel is no error."""


class Channel(Protocol):
    id: str

    def answer(self) -> None: ...

    def ring(self) -> None:
        """Lets this party hear ringing: before the answer, or alone in a bridge. Its digits are told as before."""

    def stop_ringing(self) -> None:
        """It hears what is said to it again. No error when it hears no ringing."""

    def hangup(self, cause: Cause = Cause.NORMAL) -> None:
        """A channel that is gone already is no error."""

    def play(self, playback_id: str, media: Sequence[Medium], language: str = "") -> None:
        """Starts playing one after the other; PlaybackEnded(playback_id) comes once, at the end of all. Raises Refused
        for what is no medium, and for a recording that is not there."""

    def stop_playing(self, playback_id: str) -> None:
        """A playback that has ended already is no error."""

    def wait_with_music(self, music: str) -> None:
        """Puts the channel into the waiting room with this music class. It can still be played to and sends digits."""

    def stop_waiting(self) -> None:
        """Takes it out of the waiting room; no error when it was in none. `Bridge.add` does this by itself."""

    def mute(self) -> None:
        """What it says is heard by nobody any more, in no bridge and no recording; it hears as before. A channel that
        is muted already is no error."""

    def unmute(self) -> None:
        """A channel that is not muted is no error."""

    def send_digits(self, digits: str) -> None:
        """Sends DTMF (0-9 * # A-D, at most MAX_DIGITS) to this party, each DIGIT_SECONDS long; returns before the end.
        Raises Refused for anything else."""

    def transfer_progress(self, progress: Progress) -> None:
        """Tells the phone what becomes of the transfer it asked for (TransferAsked). Most phones hang up by themselves
        after DONE, and go on with their call after DECLINED and UNAVAILABLE. A phone that asked for none, or that is
        gone, is no error."""

    def packets(self) -> int:
        """How many packets of sound have come from it so far; also what nobody hears, and silence that is sent. Raises
        Refused where that is not counted (a tool, a PBX that is too old)."""

    def set_variable(self, name: str, value: str) -> None: ...

    def record(self, name: str, *, max_seconds: float, max_silence: float, terminate_on: str, beep: bool) -> None:
        """Records what the channel says (voicemail), outside any bridge. RecordingEnded(name) comes at the end."""

    def stop_recording(self, name: str) -> None: ...

    def tap(self, tap_id: str) -> Tap:
        """Starts a stereo recording of this leg: left = what it says, right = what it hears. With the id of one that
        runs already (an earlier controller's) it takes that over."""

    def leave_to(self, context: str, extension: str) -> None:
        """Gives the channel back to the PBX's own dialplan (fallback, transfer)."""


class Bridge(Protocol):
    id: str

    def add(self, *channels: Channel, absorb: bool = False) -> None:
        """`absorb`: the digits that these press are not passed on to the others (as far as they are not sound)."""

    def remove(self, channel: Channel) -> None: ...

    def destroy(self) -> None:
        """A bridge that is gone already is no error. Does not hang up its channels."""


class Pbx(Protocol):
    node: str
    link_is_shared: bool
    """Whether an heir can have its link while ours is there still. Else it gets one when ours is closed, and until then
    the PBX keeps the calls that come."""

    def start(self, sink: Callable[[NodeEvent], None]) -> None:
        """Connects (and reconnects until `stop`). `sink` must not block. A channel that arrives has no inbox yet: its
        events are kept until `adopt`, 30 seconds at most."""

    def stop(self) -> None: ...

    def adopt(self, channel_id: str, inbox: Inbox, *, rings_until: float = 0.0) -> Channel:
        """Binds the channel's events to an inbox; events kept since its arrival are delivered first. `rings_until`
        (epoch seconds) makes it a leg that an earlier controller has called, and that rings, or has just been answered:
        what follows `call` follows, so Answered also when it has been by now. Raises Gone, LinkDown, Deadline."""

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
    ) -> Channel:
        """Calls an endpoint (`alice`) or a number through a trunk (`number@trunk`) with the inbox bound beforehand.
        Ringing, then Answered (the leg is in our hands and can be bridged) or Ended with its cause follow.

        `line:NAME` calls into an open line: the leg's other end arrives as Arrived(("line", NAME)), with the id that
        `line_end` says. Who answers that end answers the leg, who hangs up one of them ends both, and what one end
        says the other one hears. So a leg can be had in a call that is there already. It is a tool, no party.
        `auto_answer` asks the phone to answer by itself; most phones must have been told that they may. `beside` is the
        channel that it is to talk with: the phone is offered first what that one speaks, so that the PBX need not
        translate."""

    def spy(self, channel_id: str, *, spy_id: str, mode: Mode, inbox: Inbox) -> Channel:
        """Makes a channel that hears both sides of `channel_id`, which may be any channel of the PBX, also one that is
        not in our hands. It is to be put into a bridge with the supervisor's leg: so this one hears them, and is heard
        as `mode` says. Ended comes when its target ends; it lives through the target's transfers. Another mode is
        another spy in the same bridge, then the first one is hung up.

        `spy_id` begins with SPY. Raises Gone (the target), Refused, LinkDown, Deadline; then no spy is left."""

    def take(self, channel_id: str, inbox: Inbox) -> Channel:
        """Takes a channel that lives in the PBX's own dialplan or queue (`ChannelInfo.ours` is False) into our hands,
        out of whatever bridge it is in: to take over a call, or to complete a phone's attended transfer
        (`TransferAsked.peer`). It hears nothing then. Whom it talked to is the dialplan's, which mostly hangs up. One
        that is in our hands is adopted. Raises Gone, Refused (its place in the dialplan is not provisioned), LinkDown,
        Deadline."""

    def fetch(self, channel_id: str) -> None:
        """Lets a caller come to us who `waits` in the PBX's own queue because there was no controller: arrives like a
        new one, with when it came (epoch seconds) behind the number among the arguments. Who was left to that queue for
        another reason stays there, and so does whoever is talked to by now. Raises Gone, Refused (its place in the
        dialplan is not provisioned), LinkDown, Deadline."""

    def bridge(self, bridge_id: str, *, digits: bool = False) -> Bridge:
        """Makes a mixing bridge; with an id that exists already it returns that one. Digits that are pressed in a
        bridge are told for certain only with `digits`: else the PBX may let two phones' packets pass unread, which
        saves a third of a call's CPU."""

    def inventory(self) -> Inventory: ...

    def phones(self) -> Mapping[str, Phone]:
        """Every endpoint, and whether it can be called now. What changes is told by EndpointChanged, seconds late."""

    def show_messages(self, counts: Mapping[str, tuple[int, int]], accounts: Mapping[str, str] = NO_ACCOUNTS) -> None:
        """Shows at these agents' phones how many messages wait, new ones and others (the lamp; RFC 3842). `accounts`:
        the SIP account of an agent's phone where that is another than the agent's name; a PBX whose phones name their
        mailbox themselves does not need it. No error where the PBX cannot, or a phone has no lamp. A PBX that was
        restarted has forgotten it. Raises Refused, LinkDown, Deadline; then some may be shown and others not."""

    def set_password(self, account: str, password: str) -> None:
        """From now on the softphone with this account signs in with this password and no other; with "" it cannot sign
        in. Nothing of it is written to a file; a PBX that was restarted has forgotten it. Raises Refused where the PBX
        keeps no accounts like that, LinkDown, Deadline."""

    def stay(self, seconds: float, *, answers: bool = False) -> None:
        """The dialplan may lead new callers to us for so many seconds more (to the next whole one; below 0: none).
        After that it goes its other way at once, also while the link is there: whoever hangs does not say this again.
        `answers`: it may answer them first where their flow would do nothing else, which saves a request for each.
        Raises Refused, LinkDown, Deadline."""

    def recording(self, name: str) -> Iterator[bytes]:
        """Reads a finished recording's file in chunks. Raises Gone."""

    def delete_recording(self, name: str) -> None: ...
