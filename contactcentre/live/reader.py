"""The reading side of the journal: one consumer group (the recorder's) takes events and agent facts, writes them to
PostgreSQL, and only then acknowledges; what is acknowledged leaves the stream.

An entry holds events (`events`, a line each; `event`, one, as older versions wrote it) or one fact about an agent
(`agent`) or an alert (`alert`).
"""

import logging
from collections.abc import Callable, Iterator, Mapping

from redis import Redis

from contactcentre.domain.alerts import AlertFact
from contactcentre.domain.events import Event
from contactcentre.live.connection import PREFIX, ask, checked, longest_block, transaction
from contactcentre.live.errors import Malformed, Refused
from contactcentre.live.records import AgentFact

CLAIM_AFTER_SECONDS = 30.0
"""An entry that another consumer took and did not acknowledge for so long is taken over: that consumer is dead."""
KEPT_BAD = 10_000

log = logging.getLogger(__name__)

Fact = Event | AgentFact | AlertFact

Entry = tuple[str, Fact]
"""A fact, and the id of the stream's entry that it came in; facts that came together have the same."""


class JournalReader:
    """Entries come in the order of the stream, except those a dead consumer left, which come when they are claimed."""

    def __init__(self, redis: "Redis", group: str, consumer: str, prefix: str = PREFIX) -> None:
        self._redis, self._group, self._consumer = checked(redis), group, consumer
        self._stream, self._bad = f"{prefix}events", f"{prefix}events:bad"
        self.refused = 0
        """Facts that could not be understood; they are moved to the stream `events:bad`."""
        self.more = False
        """The last `read` got all it may at once: there is probably more."""
        self._count = 0
        self._own = "0-0"  # where our own unacknowledged entries of an earlier life continue; "" = none left

    def read(self, count: int = 500, block: float = 1.0) -> list[Entry]:
        """The facts of up to `count` entries; [] when none came within `block` seconds. Raises Away or Refused."""
        try:
            return self._read(count, block)
        except Refused as error:
            if "NOGROUP" not in str(error):
                raise
            self._create()
            return self._read(count, block)

    def ack(self, ids: list[str]) -> None:
        """After the commit: the entries leave the stream. All facts of each of them must have been written."""
        ids = list(dict.fromkeys(ids))
        if not ids:
            return
        with transaction(self._redis) as both:
            both.ask("XACK", self._stream, self._group, *ids)
            both.ask("XDEL", self._stream, *ids)

    def backlog(self) -> int:
        """Entries in the stream: not read yet, or read and not acknowledged."""
        return int(ask(self._redis, "XLEN", self._stream))

    def _read(self, count: int, block: float) -> list[Entry]:
        self._count = count
        if self._own:
            mine = self._group_read(count, self._own)
            self._own = mine[-1][0] if mine else ""
            if mine:
                return self._parse(mine)
        claimed = ask(
            self._redis,
            *("XAUTOCLAIM", self._stream, self._group, self._consumer),
            *(int(CLAIM_AFTER_SECONDS * 1000), "0-0", "COUNT", count),
        )
        if claimed[1]:
            return self._parse(claimed[1])
        return self._parse(self._group_read(count, ">", min(block, longest_block(self._redis))))

    def _group_read(self, count: int, after: str, block: float = 0.0) -> list[tuple[str, dict[str, str] | None]]:
        blocking = ("BLOCK", int(block * 1000)) if block >= 0.001 else ()
        answer = ask(
            self._redis,
            *("XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", count, *blocking),
            *("STREAMS", self._stream, after),
        )
        return answer[0][1] if answer else []

    def _create(self) -> None:
        try:
            ask(self._redis, "XGROUP", "CREATE", self._stream, self._group, "0", "MKSTREAM")
        except Refused as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._own = "0-0"

    def _parse(self, raw: list[tuple[str, dict[str, str] | None]]) -> list[Entry]:
        self.more = len(raw) >= self._count
        entries: list[Entry] = []
        for entry_id, fields in raw:
            if not entry_id:  # Redis 6.2 says so of a pending entry that somebody has deleted
                continue
            facts: list[Fact] = []
            for name, text in facts_in(fields):
                try:
                    facts.append(_FACTS[name](text))
                except (Malformed, ValueError, KeyError, TypeError) as error:
                    self._put_aside(entry_id, name, text, error)
            if not facts:
                with transaction(self._redis) as both:
                    both.ask("XACK", self._stream, self._group, entry_id)
                    both.ask("XDEL", self._stream, entry_id)
            entries += [(entry_id, fact) for fact in facts]
        return entries

    def _put_aside(self, entry_id: str, name: str, text: str, error: Exception) -> None:
        self.refused += 1
        log.warning("journal: a fact of entry %s refused: %r", entry_id, error)
        ask(self._redis, "XADD", self._bad, "MAXLEN", "~", KEPT_BAD, "*", name, text)


def facts_in(fields: Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    """What an entry of the stream says: (`event`, `agent` or `alert`, its JSON) of each fact."""
    for name, text in (fields or {}).items():
        if name == "events":
            yield from (("event", line) for line in text.split("\n"))
        else:
            yield name, text


_FACTS: dict[str, Callable[[str], Fact]] = {
    "event": Event.from_json,
    "agent": AgentFact.from_json,
    "alert": AlertFact.from_json,
}
