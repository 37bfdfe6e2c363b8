"""The processes of a lab: which ones are there, are they alive, end them; and ports nobody else has."""

import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from contactcentre.lab.errors import LabTimeout
from contactcentre.lab.install import clean_environment

LOOPBACK = "127.0.0.1"
RTP_PORTS = 4000
LETTING_GO = 1.0
"""Seconds that a port which was ours before may still be taken: a killed process is gone before its sockets are."""
_children: dict[int, subprocess.Popen[bytes]] = {}
"""What this process started: dead children stay zombies until they are polled."""


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
    if child is not None and child.poll() is not None:
        del _children[pid]
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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


@dataclass(frozen=True)
class Ports:
    """Ports on 127.0.0.1. RTP is a range, both ends included."""

    control: int
    """TCP: Asterisk's HTTP, FreeSWITCH's event socket."""
    sip: int
    rtp_first: int
    rtp_last: int


def choose_ports(control: int, sip: int, rtp_first: int) -> Ports:
    """The wanted ports where they are free (0: any), so that clients find a restarted lab again."""
    return Ports(
        control=_free_port(socket.SOCK_STREAM, control),
        sip=_free_port(socket.SOCK_DGRAM, sip),
        # below the kernel's ephemeral ports, where phones get theirs; a PBX passes over single taken ports
        rtp_first=(first := rtp_first or 12000 + RTP_PORTS * secrets.randbelow(5)),
        rtp_last=first + RTP_PORTS - 1,
    )


def _free_port(kind: socket.SocketKind, wanted: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        give_up = time.monotonic() + LETTING_GO
        while True:
            try:
                probe.bind((LOOPBACK, wanted))
                break
            except OSError:
                if time.monotonic() > give_up:
                    wanted = 0
                time.sleep(0.02)
        return int(probe.getsockname()[1])
