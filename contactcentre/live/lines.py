"""Which node has the open line of which agent: one device is called by one controller."""

from redis import Redis

from contactcentre.live.client import Script
from contactcentre.live.connection import PREFIX, ask, named_errors

# Takes the line of ARGV[1] for the node ARGV[2], if nobody has it, or the node ARGV[3], or we. Answers 1 or 0.
_TAKE = """
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if holder and holder ~= ARGV[2] and holder ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""

_RELEASE = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1
"""


class LineHolders:
    """Methods raise Away or Refused."""

    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self._redis, self._key = redis, f"{prefix}lines"
        self._take, self._release = Script(redis, _TAKE), Script(redis, _RELEASE)

    def all(self) -> dict[str, str]:
        """Agent -> node."""
        return dict(ask(self._redis, "HGETALL", self._key))

    def take(self, agent: str, node: str, instead_of: str = "") -> bool:
        """False: another node has it. `instead_of`: a node that is not alive."""
        with named_errors():
            return bool(self._take(keys=[self._key], args=[agent, node, instead_of]))

    def release(self, agent: str, node: str) -> None:
        """No error when another node has it."""
        with named_errors():
            self._release(keys=[self._key], args=[agent, node])
