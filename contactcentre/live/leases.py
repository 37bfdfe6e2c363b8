"""Leases: who may do a thing that only one may do, with a fencing number that grows with every new holder.

The record in Redis (hash `lease:NAME`): its holder, the fence, a `beat` that grows with every renewal, and since when.
Redis forgets it a while after the last beat. Who wants the lease watches the record by a clock of its own, and takes
only what it has seen (`take`): so neither a clock that jumps, nor a Redis that was frozen or has lost its data, gives
the lease to two. `fence:NAME` keeps the last number for ever.
"""

import secrets
from dataclasses import dataclass

from redis import Redis

from contactcentre.live.client import Script
from contactcentre.live.connection import PREFIX, ask, named_errors

_NOTE = """
local function write(holder, fence, life, note)
  local now = redis.call('TIME')
  redis.call('SET', KEYS[2], fence)
  local since = string.format('%d.%06d', now[1], now[2])
  redis.call('HSET', KEYS[1], 'holder', holder, 'fence', fence, 'beat', 0, 'since', since, 'note', note)
  redis.call('PEXPIRE', KEYS[1], life)
  return fence
end
local function after(last)
  local now = redis.call('TIME')
  return string.format('%.0f', math.max(last + 1, now[1] * 1000 + math.floor(now[2] / 1000)))
end
local at = redis.call('HMGET', KEYS[1], 'holder', 'fence', 'beat')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
"""

# ARGV: holder, milliseconds it lives, fence and beat as they were seen ('' = there was no record). Answers the fence;
# '' when the record is another one by now. What was handed to us is ours whatever we have seen. The fence is at least
# the clock in milliseconds, so it grows also when Redis has lost its data.
_TAKE = (
    _NOTE
    + """
if at[1] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'note', '')
  redis.call('HINCRBY', KEYS[1], 'beat', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return at[2]
end
if (at[2] or '') ~= ARGV[3] or (at[3] or '') ~= ARGV[4] then return '' end
return write(ARGV[1], after(last), ARGV[2], '')
"""
)

# ARGV: holder, milliseconds, our fence, 'sure' or ''. Answers 1; 0 when somebody else has it or had it since. A record
# that is missing because we were late is written again: the last number is ours, so nobody has had it in between. When
# Redis has lost that number, too, the holder must be sure.
_RENEW = (
    _NOTE
    + """
if at[1] and (at[1] ~= ARGV[1] or at[2] ~= ARGV[3]) or last > tonumber(ARGV[3]) then return 0 end
if not at[1] and last == 0 and ARGV[4] ~= 'sure' then return 0 end
if not at[1] then write(ARGV[1], ARGV[3], ARGV[2], '') end
redis.call('HINCRBY', KEYS[1], 'beat', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
)

# ARGV: holder, our fence, the next holder ('' = whoever comes), milliseconds that this one has to take it up, a note
# for it. The fence is another one from now on. Answers 1; 0 when it is not ours.
_HAND = (
    _NOTE
    + """
if at[1] ~= ARGV[1] or at[2] ~= ARGV[2] then return 0 end
write(ARGV[3], after(last), ARGV[4], ARGV[5])
if ARGV[3] == '' then redis.call('PERSIST', KEYS[1]) end
return 1
"""
)

TAKE_UP = 5.0
"""Seconds in which a lease that was handed over must be taken up; later anybody may take it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease as it lies in Redis."""

    holder: str
    """"" = it was given up."""
    fence: str
    beat: str
    since: float
    """Epoch seconds, by the clock of Redis."""
    note: str = ""
    """What the one before has left with it."""


class Lease:
    """One lease as one process sees it. `ttl` in seconds; renew at a third of it. Give it a connection with a deadline
    well below `ttl`. Methods raise Away or Refused; then nothing is known but that nobody else got an answer from the
    same Redis by this."""

    def __init__(self, redis: "Redis", name: str, ttl: float, prefix: str = PREFIX, holder: str = "") -> None:
        self.name, self.ttl = name, ttl
        self.fence = ""
        """"" = never held, or given up. Every write made under the lease carries it (`fencing`)."""
        self.holder = holder or secrets.token_hex(4)
        self._redis = redis
        self.key = f"{prefix}lease:{name}"
        self._keys = [self.key, f"{prefix}fence:{name}"]
        self._take, self._renew, self._hand = (Script(redis, text) for text in (_TAKE, _RENEW, _HAND))

    def look(self) -> Held | None:
        """None: nobody has it, or who had it is silent."""
        return look(self._redis, self.key)

    def take(self, seen: Held | None) -> bool:
        """Takes it if it still is as it was `seen`, or if it was handed to us."""
        fence, beat = (seen.fence, seen.beat) if seen is not None else ("", "")
        args: list[str | float] = [self.holder, int(self.ttl * 1000), fence, beat]
        with named_errors():
            self.fence = str(self._take(keys=self._keys, args=args))
        return self.fence != ""

    def renew(self, sure: bool) -> bool:
        """False: somebody else has it, or had it since. It can be had again only as at first. `sure`: we have looked so
        lately that nobody can have had it since (`ttl` and a Watch's `grace` ago at most); should Redis have lost its
        data."""
        args: list[str | float] = [self.holder, int(self.ttl * 1000), self.fence, "sure" if sure else ""]
        with named_errors():
            return bool(self._renew(keys=self._keys, args=args))

    def release(self, note: str = "") -> None:
        """Gives it up; another one may take it at once. No error when it is not ours."""
        self.hand_to("", note)

    def hand_to(self, holder: str, note: str = "") -> bool:
        """Makes another process the holder. False when it is not ours. What we write under it is refused now."""
        fence, self.fence = self.fence, ""
        if not fence:
            return False
        with named_errors():
            return bool(self._hand(keys=self._keys, args=[self.holder, fence, holder, int(TAKE_UP * 1000), note]))


def look(redis: "Redis", key: str) -> Held | None:
    """The lease with this key. Raises Away or Refused."""
    holder, fence, beat, since, note = ask(redis, "HMGET", key, "holder", "fence", "beat", "since", "note")
    return None if fence is None else Held(holder, fence, beat, float(since), note)


class Watch:
    """When a lease that is watched may be taken, by the watcher's own clock (seconds that do not jump).

    Given up: at once. Silent for `ttl` + `grace`: whoever renews at a third of `ttl` has missed several turns.
    Missing for `grace`: Redis let it expire after `ttl`, or its clock jumped, or it has lost its data; who holds it
    writes it again meanwhile."""

    def __init__(self, ttl: float, grace: float) -> None:
        self._ttl, self._grace = ttl, grace
        self._seen: tuple[str, str] | None = ("", "")
        self._since: float | None = None

    def may_take(self, seen: Held | None, now: float) -> bool:
        state = (seen.fence, seen.beat) if seen is not None else None
        if self._since is None or state != self._seen:
            self._seen, self._since = state, now
        if seen is not None and not seen.holder:
            return True
        return now - self._since >= (self._grace if seen is None else self._ttl + self._grace)

    def blind(self) -> None:
        """A look failed: whoever holds it may not have been able to renew it either."""
        self._since = None

    def skip(self, seconds: float) -> None:
        """A look took so long: in that time, too, nobody may have been able to renew it."""
        if self._since is not None:
            self._since += seconds
