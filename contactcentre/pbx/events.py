"""Typed facts that a PBX driver tells. `at` is epoch seconds (UTC) by the PBX's own clock where it gives one."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Cause(IntEnum):
    """Q.850 causes that we use by name; drivers translate from and to the PBX's own."""

    UNKNOWN = 0
    UNALLOCATED = 1
    NORMAL = 16
    BUSY = 17
    NO_RESPONSE = 18
    NO_ANSWER = 19
    UNREACHABLE = 20  # subscriber absent: the endpoint is not registered
    REJECTED = 21
    ANSWERED_ELSEWHERE = 26
    OUT_OF_ORDER = 27
    CONGESTION = 34
    FAILURE = 41

    @classmethod
    def _missing_(cls, value: object) -> "Cause":
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class Party:
    """Who a leg says it is. Both texts are whatever the caller sent: hostile until proven otherwise."""

    number: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The link is there and the application registered: reconcile before taking new calls."""

    at: float


@dataclass(frozen=True, slots=True)
class LinkLost:
    at: float
    reason: str
    replaced: bool = False  # another controller took our place: stop, do not reconnect


class Phone(StrEnum):
    """Whether an endpoint can be called."""

    FREE = "free"
    IN_USE = "in_use"  # it is in a call that we did not make: with a colleague, with one of our numbers or codes
    AWAY = "away"  # not registered, or it does not answer


@dataclass(frozen=True, slots=True)
class EndpointChanged:
    at: float
    endpoint: str
    phone: Phone


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    channel_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Arrived(ChannelEvent):
    """A channel came into our hands: a new caller, a feature call, or a leg that we called and that was answered."""

    args: tuple[str, ...]  # ("did", number), ("feature", code, endpoint), ("leg", contact_id); see dialplans/
    caller: Party
    dialled: str
    endpoint: str  # technology-free name of the endpoint the channel belongs to ("alice", "lab")
    language: str
    up: bool  # answered already


@dataclass(frozen=True, slots=True)
class Ringing(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class Answered(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class Ended(ChannelEvent):
    """The channel is gone. The last event of a channel; its inbox is unbound after it."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Left(ChannelEvent):
    """The channel lives on, but not in our hands (back in the PBX's dialplan). Unbinds like Ended."""


@dataclass(frozen=True, slots=True)
class Digit(ChannelEvent):
    digit: str  # one of 0-9 * # A-D; a driver drops anything else


@dataclass(frozen=True, slots=True)
class PhoneHeld(ChannelEvent):
    """The person at this phone pressed its hold key (a re-INVITE): nobody hears what it is sent. It may send music of
    its own. In a bridge of two the PBX plays the other one some music until the controller moves it."""


@dataclass(frozen=True, slots=True)
class PhoneResumed(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class TransferAsked(ChannelEvent):
    """The person at this phone pressed its transfer key (SIP REFER). Nothing has been transferred: it is the controller
    who does it, or not, and tells the phone by `Channel.transfer_progress`."""

    target: str  # the number dialled: 0-9 * # + and letters; "" when what came was none
    other: str = ""  # an attended transfer: the channel of the phone's other call, as far as it is on this PBX
    peer: str = ""  # and the channel that this other call is connected to


@dataclass(frozen=True, slots=True)
class PlaybackEnded(ChannelEvent):
    playback_id: str
    ok: bool  # False: a file was missing or could not be played


@dataclass(frozen=True, slots=True)
class RecordingEnded(ChannelEvent):
    name: str
    seconds: float
    ok: bool


NodeEvent = LinkUp | LinkLost | EndpointChanged | Arrived
