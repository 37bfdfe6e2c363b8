"""Ports on loopback that nobody else has, also where several labs and test runs start at once."""

import atexit
import secrets
import socket
import time
from collections import deque
from dataclasses import dataclass

from contactcentre.lab.errors import LabError

LOOPBACK = "127.0.0.1"
RTP_PORTS = 4000
LETTING_GO = 5.0
"""Seconds that a port which was ours before may still be taken: a killed process is gone before its sockets are."""
_SERVERS = range(10000, 12000)
"""Below the RTP ports, and both below the kernel's ephemeral ones (32768-60999), which phones and clients get: what
is free here is still free when the server binds it, also when it comes back after a while."""
_RESERVED = 64
_guards: deque[socket.socket] = deque()


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
        control=wanted_port(control),
        sip=wanted_port(sip, socket.SOCK_DGRAM),
        # a PBX passes over single taken ports
        rtp_first=(first := rtp_first or 12000 + RTP_PORTS * secrets.randbelow(5)),
        rtp_last=first + RTP_PORTS - 1,
    )


def wanted_port(port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """The port where it is free, else (and for 0) another one."""
    return _wanted(kind, port) or free_port(kind)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A free port for a server to be started. Whoever else asks here, in any process, is given another, until this
    process has asked for 64 more. Raises LabError where all are taken."""
    for port in secrets.SystemRandom().sample(_SERVERS, len(_SERVERS)):
        guard = _guard(port)
        if guard is None:
            continue
        if _binds(kind, port):
            _guards.append(guard)
            if len(_guards) > _RESERVED:
                _guards.popleft().close()
            return port
        guard.close()
    raise LabError(f"no port from {_SERVERS.start} to {_SERVERS.stop - 1} is free")


@atexit.register
def _release() -> None:
    while _guards:
        _guards.popleft().close()


def _guard(port: int) -> socket.socket | None:
    """A name that one process of the machine has, until it closes it or dies (abstract sockets, unix(7))."""
    guard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        guard.bind(f"\0contactcentre-lab-port-{port}")
    except OSError:
        guard.close()
        return None
    return guard


def _wanted(kind: socket.SocketKind, port: int) -> int:
    """The port once it is free, or 0."""
    give_up = time.monotonic() + LETTING_GO
    while port and not _binds(kind, port):
        if time.monotonic() > give_up:
            return 0
        time.sleep(0.02)
    return port


def _binds(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
