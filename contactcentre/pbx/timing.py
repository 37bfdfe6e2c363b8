"""How long each verb of a PBX took, and how it failed: counted where the verb is called, whatever the PBX."""

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import wraps
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

failures: Counter[tuple[str, str]] = Counter()
"""By verb and error: `Gone`, `Refused`, `TooLarge`, `LinkDown`, `Deadline`."""

TOLD = frozenset({*CHANNEL, *(f"bridge_{verb}" for verb in BRIDGE), "call", "bridge"} - {"packets"})
"""What calls need; the others are lists, asked for all the time, or answered by ourselves."""

ENOUGH = 5
"""Verbs between two questions from which on their average tells how the PBX is; a busy one does dozens."""

C = TypeVar("C", bound=type)


class Slowness:
    """How long calls' verbs took on the average since it was asked last, seconds. Where hardly any was done, half of
    what it was before: they may all be waiting; or one alone waited for the end of what was played, which says
    nothing."""

    def __init__(self) -> None:
        self._before = _done()
        self._mean = 0.0

    def __call__(self) -> float:
        (done_before, spent_before), self._before = self._before, _done()
        done, spent = self._before
        new = done - done_before
        self._mean = (spent - spent_before) / new if new >= ENOUGH else self._mean / 2
        return self._mean


def _done() -> tuple[int, float]:
    """How many of calls' verbs so far, and the seconds that they took."""
    known = [histogram for verb, histogram in seconds.items() if verb in TOLD]
    return sum(one.total for one in known), sum(one.spent for one in known)


def timed(*verbs: str, prefix: str = "") -> Callable[[C], C]:
    """A class whose verbs are counted."""

    def of(cls: C) -> C:
        for verb in verbs:
            setattr(cls, verb, _timed(prefix + verb, vars(cls)[verb]))
        return cls

    return of


def _timed(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    observe = seconds[name].observe
    failures[name, "Deadline"] += 0  # an alert asks for its growth, so it is told from the beginning

    @wraps(verb)
    def call(*args: Any, **named: Any) -> Any:
        began = perf_counter()
        try:
            return verb(*args, **named)
        except PbxError as error:
            failures[name, type(error).__name__] += 1
            raise
        finally:
            observe(perf_counter() - began)

    return call
