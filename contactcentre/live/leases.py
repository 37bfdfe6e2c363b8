"""Leases: who may do a thing that only one may do, with a fencing number that grows with every new holder."""

import secrets

from redis import Redis

from contactcentre.live.client import Script
from contactcentre.live.connection import PREFIX, named_errors

# Answers the fencing number, or 0 when somebody else holds it. The number is at least the clock in milliseconds, so it
# grows also when Redis has lost its data.
_ACQUIRE = """
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder and holder ~= ARGV[1] then return 0 end
local fence = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0')
if fence == 0 then
  local now = redis.call('TIME')
  fence = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now[1] * 1000 + math.floor(now[2] / 1000))
  redis.call('SET', KEYS[2], string.format('%.0f', fence))
  redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'fence', string.format('%.0f', fence))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return fence
"""

_RELEASE = """
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Lease:
    """One lease as one process sees it. `ttl` in seconds; renew at a third of it."""

    def __init__(self, redis: "Redis", name: str, ttl: float, prefix: str = PREFIX) -> None:
        self.name, self.ttl = name, ttl
        self.fence = 0
        """0 = not held. Every write made under the lease carries it; a smaller number than one seen is out of date."""
        self._holder = secrets.token_hex(8)
        self._keys = [f"{prefix}lease:{name}", f"{prefix}fence:{name}"]
        self._acquire = Script(redis, _ACQUIRE)
        self._release = Script(redis, _RELEASE)

    def acquire(self) -> bool:
        """Takes it, or prolongs it where we hold it. Raises Away; then it counts as not held."""
        self.fence = 0
        with named_errors():
            self.fence = int(self._acquire(keys=self._keys, args=[self._holder, int(self.ttl * 1000)]))
        return self.fence > 0

    renew = acquire

    def release(self) -> None:
        """Gives it up; another one may take it at once."""
        self.fence = 0
        with named_errors():
            self._release(keys=self._keys[:1], args=[self._holder])
