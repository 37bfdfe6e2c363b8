"""The writing side of the journal: an event given to `append` is in a local file before the call returns, and on the
Redis stream `cc:events` some milliseconds later.

The spool file is the queue. `run` sends what was not sent yet, in batches, and gives a line's place in the file back
only when the recorder has written the event to PostgreSQL (its entry has left the stream). So nothing is lost when this
process dies (the next one replays the file), when Redis is away (the file grows), or when Redis comes back without its
data, or without its last second (a mark beside the stream tells; all that was not recorded is sent again). Order is the
order of the file. Sending an event twice is harmless: `(contact_id, seq)` is its key. One entry of the stream holds the
events of one moment, a line each: fewer entries cost everybody less.
"""

import logging
import secrets
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from redis import Redis

from contactcentre.domain.events import Event
from contactcentre.live.client import Script
from contactcentre.live.connection import PREFIX, checked, named_errors
from contactcentre.live.errors import LiveError
from contactcentre.live.spool import Spool, unread_lines

BATCH_BYTES = 128 * 1024
ENTRY_EVENTS = 20
"""Events in one entry of the stream, at most."""
KEPT_IN_MEMORY = 100_000
"""Events held in memory when the local disk cannot be written (full); more than that are lost, and counted."""
GATHER_SECONDS = 0.05
"""Facts come in bursts: what comes within so long goes together."""
LOOK_SECONDS = 0.5
"""How often a dead Redis is tried again, and what was recorded is looked at."""

MARK_SECONDS = 7 * 24 * 3600
"""How long Redis remembers what a journal that sends nothing any more has sent last. Forgotten too early costs no more
than sending again."""

# Adds entries (ARGV[3..]) to the stream, unless Redis has lost what it had confirmed: then nothing, for the lost ones
# must come first. What it confirmed last (ARGV[1], the id of our last entry, or "") lies beside the stream (KEYS[2]):
# the stream's own last id does not tell, for others add to it, too, and may have done so since the loss. Answers: is
# something lost, the id of the first entry that was there before ("" = none), the id of the last one added.
_SEND = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return {1, '', ''} end
local first, added = '', ''
local entry = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if entry then first = entry[1] end
for i = 3, #ARGV do added = redis.call('XADD', KEYS[1], '*', 'events', ARGV[i]) end
if added ~= '' then redis.call('SET', KEYS[2], added, 'EX', ARGV[2]) end
return {0, first, added}
"""

log = logging.getLogger(__name__)


class Journal:
    """Give it events with `append` from anywhere; run `run` in one greenlet or thread. One per process and file."""

    def __init__(self, redis: "Redis", spool_path: str | Path, prefix: str = PREFIX) -> None:
        """Raises SpoolInUse when another process has the file open, OSError when it cannot be written."""
        self._redis, self._stream = checked(redis), f"{prefix}events"
        self._mark = f"{prefix}events:sent:{secrets.token_hex(8)}"
        self._send_script = Script(redis, _SEND)
        self._spool = Spool(spool_path)
        self._sent = self._spool.start  # offset: all before it is in the stream
        self._recorded = self._sent  # offset: all before it has left the stream
        self._batches: deque[tuple[int, str]] = deque()  # sent and not known to be recorded: (end offset, last id)
        self._memory: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = False
        self.refused = 0
        """Lines of the file that were no events (cut by a crash); they are left out."""
        self.lost = 0
        """Events lost: disk and memory were full. Logged as an error, too."""
        self.resent = 0
        """How often Redis came back without entries that it had confirmed."""

    def append(self, event: Event) -> None:
        """Never waits for Redis and never raises for want of it. Raises TypeError when data is no JSON."""
        self._append(event.to_line())

    def inherit(self, path: Path) -> None:
        """Takes over what another controller's spool file still holds, and removes the file: should that one live, what
        it writes there now is gone. Raises OSError."""
        for number, line in enumerate(unread_lines(path)):
            self._append(line)
            if number % 1000 == 0:
                time.sleep(0)  # others are not to wait for a long file
        if not self._memory:  # else they are nowhere but there
            self._sync()
            path.unlink()

    def _append(self, line: bytes) -> None:
        if self._memory or not self._spooled(line):
            if len(self._memory) >= KEPT_IN_MEMORY:
                self.lost += 1
                log.error("journal: an event is lost: neither Redis nor the disk takes it")
            else:
                self._memory.append(line)
        self._wake.set()

    @property
    def unsent(self) -> int:
        """Bytes that Redis does not have yet."""
        return self._spool.end - self._sent + sum(map(len, self._memory))

    @property
    def unrecorded(self) -> int:
        """Bytes that the recorder has not confirmed yet."""
        return self._spool.end - self._spool.start + sum(map(len, self._memory))

    def run(self) -> None:
        """Sends until `close`; then returns when all is sent, or at the first failure (the file keeps the rest)."""
        away = False
        while True:
            if self._wake.wait(LOOK_SECONDS) and not self._closing:
                time.sleep(GATHER_SECONDS)
            self._wake.clear()
            try:
                self.flush()
                away = False
            except LiveError as error:
                if not away:
                    log.warning("journal: %s; events wait in %s", error, self._spool.path)
                away = True
                self._sync()
                if not self._closing:
                    self._rest()
            if self._closing:
                return

    def flush(self) -> None:
        """Sends all now; only where `run` does not run. Raises Away or Refused."""
        while True:  # at least once, for the look
            block = self._spool.read(self._sent, BATCH_BYTES)
            self._send(block.splitlines(), self._sent + len(block))
            if self._sent == self._spool.end:
                break
        while self._memory:
            lines = list(self._memory)
            self._send(lines)
            for _ in lines:
                self._memory.popleft()

    def close(self) -> None:
        """Asks `run` to send the rest and to end."""
        self._closing = True
        self._wake.set()

    def release(self) -> None:
        """Gives the file up, after `run` has ended. What is not recorded stays in it for the next process."""
        self._sync()
        self._spool.close()

    def discard(self) -> None:
        """Gives the file up and removes it, of a journal that nobody goes on with: what Redis did not take is not kept,
        and Redis forgets what it was sent last (a worker makes a journal for each recording)."""
        self._spool.close()
        self._spool.path.unlink(missing_ok=True)
        with suppress(LiveError), named_errors():
            self._redis.delete(self._mark)

    def _send(self, lines: list[bytes], end: int = 0) -> None:
        """Adds the lines to the stream, after a look at what the recorder has confirmed and Redis has lost."""
        texts = [text for line in lines if (text := self._event(line))]
        entries = ["\n".join(texts[begin : begin + ENTRY_EVENTS]) for begin in range(0, len(texts), ENTRY_EVENTS)]
        expected = self._batches[-1][1] if self._batches else ""
        with named_errors():
            lost, first, added = self._send_script([self._stream, self._mark], [expected, MARK_SECONDS, *entries])
        if lost:
            self._sent = self._spool.start
            self._batches.clear()
            self.resent += 1
            log.warning("journal: redis has lost entries; all that was not recorded is sent again")
            return
        self._recorded = self._spool.start
        while self._batches and (not first or _id(self._batches[0][1]) < _id(first)):
            self._recorded = self._batches.popleft()[0]
        if end:
            self._sent = end
            if added:
                self._batches.append((end, added))
        self._release()

    def _release(self) -> None:
        recorded = self._recorded
        if not self._batches:  # nothing of ours is under way, refused lines included
            recorded = self._sent
        moved = self._spool.release_until(recorded)
        if moved:
            self._sent -= moved
            self._batches = deque((end - moved, last) for end, last in self._batches)

    def _event(self, line: bytes) -> str:
        """The line as it goes into the stream; "" when it is no event. Reading it fully is the recorder's work."""
        text = line.decode(errors="replace").rstrip("\n")
        if text.startswith('{"contact_id":') and text.endswith("}"):
            return text
        self.refused += bool(text)
        return ""

    def _spooled(self, line: bytes) -> bool:
        try:
            self._spool.append(line)
        except OSError as error:
            log.error("journal: %s", error)
            return False
        return True

    def _sync(self) -> None:
        try:
            self._spool.sync()
        except OSError as error:
            log.error("journal: cannot sync %s: %s", self._spool.path, error)

    def _rest(self) -> None:
        """A pause that new events do not shorten, but `close` does."""
        for _ in range(5):
            if not self._closing:
                threading.Event().wait(LOOK_SECONDS / 5)


def _id(text: str) -> tuple[int, int]:
    milliseconds, number = text.split("-")
    return int(milliseconds), int(number)
