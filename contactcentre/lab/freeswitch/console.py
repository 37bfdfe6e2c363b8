"""FreeSWITCH's console over its event socket: one connection, one `api` command, one answer."""

import socket
import time
from contextlib import suppress

from contactcentre.lab.errors import LabError, LabTimeout

MOST = 1 << 26
"""Bytes of an answer; more is not FreeSWITCH."""


class NotListening(LabError):
    """Nothing takes connections there (yet, or any more)."""


class NotOurs(LabError):
    """Something listens there, but it is not the FreeSWITCH of this lab: it does not take our password."""


def ask(port: int, password: str, command: str, deadline: float) -> str:
    """The answer to `api COMMAND`. Raises NotListening, NotOurs, or LabTimeout after `deadline` seconds."""
    if not command.isprintable():
        raise LabError(f"{command!r} is no console command: it has control characters")
    give_up = time.monotonic() + deadline
    try:
        with socket.create_connection(("127.0.0.1", port), deadline) as link:
            said = _Reader(link, give_up)
            if said.frame()[0].get("content-type") != "auth/request":
                raise NotOurs(f"port {port} is no event socket")
            link.sendall(f"auth {password}\n\n".encode())
            if not said.frame()[0].get("reply-text", "").startswith("+OK"):
                raise NotOurs(f"the event socket at port {port} does not take the lab's password")
            link.sendall(f"api {command}\n\n".encode())
            while True:
                headers, body = said.frame()
                if headers.get("content-type") == "api/response":
                    with suppress(OSError):
                        link.sendall(b"exit\n\n")
                    return body.decode(errors="replace")
    except TimeoutError:
        raise LabTimeout(f"FreeSWITCH did not answer {command!r} within {deadline:g} s") from None
    except OSError as error:
        raise NotListening(f"no answer from FreeSWITCH's event socket at port {port}: {error}") from error


class _Reader:
    def __init__(self, link: socket.socket, give_up: float) -> None:
        self._link, self._give_up, self._buffer = link, give_up, b""

    def frame(self) -> tuple[dict[str, str], bytes]:
        """The next message: its headers (names in lower case) and its body."""
        while b"\n\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\n\n")
        lines = (line.partition(":") for line in head.decode(errors="replace").splitlines())
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        length = headers.get("content-length", "0")
        size = int(length) if length.isdigit() else 0
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return headers, body

    def _more(self) -> None:
        self._link.settimeout(max(self._give_up - time.monotonic(), 0.001))
        chunk = self._link.recv(1 << 16)
        if not chunk or len(self._buffer) > MOST:
            raise ConnectionResetError("closed before it had answered")
        self._buffer += chunk
