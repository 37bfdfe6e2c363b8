"""Writes that Redis refuses once the writer's lease is another's: for a process that was frozen and wakes, whose
requests are late, or that cannot know yet that it was replaced.

A client with a fence (`Client.fence`) sends no write but inside a script that looks at the lease first, in the same
step. Reads go as they are.
"""

from collections.abc import Sequence
from typing import Protocol

STALE, UNHELD = "STALE", "UNHELD"
"""How Redis's refusals begin."""

# In front of every script: the last key is the lease, the last argument the fence that its writer has.
CHECK = f"""
local fence, lease = table.remove(ARGV), table.remove(KEYS)
local at = redis.call('HGET', lease, 'fence')
if not at then return redis.error_reply('{UNHELD} nobody holds ' .. lease) end
if at ~= fence then return redis.error_reply('{STALE} somebody else holds ' .. lease) end
"""

# Plain commands, one after the other: of each the number of its words, and the words.
COMMANDS = """
local answers, i = {}, 1
while i <= #ARGV do
  local command = {}
  for word = 1, ARGV[i] do command[word] = ARGV[i + word] end
  answers[#answers + 1] = redis.call(unpack(command))
  i = i + 1 + #command
end
return answers
"""

READS = frozenset(
    {"EXISTS", "GET", "HEXISTS", "HGET", "HGETALL", "HLEN", "HMGET", "MGET", "PING", "PTTL", "SCAN", "TIME", "XLEN"}
    | {"XRANGE", "XREAD", "XREVRANGE"}
)
"""What needs no fence. All else is taken for a write."""


class Fence(Protocol):
    key: str
    """The lease's record."""

    def token(self) -> str:
        """The fencing number to write with. May wait while it is not certain that the lease is ours. Raises Stale."""

    def missing(self) -> None:
        """Redis has no record of the lease (it was lost, or we were late): returns when it was looked after."""


def words(commands: Sequence[Sequence[str | float]]) -> list[str | float]:
    """What COMMANDS takes."""
    return [word for command in commands for word in (len(command), *command)]
