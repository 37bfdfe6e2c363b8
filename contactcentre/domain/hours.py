"""Opening hours: is a place open at a moment, by its own clock, holidays and special days.

A period belongs to the day on which it begins: `fri 22:00-06:00` is open until Saturday 06:00, even if
Saturday is a holiday, and a holiday on Friday takes all of it away. Everything is compared by the clock on
the wall, so on the day the clocks change a period simply has an hour more or less. What wins on one day, in
this order: `open` (special opening), `closed` (special closing) and public holidays, `periods`.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contactcentre.domain.site import Hours

if TYPE_CHECKING:
    from holidays import HolidayBase

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60


class Opening(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    HOLIDAY = "holiday"  # closed for the day: a public holiday, or one of `closed`


def opening(hours: Hours, at: float) -> Opening:
    """What `hours` say at `at` (epoch seconds). Raises ValueError where `problems` would have named
    something."""
    local = datetime.fromtimestamp(at, _zone(hours.timezone))
    today, minute = local.date(), local.hour * 60 + local.minute
    if any(start <= minute < end for start, end in _windows(hours, today)):
        return Opening.OPEN
    yesterday = today - timedelta(days=1)
    if any(minute < end - MIDNIGHT for _, end in _windows(hours, yesterday)):
        return Opening.OPEN
    return Opening.HOLIDAY if _off(hours, today) else Opening.CLOSED


def weekdays(spec: str) -> frozenset[int]:
    """The days of `mon-fri`, `sat`, `mon,wed,fri` or `sat-mon` as numbers, Monday 0. Raises ValueError."""
    days: set[int] = set()
    for part in spec.lower().split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part.strip()!r} is no day or range of days such as mon, mon-fri")
        start = DAYS.index(first)
        length = (DAYS.index(last) - start) % 7 if dash else 0
        days.update((start + offset) % 7 for offset in range(length + 1))
    return frozenset(days)


def problems(hours: Hours) -> list[tuple[str, str, str]]:
    """What is wrong with `hours`, as (field, value, rule)."""
    found: list[tuple[str, str, str]] = []
    try:
        _zone(hours.timezone)
    except ValueError as error:
        found.append(("timezone", hours.timezone, str(error)))
    for index, period in enumerate(hours.periods):
        try:
            weekdays(period.days)
        except ValueError as error:
            found.append((f"periods.{index}.days", period.days, str(error)))
        if period.open == period.close:
            found.append((f"periods.{index}.close", period.close, "is the opening time; a whole day is 00:00 to 24:00"))
    if hours.holidays:
        try:
            _public_holidays(hours.holidays)
        except ValueError as error:
            found.append(("holidays", hours.holidays, str(error)))
    for field, days in (("closed", hours.closed), ("open", tuple(hours.open))):
        found += [(field, day, "is no date (YYYY-MM-DD)") for day in days if not _is_date(day)]
    found += [
        (f"open.{day}", f"{start}-{end}", "opens and closes at the same time")
        for day, (start, end) in hours.open.items()
        if start == end
    ]
    return found


def _windows(hours: Hours, day: date) -> Iterator[tuple[int, int]]:
    """(start, end) in minutes since `day` began; an end past MIDNIGHT lies on the next day."""
    special = hours.open.get(day.isoformat())
    if special is not None:
        yield _window(*special)
    elif not _off(hours, day):
        for period in hours.periods:
            if day.weekday() in weekdays(period.days):
                yield _window(period.open, period.close)


def _off(hours: Hours, day: date) -> bool:
    if day.isoformat() in hours.open:
        return False
    return day.isoformat() in hours.closed or bool(hours.holidays and day in _public_holidays(hours.holidays))


def _window(start: str, end: str) -> tuple[int, int]:
    first, last = _minutes(start), _minutes(end)
    return first, last if last > first else last + MIDNIGHT


def _minutes(clock: str) -> int:
    hour, minute = clock.split(":")  # the site's model has seen to its form
    return int(hour) * 60 + int(minute)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no time zone of the IANA database, such as Europe/Paris") from error


@lru_cache(maxsize=64)
def _public_holidays(place: str) -> "HolidayBase":
    import holidays  # 0.1 s that only a site with public holidays has to wait for

    country, _, subdivision = place.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=subdivision or None)
    except NotImplementedError as error:
        raise ValueError("is no country, or country-subdivision, that the holidays library knows") from error
