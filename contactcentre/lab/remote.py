"""The controlling side of the process that plays phones and callers (see `handsets`)."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from contactcentre.lab.errors import PhoneError


class Handsets:
    """The process that plays phones and callers for one PBX; ends with `close` or with this process."""

    def __init__(self, pbx: str) -> None:
        self.pbx = pbx
        ours, theirs = socket.socketpair()
        self._socket = ours
        package = str(Path(__file__).resolve().parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "contactcentre.lab.handsets", str(theirs.fileno()), pbx],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a terminal's Ctrl-C is for the controlling side
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            )
        self._sending = threading.Lock()
        self._listeners: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._reader = threading.Thread(target=self._read, name="lab-handsets", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and self._reader.is_alive()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, do: str, **command: Any) -> None:
        """Give a command; raises PhoneError when the process is gone."""
        try:
            with self._sending:
                self._socket.sendall(json.dumps({"do": do, **command}).encode() + b"\n")
        except OSError as error:
            raise PhoneError(f"the process of the simulated phones is gone: {error}") from error

    def listen(self, key: str, listener: Callable[[dict[str, Any]], None] | None) -> None:
        """Give every event of the phone or Call-ID `key` to a function that does not block; None ends it."""
        if listener is None:
            self._listeners.pop(key, None)
        else:
            self._listeners[key] = listener

    def close(self) -> None:
        """Hang up, sign off and end; returns when the process is gone."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._reader.join(5)
        self._socket.close()

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                chunk = self._socket.recv(1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                break
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                self._give(json.loads(line))
        for listener in list(self._listeners.values()):
            listener({"event": "gone"})

    def _give(self, event: dict[str, Any]) -> None:
        if event["event"] == "refused":
            event = {"phone": event["command"].get("phone"), "call": event["command"].get("call"), **event}
        phone = self._listeners.get(event.get("phone") or "")
        call = self._listeners.get(event.get("call") or "")
        for listener in {id(x): x for x in (phone, call) if x is not None}.values():
            listener(event)
