"""ARI without sockets and without a clock: frames out, frames in, errors by status.

REST over the websocket (Asterisk 20.14, 21.9, 22.4 and later): a request is one text frame `RESTRequest`, its answer
an event `RESTResponse` with the same `request_id`. Whatever arrives that is neither an answer nor an event is counted,
never raised: a broken peer must not end the reader.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from contactcentre.domain.notation import decode, encode
from contactcentre.pbx.errors import Gone, PbxError, Refused, TooLarge

MAX_FRAME = 60_000
"""Bytes of the largest request we send: a frame above 65 535 makes Asterisk cut the whole websocket."""

Query = Mapping[str, str | int | float | bool | None]
Event = dict[str, Any]
W = TypeVar("W")

_plain = re.compile(r"[A-Za-z0-9_.:@*+-]+").fullmatch
_version = re.compile(r"(\d+)\.(\d+)").match
_REST_SINCE = {20: 14, 21: 9, 22: 4}


class ChannelGone(Gone):
    """Of the two that a request names, a bridge and a channel, it is the channel that is gone."""


@dataclass(frozen=True, slots=True)
class Response:
    """The PBX's answer to one request; `body` is its JSON decoded, None if there was none."""

    status: int
    reason: str
    body: Any


@dataclass(frozen=True, slots=True)
class Answer(Generic[W]):
    """A response together with whoever waits for it."""

    waiter: W
    response: Response


def resource(*segments: str) -> str:
    """The path of a resource, without a leading slash (Asterisk answers 405 to one), each segment escaped."""
    return "/".join([s if _plain(s) and s not in (".", "..") else _escape(s) for s in segments])


def _escape(segment: str) -> str:
    if segment in ("", ".", ".."):
        raise Refused(f"{segment!r} is no id: it must not be empty or a path")
    return quote(segment, safe="")


def texts(query: Query) -> list[tuple[str, str]]:
    """Query parameters as ARI wants them: None left out, booleans in lower case."""
    return [
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in query.items()
        if value is not None
    ]


def encode_request(request_id: str, method: str, path: str, query: Query | None, body: Any) -> bytes:
    """One RESTRequest frame. Raises TooLarge above MAX_FRAME bytes."""
    frame: dict[str, Any] = {"type": "RESTRequest", "request_id": request_id, "method": method, "uri": path}
    if query:
        frame["query_strings"] = [{"name": name, "value": value} for name, value in texts(query)]
    if body is not None:
        frame["content_type"] = "application/json"
        frame["message_body"] = encode(body)
    data = encode(frame).encode()
    if len(data) > MAX_FRAME:
        raise TooLarge(f"{method} {path}: {len(data)} bytes, the PBX takes {MAX_FRAME}")
    return data


def error_of(response: Response, what: str) -> PbxError | None:
    """The error that a response means, None if it is none. 404 = Gone, 413 = TooLarge, everything else = Refused."""
    if response.status < 400:
        return None
    said = message_of(response)
    text = f"{what}: {response.status} {said}"
    if response.status == 400 and said == "Channel not found":  # bridges' addChannel and removeChannel
        return ChannelGone(text)
    if response.status == 404:
        return Gone(text)
    if response.status == 413:
        return TooLarge(text)
    return Refused(text, response.status)


def message_of(response: Response) -> str:
    """What the PBX says about a failure, at most 200 characters."""
    body = response.body
    said = body.get("message") or body.get("error") if isinstance(body, dict) else None
    return str(said or response.reason)[:200]


def decode_body(text: str | bytes) -> Any:
    """A response's body; what is no JSON comes back as None."""
    if not text:
        return None
    try:
        return decode(text)
    except (ValueError, RecursionError):
        return None


def speaks_rest(version: str) -> bool | None:
    """Does this Asterisk take requests over the websocket? None when its version does not say (certified, git)."""
    if not (found := _version(version)):
        return None
    major, minor = int(found[1]), int(found[2])
    return major > max(_REST_SINCE) or minor >= _REST_SINCE.get(major, 1 << 30)


class Exchange(Generic[W]):
    """The requests under way on one link and what came in. Waiters are the caller's own objects."""

    def __init__(self) -> None:
        self._waiting: dict[str, W] = {}
        self._count = 0
        self.errors = 0
        """Frames that were no ARI."""
        self.late = 0
        """Answers that nobody waited for any more."""

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, waiter: W, method: str, path: str, query: Query | None, body: Any) -> tuple[str, bytes]:
        """A request's id and the frame to send. Raises TooLarge; then nothing waits."""
        self._count += 1
        request_id = str(self._count)
        frame = encode_request(request_id, method, path, query, body)
        self._waiting[request_id] = waiter
        return request_id, frame

    def forget(self, request_id: str) -> None:
        self._waiting.pop(request_id, None)

    def overdue(self, late: Callable[[W], bool]) -> list[W]:
        """Those who have waited too long; they are forgotten. They were begun in the order of their deadlines."""
        found = []
        for request_id, waiter in list(self._waiting.items()):
            if not late(waiter):
                break
            del self._waiting[request_id]
            found.append(waiter)
        return found

    def abandon(self) -> list[W]:
        """Everyone who waits; to be told that the link is gone."""
        waiters, self._waiting = list(self._waiting.values()), {}
        return waiters

    def receive(self, frame: bytes | bytearray | memoryview | str) -> Answer[W] | Event | None:
        """An answer, an event (a JSON object with a text `type`), or None for what is counted as error or late."""
        try:
            message = decode(frame)
        except (ValueError, RecursionError):
            self.errors += 1
            return None
        if not isinstance(message, dict) or not isinstance(kind := message.get("type"), str):
            self.errors += 1
            return None
        if kind != "RESTResponse":
            return message
        status, request_id = message.get("status_code"), message.get("request_id")
        if not isinstance(status, int) or isinstance(status, bool) or not isinstance(request_id, str):
            self.errors += 1
            return None
        if (waiter := self._waiting.pop(request_id, None)) is None:
            self.late += 1
            return None
        body = message.get("message_body")
        return Answer(
            waiter,
            Response(
                status,
                str(message.get("reason_phrase", "")),
                decode_body(body) if isinstance(body, str) else None,
            ),
        )
