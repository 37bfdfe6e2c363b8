"""The processes of a lab: which ones are there, are they alive, end them."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from contactcentre.lab.errors import LabTimeout
from contactcentre.lab.install import clean_environment

_children: dict[int, subprocess.Popen[bytes]] = {}
"""What this process started: dead children stay zombies until they are polled."""
_returned: dict[int, int] = {}
"""What became of them, as `Popen.returncode` has it."""

LAST_BREATH = 5.0
"""Seconds for the last threads of one that ends, and for its parent to hear of it."""


def launch(command: list[str], directory: Path, console: Path) -> int:
    """Start a process that outlives this one and shares no terminal with it; its pid."""
    with console.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=clean_environment(),
            start_new_session=True,
        )
    _children[process.pid] = process
    return process.pid


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    child = _children.get(pid)
    if child is not None and (code := child.poll()) is not None:
        _returned[pid] = code
        del _children[pid]
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ending(pid: int) -> str:
    """How a process ended that this one started, such as "SIGSEGV" or "exit code 1"; "" = that is not known. To be
    asked of one that runs no more: /proc shows that a moment before its parent hears how it ended."""
    if (child := _children.get(pid)) is not None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(LAST_BREATH)
    alive(pid)
    code = _returned.get(pid)
    if code is None:
        return ""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def with_arguments(*arguments: str) -> set[int]:
    """The running processes that were started with these arguments in a row."""
    wanted = b"\0" + b"\0".join(map(os.fsencode, arguments)) + b"\0"
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                if wanted in (entry / "cmdline").read_bytes() and alive(int(entry.name)):
                    found.add(int(entry.name))
    return found


def gone(pids: set[int], deadline: float) -> bool:
    """Wait at most `deadline` seconds until none of them runs."""
    give_up = time.monotonic() + deadline
    while any(alive(pid) for pid in pids):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def end(pids: set[int], deadline: float) -> None:
    """Give them half of `deadline` seconds to end by themselves, half after SIGTERM, then SIGKILL."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        if gone(pids, deadline / 2):
            return
        for pid in filter(alive, pids):
            with suppress(ProcessLookupError):
                os.kill(pid, how)
    if not gone(pids, deadline):
        raise LabTimeout(f"pid {', '.join(map(str, sorted(pids)))}: still there after SIGKILL")
