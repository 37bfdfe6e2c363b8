"""The writing side of the journal: an event given to `append` is in a local file before the call returns, and on the
Redis stream `cc:events` some milliseconds later.

The spool file is the queue: `append` writes one line to it (page cache, microseconds), `run` sends what was not sent
yet in batches. So a killed process loses nothing (the next one replays the file), a dead Redis needs no memory, and the
order is the order of the file. Sending an event twice is harmless: `(contact_id, seq)` is its key.
"""

import fcntl
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from redis import Redis

from contactcentre.domain.events import Event
from contactcentre.live.connection import PREFIX, ask, named_errors
from contactcentre.live.errors import LiveError, SpoolInUse

BATCH_BYTES = 128 * 1024
TRUNCATE_BYTES = 256 * 1024
"""The file is emptied when all of it was sent and it is longer than this."""
KEPT_IN_MEMORY = 100_000
"""Events held in memory when the local disk cannot be written (full); more than that are lost, and counted."""
RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)


class Journal:
    """Give it events with `append` from anywhere; run `run` in one greenlet or thread."""

    def __init__(self, redis: "Redis", spool_path: str | Path, prefix: str = PREFIX) -> None:
        """Raises SpoolInUse when another process has the file open, OSError when it cannot be written."""
        self._redis, self._stream = redis, f"{prefix}events"
        self.path = Path(spool_path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise SpoolInUse(f"{self.path} belongs to another running process") from error
        self._lock = threading.Lock()  # around the file's length: append, and the truncation in run
        self._written = os.fstat(self._fd).st_size
        if self._written and os.pread(self._fd, 1, self._written - 1) != b"\n":
            os.write(self._fd, b"\n")  # the last process died in the middle of a line
            self._written += 1
        self._sent = 0
        self._memory: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = False
        self.away_since_bytes = 0
        self.refused = 0
        """Lines of the spool that were no events (cut by a crash); they are left out."""
        self.lost = 0
        """Events lost: the disk was full and memory too."""

    def append(self, event: Event) -> None:
        """Never waits for Redis and raises nothing."""
        line = event.to_json().encode() + b"\n"
        with self._lock:
            if self._memory or not self._write(line):
                if len(self._memory) >= KEPT_IN_MEMORY:
                    self._memory.popleft()
                    self.lost += 1
                    log.error("journal: an event is lost: neither Redis nor the disk takes it")
                self._memory.append(line)
        self._wake.set()

    @property
    def unsent(self) -> int:
        """Bytes in the spool (and memory) that Redis does not have yet."""
        return self._written - self._sent + sum(map(len, self._memory))

    def run(self) -> None:
        """Sends until `close`; returns when all is sent then, or Redis is away."""
        while True:
            self._wake.wait(RETRY_SECONDS)
            self._wake.clear()
            try:
                while self._send_batch():
                    pass
            except LiveError as error:
                if self._closing:
                    return
                log.warning("journal: %s; %d bytes wait in %s", error, self.unsent, self.path)
                self._sync()
                self._pause(RETRY_SECONDS)
                continue
            if self._closing and not self.unsent:
                return

    def flush(self) -> None:
        """Sends all now, in the caller's thread; only while `run` does not run. Raises Away or Refused."""
        while self._send_batch():
            pass

    def close(self) -> None:
        """Asks `run` to send the rest and end. What Redis did not take stays in the file for the next process."""
        self._closing = True
        self._wake.set()

    def release(self) -> None:
        """Gives the file up, after `run` has ended."""
        if self._fd >= 0:
            self._sync()
            os.close(self._fd)
            self._fd = -1

    def _write(self, line: bytes) -> bool:
        try:
            done = os.write(self._fd, line)
            if done < len(line):  # the disk is full: take the piece back
                os.ftruncate(self._fd, self._written)
                return False
        except OSError as error:
            log.error("journal: cannot write %s: %s", self.path, error)
            return False
        self._written += len(line)
        return True

    def _send_batch(self) -> bool:
        """False when there is nothing left to send."""
        if self._sent < self._written:
            block = os.pread(self._fd, min(BATCH_BYTES, self._written - self._sent), self._sent)
            end = block.rfind(b"\n") + 1
            if end == 0:  # one line longer than a batch
                block = os.pread(self._fd, self._written - self._sent, self._sent)
                end = block.find(b"\n") + 1
            self._send(block[:end].splitlines())
            with self._lock:
                self._sent += end
                if self._sent == self._written > TRUNCATE_BYTES:
                    os.ftruncate(self._fd, 0)
                    self._sent = self._written = 0
            return True
        with self._lock:
            lines = list(self._memory)
        if lines:
            self._send(lines)
            with self._lock:
                for _ in lines:
                    self._memory.popleft()
            return True
        return False

    def _send(self, lines: list[bytes]) -> None:
        with named_errors():
            pipe = self._redis.pipeline(transaction=False)
            for line in lines:
                text = line.decode(errors="replace").strip()
                if not (text.startswith('{"contact_id":') and text.endswith("}")):
                    self.refused += bool(text)
                    continue
                ask(pipe, "XADD", self._stream, "*", "event", text)
            pipe.execute()

    def _sync(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            log.error("journal: cannot sync %s: %s", self.path, error)

    def _pause(self, seconds: float) -> None:
        threading.Event().wait(seconds)


Sleep = Callable[[float], None]
