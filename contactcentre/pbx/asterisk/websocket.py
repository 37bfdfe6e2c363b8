"""One websocket to the PBX on gevent sockets: one greenlet reads, any may send. The protocol is the library's."""

import logging
from collections.abc import Iterator
from time import monotonic

import gevent
from gevent import socket, ssl
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response as Handshake
from websockets.protocol import Protocol, State
from websockets.uri import WebSocketURI

from contactcentre.pbx.errors import LinkDown, Refused
from contactcentre.pbx.protocol import REQUEST_DEADLINE

MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of the largest message we take: a list of some ten thousand channels is one message."""
SILENCE = 3.0
"""Seconds without a byte from the PBX after which it counts as dead (we ping it more often than that)."""
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


def silent_logger() -> logging.Logger:
    # The library logs handshakes at debug level, with the Authorization header: it gets a logger that stays off.
    logger = logging.Logger("contactcentre.pbx.asterisk.websocket", logging.CRITICAL)
    logger.addHandler(logging.NullHandler())
    return logger


class WebSocket:
    """An open websocket. Raises LinkDown from everything once it is cut; the reason stays in `reason`."""

    def __init__(self, sock: socket.socket, protocol: Protocol, early: list[Frame]) -> None:
        """`sock` and `protocol` after the handshake, `early` the frames that came with it."""
        self.reason = ""
        self._writing = False
        self._socket, self._protocol, self._early = sock, protocol, early
        self._socket.settimeout(None)  # a timer for each message would cost more than reading it
        self._heard = monotonic()

    @property
    def open(self) -> bool:
        return not self.reason

    @property
    def silent_for(self) -> float:
        """Seconds since the last byte from the PBX."""
        return monotonic() - self._heard

    def send(self, data: bytes) -> None:
        """Sends one text frame. Frames never interleave: whoever is writing already takes the others' along."""
        if self.reason:
            raise LinkDown(self.reason)
        self._protocol.send_text(data)
        self._flush()

    def ping(self) -> None:
        """Asks for a sign of life. Raises LinkDown when there has been none for too long (SILENCE)."""
        if self.reason:
            raise LinkDown(self.reason)
        if self.silent_for > SILENCE:
            self._fail(f"the PBX is silent for {SILENCE:.0f} s")
        self._protocol.send_ping(b"")
        self._flush()

    def close(self, reason: str) -> None:
        """Cuts the link; the reader ends with this reason. Tells the server goodbye if that does not need waiting."""
        if self.reason:
            return
        self.reason = reason
        if self._protocol.state is State.OPEN and not self._writing:
            self._protocol.send_close(1000)
            try:
                self._socket.settimeout(0.0)
                self._socket.send(b"".join(self._protocol.data_to_send()))
            except OSError:
                pass
        self._socket.close()

    def messages(self) -> Iterator[bytes]:
        """Text messages as they come, for one reader. Never ends but by raising LinkDown."""
        parts: list[bytes] = []
        frames = self._early
        while True:
            for frame in frames:
                if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
                    if frame.fin and not parts:
                        yield bytes(frame.data)
                    else:
                        parts.append(bytes(frame.data))
                        if frame.fin:
                            whole, parts = b"".join(parts), []
                            yield whole
                elif frame.opcode is Opcode.BINARY:
                    yield bytes(frame.data)  # no ARI: whoever parses it counts it
            if self.reason:
                raise LinkDown(self.reason)
            if self._protocol.state is not State.OPEN:
                self._fail(self._closing_reason())
            try:
                data = self._socket.recv(65_536)
            except OSError as error:
                self._fail(str(error))
            if not data:
                self._fail("the PBX closed the connection")
            self._heard = monotonic()
            if _QUICKACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            self._protocol.receive_data(data)
            frames = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            if self._protocol.writes:
                self._answer()

    def _answer(self) -> None:
        """Sends the pong or close that the library prepared, without making the reader wait for the PBX to read."""
        if self._writing:
            return
        data = b"".join(self._protocol.data_to_send())
        if not data:
            return
        try:
            if self._send_now(data) != len(data):
                self._fail("the PBX does not read")
        except OSError:
            self._fail("the PBX does not read")

    def _closing_reason(self) -> str:
        if (close := self._protocol.close_rcvd) is not None:
            return f"the PBX closed the websocket ({close.code} {close.reason})".replace(" )", ")")
        return f"websocket: {self._protocol.parser_exc}"

    def _fail(self, reason: str) -> None:
        self.close(reason)
        raise LinkDown(self.reason)

    def _flush(self) -> None:
        if self._writing:
            return
        self._writing = True
        try:
            while writes := self._protocol.data_to_send():
                self._send(writes[0] if len(writes) == 1 else b"".join(writes))
        except OSError as error:
            self._writing = False
            self.close(f"cannot send: {error}")
            raise LinkDown(self.reason) from None
        finally:
            self._writing = False

    def _send_now(self, data: bytes) -> int:
        """Sends what the kernel takes at once, and tells how much. Raises OSError, also where it takes nothing."""
        return self._socket.send(data, 0, 0.0)  # type: ignore[call-arg]  # gevent's own: 0.0 = do not wait

    def _send(self, data: bytes) -> None:
        """All of it. Raises OSError, also when the PBX does not read. Mostly the kernel takes it at once; then there is
        no timer, and no question how large its buffer is."""
        try:
            sent = self._send_now(data)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            sent = 0
        if sent < len(data):
            with gevent.Timeout(REQUEST_DEADLINE, TimeoutError("the PBX does not read")):
                self._socket.sendall(data[sent:])


def dialled(uri: WebSocketURI, authorization: str) -> WebSocket:
    """Connects. Raises LinkDown (network), Refused (the server answered no, e.g. 401)."""
    protocol = ClientProtocol(uri, max_size=MAX_MESSAGE, logger=silent_logger())
    try:
        sock = _connected(uri.host, uri.port)
    except OSError as error:
        raise LinkDown(f"{uri.host}:{uri.port}: {error.strerror or error}") from None
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if uri.secure:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=uri.host)
        request = protocol.connect()
        request.headers["Authorization"] = authorization
        protocol.send_request(request)
        sock.sendall(b"".join(protocol.data_to_send()))
        return WebSocket(sock, protocol, _shake_hands(sock, protocol))
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise LinkDown(f"{uri.host}:{uri.port}: {error}") from None
        raise


def _shake_hands(sock: socket.socket, protocol: ClientProtocol) -> list[Frame]:
    """Returns what the server sent with its answer. Raises LinkDown, Refused, OSError."""
    until = monotonic() + REQUEST_DEADLINE
    frames: list[Frame] = []
    while protocol.state is State.CONNECTING:
        if protocol.handshake_exc is not None:
            break
        if not (data := sock.recv(65_536)):
            raise LinkDown("closed during the handshake")
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                frames.append(event)
            elif isinstance(event, Handshake) and event.status_code != 101:
                raise Refused(f"websocket: {event.status_code} {event.reason_phrase}", event.status_code)
        if monotonic() > until:
            raise LinkDown("no handshake in time")
    if (error := protocol.handshake_exc) is not None:
        status = error.response.status_code if isinstance(error, InvalidStatus) else 0
        raise (Refused(f"websocket: {error}", status) if status else LinkDown(f"websocket: {error}"))
    return frames


def _connected(host: str, port: int) -> socket.socket:
    """Like `create_connection`, but a greenlet killed while it connects leaves no socket open. Raises OSError."""
    refused: OSError = OSError(f"{host} has no address")
    for family, kind, proto, _, address in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        made = socket.socket(family, kind, proto)
        try:
            made.settimeout(REQUEST_DEADLINE)
            made.connect(address)
        except OSError as error:
            made.close()
            refused = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise refused
