"""A local file of lines that is a queue: written at the end, read from where reading stopped, given back at the start.

The first line holds, in 16 digits, where the first line that is still needed begins. Everything is written through the
page cache, so the death of the process loses nothing; `sync` also makes it safe from the machine's death.
"""

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from gevent import get_hub
from gevent.monkey import get_original, is_module_patched

from contactcentre.live.errors import SpoolInUse

log = logging.getLogger(__name__)

HEADER = 17
COMPACT_BYTES = 4 * 1024 * 1024
"""The file is rewritten when so much of it is no longer needed, and that is at least half of it."""


class Spool:
    """One process's queue file. Offsets are bytes from the start of the file; they change only in `release_until`."""

    def __init__(self, path: str | Path) -> None:
        """Raises SpoolInUse when another process has the file open, OSError when it cannot be written."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = _open(self.path)
        # Around the file's end. The system's own, many times faster than gevent's: nobody waits for anything inside.
        self._lock = get_original("threading", "Lock")()
        size = os.fstat(self._fd).st_size
        head = os.pread(self._fd, HEADER, 0)
        if len(head) == HEADER and head[:-1].isdigit() and head.endswith(b"\n"):
            self.start = min(max(int(head), HEADER), size)
        else:  # new, or no file of ours: nothing in it can be trusted
            os.ftruncate(self._fd, 0)
            self.start = size = HEADER
            self._write_head(HEADER)
        if size > HEADER and os.pread(self._fd, 1, size - 1) != b"\n":
            os.pwrite(self._fd, b"\n", size)  # the last process died in the middle of a line
            size += 1
        self.end = size
        self._not_before = 0  # a rewrite failed: where the first needed line must be for the next one

    def append(self, line: bytes) -> None:
        """Adds one line (which ends in a line feed). Raises OSError when the disk does not take it; then nothing was
        added."""
        with self._lock:
            if os.pwrite(self._fd, line, self.end) < len(line):
                os.ftruncate(self._fd, self.end)
                raise OSError(f"{self.path}: the disk is full")
            self.end += len(line)

    def read(self, offset: int, size: int) -> bytes:
        """Whole lines from `offset` on: as many as fit into `size` bytes, at least one; b"" at the end."""
        size = min(size, self.end - offset)
        block = os.pread(self._fd, size, offset)
        cut = block.rfind(b"\n") + 1
        if cut == 0 and block:  # the line is longer than `size`
            block = os.pread(self._fd, self.end - offset, offset)
            cut = block.find(b"\n") + 1
        return block[:cut]

    def release_until(self, offset: int) -> int:
        """What lies before `offset` is no longer needed. Answers by how much all offsets have become smaller."""
        if offset == self.start:
            return 0
        self.start = offset
        self._write_head(offset)
        with self._lock:
            if self.start == self.end:
                self._write_head(HEADER)
                os.ftruncate(self._fd, HEADER)
                moved, self.start, self.end = self.end - HEADER, HEADER, HEADER
                self._not_before = 0
                return moved
        if self.start - HEADER < max(COMPACT_BYTES, self.end - self.start) or self.start < self._not_before:
            return 0
        try:
            moved = self._compact()
        except OSError as error:  # no room for a second file: the one there is goes on
            log.warning("spool: %s cannot be rewritten now: %s", self.path, error)
            self._beside.unlink(missing_ok=True)
            self._not_before = self.start + COMPACT_BYTES
            return 0
        self._not_before = 0
        return moved

    def sync(self) -> None:
        """Waits until the disk has it all. Raises OSError."""
        _fsync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def _beside(self) -> Path:
        return self.path.with_name(self.path.name + ".new")

    def _compact(self) -> int:
        """Copies what is needed into a new file that takes this one's place; appending goes on meanwhile. Raises
        OSError; then the file is as it was."""
        self._beside.unlink(missing_ok=True)
        fd = _open(self._beside)
        try:
            moved = self.start - HEADER
            os.pwrite(fd, b"%016d\n" % HEADER, 0)
            copied = self._copy(fd, self.start, self.end, moved)
            _fsync(fd)
            with self._lock:
                self._copy(fd, copied, self.end, moved)
                self._beside.rename(self.path)
                os.close(self._fd)
                self._fd, self.start, self.end = fd, HEADER, self.end - moved
        except OSError:
            os.close(fd)
            raise
        return moved

    def _copy(self, fd: int, offset: int, end: int, moved: int) -> int:
        """Raises OSError."""
        while offset < end:
            block = os.pread(self._fd, min(1 << 20, end - offset), offset)
            written = os.pwrite(fd, block, offset - moved)  # less where the disk is full; the next one raises
            offset += written
        return offset

    def _write_head(self, offset: int) -> None:
        os.pwrite(self._fd, b"%016d\n" % offset, 0)


def unread_bytes(path: Path) -> int:
    """How much of a spool file is still needed; without taking it from the process that has it open. 0 where there is
    none: a worker removes its own when it ends."""
    try:
        with path.open("rb") as file:
            head, size = file.read(HEADER), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return 0
    return max(0, size - int(head)) if len(head) == HEADER and head[:-1].isdigit() else 0


def unread_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a spool file that are still needed, without taking it from the process that has it open."""
    with path.open("rb") as file:
        head = file.read(HEADER)
        if len(head) == HEADER and head[:-1].isdigit():  # else it is no file of ours
            file.seek(int(head))
            yield from (line for line in file if line.endswith(b"\n"))


def tenure_spool(directory: Path, node: str, fence: str) -> Path:
    """The file of one controller, from when it became a node's active one. Each has a file of its own: the one before
    may be frozen, and still have its own open."""
    return directory / f"{node}.{fence}.jsonl"


def earlier_spools(directory: Path, node: str, than: Path) -> list[Path]:
    """Those that the node's earlier controllers on this machine have left, the oldest first."""
    ours = re.compile(rf"{re.escape(node)}(\.(\d+))?\.jsonl").fullmatch
    found = [(int(fits[2] or 0), path) for path in directory.glob("*.jsonl") if (fits := ours(path.name))]
    return [path for _, path in sorted(found) if path != than]


def _open(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise SpoolInUse(f"{path} belongs to another running process") from error
    return fd


def _fsync(fd: int) -> None:
    """A disk may take long: under gevent a native thread waits for it, not the whole process."""
    if is_module_patched("threading"):
        get_hub().threadpool.apply(os.fsync, (fd,))
    else:
        os.fsync(fd)
