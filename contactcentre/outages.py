"""What a process must be able to do without for a time (Redis, PostgreSQL): its log says once that it is away, now and
then that it still is, and once that it is back.

Everybody who needs it fails meanwhile, some several times a second, and each would say so. Where all of them go through
(`live.connection`, `store.database`) is told here; `Said` leaves out of the log what others say of the same.
"""

import logging
import time

import structlog

AGAIN = 60.0
"""Seconds between two lines that say that it is still away."""
APART = 10.0
"""Seconds that it must have been back for its next failure to be told as another outage: one that comes and goes would
fill the log."""
REASONS = 20
"""Different reasons that are remembered of one outage."""


class Outage:
    """Of one of them, in this process. Tell it of every failure, and of every success while it is `on`."""

    def __init__(self, what: str) -> None:
        self.what, self.on = what, False
        self.failures = 0
        """Of the outage that goes on; 0 = none does."""
        self.left_out = 0
        """Lines of others that said the same."""
        self._reasons: dict[str, None] = {}
        self._told = False
        self._since = self._next_line = 0.0

    def failed(self, reason: str) -> None:
        now = time.monotonic()
        if not self.on:
            self.on, self._since, self._told, self.failures, self.left_out = True, now, False, 0, 0
            self._reasons.clear()
        self.failures += 1
        if len(self._reasons) < REASONS:
            self._reasons.setdefault(reason)
        if now < self._next_line:
            return
        self._next_line = now + AGAIN
        if self._told:
            _say(f"{self.what} is still away", reason=reason, **self._account(now))
        else:
            _say(f"{self.what} is away", reason=reason)
        self._told = True

    def worked(self) -> None:
        """Only while it is `on`."""
        now = time.monotonic()
        self.on = False
        if self._told:
            _say(f"{self.what} is back", **self._account(now))
            self._next_line = now + APART
        self._told = False

    def _account(self, now: float) -> dict[str, float]:
        return {
            "after_seconds": round(now - self._since, 1),
            "failures": self.failures,
            "lines_left_out": self.left_out,
        }

    def is_said(self, text: str) -> bool:
        """Whether a line of the log only says again what is known of it."""
        if self.on and any(reason in text for reason in self._reasons):
            self.left_out += 1
            return True
        return False


REDIS, POSTGRESQL = Outage("Redis"), Outage("PostgreSQL")


class Said(logging.Filter):
    """Leaves out lines whose message, or one of whose values, is why Redis or PostgreSQL is away."""

    def filter(self, record: logging.LogRecord) -> bool:
        going_on = [outage for outage in (REDIS, POSTGRESQL) if outage.on]
        if not going_on or record.name == __name__:
            return True
        values = record.msg.values() if isinstance(record.msg, dict) else [record.getMessage()]
        texts = [value for value in values if isinstance(value, str)]
        return not any(outage.is_said(text) for outage in going_on for text in texts)


def _say(text: str, **more: str | float) -> None:
    if structlog.is_configured():  # a command for people has no log, and says itself what is wrong
        structlog.stdlib.get_logger(__name__).warning(text, **more)
