"""Words to whoever started this process, systemd or `contactcentre up`: sd_notify(3)'s protocol, a datagram each.

`READY=1`: it works. `WATCHDOG=1`: it still does; when these stop for as long as it was told (WATCHDOG_USEC), it is
killed and started again. `STOPPING=1`: it is about to end.
"""

import os
import socket
import time
from contextlib import suppress

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def notify(word: str) -> bool:
    """Never waits, never fails. False: nobody asked for it, or nobody hears it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out, suppress(OSError):
        out.setblocking(False)
        out.sendto(word.encode(), "\0" + address[1:] if address.startswith("@") else address)
        return True
    return False


class SignsOfLife:
    """Call it again and again, as often as you like: it says that the process lives as often as is wanted."""

    def __init__(self) -> None:
        wanted = os.environ.get("WATCHDOG_USEC", "")
        self.every = int(wanted) / 1e6 / 4 if wanted.isdecimal() else 0.0
        """Seconds; 0 = nobody waits for them."""
        self._due = 0.0

    def __call__(self, lag: float = 0.0) -> None:
        if self.every and (now := time.monotonic()) >= self._due:
            self._due = now + self.every
            notify(ALIVE)
