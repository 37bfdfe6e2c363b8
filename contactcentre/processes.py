"""Which process is the one that does a job, what it says of itself, and children that die with their parent."""

import ctypes
import fcntl
import gc
import json
import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
# struct flock of fcntl(2) on 64-bit Linux: type, whence, start, length, pid
_FLOCK = struct.Struct("hhqqi4x")


def stay() -> None:
    """Says that this process is there for long: what lives now will live as long as it does, and is not to be looked
    through again and again for garbage while calls wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def bind_to_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A preexec_fn: the kernel sends the signal to the child when this process dies, however it dies.

    The signal follows the thread that forked (prctl(2)): start such children in the main thread.
    """
    parent, prctl = os.getpid(), ctypes.CDLL(None, use_errno=True).prctl

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return bind


def birth(pid: int) -> str | None:
    """When a living process began, in the kernel's clock ticks: with its id it names one process for ever.

    None when there is no such process, or it is dead and only waits to be reaped.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def worked(pid: int) -> tuple[bool, float]:
    """(whether a process runs at this moment, or would if it got a processor or its disk answered; seconds of a
    processor that it has used). (False, 0.0) for one that is not there."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False, 0.0
    return fields[0] in "RD", (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def how_it_ended(returncode: int) -> str:
    """An exit status of subprocess in words: `ended with 1`, `was killed by SIGKILL`."""
    if returncode >= 0:
        return f"ended with {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


class Post:
    """A JSON file locked by the one process that does a job, for all its life; the kernel frees it however it dies.

    A POSIX lock, so that others can ask for its holder without taking it. The holder itself must open the file
    only here: closing any other descriptor of it would free the lock (fcntl(2)).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Takes the post; False when another living process holds it."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def say(self, known: dict[str, Any]) -> None:
        """What `word_of` tells the others, next to our process id."""
        text = json.dumps({"pid": os.getpid(), **known}).encode()
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))

    def last_word(self) -> dict[str, Any]:
        """What was said last, by us or by the one before us; {} when nothing was."""
        try:
            known = json.loads(os.pread(self._file, 1 << 20, 0))
        except ValueError:
            return {}
        return known if isinstance(known, dict) else {}

    def close(self) -> None:
        """Leaves the post."""
        os.close(self._file)


def holder(path: Path) -> int | None:
    """The process id of the living holder of a Post, from the kernel; None when there is none."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    finally:
        os.close(file)
    return None if answer[0] == fcntl.F_UNLCK else int(answer[4])


def word_of(path: Path) -> dict[str, Any] | None:
    """What the living holder of a Post says of itself; {} before it said anything, None when there is none."""
    pid = holder(path)
    if pid is None:
        return None
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    # else it is what the holder before this one said
    return known if isinstance(known, dict) and known.get("pid") == pid else {}
