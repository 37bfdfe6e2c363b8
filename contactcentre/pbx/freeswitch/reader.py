"""ESL as it comes: bytes into frames, frames into events. No sockets, no clock.

A frame is header lines, an empty line, and as many bytes of body as `Content-Length` says; only that number decides
where it ends. Header values come URL-encoded and are decoded one by one, after the lines were parted: a value that has
an encoded newline in it (anybody who calls can send one) stays a value and never becomes a header.

What breaks the framing raises `Malformed` or `Oversize`, and the connection cannot be used any more. What is framed
well and makes no sense (an event that is no JSON) is None, to be counted: a peer's nonsense must not end the reader.
"""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from contactcentre.domain.notation import decode
from contactcentre.pbx.errors import PbxError

MAX_HEAD = 262_144
"""Bytes of a frame's headers at most. The longest are the answer to `connect`: some 140 headers, 6 kB."""
MAX_BODY = 16_777_216
"""Bytes of a frame's body at most. The longest are lists of channels: 0.7 kB for each channel."""
BODY = "_body"
"""The name under which an event has its body, as FreeSWITCH itself names it in JSON."""

Event = dict[str, str]
"""An event's headers, decoded, with `Event-Name`. Of a header that comes twice the last one counts. In JSON a variable
that is an array is a list; nothing here reads one."""


class Malformed(PbxError):
    """What came is no ESL: where the next frame begins cannot be known."""


class Oversize(Malformed):
    """A frame is longer than MAX_HEAD or MAX_BODY."""


class Frame(NamedTuple):
    kind: str
    """`Content-Type`: command/reply, api/response, text/event-json, auth/request ..."""
    headers: dict[str, str]
    """Not URL-decoded."""
    body: bytes

    @property
    def text(self) -> str:
        """The body; bytes that are no UTF-8 (a caller's name in Latin-1) are replaced."""
        return self.body.decode("utf-8", "replace")


class Reader:
    """Feed it what the socket gave, in whatever pieces; it yields what is complete."""

    def __init__(self, max_head: int = MAX_HEAD, max_body: int = MAX_BODY) -> None:
        self._max_head, self._max_body = max_head, max_body
        self._data = bytearray()
        self._seen = 0  # so much of it was searched for the end of the headers
        self._headers: dict[str, str] | None = None  # of a frame whose body is not complete
        self._length = 0  # of that body
        self._broken: Malformed | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """To be exhausted before the next `feed`. Raises Malformed, Oversize; from then on always."""
        if self._broken is not None:
            raise self._broken
        self._data += data
        at = 0
        try:
            while True:
                if self._headers is None and not (at := self._head(at)):
                    break
                if len(self._data) - at < self._length:
                    break
                headers, self._headers = self._headers or {}, None
                end = at + self._length
                body, at = bytes(self._data[at:end]), end
                yield Frame(headers.get("Content-Type", ""), headers, body)
        except Malformed as error:
            self._broken = error
            raise
        finally:
            del self._data[:at]
            self._seen = max(0, self._seen - at)

    def _head(self, at: int) -> int:
        """Reads the headers that begin at `at`. Returns where the body begins; 0 = they are not complete."""
        data = self._data
        while data.startswith(b"\n", at):
            at += 1
        end = data.find(b"\n\n", max(at, self._seen))
        if (len(data) - 1 if end < 0 else end) - at > self._max_head:
            raise Oversize(f"headers of more than {self._max_head} bytes")
        if end < 0:
            self._seen = max(at, len(data) - 1)
            del data[:at]
            self._seen -= at
            return 0
        headers = parse_headers(bytes(data[at:end]))
        self._length = self._length_of(headers)
        self._headers, self._seen = headers, end + 2
        return end + 2

    def _length_of(self, headers: dict[str, str]) -> int:
        said = headers.get("Content-Length", "0")
        if not (said.isascii() and said.isdigit()):
            raise Malformed(f"Content-Length {said[:40]!r}: must be a number of bytes")
        if len(said) > 10 or int(said) > self._max_body:
            raise Oversize(f"a body of {said[:40]} bytes; at most {self._max_body} are taken")
        return int(said)


def parse_headers(block: bytes) -> dict[str, str]:
    """`Name: value` lines. Values stay URL-encoded; bytes that are no UTF-8 are replaced, lines that are none are left
    out."""
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return headers


def decoded(headers: dict[str, str]) -> dict[str, str]:
    """With values URL-decoded, each for itself."""
    return {name: unquote(value) if "%" in value else value for name, value in headers.items()}


def event_of(frame: Frame) -> Event | None:
    """The event in a frame of text/event-json or text/event-plain; None if there is none."""
    event = _from_plain(frame.body) if frame.kind == "text/event-plain" else _from_json(frame.body)
    return event if event is not None and isinstance(event.get("Event-Name"), str) else None


def _from_json(body: bytes) -> Event | None:
    try:
        try:
            event = decode(body)
        except UnicodeDecodeError:  # FreeSWITCH passes on what a phone sent
            event = decode(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _from_plain(body: bytes) -> Event:
    head, _, rest = body.partition(b"\n\n")
    event = decoded(parse_headers(head))
    length = event.get("Content-Length", "")
    if length.isascii() and length.isdigit() and len(length) <= 10:
        event[BODY] = rest[: int(length)].decode("utf-8", "replace")
    return event
