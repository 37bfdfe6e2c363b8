"""The link to one Asterisk: keeps a websocket, sends requests with a deadline, hands on events, reconnects; or, where
the PBX connects to us, waits for that.

Events are handed to `on_event` by the one greenlet that reads; it must not block. Requests go over the websocket, or
over HTTP where the server is too old for that; callers see no difference.
"""

import logging
from collections.abc import Callable, Iterator
from random import SystemRandom
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import gevent
import urllib3
from gevent.event import AsyncResult
from gevent.event import Event as Flag
from gevent.pool import Group
from websockets.uri import parse_uri

from contactcentre.pbx.asterisk.http import Http
from contactcentre.pbx.asterisk.listener import Listener
from contactcentre.pbx.asterisk.protocol import (
    Answer,
    Event,
    Exchange,
    Query,
    Response,
    error_of,
    speaks_rest,
)
from contactcentre.pbx.asterisk.websocket import WebSocket, dialled
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError
from contactcentre.pbx.protocol import NOT_OURS, REQUEST_DEADLINE, MayAct, always

PING_EVERY = 1.0
"""Seconds between two signs of life that we ask for."""
PING_DEADLINE = 2.0
"""Seconds without a word after which a link is cut that owes us a sign for as long, and made anew. Until then nobody is
served when it is dead, and whom an agent hangs up on hears nothing."""
PING_LATE = 15.0
"""Seconds that a sign may take while other words come. A PBX that has too much to do is slow, and to take up all its
calls anew is the last that it needs."""
LOOK = 0.25
"""Seconds between two looks whether the link still lives."""
LINE = 10
"""Requests that wait for their answers from which on the websocket is behind: the PBX does one after the other there,
and has too much to do."""
LATE_BY = 0.25
"""Seconds by which a deadline may be told late."""
PROBE = 2.0
"""Seconds that a server whose version tells nothing gets to answer its first request over the websocket."""
FIRST_DELAY, LAST_DELAY = 0.2, 10.0
"""Seconds before the first and (doubling) the later attempts to reconnect; each is shortened at random, to a half at
most."""

_jitter = SystemRandom()
log = logging.getLogger(__name__)


class Pending:
    """A request under way."""

    __slots__ = ("_link", "_request_id", "_result", "_until", "_what")

    def __init__(self, link: "Connection", what: str) -> None:
        self._link, self._what, self._request_id = link, what, ""
        self._until = monotonic() + REQUEST_DEADLINE
        self._result: AsyncResult[Response] = AsyncResult()

    def is_late(self) -> bool:
        return self._until < monotonic()

    @property
    def done(self) -> bool:
        """There is an answer, or there will be none."""
        return bool(self._result.ready())

    @property
    def answered(self) -> bool:
        return bool(self._result.successful())

    def wait(self, timeout: float | None = None) -> Any:
        """The decoded body of the answer. Raises Gone, Refused, TooLarge, LinkDown, Deadline (after `timeout` seconds,
        or REQUEST_DEADLINE since it was sent)."""
        if timeout is not None:
            # wait() and not get(timeout): a gevent.Timeout that comes from outside is our caller's and passes through.
            self._result.wait(timeout)
            if not self._result.ready():
                self._link.exchange.forget(self._request_id)
                raise Deadline(f"{self._what}: no answer within {timeout} s")
        response = self._result.get()
        assert response is not None
        if response.status >= 400:
            error = error_of(response, self._what)
            assert error is not None
            raise error
        return response.body


class Connection:
    """A link that is kept until `close`. Raises ValueError for a URL that is none."""

    def __init__(
        self,
        url: str,
        user: str,
        secret: str,
        app: str,
        *,
        on_event: Callable[[Event], None],
        on_up: Callable[[], None],
        on_lost: Callable[[str, bool], None],
        may_act: MayAct = always,
        listener: Listener | None = None,
    ) -> None:
        """`url` is `http://host:port` (or https), with the prefix of http.conf if there is one; `/ari` may be left out.

        `on_up()` runs when a link is there and may make requests; `on_lost(reason, replaced)` when one that was up is
        lost. After a loss with `replaced` (another controller took over) there is no reconnecting. No request is sent
        without `may_act`. With a `listener` the websocket is the one that the PBX opens; `url` is then for what goes
        over HTTP in any case.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError(f"ARI URL {url!r}: must be http(s)://host:port without user, password and query")
        base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/ari')}/ari"
        # subscribeAll=false: events of our own channels only, which is what makes a controller cheap.
        self._uri = parse_uri(f"ws{base.removeprefix('http')}/events?app={app}&subscribeAll=false")
        self._authorization = urllib3.make_headers(basic_auth=f"{user}:{secret}")["authorization"]
        self._http = Http(base, user, secret)
        self._on_event, self._on_up, self._on_lost, self._may_act = on_event, on_up, on_lost, may_act
        self._listener = listener
        self._greenlets = Group()
        self._closed = Flag()
        self._socket: WebSocket | None = None
        self._over_http = False
        self._replaced = False
        self._ping: Pending | None = None  # under way
        self._pinged = self._owed = 0.0  # when the last one was sent, and the first that is owed (monotonic; 0 = none)
        self.exchange: Exchange[Pending] = Exchange()
        self.version = ""
        """Of the server, e.g. `22.10.1`; known after the first link."""
        self.failures = 0
        """Events whose handling raised; each is in the log."""

    # -- requests ------------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Any:
        """Sends and waits; returns the decoded body. Raises Gone, Refused, TooLarge, LinkDown, Deadline."""
        return self.send(method, path, query, body).wait()

    def has(self, path: str) -> bool:
        """Is it there? Raises Refused, LinkDown, Deadline."""
        try:
            self.request("GET", path)
        except Gone:
            return False
        return True

    def send(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Pending:
        """Sends and does not wait, so that several requests go out together. Raises TooLarge, LinkDown."""
        pending = Pending(self, f"{method} {path}")
        self._must_be_allowed()
        socket = self._socket
        if socket is None:
            raise LinkDown("no link to the PBX")
        if self._over_http:
            # Not ended by close: killed while it connects it would leave its socket open. It has its own deadline.
            gevent.spawn(self._send_http, pending, method, path, query, body)
            return pending
        pending._request_id, frame = self.exchange.begin(pending, method, path, query, body)
        try:
            socket.send(frame)
        except LinkDown:
            self.exchange.forget(pending._request_id)
            raise
        return pending

    def _send_http(self, pending: Pending, method: str, path: str, query: Query | None, body: Any) -> None:
        try:
            pending._result.set(self._http.request(method, path, query, body))
        except PbxError as error:
            pending._result.set_exception(error)

    def over_http(self, method: str, path: str, query: Query | None = None) -> Any:
        """A request that goes over HTTP whatever the server can (its answer may be too large for a websocket)."""
        self._must_be_allowed()
        response = self._http.request(method, path, query)
        if (error := error_of(response, f"{method} {path}")) is not None:
            raise error
        return response.body

    def _must_be_allowed(self) -> None:
        if not self._may_act():
            raise LinkDown(NOT_OURS)

    def stream(self, path: str) -> Iterator[bytes]:
        """A binary resource in chunks. Raises Gone, Refused, LinkDown, Deadline."""
        return self._http.stream(path)

    # -- the link ------------------------------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        return self._socket is not None

    @property
    def behind(self) -> bool:
        """Has the websocket a line of requests before it?"""
        return len(self.exchange) >= LINE

    @property
    def speaks_rest(self) -> bool:
        """Does the server take requests over the websocket?"""
        return not self._over_http

    def open(self) -> None:
        """Starts to connect, and returns at once."""
        self._closed.clear()
        self._replaced = False
        self._greenlets.spawn(self._keep)
        self._greenlets.spawn(self._watch_deadlines)

    def close(self) -> None:
        """Cuts the link for good. `on_lost` is not called."""
        self._closed.set()
        if self._listener is not None:
            self._listener.close()
        if self._socket is not None:
            self._drop(self._socket, "we closed it")
        self._greenlets.kill(timeout=REQUEST_DEADLINE)
        self._http.close()

    def spawn(self, function: Callable[..., None], *args: Any) -> None:
        """Runs something in a greenlet that ends with the connection."""
        self._greenlets.spawn(function, *args)

    def _keep(self) -> None:
        delay, complained = FIRST_DELAY, ""
        while not self._closed.is_set() and not self._replaced:
            try:
                socket = self._connect()
            except PbxError as error:
                if str(error) != complained:
                    log.warning("no link to the PBX, trying again: %s", error)
                    complained = str(error)
            else:
                complained = ""
                if self._live(socket):
                    delay = FIRST_DELAY
            if self._listener is not None:
                delay = 0.0 if not complained else FIRST_DELAY  # it is the PBX that waits between two attempts
            if not self._replaced:
                self._closed.wait(delay * _jitter.uniform(0.5, 1.0))
                delay = min(delay * 2, LAST_DELAY)
        if self._listener is not None:
            self._listener.close()

    def _connect(self) -> WebSocket:
        if self._listener is None:
            self._ask_version()
            return dialled(self._uri, self._authorization)
        socket = self._listener.next()
        try:
            self._ask_version()
        except BaseException as error:
            socket.close(f"nothing goes over HTTP: {error}")
            raise
        return socket

    def _ask_version(self) -> None:
        info = self.over_http("GET", "asterisk/info", {"only": "system"})
        system = info.get("system") if isinstance(info, dict) else None
        self.version = str(system.get("version", "")) if isinstance(system, dict) else ""

    def _live(self, socket: WebSocket) -> bool:
        """One link's life. True if it came up."""
        self._socket, was_up = socket, False
        self._ping, self._owed = None, 0.0
        self._pinged = monotonic()
        reader = self._greenlets.spawn(self._read, socket)
        try:
            self._over_http = not self._takes_requests()
            self._on_up()
            was_up = True
            while not reader.dead:
                reader.join(LOOK)
                if not reader.dead:
                    self._look(socket)
        except PbxError as error:
            self._drop(socket, str(error))
        reader.join()
        self._http.close()  # what was kept open may be just as dead
        reason = socket.reason
        if not self._closed.is_set():
            if was_up:
                self._on_lost(reason, self._replaced)
            log.warning("the link to the PBX is lost: %s", reason)
        return was_up

    def _takes_requests(self) -> bool:
        self._over_http = False
        if (known := speaks_rest(self.version)) is not None:
            return known
        try:
            self.send("GET", "asterisk/ping").wait(PROBE)
        except Deadline:
            return False
        return True

    def _look(self, socket: WebSocket) -> None:
        """Asks for a sign of life when it is time to. Raises Deadline when one is owed for too long, LinkDown."""
        now = monotonic()
        if self._ping is not None and self._ping.done:
            if self._ping.answered:
                self._owed = 0.0
            self._ping = None
        if not self._may_act():  # who stops, and may send nothing any more, keeps the link for its heir
            self._owed = 0.0
            return
        if self._ping is None and now >= self._pinged + PING_EVERY:
            self._pinged = now
            if self._over_http:
                socket.ping()
            else:
                self._owed, self._ping = self._owed or now, self.send("GET", "asterisk/ping")
        waited = now - self._owed if self._owed else 0.0
        if min(waited, socket.silent_for) > PING_DEADLINE or waited > PING_LATE:
            raise Deadline(f"GET asterisk/ping: no answer within {waited:.1f} s")

    def _watch_deadlines(self) -> None:
        """One look at all that wait costs less than a timer for each of them."""
        while not self._closed.wait(LATE_BY):
            for pending in self.exchange.overdue(Pending.is_late):
                text = f"{pending._what}: no answer within {REQUEST_DEADLINE} s"
                pending._result.set_exception(Deadline(text))

    def _read(self, socket: WebSocket) -> None:
        try:
            for message in socket.messages():
                received = self.exchange.receive(message)
                if isinstance(received, Answer):
                    received.waiter._result.set(received.response)
                elif received is not None:
                    self._hand_on(received, socket)
        except LinkDown as error:
            self._drop(socket, str(error))

    def _hand_on(self, event: Event, socket: WebSocket) -> None:
        if event["type"] == "ApplicationReplaced":
            self._replaced = True
            socket.close("another controller took our place")
            return
        try:
            self._on_event(event)
        except Exception:
            self.failures += 1
            log.exception("handling of a %.40r event failed", event["type"])

    def _drop(self, socket: WebSocket, reason: str) -> None:
        """Cuts the websocket, if it is still the one in use, and tells everyone who waits for an answer."""
        socket.close(reason)
        if self._socket is socket:
            self._socket = None
            for pending in self.exchange.abandon():
                pending._result.set_exception(LinkDown(socket.reason))
