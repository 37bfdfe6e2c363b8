"""A server that speaks ARI, HTTP and websocket on one port, and misbehaves when told to. No telephony behind it."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import gevent
from gevent import socket
from gevent.event import Event as Flag
from gevent.server import StreamServer
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

USER, SECRET = "fake", "a-secret-that-must-not-leak"
AT = "2026-01-02T03:04:05.678+0000"


@dataclass
class Seen:
    """One request as it came."""

    over: str
    method: str
    path: str
    query: dict[str, str]
    body: Any = None


@dataclass
class FakeAri:
    """`answers[(method, path)]` is (status, body) or a function of the request; everything else gets 204."""

    version: str = "22.10.1"
    takes_requests: bool = True
    handshake_status: int = 101
    silent: bool = False
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    raw_heads: list[str] = field(default_factory=list)
    pongs: int = 0
    links: int = 0
    pieces: int = 0
    """When set, what is sent comes in pieces of so many bytes."""

    def __post_init__(self) -> None:
        self.linked = Flag()
        self._socket: Any = None
        self._protocol: ServerProtocol | None = None
        self.answers.setdefault(("GET", "asterisk/info"), lambda seen: (200, {"system": {"version": self.version}}))
        self.answers.setdefault(("GET", "asterisk/ping"), (200, {"ping": "pong"}))
        self.answers.setdefault(("GET", "channels"), (200, []))
        self.answers.setdefault(("GET", "bridges"), (200, []))
        self.answers.setdefault(("GET", "endpoints/PJSIP"), (200, []))
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.stop(timeout=1)
        if self._socket is not None:
            self._socket.close()

    # -- what a test does with it ----------------------------------------------------------------------------------

    def paths(self, over: str) -> list[str]:
        return [f"{seen.method} {seen.path}" for seen in self.seen if seen.over == over]

    def send(self, kind: str, **what: Any) -> None:
        self.send_text(json.dumps({"type": kind, "application": "contactcentre", "timestamp": AT, **what}))

    def send_text(self, text: str, *, binary: bool = False, fragments: int = 1) -> None:
        data = text.encode("utf-8", "surrogatepass")
        protocol = self._protocol
        assert protocol is not None
        if fragments > 1:
            size = max(1, len(data) // fragments)
            parts = [data[i : i + size] for i in range(0, len(data), size)]
            protocol.send_text(parts[0], fin=len(parts) == 1)
            for number, part in enumerate(parts[1:], 2):
                protocol.send_continuation(part, fin=number == len(parts))
        elif binary:
            protocol.send_binary(data)
        else:
            protocol.send_text(data)
        self._flush()

    def ping(self) -> None:
        assert self._protocol is not None
        self._protocol.send_ping(b"there?")
        self._flush()

    def cut(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)

    def cut_mid_frame(self) -> None:
        """The beginning of a frame of 1000 bytes, and no more."""
        self._socket.sendall(b"\x81\x7e\x03\xe8" + b'{"type":"Stasis')
        self.cut()

    def send_bytes(self, data: bytes) -> None:
        """What no websocket would send."""
        self._socket.sendall(data)

    def wait(self, found: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        with gevent.Timeout(seconds, AssertionError(f"not within {seconds:g} s: {what}; seen {self.seen}")):
            while not found():
                gevent.sleep(0.005)

    # -- the server ------------------------------------------------------------------------------------------------

    def _serve(self, connection: Any, address: object) -> None:
        try:
            pending = b""
            while True:
                while b"\r\n\r\n" not in pending:
                    if not (data := connection.recv(65_536)):
                        return
                    pending += data
                head, _, pending = pending.partition(b"\r\n\r\n")
                text = head.decode()
                self.raw_heads.append(text)
                if "upgrade: websocket" in text.lower():
                    self._websocket(connection, head + b"\r\n\r\n", pending)
                    return
                length = int(_header(text, "content-length") or 0)
                while len(pending) < length:
                    pending += connection.recv(65_536)
                body, pending = pending[:length], pending[length:]
                self._http(connection, text, body)
        except OSError:
            pass
        finally:
            connection.close()

    def _http(self, connection: Any, head: str, body: bytes) -> None:
        method, target, _ = head.split("\r\n")[0].split(" ")
        status, answer = self._answer("http", method, target.removeprefix("/ari/"), body, {})
        if _header(head, "authorization") != _credentials():
            status, answer = 401, {"error": "Unauthorized"}
        data = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        connection.sendall(f"HTTP/1.1 {status} Some Reason\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)

    def _websocket(self, connection: Any, head: bytes, rest: bytes) -> None:
        if self.handshake_status != 101:
            connection.sendall(f"HTTP/1.1 {self.handshake_status} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        if _header(head.decode(), "authorization") != _credentials():
            connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            return
        protocol = self._protocol = ServerProtocol()
        self._socket = connection
        protocol.receive_data(head)
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        self._flush()
        self.links += 1
        self.linked.set()
        data = rest
        while True:
            if data:
                protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.PONG:
                    self.pongs += 1
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    self._request(json.loads(bytes(event.data)))
            self._flush()
            if not (data := connection.recv(65_536)):
                self.linked.clear()
                return

    def _request(self, frame: dict[str, Any]) -> None:
        if not self.takes_requests:
            return
        query = {q["name"]: q["value"] for q in frame.get("query_strings", ())}
        body = frame.get("message_body", "").encode()
        status, answer = self._answer("websocket", frame["method"], frame["uri"], body, query)
        if self.silent:
            return
        self.send(
            "RESTResponse",
            request_id=frame["request_id"],
            status_code=status,
            reason_phrase="Some Reason",
            message_body="" if answer is None else json.dumps(answer),
        )

    def _answer(self, over: str, method: str, target: str, body: bytes, query: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(target)
        seen = Seen(
            over, method, unquote(parts.path), {**dict(parse_qsl(parts.query)), **query}, json.loads(body or b"null")
        )
        self.seen.append(seen)
        answer = self.answers.get((method, seen.path), (204, None))
        found: tuple[int, Any] = answer(seen) if callable(answer) else answer
        return found

    def _flush(self) -> None:
        assert self._protocol is not None
        for data in self._protocol.data_to_send():
            if data and self.pieces:
                for start in range(0, len(data), self.pieces):
                    self._socket.sendall(data[start : start + self.pieces])
                    gevent.sleep(0)
            elif data:
                self._socket.sendall(data)


def _header(head: str, name: str) -> str:
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def _credentials() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()


def channel(
    channel_id: str = "c1", name: str = "PJSIP/lab-00000001", state: str = "Ring", **more: Any
) -> dict[str, Any]:
    """A channel as Asterisk 22 writes it."""
    return {
        "id": channel_id,
        "name": name,
        "state": state,
        "caller": {"name": "A caller", "number": "0140"},
        "connected": {"name": "", "number": ""},
        "dialplan": {
            "context": "in",
            "exten": "800",
            "priority": 1,
            "app_name": "Stasis",
            "app_data": "contactcentre,did,800",
        },
        "creationtime": AT,
        "language": "en",
        **more,
    }
