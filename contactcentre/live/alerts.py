"""Alerts as they are now, for pages, API and whoever evaluates them: once in the whole centre, by a recorder. Every
change of one is a compare-and-set with its fact, so an acknowledgement and a clearing at one moment are both told."""

from dataclasses import replace

from redis import Redis

from contactcentre.domain.alerts import Alarm, AlertFact
from contactcentre.live.boxes import KEPT_CHANGES
from contactcentre.live.client import Script
from contactcentre.live.connection import PREFIX, ask, named_errors
from contactcentre.live.errors import LostRace, Malformed

# ARGV: the alert's key, its text before ("" = none) and after, the fact ("" = none), changes kept.
_SWAP = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'kind', 'alert', 'key', ARGV[1], 'value', ARGV[3])
if ARGV[4] ~= '' then redis.call('XADD', KEYS[3], '*', 'alert', ARGV[4]) end
return 1
"""

TRIES = 20


class Alerts:
    """Methods raise Away or Refused."""

    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self._redis, self._key = redis, f"{prefix}alerts"
        self._changes, self._events = f"{prefix}changes", f"{prefix}events"
        self._script = Script(redis, _SWAP)

    def texts(self) -> dict[str, str]:
        """By key, as `swap` wants them."""
        return dict(ask(self._redis, "HGETALL", self._key))

    def swap(self, key: str, before: str, after: Alarm | None, fact: AlertFact | None = None) -> bool:
        """False: somebody else has changed it since it was read as `before`."""
        texts = [key, before, after.to_json() if after else "", fact.to_json() if fact else ""]
        with named_errors():
            return bool(self._script([self._key, self._changes, self._events], [*texts, KEPT_CHANGES]))


def read_alarm(text: str | bytes) -> Alarm:
    """Raises Malformed."""
    try:
        return Alarm.from_json(text)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Malformed(f"alert: {error!r}") from error


def acknowledge(redis: "Redis", id: str, by: str, at: float, prefix: str = PREFIX) -> tuple[Alarm | None, bool]:
    """(the alert as it is then, None = it is over; whether this has done it: somebody may have before). Raises Away,
    Refused, and LostRace when it changes all the time."""
    alerts = Alerts(redis, prefix)
    for _ in range(TRIES):
        for key, text in alerts.texts().items():
            before = read_alarm(text)
            if before.id != id or not before.raised_at:
                continue
            if before.acknowledged_at:
                return before, False
            after = replace(before, acknowledged_at=at, acknowledged_by=by)
            if alerts.swap(key, text, after, AlertFact.of(after, "acknowledged", at, by)):
                return after, True
            break
        else:
            return None, False
    raise LostRace(f"alert {id} changes all the time")
