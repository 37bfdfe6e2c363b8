"""Calls that FreeSWITCH brings to us: the dialplan's `socket HOST:PORT async full`, a connection for each call.

Names and verbs are those that users of greenswitch know. A call flow is a class whose `run` is given its call:

    class Flow:
        def __init__(self, session): self.session = session
        def run(self):
            self.session.connect()
            self.session.myevents()
            self.session.answer()
            self.session.playback("ivr/ivr-welcome.wav")
            self.session.hangup()

    OutboundESLServer("127.0.0.1", 8084, Flow).listen()

When `run` returns the connection is closed, and the dialplan goes on behind `socket`; so it does at once when nobody
listens there. A verb waits until FreeSWITCH has done it, by the key of the very application that was started, at most
so long as it says; a caller who hangs up raises OutboundSessionHasGoneAway in it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from gevent.server import StreamServer

from contactcentre.pbx.errors import Gone, LinkDown
from contactcentre.pbx.freeswitch import protocol
from contactcentre.pbx.freeswitch.link import Link, Pending
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.protocol import REQUEST_DEADLINE

LONGEST = 3600.0
"""Seconds that a verb waits for an application without an end of its own."""
MAX_CONNECTIONS = 1000

log = logging.getLogger(__name__)
Handler = Callable[[Event], object]


class OutboundSessionHasGoneAway(Gone):
    """The caller hung up, or FreeSWITCH closed the connection."""


class OutboundSession:
    """One call. Handlers of events run in the greenlet that reads and must not block."""

    def __init__(self, connection: Any) -> None:
        self._handlers: dict[str, list[Handler]] = {}
        self.link = Link(connection, self._on_event)
        self.session_data: dict[str, str] = {}
        """The channel as it was when it came; after `connect`."""

    @property
    def uuid(self) -> str:
        return self.session_data.get("Unique-ID", "")

    def register_handle(self, name: str, handler: Handler) -> None:
        """Calls it for each event of this name; `*` is every event."""
        self._handlers.setdefault(name, []).append(handler)

    @property
    def call_uuid(self) -> str:
        """Of the leg that this one belongs to; its own uuid when it came in by itself."""
        return self.session_data.get("variable_call_uuid", "")

    @property
    def caller_id_number(self) -> str:
        return self.session_data.get("Caller-Caller-ID-Number", "")

    @contextmanager
    def while_connected(self) -> Iterator[None]:
        """For `with`, or as a decorator: raises OutboundSessionHasGoneAway before and after it, when the caller is
        gone by then."""
        self.raise_if_disconnected()
        yield
        self.raise_if_disconnected()

    def raise_if_disconnected(self) -> None:
        if self.link.reason:
            raise OutboundSessionHasGoneAway(self.link.reason)

    # -- the connection ------------------------------------------------------------------------------------------------

    def connect(self) -> dict[str, str]:
        """To be called first. The channel's data."""
        answer = self.link.send(protocol.command("connect"))
        self._wait(answer)
        self.session_data = answer.headers
        return self.session_data

    def myevents(self) -> None:
        """Events of this call, without which verbs do not notice that they are done."""
        self._wait(self.link.send(protocol.command("myevents json")))

    def linger(self, timeout: int | None = None) -> None:
        """The last events come, too; for `timeout` seconds, or as long as FreeSWITCH likes."""
        self._wait(self.link.send(protocol.command("linger" if timeout is None else f"linger {int(timeout)}")))

    def api(self, line: str) -> str:
        """Something quick, with its answer. Needs `full`."""
        return self._wait(self.link.api(line))

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def answer(self) -> None:
        self.call_command("answer", timeout=REQUEST_DEADLINE)

    def park(self) -> None:
        """Returns at once: the call waits for what comes next."""
        self.call_command("park", block=False)

    def playback(self, path: str, block: bool = True, response_timeout: float = LONGEST) -> str:
        """Returns Application-Response: FILE PLAYED, FILE NOT FOUND or PLAYBACK ERROR."""
        return self.call_command("playback", path, block, response_timeout)

    def play_and_get_digits(
        self,
        min_digits: int,
        max_digits: int,
        max_attempts: int,
        timeout: int,
        terminators: str,
        prompt_file: str,
        error_file: str = "silence_stream://250",
        variable: str = "digits",
        digits_regex: str = r"\d+",
        digit_timeout: int | None = None,
    ) -> str:
        """`timeout` and `digit_timeout` in ms. Returns the digits, "" when nothing valid was entered."""
        if " " in f"{prompt_file}{error_file}{variable}{digits_regex}{terminators}":
            raise ValueError("a space would end the argument it is in")
        words = [min_digits, max_digits, max_attempts, timeout, terminators, prompt_file, error_file, variable]
        words += [digits_regex, digit_timeout or timeout]
        latest = max_attempts * (timeout + max_digits * (digit_timeout or timeout)) / 1000
        running = self._execute("play_and_get_digits", " ".join(map(str, words)))
        self._wait(running, latest + LONGEST)
        return running.headers.get(f"variable_{variable}", "")

    def say(self, text: str, module: str = "en", kind: str = "number", method: str = "pronounced") -> None:
        self.call_command("say", f"{module} {kind} {method} {text}")

    def bridge(self, destination: str, block: bool = True, response_timeout: float = LONGEST) -> str:
        """Calls somebody and connects the two, until one of them hangs up."""
        return self.call_command("bridge", destination, block, response_timeout)

    def hangup(self, cause: str = "NORMAL_CLEARING") -> None:
        """A call that is gone is no error."""
        with suppress(Gone):
            self.call_command("hangup", cause, block=False)

    def uuid_break(self) -> None:
        """Stops what plays."""
        self.api(f"uuid_break {protocol.identity(self.uuid)}")

    def call_command(self, application: str, argument: str = "", block: bool = True, timeout: float = LONGEST) -> str:
        """Runs an application after those that run; `argument` is made harmless, so that nothing in it is expanded.

        Without `block` it returns when FreeSWITCH took it. An application that it does not have ends the call.
        """
        running = self._execute(application, argument)
        if block or running.started is None:
            return self._wait(running, timeout)
        return self._wait(running.started)

    def _execute(self, application: str, argument: str) -> Pending:
        self.raise_if_disconnected()
        return self.link.execute(self.uuid, application, protocol.harmless(argument))

    def _wait(self, pending: Pending, timeout: float = REQUEST_DEADLINE) -> str:
        try:
            text = pending.wait(timeout)
        except LinkDown as error:
            raise OutboundSessionHasGoneAway(str(error)) from None
        except Gone as error:
            raise OutboundSessionHasGoneAway(str(error)) from None
        if "Hangup-Cause" in pending.headers and pending.headers.get("Event-Name") == "CHANNEL_EXECUTE_COMPLETE":
            raise OutboundSessionHasGoneAway(f"{pending.what}: {pending.headers['Hangup-Cause']}")
        return text

    def _on_event(self, event: Event) -> None:
        for name in (event["Event-Name"], "*"):
            for handler in self._handlers.get(name, ()):
                handler(event)


class Application(Protocol):
    def run(self) -> object: ...


class OutboundESLServer:
    """Above `max_connections` it closes at once, and the dialplan of that call goes on. Port 0 is any free one."""

    def __init__(
        self,
        bind_address: str,
        bind_port: int,
        application: Callable[[OutboundSession], Application],
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.application, self.max_connections = application, max_connections
        self.connections = 0
        self._server = StreamServer((bind_address, bind_port), self._serve)

    @property
    def port(self) -> int:
        return int(self._server.server_port or 0)

    def start(self) -> None:
        """Listens, and returns. Raises OSError."""
        self._server.start()

    def listen(self) -> None:
        """Listens until `stop`."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Ends also the calls' connections; the calls go on in the dialplan."""
        self._server.stop(timeout=1)

    def _serve(self, connection: Any, address: object) -> None:
        if self.connections >= self.max_connections:
            log.warning("more than %d calls at once: one was sent back to the dialplan", self.max_connections)
            connection.close()
            return
        self.connections += 1
        session = OutboundSession(connection)
        try:
            self.application(session).run()
        except (Gone, LinkDown):
            pass  # the caller hung up, or somebody only looked whether the port is open
        except Exception:
            log.exception("the flow of a call failed")
        finally:
            self.connections -= 1
            session.link.close("the flow is over")
