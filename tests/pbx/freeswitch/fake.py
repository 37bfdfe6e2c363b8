"""A server that speaks ESL as FreeSWITCH does, over a real socket, and misbehaves when told to. No telephony behind it.

`answers` maps the beginning of a command to what is answered: a text, or a function of the command. An api is answered
with api/response, everything else with command/reply; a bgapi with its Job-UUID, and its result as an event.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event as Flag
from gevent.server import StreamServer

from contactcentre.pbx.freeswitch.reader import Event, Reader, event_of

SECRET = "a-secret-that-must-not-leak"
Answer = str | Callable[["Command"], str | None]


@dataclass
class Command:
    """One command as it came, with its headers and its body."""

    line: str
    headers: dict[str, str]
    body: str = ""


@dataclass
class FakeFreeSwitch:
    core: str = "core-1"
    greets: bool = True
    refuses_address: bool = False
    silent: bool = False
    """Reads, and answers nothing."""
    deaf: bool = False
    """Does not even read."""
    pieces: int = 0
    """When set, what is sent comes in pieces of so many bytes."""
    jobs_first: bool = False
    """A job's result comes before the answer to bgapi."""
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Command] = field(default_factory=list)
    links: int = 0

    def __post_init__(self) -> None:
        self.linked = Flag()
        self._socket: Any = None
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.port = int(self._server.server_port)

    def close(self) -> None:
        self._server.stop(timeout=1)
        if self._socket is not None:
            self._socket.close()

    # -- what a test does with it --------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        return [command.line for command in self.seen]

    def event(self, name: str, **headers: str) -> None:
        """Underscores of names stand for hyphens, but in variable_..."""
        told = {"Event-Name": name, "Core-UUID": self.core, "Event-Date-Timestamp": "1795354123413168"}
        self.tell(told | _named(headers))

    def tell(self, event: Event) -> None:
        self.frame("text/event-json", json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogateescape"))

    def replay(self, transcript: Path) -> int:
        """Sends every event that a real FreeSWITCH sent. How many."""
        events = [event for frame in Reader().feed(transcript.read_bytes()) if (event := event_of(frame))]
        for event in events:
            self.tell(event)
        return len(events)

    def frame(self, kind: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"Content-Type: {kind}", *(f"{key.replace('_', '-')}: {value}" for key, value in headers.items())]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.bytes("\n".join([*lines, "", ""]).encode() + body)

    def bytes(self, data: bytes) -> None:
        step = self.pieces or len(data)
        for start in range(0, len(data), step):
            self._socket.sendall(data[start : start + step])
            if self.pieces:
                gevent.sleep(0)

    def cut(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)

    def cut_mid_frame(self) -> None:
        """The beginning of an event of 1000 bytes, and no more."""
        self.bytes(b'Content-Length: 1000\nContent-Type: text/event-json\n\n{"Event-Name":"CHANNEL')
        self.cut()

    def wait(self, found: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        with gevent.Timeout(seconds, AssertionError(f"not within {seconds:g} s: {what}; seen {self.lines}")):
            while not found():
                gevent.sleep(0.005)

    # -- the server ----------------------------------------------------------------------------------------------------

    def _serve(self, connection: Any, address: object) -> None:
        self._socket = connection
        try:
            if self.refuses_address:
                self.frame("text/rude-rejection", b"Access Denied, go away.\n")
                self._goodbye()
                return
            if self.greets:
                self.frame("auth/request")
            self._talk(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def _talk(self, connection: Any) -> None:
        data = b""
        while True:
            if self.deaf:
                gevent.sleep(60)
            while (end := data.find(b"\n\n")) < 0:
                if not (more := connection.recv(65_536)):
                    return
                data += more
            line, *lines = data[:end].decode().split("\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            data, length = data[end + 2 :], int(headers.get("content-length", "0"))
            while len(data) < length:
                data += connection.recv(65_536)
            body, data = data[:length].decode(), data[length:]
            if line.startswith("auth "):
                if line != f"auth {SECRET}":
                    self.frame("command/reply", Reply_Text="-ERR invalid")
                    self._goodbye()
                    return
                self.links += 1
                self.linked.set()
                self.frame("command/reply", Reply_Text="+OK accepted")
                continue
            self.seen.append(command := Command(line, headers, body))
            if not self.silent:
                self._answer(command)

    def _answer(self, command: Command) -> None:
        kind, _, rest = command.line.partition(" ")
        answer = self._said(rest if kind in ("api", "bgapi") else command.line, command)
        if answer is None:
            return
        if kind == "api":
            self.frame("api/response", answer.encode("utf-8", "surrogateescape"))
        elif kind == "bgapi":
            job = command.headers["job-uuid"]
            steps = [
                lambda: self.frame("command/reply", Reply_Text=f"+OK Job-UUID: {job}", Job_UUID=job),
                lambda: self.event("BACKGROUND_JOB", Job_UUID=job, _body=answer),
            ]
            for step in reversed(steps) if self.jobs_first else steps:
                step()
        else:
            self.frame("command/reply", Reply_Text=answer)

    def _said(self, line: str, command: Command) -> str | None:
        fits = [begin for begin in self.answers if line.startswith(begin)]
        answer: Answer = self.answers[max(fits, key=len)] if fits else _usual(line, self.core)
        return answer(command) if callable(answer) else answer

    def _goodbye(self) -> None:
        self.frame("text/disconnect-notice", b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n")


def _named(headers: dict[str, str]) -> dict[str, str]:
    """Underscores stand for hyphens, but in variable_..."""
    return {key if key.startswith(("variable_", "_")) else key.replace("_", "-"): headers[key] for key in headers}


def _usual(line: str, core: str) -> str:
    if line.startswith("global_getvar core_uuid"):
        return core
    if line.startswith("show channels"):
        return '{"row_count": 0}\n'
    if line.startswith("uuid_getvar"):
        return "_undef_"
    return "+OK"


@dataclass
class FakeCall:
    """The other side of an outbound socket: a call of the dialplan that connects to us. `ends` says how an application
    ends: its Application-Response, None for not yet."""

    port: int
    ends: dict[str, str | None] = field(default_factory=dict)
    channel: dict[str, str] = field(default_factory=lambda: {"Unique-ID": "u1", "Channel-Name": "sofia%2Fin%2Fx"})
    seen: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port), 5)
        self.closed = Flag()
        self._greenlet = gevent.spawn(self._run)

    def event(self, name: str, **headers: str) -> None:
        body = json.dumps({"Event-Name": name, "Unique-ID": "u1", **_named(headers)}).encode()
        self._send(f"Content-Length: {len(body)}\nContent-Type: text/event-json\n\n".encode() + body)

    def hang_up(self) -> None:
        self.event("CHANNEL_HANGUP_COMPLETE", Hangup_Cause="NORMAL_CLEARING")
        self._socket.close()

    def complete(self, command: Command, response: str, **headers: str) -> None:
        self.event(
            "CHANNEL_EXECUTE_COMPLETE",
            Application=command.headers["execute-app-name"],
            Application_UUID=command.headers["event-uuid"],
            Application_Response=response,
            **headers,
        )

    def _run(self) -> None:
        data = b""
        try:
            while more := self._socket.recv(65_536):
                data += more
                while (end := data.find(b"\n\n")) >= 0:
                    line, *lines = data[:end].decode().split("\n")
                    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
                    length = int(headers.get("content-length", "0"))
                    body, data = data[end + 2 : end + 2 + length].decode(), data[end + 2 + length :]
                    self.seen.append(command := Command(line, headers, body))
                    self._answer(command)
        except OSError:
            pass
        finally:
            self.closed.set()
            self._socket.close()

    def _answer(self, command: Command) -> None:
        if command.line == "connect":
            lines = "".join(f"{name}: {value}\n" for name, value in self.channel.items())
            answer = f"Event-Name: CHANNEL_DATA\n{lines}Content-Type: command/reply\nReply-Text: %2BOK%0A\n\n"
            self._send(answer.encode())
        elif command.line.startswith("api "):
            self._send(b"Content-Type: api/response\nContent-Length: 3\n\n+OK")
        else:
            self._send(b"Content-Type: command/reply\nReply-Text: +OK\n\n")
        if command.line.startswith("sendmsg"):
            response = self.ends.get(command.headers["execute-app-name"], "_none_")
            if response is not None:
                self.complete(command, response)

    def _send(self, data: bytes) -> None:
        self._socket.sendall(data)
