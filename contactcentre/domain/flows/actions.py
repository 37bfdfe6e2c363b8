"""What a flow asks for (`Action`), and what came of it (`Result`): the seam between the walker and whoever
runs it.

The controller carries actions out on a PBX, the simulator answers them from a script; neither knows a rule of
a flow.

    action = walker.step(Begin(), at)            # or Resume() after Walker.restore
    while True:
        if isinstance(action, Hangup): ...       # the end; nothing is stepped after it
        action = walker.step(do(action), at)

| action | its results |
|---|---|
| Answer | Done |
| Play | Done |
| Record | Done |
| Gather | Digits |
| Lookup | Looked, LookupFailed |
| Enqueue | Left, Sent |
| Voicemail | Recorded |
| Transfer | Transferred, TransferFailed, Sent |
| Callback | Done |
| Hangup | none: the walk is over |

A caller who hangs up is never a result: the walk is simply not continued. Durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

Scalar = str | int | float | bool
"""What a variable can hold."""

DTMF = "0123456789*#ABCD"
"""Every key a telephone can send."""


class Sort(StrEnum):
    """How a piece is spoken."""

    PROMPT = "prompt"  # value = a prompt's name; text = what to synthesise where no sound file has that name
    SOUND = "sound"  # value = a name in the PBX's own sound directories
    TEXT = "text"  # value = words to synthesise. They may come from the caller: hostile
    NUMBER = "number"  # value = an integer as text
    DIGITS = "digits"  # value = characters 0-9 * #
    DATE = "date"  # value = YYYY-MM-DD, local
    TIME = "time"  # value = HH:MM, local
    SILENCE = "silence"  # value = seconds as text
    TONE = "tone"  # value = the PBX's name of a tone


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing the caller hears. `prompts.speech.Prompts.media` turns pieces into media, `wording.words`
    into words."""

    sort: Sort
    value: str
    text: str = ""
    language: str = ""  # where it is not the action's: a menu that offers languages speaks several


Speech = tuple[Piece, ...]


# Actions


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the caller's leg. One that is answered already is no error: Done."""


@dataclass(frozen=True, slots=True)
class Play:
    """Play to the end. When `interruptible`, a key ends it at once; either way keys pressed meanwhile are
    kept for the next Gather (type-ahead)."""

    speech: Speech
    language: str
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class Gather:
    """Play and collect keys. A key pressed while it plays ends the playing when `barge_in`; otherwise the
    keys count too, but the playing goes on. When `type_ahead` is false, keys pressed before this action began
    are thrown away first.

    `sensitive` keys (a payment's) are to be in no recording, no log and no fact.

    Feed each key to `gathered`; it says when the entry is complete. `timeout` counts from the end of the
    playing to the first key, `digit_timeout` from one key to the next; when one passes, `timed_out` is the
    result.
    """

    speech: Speech
    language: str
    timeout: float
    digit_timeout: float
    max_digits: int
    terminators: str = ""  # keys that end the entry; not part of it
    choices: tuple[str, ...] = ()  # a menu's: the entry is complete once it cannot mean another choice
    barge_in: bool = True
    type_ahead: bool = True
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Begin to record the caller's line, or stop, pause or resume that. What is so already is no error."""

    what: Literal["start", "stop", "pause", "resume"]
    language: str  # in which the caller is told, where the site wants it


@dataclass(frozen=True, slots=True)
class Lookup:
    """One HTTP request. `timeout` bounds the whole of it; a longer answer than `max_bytes`, a redirect, a
    status outside 200-299 or a body that is not a JSON object is a LookupFailed."""

    name: str  # the node's
    method: str  # GET | POST
    url: str  # http or https; variables are URL-encoded already
    body: Mapping[str, Scalar] | None = field(default=None, repr=False)  # sent as JSON; may hold what is sensitive
    timeout: float = 3.0
    max_bytes: int = 65536
    secret: str = ""  # name of the one that `header` has; "" = there is none
    header: str = "Authorization"


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Hand the contact to the router and come back when it left the queue. Position announcements and music
    are the controller's; a queue that holds `max_length` already is Left(FULL)."""

    queue: str
    requires: str = ""  # expression that narrows the queue's own
    skills: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # name -> least level, from `set`
    priority: int = 0  # added to the queue's own
    max_wait: float | None = None  # None = the queue's own; 0 = for ever
    leave_when_empty: bool = False  # nobody is logged in who could ever answer: Left(EMPTY) at once
    keys: str = ""  # keys that leave the queue: Left(KEY, key)
    language: str = ""
    group: str = ""  # of contacts, such as "gold"
    preferred: tuple[str, ...] = ()  # agents who have the contact for themselves at first
    excluded: tuple[str, ...] = ()  # agents it must not get
    last_agent: bool = False  # the agent this caller talked with last is preferred too; who that is, the runner knows


@dataclass(frozen=True, slots=True)
class Voicemail:
    """Play, beep, record until silence, `max_seconds` or one of `terminators`."""

    box: str
    speech: Speech
    language: str
    max_seconds: float
    max_silence: float = 5.0
    terminators: str = "#"
    beep: bool = True
    review: bool = False  # the caller may hear it, and say it again, before it is kept


@dataclass(frozen=True, slots=True)
class Transfer:
    """Connect the caller to an agent or to an outside number. (Transfers to queues and flows are the walker's
    own: they come as an Enqueue, or as the other flow's first action.)"""

    kind: str  # agent | number
    target: str
    ring_seconds: float = 30.0
    language: str = ""
    told: bool = False  # that the contact is transferred is a fact already: an agent did it
    queue: str = ""  # from which that agent had the caller: the next conversation is one for it, too


@dataclass(frozen=True, slots=True)
class Callback:
    """Note that agents of the queue are to call `number` back, then play. The call ends, or the flow goes on."""

    queue: str
    number: str  # of the form of `callable_number`
    speech: Speech
    language: str
    skills: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # name -> least level
    priority: int = 0  # added to the queue's own


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call. `turned_away`: the caller found us closed, full or with nobody there, and nothing was
    done for them."""

    cause: int = 16  # Q.850
    turned_away: bool = False


Action = Answer | Play | Gather | Record | Lookup | Enqueue | Voicemail | Transfer | Callback | Hangup


# Results


@dataclass(frozen=True, slots=True)
class Begin:
    """The first step of a new walk."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The first step after Walker.restore: gives the action again that was under way."""


@dataclass(frozen=True, slots=True)
class Done:
    ok: bool = True  # False: a file was missing or could not be played


class Reason(StrEnum):
    """Why an entry is complete."""

    MAX = "max"  # as many keys as were asked for
    TERMINATOR = "terminator"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Digits:
    digits: str = field(repr=False)  # any of 0-9 * # A-D
    reason: Reason


@dataclass(frozen=True, slots=True)
class Looked:
    status: int
    values: Mapping[str, Any]  # the JSON object that came back


@dataclass(frozen=True, slots=True)
class LookupFailed:
    error: str  # timeout | refused | status 500 | not JSON | too large ...: a word for the journal


@dataclass(frozen=True, slots=True)
class Left:
    """`reason` is a domain.events.LeftQueue: answered (the conversation is over and the caller still there),
    timeout, full, empty or key. After any other the contact is out of the flow's hands: do not step."""

    reason: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """An agent sends the caller on (of Enqueue and Transfer): `to` is queue:NAME, flow:NAME, voicemail:BOX, agent:NAME,
    did:N or number:N. What comes to nothing leads back into the queue `back` ("" = to where the caller was)."""

    to: str
    back: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    seconds: float = 0.0
    recording: str = ""
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Transferred:
    """The conversation took place and is over, and the caller is still there."""


@dataclass(frozen=True, slots=True)
class TransferFailed:
    reason: str  # busy | missed | rejected | unreachable | ...


Result = Begin | Resume | Done | Digits | Looked | LookupFailed | Left | Sent | Recorded | Transferred | TransferFailed


# The rule of key entry, the same for a PBX and for the simulator


def gathered(gather: Gather, pressed: str) -> Digits | None:
    """The result once the keys `pressed` so far complete the entry, None while more may come.

    An entry of a menu is complete when no longer choice begins with it: a choice, or one that cannot become
    any.
    """
    if pressed and pressed[-1] in gather.terminators:
        return Digits(pressed[:-1], Reason.TERMINATOR)
    if len(pressed) >= gather.max_digits:
        return Digits(pressed, Reason.MAX)
    if pressed and gather.choices:
        longer = any(choice != pressed and choice.startswith(pressed) for choice in gather.choices)
        if not longer:
            return Digits(pressed, Reason.MAX)
    return None


def timed_out(gather: Gather, pressed: str) -> Digits:
    """The result when `timeout` or `digit_timeout` passed with the keys `pressed`. In a menu, and where
    enough digits were given, waiting is an ordinary end of an entry; that is the walker's to judge."""
    return Digits(pressed[: gather.max_digits], Reason.TIMEOUT)
