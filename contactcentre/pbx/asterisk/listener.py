"""Where the PBX connects to us (`outbound_websocket` in ari.conf; Asterisk 20.15, 21.10, 22.5 and later): one port, and
one link at a time.

While nobody listens Asterisk keeps what it is to tell of new calls, and tells it when it has reached us again.
"""

import hmac
import logging
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

import gevent
import urllib3
from gevent import socket
from gevent.pool import Pool
from gevent.queue import Queue
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from contactcentre.pbx.asterisk.websocket import MAX_MESSAGE, WebSocket, silent_logger
from contactcentre.pbx.errors import LinkDown
from contactcentre.pbx.protocol import REQUEST_DEADLINE

GUESTS = 8
"""Connections at most that have not said yet who they are."""
PROTOCOL = Subprotocol("ari")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """What we listen on. With `tls` (certificate and key) by wss, else by ws."""

    host: str
    port: int
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Listener:
    """Opens its port with the first `next`, until `close`. Who connects must know the user and the secret of ARI."""

    def __init__(self, address: Address, user: str, secret: str) -> None:
        self._address = address
        self._expected = urllib3.make_headers(basic_auth=f"{user}:{secret}")["authorization"].encode()
        self._socket: socket.socket | None = None
        self._guests = Pool(GUESTS + 1)
        self._came: Queue[WebSocket] = Queue()
        self._current: WebSocket | None = None
        self._complained = ""

    def next(self) -> WebSocket:
        """The PBX's next websocket, however long it takes. Raises LinkDown when the port cannot be opened."""
        if self._socket is None:
            self._open()
            log.info("waiting for the PBX to connect to %s", self._address)
        return self._came.get()

    def close(self) -> None:
        """Nobody gets in any more; who is in stays, but for one that nobody took."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._guests.kill()
        while not self._came.empty():
            self._came.get().close("nobody listens any more")

    def _open(self) -> None:
        family = socket.AF_INET6 if ":" in self._address.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((self._address.host, self._address.port))
            opened.listen(GUESTS)
        except OSError as error:
            opened.close()
            raise LinkDown(f"cannot listen on {self._address}: {error.strerror or error}") from None
        except BaseException:
            opened.close()
            raise
        self._socket = opened
        self._guests.spawn(self._let_in, opened)

    def _let_in(self, opened: socket.socket) -> None:
        while True:
            try:
                guest, (host, *_) = opened.accept()
            except OSError as error:  # too many open files, say: others are let in later
                if opened is not self._socket:
                    return
                log.warning("nobody can connect: %s", error)
                gevent.sleep(1.0)
                continue
            self._guests.spawn(self._welcome, guest, host)

    def _welcome(self, guest: socket.socket, host: str) -> None:
        link: WebSocket | None = None
        try:
            with gevent.Timeout(REQUEST_DEADLINE, TimeoutError("no handshake in time")):
                guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._address.tls is not None:
                    guest = self._address.tls.wrap_socket(guest, server_side=True)
                protocol = ServerProtocol(subprotocols=[PROTOCOL], max_size=MAX_MESSAGE, logger=silent_logger())
                early: list[Frame] = []
                link = WebSocket(guest, protocol, early)
                self._shake_hands(guest, protocol, early, link)
        except (OSError, LinkDown) as error:
            self._complain(f"{host} connected, but not as the PBX does: {error}")
            _close(guest, link)
        except BaseException:
            _close(guest, link)
            raise
        else:
            self._complained = ""
            self._came.put(link)

    def _shake_hands(self, guest: socket.socket, protocol: ServerProtocol, early: list[Frame], link: WebSocket) -> None:
        """`early` gets what follows the handshake at once. Raises LinkDown for one that is refused, OSError."""
        while protocol.state is State.CONNECTING:
            if protocol.handshake_exc is not None:
                raise LinkDown(str(protocol.handshake_exc))
            if not (data := guest.recv(65_536)):
                raise LinkDown("closed during the handshake")
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Request):
                    answer = self._judged(protocol, event, link)
                    protocol.send_response(answer)
                    guest.sendall(b"".join(protocol.data_to_send()))
                    if answer.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
                        raise LinkDown(f"{answer.status_code} {answer.body.decode().strip()}")
                elif isinstance(event, Frame):
                    early.append(event)

    def _judged(self, protocol: ServerProtocol, request: Request, link: WebSocket) -> Response:
        said = request.headers.get_all("Authorization")
        if len(said) != 1 or not hmac.compare_digest(said[0].encode(errors="surrogateescape"), self._expected):
            return protocol.reject(HTTPStatus.UNAUTHORIZED, "wrong user or password\n")
        if self._current is not None and self._current.open:
            return protocol.reject(HTTPStatus.SERVICE_UNAVAILABLE, "a PBX is linked already\n")
        answer = protocol.accept(request)
        if answer.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._current = link
        return answer

    def _complain(self, text: str) -> None:
        if text != self._complained:
            log.warning("%s", text)
            self._complained = text


def _close(guest: socket.socket, link: WebSocket | None) -> None:
    if link is not None:
        link.close("not the PBX")
    with suppress(OSError):
        guest.close()
