"""Runs our processes as children: their output with their name in front, restarts with back-off, an orderly stop."""

import contextlib
import os
import signal
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
from contactcentre.processes import Post, bind_to_parent, holder, how_it_ended, word_of

log = logs.get(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
HEALTHY_AFTER = 60.0
"""Seconds of life after which a child's next crash counts as its first."""


@dataclass(frozen=True)
class Program:
    """One process of ours: `python -m contactcentre NAME ARGUMENTS`."""

    name: str
    arguments: tuple[str, ...] = ()
    stop_deadline: float = 15.0
    """Seconds from SIGTERM to SIGKILL."""


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
        self._environment = {**os.environ, **(environment or {})}
        self._on_change = on_change
        self._stopping = Event()
        self._hurry = Event()

    def start(self) -> None:
        """Starts every program. They are kept running until `stop`."""
        for child in self.children.values():
            self._launch(child)
            child.tasks.append(gevent.spawn(self._keep, child))
        self._on_change(self)

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
        self._on_change(self)
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
        child.process = subprocess.Popen(
            [sys.executable, "-m", "contactcentre", child.program.name, *child.program.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            preexec_fn=bind_to_parent(signal.SIGTERM),
            # a session of its own: Ctrl-C in the terminal is ours to pass on, and all it forks can be found
            start_new_session=True,
        )
        child.tasks = [task for task in child.tasks if not task.dead]
        child.tasks.append(gevent.spawn(self._read, child.program.name, child.process))

    def _read(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        with contextlib.closing(process.stdout) as stream:
            for line in stream:
                self._emit(name, line.decode(errors="replace").rstrip("\n"))

    def _keep(self, child: Child) -> None:
        while not self._stopping.is_set():
            assert child.process
            returncode = child.process.wait()
            if self._stopping.is_set():
                return
            _kill_group(child.process.pid)
            lived = time.time() - child.started_at
            child.failures = 1 if lived > HEALTHY_AFTER else child.failures + 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (child.failures - 1))
            log.warning(
                f"{child.program.name} {how_it_ended(returncode)}; starting it again",
                after_seconds=round(lived, 1),
                in_seconds=pause,
            )
            self._on_change(self)
            if self._stopping.wait(pause):
                return
            child.restarts += 1
            try:
                self._launch(child)
            except OSError as error:  # no memory, no process left: this, too, may pass
                log.error(f"{child.program.name} cannot be started", error=str(error))
            self._on_change(self)

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
