"""A queue's day in half hours beside another day, by the wall clock of the site. The formulas are `domain.metrics`'."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from contactcentre.domain.metrics import Counts, asa, service_level
from contactcentre.web.rows import Row

STEP_SECONDS = 1800.0


class StepRow(Row):
    """Half an hour of one day; of callers who came in it."""

    offered: int
    answered: int
    abandoned: int
    service_level: float | None = Field(description="from 0 to 1; null: nothing to divide by")
    wait: float | None = Field(description="mean seconds until the answer; null: nobody was answered")


class HalfHour(Row):
    at: str = Field(description="when it begins, by the site's wall clock: 09:30")
    today: StepRow | None = Field(description="null: it is still to come, or the clock skips it")
    before: StepRow | None = Field(description="null: the clock skipped it that day")


class DayRow(Row):
    queue: str
    now: float
    timezone: str
    today: str = Field(description="the day, as 2026-11-26")
    before: str = Field(description="the day beside it: the same weekday of the week before")
    formula: str = Field(description="of the service level, in words")
    steps: list[HalfHour]


Count = Callable[[float, float], Mapping[int, Counts]]
"""Counts of the visits that began between two moments (epoch seconds), by the number of the half hour."""


def beside(count: Count, timezone: str, now: float, formula: str) -> tuple[date, date, list[HalfHour]]:
    """Today, the day a week before, and both in half hours. When the clock was set, an hour that came twice is one
    row."""
    zone = _zone(timezone)
    today = datetime.fromtimestamp(now, zone).date()
    before = today - timedelta(days=7)
    of_today, of_before = (_day(count, zone, one, now, formula) for one in (today, before))
    labels = sorted({*of_before, *_day(lambda *_: {}, zone, today, float("inf"), formula)})
    return today, before, [HalfHour(at=at, today=of_today.get(at), before=of_before.get(at)) for at in labels]


def _day(count: Count, zone: ZoneInfo, day: date, now: float, formula: str) -> dict[str, StepRow]:
    begins = datetime.combine(day, time(), zone).timestamp()
    ends = datetime.combine(day + timedelta(days=1), time(), zone).timestamp()
    counted = count(begins, min(ends, now))
    found: dict[str, Counts] = {}
    for number in range(int((ends - begins) // STEP_SECONDS)):
        at = begins + number * STEP_SECONDS
        if at > now:
            break
        label = datetime.fromtimestamp(at, zone).strftime("%H:%M")
        found[label] = found.get(label, Counts()) + counted.get(number, Counts())
    return {label: _row(counts, formula) for label, counts in found.items()}


def _row(counts: Counts, formula: str) -> StepRow:
    return StepRow(
        offered=counts.offered,
        answered=counts.answered,
        abandoned=counts.abandoned,
        service_level=service_level(formula, counts),
        wait=asa(counts),
    )


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
