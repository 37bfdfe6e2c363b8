"""What waits in the boxes of messages, for pages, commands and lamps: counted by the recorder, which is the one to know
when PostgreSQL has a new message; told whenever it has changed.
"""

from collections.abc import Mapping
from contextlib import suppress

from redis import Redis

from contactcentre.domain.notation import decode, encode
from contactcentre.domain.voicemail import BoxCount
from contactcentre.live.client import Script
from contactcentre.live.connection import PREFIX, ask, named_errors
from contactcentre.live.errors import LiveError, Malformed

KEPT_CHANGES = 10_000

# Makes the hash what ARGV says (from the second on: box, its count), and says in the stream what has changed by that.
_TELL = """
local new = {}
for i = 2, #ARGV, 2 do new[ARGV[i]] = ARGV[i + 1] end
local function changed(box, value)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', 'kind', 'box', 'key', box, 'value', value)
end
local old = redis.call('HGETALL', KEYS[1])
for i = 1, #old, 2 do
  if new[old[i]] == nil then
    redis.call('HDEL', KEYS[1], old[i])
    changed(old[i], '')
  elseif new[old[i]] == old[i + 1] then
    new[old[i]] = nil
  end
end
for box, value in pairs(new) do
  redis.call('HSET', KEYS[1], box, value)
  changed(box, value)
end
"""


class BoxCounts:
    """Methods raise Away or Refused."""

    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self._redis, self._key, self._changes = redis, f"{prefix}boxes", f"{prefix}changes"
        self._asked, self._tell = f"{prefix}boxes:asked", Script(redis, _TELL)

    def all(self) -> dict[str, BoxCount]:
        """By box; one in which nothing waits is not among them."""
        return {box: read_box(text) for box, text in ask(self._redis, "HGETALL", self._key).items()}

    def tell(self, counts: Mapping[str, BoxCount]) -> None:
        """All there are."""
        texts = {box: encode({"new": of.new, "claimed": of.claimed, "oldest": of.oldest}) for box, of in counts.items()}
        with named_errors():
            self._tell(
                keys=[self._key, self._changes],
                args=[KEPT_CHANGES, *(text for pair in texts.items() for text in pair)],
            )

    def asked(self) -> int:
        """Grows when somebody has taken a step with a message."""
        return int(ask(self._redis, "GET", self._asked) or 0)


def boxes_moved(redis: "Redis", prefix: str = PREFIX) -> None:
    """Somebody has taken a step with a message: they are counted at once. Where Redis is away they are counted a little
    later, as they are regularly."""
    with suppress(LiveError):
        ask(redis, "INCR", f"{prefix}boxes:asked")


def read_box(text: str | bytes) -> BoxCount:
    """Raises Malformed."""
    try:
        raw = decode(text)
        return BoxCount(int(raw["new"]), int(raw["claimed"]), None if raw["oldest"] is None else float(raw["oldest"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"count of a box: {error!r}") from error
