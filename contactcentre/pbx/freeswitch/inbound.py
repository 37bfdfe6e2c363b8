"""A connection to FreeSWITCH for scripts, with the names that users of greenswitch know.

    esl = InboundESL("127.0.0.1", 8021, "secret")
    esl.register_handle("CHANNEL_ANSWER", lambda event: print(event["Unique-ID"]))
    esl.connect()
    print(esl.send("api status").data)

Handlers run in a greenlet of their own, one after the other. What they leave lying waits in a queue of MAX_EVENTS; when
that overflows the connection is closed and everything raises Overflow: who missed events no longer knows what is so.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple, Self

import gevent
from gevent.queue import Full, Queue

from contactcentre.pbx.errors import Gone, LinkDown, Refused
from contactcentre.pbx.freeswitch import protocol
from contactcentre.pbx.freeswitch.link import Link, Pending, connect, log_in
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.protocol import REQUEST_DEADLINE

MAX_EVENTS = 10_000

log = logging.getLogger(__name__)
Handler = Callable[[Event], object]


class Overflow(LinkDown):
    """Events came faster than they were handled."""


class NotConnectedError(LinkDown):
    pass


class Reply(NamedTuple):
    headers: dict[str, str]
    data: str
    """The body of an api's answer, or Reply-Text."""


class InboundESL:
    """`timeout`: seconds that each wait takes at most."""

    def __init__(
        self, host: str, port: int, password: str, timeout: float = REQUEST_DEADLINE, max_events: int = MAX_EVENTS
    ) -> None:
        self.host, self.port, self.timeout = host, port, timeout
        self._password = password
        self._handlers: dict[str, list[Handler]] = {}
        self._queue: Queue[Event] = Queue(maxsize=max_events)
        self._link: Link | None = None
        self._dispatcher: gevent.Greenlet[..., None] | None = None
        self._overflowed = False

    @property
    def connected(self) -> bool:
        return self._link is not None and not self._link.reason

    def register_handle(self, name: str, handler: Handler) -> None:
        """Calls it for each event of this name; `*` is every event. CUSTOM events are named by their Event-Subclass."""
        self._handlers.setdefault(name, []).append(handler)

    def unregister_handle(self, name: str, handler: Handler) -> None:
        """Raises ValueError when it is not registered."""
        handlers = self._handlers.get(name, [])
        if handler not in handlers:
            raise ValueError(f"this is no handler of {name}")
        handlers.remove(handler)

    def connect(self) -> None:
        """Raises Refused (the password, or this address), LinkDown, Deadline."""
        self.stop()
        self._overflowed, self._queue = False, Queue(maxsize=self._queue.maxsize)
        link = connect(self.host, self.port, self._put, self.timeout)
        try:
            log_in(link, self._password, self.timeout)
        except BaseException as error:
            link.close(str(error))
            raise
        self._link = link
        self._dispatcher = gevent.spawn(self._dispatch, self._queue)

    def send(self, data: str) -> Reply:
        """One command. An error that FreeSWITCH answers is in the reply. Raises Refused (a line break in it), LinkDown,
        Overflow, Deadline."""
        if self._overflowed:
            raise Overflow(f"more than {self._queue.maxsize} events were waiting")
        if self._link is None:
            raise NotConnectedError("not connected")
        pending = _Any(data)
        try:
            text = self._link.send(protocol.command(data), pending).wait(self.timeout)
        except LinkDown as error:
            if self._overflowed:
                raise Overflow(str(error)) from None
            raise
        return Reply(pending.headers, text)

    def bgapi(self, line: str, timeout: float | None = None) -> str:
        """Something slow, and its result. Needs `event json BACKGROUND_JOB`. Raises as `send`, Gone and Refused."""
        if self._link is None:
            raise NotConnectedError("not connected")
        return self._link.bgapi(line).wait(timeout or self.timeout)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._link is not None:
            self._link.close("we closed it")
            self._link = None
        if self._dispatcher is not None and self._dispatcher is not gevent.getcurrent():
            self._dispatcher.kill()
        self._dispatcher = None

    def _put(self, event: Event) -> None:
        try:
            self._queue.put_nowait(event)
        except Full:
            self._overflowed = True
            if self._link is not None:
                self._link.close(f"events come faster than they are handled: {self._queue.maxsize} wait")

    def _dispatch(self, queue: "Queue[Event]") -> None:
        while True:
            event = queue.get()
            name = str(event.get("Event-Subclass") or event["Event-Name"])  # in JSON it might be a list
            for handler in [*self._handlers.get(name, ()), *self._handlers.get("*", ())]:
                try:
                    handler(event)
                except (Gone, Refused, LinkDown) as error:
                    log.info("a handler of %.40r: %s", name, error)
                except Exception:
                    log.exception("a handler of %.40r failed", name)


class _Any(Pending):
    """Whatever was answered, also an error."""

    __slots__ = ()

    def settle(self, text: str) -> None:
        self._result.set(text)
