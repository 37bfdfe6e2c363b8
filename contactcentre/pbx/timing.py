"""How long each verb of a PBX took, and how it failed: counted where the verb is called, whatever the PBX."""

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import wraps
from itertools import count
from time import perf_counter
from typing import Any, TypeVar

from contactcentre.pbx.errors import PbxError
from contactcentre.watch.histogram import Histogram

CHANNEL = (
    *("answer", "ring", "stop_ringing", "hangup", "play", "stop_playing", "wait_with_music", "stop_waiting", "mute"),
    *(
        "unmute",
        "send_digits",
        "transfer_progress",
        "packets",
        "set_variable",
        "record",
        "stop_recording",
        "tap",
        "leave_to",
    ),
)
BRIDGE = ("add", "remove", "destroy")
PBX = (
    "adopt",
    "call",
    "spy",
    "take",
    "fetch",
    "bridge",
    "inventory",
    "phones",
    "show_messages",
    "set_password",
    "stay",
)

seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
"""Of this process, by verb; a bridge's are `bridge_add` and so on."""

under_way: dict[int, float] = {}
"""When those of AT_ONCE began (`perf_counter`) that are not done yet."""

_numbers = count()

failures: Counter[tuple[str, str]] = Counter()
"""By verb and error: `Gone`, `Refused`, `TooLarge`, `LinkDown`, `Deadline`."""

AT_ONCE = frozenset({"call", "bridge", "bridge_destroy", "hangup"})
"""What calls need and a PBX does at once. Others may wait until what a channel hears is over, which says nothing of the
PBX; or are lists, asked for all the time."""

OF_A_CALL = 4
"""Verbs, one after the other, until a caller and an agent hear each other: the agent's phone is called, a bridge made,
and both come into it, out of the waiting room."""

ENOUGH = 5
"""Verbs between two questions from which on their average tells how the PBX is; a busy one does dozens."""

C = TypeVar("C", bound=type)


class Slowness:
    """By how much a PBX's slowness delays a caller, seconds: what verbs took on the average since it was asked last, or
    have taken already that are under way, times OF_A_CALL. Where hardly any is, half of what it was before."""

    def __init__(self) -> None:
        self._before = _done()
        self._mean = 0.0

    def __call__(self) -> float:
        (done_before, spent_before), self._before = self._before, _done()
        done, spent = self._before
        new, now = done - done_before, perf_counter()
        self._mean = (spent - spent_before) / new if new >= ENOUGH else self._mean / 2
        if len(under_way) >= ENOUGH:
            self._mean = max(self._mean, sum(now - began for began in under_way.values()) / len(under_way))
        return OF_A_CALL * self._mean


def _done() -> tuple[int, float]:
    """How many verbs are done that a PBX does at once, and the seconds that they took."""
    known = [histogram for verb, histogram in seconds.items() if verb in AT_ONCE]
    return sum(one.total for one in known), sum(one.spent for one in known)


def timed(*verbs: str, prefix: str = "") -> Callable[[C], C]:
    """A class whose verbs are counted."""

    def of(cls: C) -> C:
        for verb in verbs:
            setattr(cls, verb, _timed(prefix + verb, vars(cls)[verb]))
        return cls

    return of


def _timed(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    observe, counts = seconds[name].observe, name in AT_ONCE
    failures[name, "Deadline"] += 0  # an alert asks for its growth, so it is told from the beginning

    @wraps(verb)
    def call(*args: Any, **named: Any) -> Any:
        began = perf_counter()
        if counts:
            under_way[number := next(_numbers)] = began
        try:
            return verb(*args, **named)
        except PbxError as error:
            failures[name, type(error).__name__] += 1
            raise
        finally:
            observe(perf_counter() - began)
            if counts:
                del under_way[number]

    return call
