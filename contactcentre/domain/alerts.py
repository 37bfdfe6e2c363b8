"""When supervisors are told that a queue is not well, and when that is over again.

A rule watches one number. It is raised when the number has been beyond its limit for so long, and cleared when it has
been on the good side of `clear` for so long: two limits and two times, so what moves about the limit does not flap.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from contactcentre.domain.notation import decode, encode
from contactcentre.domain.sentences import phrase
from contactcentre.domain.spelling import Seconds
from contactcentre.domain.written import WRITTEN

Measure = Literal["waiting", "longest_wait", "service_level", "available", "abandoned"]

BELOW = frozenset({"service_level", "available"})
"""Bad when less than the limit; the others when more."""

LEAST_OFFERED = 10
"""Contacts of a day below which its service level says nothing yet."""


def because(when: str, value: float) -> str:
    """What is so, in words."""
    number = f"{value:g}"
    match when:
        case "waiting":
            return phrase("%(number)s wait", number=number)
        case "longest_wait":
            return phrase("the longest wait is %(number)s s", number=round(value))
        case "service_level":
            return phrase("the service level today is %(number)s %%", number=round(value))
        case "available":
            return phrase("%(number)s agents are free", number=number)
        case "abandoned":
            return phrase("%(number)s in a row gave up waiting", number=number)
    return number


_TEXT = re.compile(
    r"\s*([a-z_]+)\s*([<>])\s*(\d+(?:\.\d+)?)\s*(?:%|s)?"
    r"(?:\s+for\s+(\d+(?:\.\d+)?)\s*s?)?(?:\s+clear\s+(\d+(?:\.\d+)?)\s*(?:%|s)?)?\s*"
)


class Alert(BaseModel):
    """A rule of a queue. A text is one, too: `waiting > 10 for 30`, `service_level < 80 clear 85`."""

    model_config = WRITTEN

    when: Measure
    """What is watched: contacts that wait, seconds of the longest wait, percent of the service level today (of 10
    contacts at least), free agents, or contacts in a row that gave up waiting."""
    limit: Annotated[float, Field(ge=0, le=100_000)]
    """It is bad above; of service_level and available below."""
    lasting: Seconds = 0
    """Seconds that it must be bad before supervisors are told (0)."""
    clear: Annotated[float, Field(ge=0, le=100_000)] | None = None
    """The limit for being well again (the same)."""
    clear_after: Seconds = 30
    """Seconds that it must be well before the alert is over (30)."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = _TEXT.fullmatch(value)
        if not match:
            raise ValueError("an alert is written like: waiting > 10 for 30, or service_level < 80 clear 85")
        when, sign, limit, lasting, clear = match.groups()
        if (sign == "<") is not (when in BELOW):
            raise ValueError(f"{when} is bad when it is {'less' if when in BELOW else 'more'} than the limit")
        found = {"when": when, "limit": float(limit), "lasting": float(lasting or 0)}
        return found | ({"clear": float(clear)} if clear is not None else {})

    @model_validator(mode="after")
    def _sides(self) -> Self:
        if self.clear is not None and self.bad(self.clear):
            raise ValueError(f"clear: {self.clear:g} is on the bad side of the limit {self.limit:g}")
        return self

    def bad(self, value: float) -> bool:
        return value < self.limit if self.when in BELOW else value > self.limit

    def good(self, value: float) -> bool:
        end = self.limit if self.clear is None else self.clear
        return value >= end if self.when in BELOW else value <= end


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule that is not well: its number is bad, or was until a moment ago. Times are epoch seconds, 0 = not."""

    queue: str
    name: str
    when: str
    limit: float
    value: float
    bad_since: float
    id: str = ""
    raised_at: float = 0.0
    good_since: float = 0.0
    acknowledged_at: float = 0.0
    acknowledged_by: str = ""

    @property
    def key(self) -> str:
        return f"{self.queue}/{self.name}"

    @property
    def words(self) -> str:
        return because(self.when, self.value)

    def to_json(self) -> str:
        return encode(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Raises ValueError, TypeError, KeyError for what is none. Unknown keys are ignored, so two versions can run
        side by side."""
        raw = decode(text)
        return cls(**{name: raw[name] for name in cls.__dataclass_fields__ if name in raw})


@dataclass(frozen=True, slots=True)
class AlertFact:
    """What became of an alert, for history and webhooks; `(id, state)` is unique for ever."""

    id: str  # UUIDv7, of this raising of the rule
    state: str  # raised | acknowledged | cleared
    at: float
    queue: str
    name: str
    when: str
    limit: float
    value: float  # when it was raised
    by: str = ""  # who has acknowledged it

    @classmethod
    def of(cls, alarm: Alarm, state: str, at: float, by: str = "") -> Self:
        return cls(alarm.id, state, round(at, 6), alarm.queue, alarm.name, alarm.when, alarm.limit, alarm.value, by)

    def to_json(self) -> str:
        return encode(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Raises ValueError, TypeError or KeyError when the text is none."""
        raw = decode(text)
        found = cls(**{name: raw[name] for name in cls.__dataclass_fields__ if name in raw})
        if found.state not in ("raised", "acknowledged", "cleared"):
            raise ValueError(f"{found.state!r} is no state of an alert")
        return found


def step(
    rule: Alert | None,
    queue: str,
    name: str,
    before: Alarm | None,
    value: float | None,
    now: float,
    new_id: Callable[[float], str],
) -> tuple[Alarm | None, str]:
    """(how it is now; `raised`, `cleared` or nothing). `rule` None: the site has it no more. `value` None: it cannot be
    told at the moment, and all stays as it was."""
    if rule is None:
        return None, "cleared" if before and before.raised_at else ""
    if value is None:
        return before, ""
    if before is None or not before.raised_at:
        if not rule.bad(value):
            return None, ""
        since = before.bad_since if before else now
        found = Alarm(queue, name, rule.when, rule.limit, value, since)
        if now - since < rule.lasting:
            return before or found, ""
        return replace(found, id=new_id(now), raised_at=now), "raised"
    if not rule.good(value):
        return (replace(before, good_since=0.0) if before.good_since else before), ""
    since = before.good_since or now
    if now - since >= rule.clear_after:
        return None, "cleared"
    return (before if before.good_since else replace(before, good_since=now)), ""
