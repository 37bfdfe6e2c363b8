"""Moments as people type and read them, in the site's time zone."""

import re
import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from contactcentre.store import Store

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Moment(click.ParamType[str]):
    """`2026-11-23`, `2026-11-23 14:30`, with or without a zone, `today`, `yesterday`, or how long ago: `90m`,
    `2h`, `7d`.

    The value is a text that `Clock.read` turns into epoch seconds once the site's time zone is known.
    """

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        try:
            Clock("UTC").read(text)
        except ValueError:
            self.fail(f"{text!r} is no time: write 2026-11-23, '2026-11-23 14:30', today, yesterday, or 2h (ago)")
        return text


MOMENT = Moment()


class Clock:
    """Reads and writes times in one zone."""

    def __init__(self, zone: str) -> None:
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            self._zone = ZoneInfo("UTC")

    @classmethod
    def of(cls, store: Store) -> "Clock":
        """The site's."""
        _, site = store.site()
        return cls(site.settings.timezone if site else "UTC")

    def read(self, text: str, now: float | None = None) -> float:
        """Epoch seconds. Raises ValueError."""
        now = time.time() if now is None else now
        if match := re.fullmatch(r"(\d{1,6})([smhdw])", text):
            return now - int(match[1]) * _UNITS[match[2]]
        if text in ("today", "yesterday"):
            day = datetime.fromtimestamp(now - (86400 if text == "yesterday" else 0), self._zone)
            return day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).timestamp()

    def read_or_none(self, text: str | None) -> float | None:
        return None if text is None else self.read(text)

    def date_and_time(self, at: float | None) -> str:
        return "" if at is None else datetime.fromtimestamp(at, self._zone).strftime("%Y-%m-%d %H:%M:%S")

    def day_and_minute(self, at: float | None) -> str:
        """For narrow tables."""
        return "" if at is None else datetime.fromtimestamp(at, self._zone).strftime("%m-%d %H:%M")

    def time(self, at: float | None) -> str:
        return "" if at is None else datetime.fromtimestamp(at, self._zone).strftime("%H:%M:%S")


def iso(at: float | None) -> str | None:
    """For programs: ISO 8601 in UTC with milliseconds."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def seconds(value: float | None) -> str:
    """`8 s`, `2:05`, `1:02:05`."""
    if value is None:
        return ""
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
