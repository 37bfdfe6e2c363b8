"""The live stream: server-sent events `snapshot`, `change`, `pulse` and `bye`."""

import socket
import time
from collections.abc import Callable, Iterator

from apiflask import APIBlueprint
from flask import Response, request

from contactcentre.live.errors import LiveError
from contactcentre.store import StoreUnavailable
from contactcentre.web.errors import SignInNeeded, Unavailable
from contactcentre.web.fanout import TooMany
from contactcentre.web.openapi import answers
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.session import current_account, lasting, own_agent
from contactcentre.web.wiring import services

PULSE_SECONDS = 15.0
"""A client that hears nothing for longer than this and some seconds knows that the connection is dead."""

SEND_SECONDS = 10.0
"""A client that takes nothing from its socket for so long is cut."""

SEND_BUFFER = 128 * 1024
"""Bytes that may lie in the kernel for a client; without a limit it is megabytes, and slowness shows late."""

blueprint = APIBlueprint("stream", __name__, url_prefix="/api/v1", tag="Live")


@blueprint.get("/live")
@answers("text/event-stream")
@blueprint.doc(
    summary="Everything live, as it happens",
    description="Server-sent events. `snapshot` holds everything (as `/snapshot`); `change` what differs, null for "
    "what is gone; `notice` says that `/notices` has news; `pulse` comes every 15 seconds; `bye` says that the session "
    "ended. Send the last event's id as `Last-Event-ID` to get what you missed; too long ago: a `snapshot`.",
    responses={200: "A stream of events (text/event-stream)"},
)
@requires(Permission.LIVE, by_queue=True)
def live() -> Response:
    return _stream(request.headers.get("Last-Event-ID") or request.args.get("last_event_id", ""))


@blueprint.get("/wallboard/live")
@answers("text/event-stream")
@blueprint.doc(
    summary="Numbers of queues, as they change",
    description="As `/live`, with nobody's name or number: `agents` and `contacts` are empty.",
    responses={200: "A stream of events (text/event-stream)"},
)
@requires(Permission.NUMBERS, by_queue=True)
def wallboard() -> Response:
    return _stream(request.headers.get("Last-Event-ID") or request.args.get("last_event_id", ""), numbers_only=True)


@blueprint.get("/me/live")
@answers("text/event-stream")
@blueprint.doc(
    summary="One's own work at the phone, as it happens",
    description="Server-sent events. `desk` holds everything (as `/me`) and comes whenever something of it changes; "
    "`notice` what somebody tells the agent (read `/me/notices` after connecting: what came before is not repeated); "
    "`pulse` and `bye` as in `/live`.",
    responses={200: "A stream of events (text/event-stream)", 404: "The account is no agent's"},
)
@requires(Permission.PHONE)
def desk() -> Response:
    return _stream(agent=own_agent())


def _stream(last_id: str = "", agent: str = "", numbers_only: bool = False) -> Response:
    web, account = services(), current_account()
    if account is None:
        raise SignInNeeded
    try:
        if agent:
            client = web.fanout.join_desk(agent)
        else:
            client = web.fanout.join(last_id, current_scope().queues, numbers_only)
    except TooMany as error:
        raise Unavailable(str(error)) from None
    fanout, lasts = web.fanout, lasting(account)

    def events() -> Iterator[bytes]:
        yield b"retry: 2000\n\n"
        due = time.monotonic() + PULSE_SECONDS
        while True:
            text = client.next(max(0.0, due - time.monotonic()))
            if text is None:
                return
            if time.monotonic() >= due:
                due = time.monotonic() + PULSE_SECONDS
                try:
                    if not lasts():
                        yield b"event: bye\ndata: {}\n\n"
                        return
                except (LiveError, StoreUnavailable):
                    pass  # what is away comes back, and it is looked at next time
                text += fanout.pulse()
            if text:
                yield text

    return streamed(events(), lambda: fanout.leave(client))


def streamed(events: Iterator[bytes], close: Callable[[], None]) -> Response:
    """The answer that sends these. `close` is called when it has ended, however."""
    if (connection := request.environ.get("gunicorn.socket")) is not None:
        connection.settimeout(SEND_SECONDS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    response = Response(events, content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    response.call_on_close(close)
    return response
