"""One connection to an event socket, whoever made it: commands and their answers, jobs, applications, events.

One greenlet reads and one writes. The reader hands events to `on_event` and does nothing else: whoever sends something
(also from `on_event`) only leaves it to the writer. Answers come strictly in the order of the commands.
"""

import logging
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

import gevent
from gevent import socket
from gevent.event import AsyncResult
from gevent.event import Event as Flag
from gevent.pool import Group

from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.freeswitch import protocol
from contactcentre.pbx.freeswitch.names import Names
from contactcentre.pbx.freeswitch.reader import BODY, Event, Frame, Malformed, Reader, decoded, event_of
from contactcentre.pbx.protocol import NOT_OURS, REQUEST_DEADLINE, MayAct, always

MAX_UNSENT = 4_194_304
"""Bytes that wait to be sent at most: above it the PBX has stopped reading, and the link is cut."""
CHUNK = 262_144

log = logging.getLogger(__name__)


class Pending:
    """An answer that was not yet given: to a command, of a job, of an application."""

    __slots__ = ("_forget", "_result", "headers", "started", "what")

    def __init__(self, what: str, forget: Callable[[], object] | None = None) -> None:
        self.what = what[:80]
        self.headers: dict[str, str] = {}
        """Of the answer, decoded; those of an application's end are its event."""
        self.started: Pending | None = None
        """The answer to the command that began a job or an application."""
        self._forget = forget
        self._result: AsyncResult[str] = AsyncResult()

    def wait(self, timeout: float = REQUEST_DEADLINE) -> str:
        """The text of the answer. Raises Gone, Refused, LinkDown, Deadline (`timeout` seconds)."""
        # wait() and not get(timeout): a gevent.Timeout that comes from outside is our caller's and passes through.
        self._result.wait(timeout)
        if not self._result.ready():
            if self._forget is not None:
                self._forget()
            raise Deadline(f"{self.what}: no answer within {timeout:g} s")
        text = self._result.get()
        assert text is not None
        return text

    def settles_within(self, seconds: float) -> bool:
        """Waits; raises nothing."""
        self._result.wait(seconds)
        return bool(self._result.ready())

    @property
    def settled(self) -> bool:
        return bool(self._result.ready())

    def settle(self, text: str) -> None:
        """It was answered."""
        if (error := protocol.error_of(text, self.what)) is not None:
            self._result.set_exception(error)
        else:
            self._result.set(text)

    def fail(self, error: PbxError) -> None:
        if not self._result.ready():
            self._result.set_exception(error)


class _Started(Pending):
    """The answer to the command that starts a job or an application: only its refusal matters."""

    __slots__ = ("_whole",)

    def __init__(self, whole: Pending) -> None:
        super().__init__(whole.what)
        self._whole = whole

    def settle(self, text: str) -> None:
        super().settle(text)
        if (error := protocol.error_of(text, self.what)) is not None:
            self._whole.fail(error)

    def fail(self, error: PbxError) -> None:
        super().fail(error)
        self._whole.fail(error)


class Link:
    """Lives until the peer or `close` ends it; `reason` says why."""

    _keys = count(1)

    def __init__(
        self,
        connection: Any,
        on_event: Callable[[Event], None],
        names: Names | None = None,
        may_act: MayAct = always,
    ) -> None:
        """Nothing is sent without `may_act`."""
        self._socket, self._on_event, self._may_act = connection, on_event, may_act
        self._names = names or Names()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(None)
        self._unsent: list[bytes] = []
        self._size = 0  # bytes in it
        self._to_send = Flag()
        self._waiting: deque[Pending] = deque()
        self._jobs: dict[str, Pending] = {}
        self._running: dict[str, tuple[str, Pending]] = {}  # an application's key -> its channel, who waits
        self._prefix = f"{id(self):x}"
        self.greeted: AsyncResult[None] = AsyncResult()
        """Set by auth/request."""
        self.reason = ""
        self.errors = 0
        """Frames that made no sense, and events whose handling raised; these are in the log."""
        self._greenlets = Group()
        self._greenlets.spawn(self._write)
        self.reader = self._greenlets.spawn(self._read)

    # -- commands ------------------------------------------------------------------------------------------------------

    def send(self, data: bytes, pending: Pending | None = None) -> Pending:
        """A command made by `protocol`. Does not wait. Raises LinkDown."""
        if not self.reason and not self._may_act():
            raise LinkDown(NOT_OURS)
        if self.reason:
            raise LinkDown(self.reason)
        pending = pending or Pending(data[:80].partition(b"\n")[0].decode("utf-8", "replace"))
        data = self._names.sent(data)
        self._waiting.append(pending)
        self._unsent.append(data)
        self._size += len(data)
        self._to_send.set()
        if self._size > MAX_UNSENT:
            self.close("the PBX does not read what is sent")
            raise LinkDown(self.reason)
        return pending

    def api(self, line: str) -> Pending:
        """For what is quick: nothing else is answered, and no event comes, until it is done."""
        return self.send(protocol.api(line))

    def bgapi(self, line: str) -> Pending:
        """For what is not. What is waited for is the job's result, not that it was begun."""
        key = self._key("job")
        job = Pending(line, lambda: self._jobs.pop(key, None))
        data = protocol.bgapi(key, line)
        self._jobs[key] = job  # before it is sent: the result may be faster than the answer
        job.started = self.send(data, _Started(job))
        return job

    def execute(self, channel_id: str, application: str, argument: str = "", *, queued: bool = True) -> Pending:
        """Runs an application; what is waited for is its end. Its answer is the Application-Response; Gone when the
        channel ends before."""
        key = self._key("app")
        running = Pending(f"{application} {argument}", lambda: self._running.pop(key, None))
        data = protocol.execute(channel_id, application, argument, key=key, queued=queued)
        self._running[key] = channel_id, running
        running.started = self.send(data, _Started(running))
        return running

    def _key(self, kind: str) -> str:
        return f"{kind}-{self._prefix}-{next(self._keys)}"

    # -- its life ------------------------------------------------------------------------------------------------------

    def close(self, reason: str) -> None:
        """Cuts it, and tells everyone who waits. Can be called by anybody, also twice."""
        if self.reason:
            return
        self.reason = reason or "closed"
        error = LinkDown(self.reason)
        waiting = [*self._waiting, *self._jobs.values(), *(pending for _, pending in self._running.values())]
        self._waiting.clear()
        self._jobs.clear()
        self._running.clear()
        for pending in waiting:
            pending.fail(error)
        if not self.greeted.ready():
            self.greeted.set_exception(error)
        self._to_send.set()
        self._socket.close()

    def join(self, timeout: float | None = None) -> bool:
        """Waits for its end. False when it lives on after `timeout` seconds."""
        self.reader.join(timeout)
        return bool(self.reader.dead)

    def _write(self) -> None:
        while True:
            self._to_send.wait()
            self._to_send.clear()
            if not self.reason and not self._may_act():  # we were frozen, or stopped, with something to send
                self._take_back()
            if self.reason:
                return
            data, self._unsent, self._size = b"".join(self._unsent), [], 0
            try:
                with gevent.Timeout(REQUEST_DEADLINE):
                    self._socket.sendall(data)
            except (OSError, gevent.Timeout) as error:
                self.close(f"cannot send: {error}")
                return

    def _take_back(self) -> None:
        """What was to be sent never is. The link stays: a controller that stops hears through it who calls until its
        heir has come."""
        for _ in self._unsent:
            self._waiting.pop().fail(LinkDown(NOT_OURS))
        self._unsent, self._size = [], 0

    def _read(self) -> None:
        reader, notice = Reader(), ""
        while not self.reason:
            try:
                data = self._socket.recv(CHUNK)
            except OSError as error:
                return self.close(str(error))
            if not data:
                return self.close(notice or "the PBX closed the connection")
            try:
                for frame in reader.feed(data):
                    said = self._take(frame)
                    notice = notice or said
            except Malformed as error:
                return self.close(f"what came is no ESL: {error}")
        return None

    def _take(self, frame: Frame) -> str:
        """Returns why the PBX is about to close the connection, if it said so."""
        match frame.kind:
            case "text/event-json" | "text/event-plain":
                self._take_event(event_of(frame))
            case "command/reply":
                # only the answer to `connect`, which has a channel's headers, is URL-encoded
                headers = decoded(frame.headers) if "Event-Name" in frame.headers else frame.headers
                self._answer(headers.get("Reply-Text", ""), headers)
            case "api/response":
                self._answer(frame.text, frame.headers)
            case "auth/request":
                self.greeted.set(None)
            case "text/rude-rejection":
                return "the PBX refuses this address (apply-inbound-acl)"
            case "text/disconnect-notice":
                lines = frame.text.strip().partition("\n")
                return f"the PBX said: {lines[0][:100]}"
            case "log/data":
                pass
            case _:
                self.errors += 1
        return ""

    def _answer(self, text: str, headers: dict[str, str]) -> None:
        if not self._waiting:
            raise Malformed("an answer to nothing")
        pending = self._waiting.popleft()
        pending.headers = headers
        pending.settle(text)

    def _take_event(self, event: Event | None) -> None:
        if event is None:
            self.errors += 1
            return
        try:
            event = self._names.come(event)
            if not self._settles(event):
                self._on_event(event)
        except Exception:
            self.errors += 1
            log.exception("handling of a %.40r event failed", event["Event-Name"])

    def _settles(self, event: Event) -> bool:
        """Whether it is a job's result, and nothing else. Raises TypeError for a list where a key belongs."""
        name = event["Event-Name"]
        if name == "BACKGROUND_JOB":
            job = self._jobs.pop(event.get("Job-UUID", ""), None)
            if job is not None:
                job.settle(str(event.get(BODY, "")))
            return job is not None
        if self._running:
            self._finish(name, event)
        return False

    def _finish(self, name: str, event: Event) -> None:
        if name == "CHANNEL_EXECUTE_COMPLETE":
            _, running = self._running.pop(event.get("Application-UUID", ""), ("", None))
            if running is not None:
                running.headers = event
                running.settle(str(event.get("Application-Response", "")))
        elif name == "CHANNEL_HANGUP_COMPLETE":
            channel_id = event.get("Unique-ID", "")
            for key in [key for key, (channel, _) in self._running.items() if channel == channel_id]:
                _, running = self._running.pop(key)
                running.fail(Gone(f"{running.what}: the channel ended before"))


def connect(
    host: str,
    port: int,
    on_event: Callable[[Event], None],
    timeout: float = REQUEST_DEADLINE,
    names: Names | None = None,
    may_act: MayAct = always,
) -> Link:
    """A link to a FreeSWITCH that listens, not yet authenticated. Raises LinkDown."""
    try:
        connection = socket.create_connection((host, port), timeout)
    except OSError as error:
        raise LinkDown(f"{host}:{port}: {error}") from None
    return Link(connection, on_event, names, may_act)


def log_in(link: Link, secret: str, timeout: float = REQUEST_DEADLINE) -> None:
    """Raises Refused (the secret, or this address), LinkDown, Deadline. There is one attempt for each connection."""
    link.greeted.wait(timeout)
    if not link.greeted.ready():
        raise Deadline(f"the PBX did not greet within {timeout:g} s")
    try:
        link.greeted.get()
        link.send(protocol.command(f"auth {secret}"), Pending("auth")).wait(timeout)
    except Refused:
        raise Refused("the PBX does not take this secret", 401) from None
    except LinkDown as error:
        if "refuses this address" in str(error):
            raise Refused(str(error), 403) from None
        raise
