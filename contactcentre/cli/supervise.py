"""Runs our processes as children: their output with their name in front, restarts with back-off, an orderly stop.

A child that hangs is killed: children give signs of life as they do to systemd (`watch.systemd`), to a socket of ours.
"""

import contextlib
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from contactcentre import logs
from contactcentre.processes import Post, bind_to_parent, holder, how_it_ended, word_of, worked
from contactcentre.watch.systemd import ALIVE, READY, STOPPING

log = logs.get(__name__)

BUSY = 0.1
"""One that is silent and has used a tenth of a processor, or waits for one or for a disk, may only have too much to do:
to kill it would make that worse. It is given longer (`Program.patience`)."""

LOOK = 1.0
"""Seconds between two looks whether a child lives that is not ready yet."""
_OF_SYSTEMD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_CREDENTIALS = struct.Struct("3i")  # unix(7): process, user, group

FIRST_PAUSE = 0.5
"""Seconds before the second start anew; the first one is at once, for callers wait."""
LONGEST_PAUSE = 30.0


@dataclass(frozen=True)
class Program:
    """One process of ours: `python -m contactcentre NAME ARGUMENTS`."""

    name: str
    arguments: tuple[str, ...] = ()
    stop_deadline: float = 15.0
    """Seconds from SIGTERM to SIGKILL."""
    watchdog: float = 0.0
    """Seconds without a sign of life after which one that was ready, and does nothing, is killed; 0 = never."""
    patience: float = 0.0
    """The same of one that works, or would."""
    healthy_after: float = 60.0
    """Seconds of life after which its next crash counts as its first, and it is started again at once."""


@dataclass
class Child:
    """A program as it runs now."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    """Epoch seconds."""
    restarts: int = 0
    failures: int = 0
    tasks: list["gevent.Greenlet[..., object]"] = field(default_factory=list)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None


class Supervisor:
    """Starts programs in the order given and stops them in the reverse order."""

    def __init__(
        self,
        programs: Sequence[Program],
        emit: Callable[[str, str], None],
        environment: Mapping[str, str] | None = None,
        on_change: Callable[["Supervisor"], None] = lambda _: None,
    ) -> None:
        self.children = {program.name: Child(program) for program in programs}
        self._emit = emit
        # the words of systemd's are for us, not for them
        kept = {name: value for name, value in os.environ.items() if name not in _OF_SYSTEMD}
        self.environment = {**kept, **(environment or {})}
        """Of every child."""
        self._on_change = on_change
        self._stopping = Event()
        self._hurry = Event()

    def start(self) -> None:
        """Starts every program. They are kept running until `stop`."""
        for child in self.children.values():
            self._launch(child)
            child.tasks.append(gevent.spawn(self._keep, child))
        self._tell()

    def stop(self) -> list[str]:
        """SIGTERM to one after the other, the last started first; returns the names of those that had to be killed."""
        self._stopping.set()
        killed = []
        for child in reversed(self.children.values()):
            if not self._end(child):
                killed.append(child.program.name)
        for child in self.children.values():
            gevent.joinall(child.tasks, timeout=5)
            gevent.killall(child.tasks)
        self._tell()
        return killed

    def hurry(self) -> None:
        """A stop that is under way no longer waits: what still runs is killed."""
        self._hurry.set()

    def status(self) -> dict[str, dict[str, Any]]:
        """By name: pid (None when it does not run), started_at (epoch seconds), restarts."""
        return {
            name: {"pid": child.pid, "started_at": child.started_at, "restarts": child.restarts}
            for name, child in self.children.items()
        }

    def _launch(self, child: Child) -> None:
        child.started_at = time.time()
        ear = Ear() if child.program.watchdog else None
        child.process = subprocess.Popen(
            [sys.executable, "-m", "contactcentre", child.program.name, *child.program.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**self.environment, **(ear.environment(child.program.watchdog) if ear else {})},
            preexec_fn=bind_to_parent(signal.SIGTERM),
            # a session of its own: Ctrl-C in the terminal is ours to pass on, and all it forks can be found
            start_new_session=True,
        )
        child.tasks = [task for task in child.tasks if not task.dead]
        child.tasks.append(gevent.spawn(self._read, child.program.name, child.process))
        if ear is not None:
            child.tasks.append(gevent.spawn(self._watch, child.program, child.process, ear))

    def _read(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        with contextlib.closing(process.stdout) as stream:
            for line in stream:
                # a full disk costs lines; a child that nobody reads would stand still at its next one
                with contextlib.suppress(OSError):
                    self._emit(name, line.decode(errors="replace").rstrip("\n"))

    def _tell(self) -> None:
        """A state that cannot be written keeps no child from being looked after."""
        try:
            self._on_change(self)
        except OSError as error:
            log.warning("the state of the processes cannot be told", error=str(error))

    def _watch(self, program: Program, process: subprocess.Popen[bytes], ear: "Ear") -> None:
        """Kills one that hangs. Before it was ready, and when it is about to end, it may take its time."""
        ready, silent = False, 0.0
        _, used = worked(process.pid)
        with contextlib.closing(ear):
            while process.poll() is None and not self._stopping.is_set():
                words = ear.hear(program.watchdog if ready else LOOK)
                runs, uses = worked(process.pid)
                if STOPPING in words:
                    return
                ready = ready or bool(words & {READY, ALIVE})
                silent = 0.0 if words or not ready else silent + program.watchdog
                busy = runs or uses - used > BUSY * program.watchdog
                used = uses
                if not silent or process.poll() is not None or self._stopping.is_set():
                    continue
                if busy and silent < program.patience:
                    log.warning(f"{program.name} gives no sign of life, but works", silent_seconds=silent)
                    continue
                log.error(f"{program.name} hangs; killing it", silent_seconds=silent)
                _kill_group(process.pid)
                return

    def _keep(self, child: Child) -> None:
        while not self._stopping.is_set():
            assert child.process
            returncode = child.process.wait()
            if self._stopping.is_set():
                return
            _kill_group(child.process.pid)
            lived = time.time() - child.started_at
            child.failures = 1 if lived > child.program.healthy_after else child.failures + 1
            again = child.failures - 2
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**again) if again >= 0 else 0.0
            log.warning(
                f"{child.program.name} {how_it_ended(returncode)}; starting it again",
                after_seconds=round(lived, 1),
                in_seconds=pause,
            )
            self._tell()
            if self._stopping.wait(pause):
                return
            child.restarts += 1
            try:
                self._launch(child)
            except OSError as error:  # no memory, no process left: this, too, may pass
                log.error(f"{child.program.name} cannot be started", error=str(error))
            self._tell()

    def _end(self, child: Child) -> bool:
        process = child.process
        if process is None:
            return True
        if process.poll() is None:
            process.terminate()
        deadline = time.monotonic() + child.program.stop_deadline
        while process.poll() is None and time.monotonic() < deadline and not self._hurry.is_set():
            self._hurry.wait(0.05)
        in_time = process.poll() is not None
        if not in_time:
            log.warning(f"{child.program.name} does not stop; killing it", after_seconds=child.program.stop_deadline)
        _kill_group(process.pid)
        process.wait()
        return in_time


class Ear:
    """Where one child's signs of life are heard, of nobody but processes of our own user."""

    def __init__(self) -> None:
        self._address = f"contactcentre-{os.getpid()}-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{self._address}")

    def environment(self, seconds: float) -> dict[str, str]:
        return {"NOTIFY_SOCKET": f"@{self._address}", "WATCHDOG_USEC": str(round(seconds * 1e6))}

    def hear(self, seconds: float) -> set[str]:
        """What was said, as soon as something is; empty when nothing was within so many seconds."""
        self._socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            return self._take()
        self._socket.settimeout(0.0)  # were we held up ourselves, it lies there
        with contextlib.suppress(BlockingIOError):
            return self._take()
        return set()

    def _take(self) -> set[str]:
        said, about, _, _ = self._socket.recvmsg(1024, socket.CMSG_SPACE(_CREDENTIALS.size))
        for level, kind, data in about:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                _, uid, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
                if uid == os.geteuid():
                    return set(said.decode(errors="replace").split("\n"))
        return {""}  # somebody else's: neither a sign of life nor silence

    def close(self) -> None:
        self._socket.close()


def _kill_group(leader: int) -> None:
    """Kills what a dead or stubborn child left in its process group, such as the workers of a killed gunicorn."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


class AlreadyUp(Exception):
    """`contactcentre up` runs already on this state directory."""


@contextlib.contextmanager
def only_one(state_dir: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Holds the post of `up` on a state directory; gives the function that says how it is. Raises AlreadyUp."""
    with contextlib.closing(Post(state_dir / "up.json")) as post:
        if not post.take():
            pid = holder(state_dir / "up.json")
            raise AlreadyUp(f"contactcentre up runs already on {state_dir} (process {pid})")
        post.say({})
        yield post.say


def read_up(state_dir: Path) -> dict[str, Any] | None:
    """What the running `up` of this state directory says of itself (pid, children); None when there is none."""
    return word_of(state_dir / "up.json")
