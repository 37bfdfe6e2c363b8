"""The reading side of the journal: one consumer group (the recorder's) takes events and agent facts, writes them to
PostgreSQL, and only then acknowledges; what is acknowledged leaves the stream."""

import logging

from redis import Redis

from contactcentre.domain.events import Event
from contactcentre.live.connection import PREFIX, ask, checked, longest_block, transaction
from contactcentre.live.errors import Malformed, Refused
from contactcentre.live.records import AgentFact

CLAIM_AFTER_SECONDS = 30.0
"""An entry that another consumer took and did not acknowledge for so long is taken over: that consumer is dead."""
KEPT_BAD = 10_000

log = logging.getLogger(__name__)

Entry = tuple[str, "Event | AgentFact"]


class JournalReader:
    """Entries come in the order of the stream, except those a dead consumer left, which come when they are claimed."""

    def __init__(self, redis: "Redis", group: str, consumer: str, prefix: str = PREFIX) -> None:
        self._redis, self._group, self._consumer = checked(redis), group, consumer
        self._stream, self._bad = f"{prefix}events", f"{prefix}events:bad"
        self.refused = 0
        """Entries that were no events; they are moved to the stream `events:bad`."""
        self._own = "0-0"  # where our own unacknowledged entries of an earlier life continue; "" = none left

    def read(self, count: int = 500, block: float = 1.0) -> list[Entry]:
        """Up to `count` entries; [] when none came within `block` seconds. Raises Away or Refused."""
        try:
            return self._read(count, block)
        except Refused as error:
            if "NOGROUP" not in str(error):
                raise
            self._create()
            return self._read(count, block)

    def ack(self, ids: list[str]) -> None:
        """After the commit: the entries leave the stream."""
        if not ids:
            return
        with transaction(self._redis) as both:
            both.ask("XACK", self._stream, self._group, *ids)
            both.ask("XDEL", self._stream, *ids)

    def backlog(self) -> int:
        """Entries in the stream: not read yet, or read and not acknowledged."""
        return int(ask(self._redis, "XLEN", self._stream))

    def _read(self, count: int, block: float) -> list[Entry]:
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
        entries: list[Entry] = []
        for entry_id, fields in raw:
            if not entry_id:  # Redis 6.2 says so of a pending entry that somebody has deleted
                continue
            try:
                entries.append((entry_id, _parse(fields)))
            except (Malformed, ValueError, KeyError, TypeError) as error:
                self.refused += 1
                log.warning("journal: entry %s refused: %r", entry_id, error)
                with transaction(self._redis) as both:
                    if fields:
                        pairs = [text for pair in fields.items() for text in pair]
                        both.ask("XADD", self._bad, "MAXLEN", "~", KEPT_BAD, "*", *pairs)
                    both.ask("XACK", self._stream, self._group, entry_id)
                    both.ask("XDEL", self._stream, entry_id)
        return entries


def _parse(fields: dict[str, str] | None) -> Event | AgentFact:
    if not fields:
        raise Malformed("empty entry")
    if "event" in fields:
        return Event.from_json(fields["event"])
    return AgentFact.from_json(fields["agent"])
