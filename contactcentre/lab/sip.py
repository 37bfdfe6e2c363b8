"""SIP messages as far as a simulated phone needs them: reading, writing, digest answers, SDP.

Sources: RFC 3261 (SIP), RFC 7616 and RFC 2617 (digest), RFC 4566 and RFC 3264 (SDP),
RFC 4733 (telephone-event).
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
}
_REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    480: "Temporarily Unavailable",
    481: "Call Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}
PCMU, PCMA = 0, 8
CODECS = {PCMU: "PCMU", PCMA: "PCMA"}
"""What we speak: payload types (RFC 3551) and names."""
TELEPHONE_EVENT = 101


class NotSip(ValueError):
    """A datagram that is no SIP message."""


@dataclass
class Message:
    """One request or response. Header names keep the case they were written in; reading ignores it."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    @classmethod
    def parse(cls, datagram: bytes) -> "Message":
        head, _, body = datagram.decode("utf-8", "replace").partition("\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        if "SIP/2.0" not in lines[0]:
            raise NotSip(lines[0][:80])
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers.append((name.strip(), value.strip()))
        return cls(lines[0], headers, body)

    def encode(self) -> bytes:
        body = self.body.encode("utf-8", "replace")
        lines = [
            self.start,
            *(f"{name}: {value}" for name, value in self.headers),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body

    @property
    def method(self) -> str:
        """The request's method; empty for a response."""
        return "" if self.start.startswith("SIP/") else self.start.split(" ", 1)[0]

    @property
    def status(self) -> int:
        """The response's status code; 0 for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/") else 0

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    def all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for key, value in self.headers if _COMPACT.get(key.lower(), key.lower()) == wanted]

    def get(self, name: str) -> str:
        """The first header of that name; empty when there is none."""
        return next(iter(self.all(name)), "")

    @property
    def cseq(self) -> tuple[int, str]:
        number, _, method = self.get("cseq").partition(" ")
        return int(number or 0), method.strip()

    @property
    def branch(self) -> str:
        found = re.search(r";\s*branch=([^;,\s]+)", self.get("via"))
        return found[1] if found else ""


def response(request: Message, status: int, tag: str = "", contact: str = "", body: str = "") -> Message:
    """The response to a request: Via, From, To (with our tag), Call-ID and CSeq as RFC 3261 8.2.6 says."""
    to = request.get("to")
    if tag and ";tag=" not in to:
        to += f";tag={tag}"
    headers = [("Via", via) for via in request.all("via")]
    headers += [("From", request.get("from")), ("To", to)]
    headers += [("Call-ID", request.get("call-id")), ("CSeq", request.get("cseq"))]
    if contact:
        headers.append(("Contact", contact))
        headers.append(("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, NOTIFY"))
    if body:
        headers.append(("Content-Type", "application/sdp"))
    return Message(f"SIP/2.0 {status} {_REASONS.get(status, 'Unknown')}", headers, body)


def new_branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)


def tag_of(address: str) -> str:
    found = re.search(r";\s*tag=([^;\s]+)", address)
    return found[1] if found else ""


_DISPLAY = re.compile(r'\s*"((?:[^"\\]|\\.)*)"')


def uri_of(address: str) -> str:
    """The URI in a From, To or Contact header."""
    after_name = _DISPLAY.sub("", address, count=1) if address.lstrip().startswith('"') else address
    found = re.search(r"<([^>]*)>", after_name)
    return found[1] if found else after_name.split(";")[0].strip()


def user_of(address: str) -> str:
    """The user part of a header's or request's URI."""
    found = re.match(r"sips?:([^@;>]*)@", uri_of(address))
    return found[1] if found else ""


def display_of(address: str) -> str:
    """The display name of a From or To header, unquoted."""
    found = _DISPLAY.match(address)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else address.partition("<")[0].strip()


def quoted(name: str) -> str:
    """A display name as a quoted string. CR and LF cannot be quoted (RFC 3261 25.1): they become spaces."""
    clean = re.sub(r"[\r\n\0]", " ", name)
    return '"' + re.sub(r'(["\\])', r"\\\1", clean) + '"'


def authorization(challenge: str, user: str, secret: str, method: str, uri: str) -> str:
    """The Authorization value that answers a digest challenge, MD5 or SHA-256, with or without qop=auth."""
    given = {key.lower(): a or b for key, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', challenge)}
    algorithm = given.get("algorithm", "MD5")
    digest = hashlib.sha256 if algorithm.upper() == "SHA-256" else hashlib.md5

    def h(text: str) -> str:
        return digest(text.encode()).hexdigest()

    realm, nonce = given.get("realm", ""), given.get("nonce", "")
    ha1, ha2 = h(f"{user}:{realm}:{secret}"), h(f"{method}:{uri}")
    parts = [
        f'username="{user}"',
        f'realm="{realm}"',
        f'nonce="{nonce}"',
        f'uri="{uri}"',
        f"algorithm={algorithm}",
    ]
    if "auth" in given.get("qop", "").split(","):
        cnonce = secrets.token_hex(8)
        parts.append(f'response="{h(f"{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}")}"')
        parts += ["qop=auth", "nc=00000001", f'cnonce="{cnonce}"']
    else:
        parts.append(f'response="{h(f"{ha1}:{nonce}:{ha2}")}"')
    if "opaque" in given:
        parts.append(f'opaque="{given["opaque"]}"')
    return "Digest " + ", ".join(parts)


@dataclass(frozen=True)
class Sdp:
    """Where and how the other side wants its audio."""

    host: str
    port: int
    codec: int
    """The payload type to send: PCMU or PCMA."""
    events: int | None
    """The payload type of telephone-event, None when the other side does not take it."""
    sending: bool
    """False when we are put on hold (`sendonly` or `inactive` from the other side)."""
    ours: tuple[int, ...] = ()
    """What we speak of its payload types, the one that it likes best first."""


def read_sdp(body: str) -> Sdp | None:
    """The audio stream of an offer or answer, None when there is none that we speak."""
    host, port, events, sending = "", 0, None, True
    ours: tuple[int, ...] = ()
    in_audio = False
    for line in body.replace("\r", "").split("\n"):
        if line.startswith("m="):
            in_audio = line.startswith("m=audio") and not port
            if in_audio:
                words = line.split()
                port = int(words[1])
                ours = tuple(int(word) for word in words[3:] if word in map(str, CODECS))
        elif line.startswith("c=") and (in_audio or not host):
            host = line.split()[2].split("/")[0]
        elif line in ("a=sendonly", "a=inactive"):
            sending = False
        elif in_audio and (found := re.match(r"a=rtpmap:(\d+) telephone-event/8000", line, re.IGNORECASE)):
            events = int(found[1])
    if not host or not port or not ours:
        return None
    return Sdp(host, port, ours[0], events, sending, ours)


def write_sdp(
    host: str,
    port: int,
    codecs: tuple[int, ...] = (PCMU, PCMA),
    events: int | None = TELEPHONE_EVENT,
    version: int = 1,
    direction: str = "sendrecv",
    ptime: int = 20,
) -> str:
    """An offer (all our codecs) or an answer (the one chosen). An offer that changes something has a new version.
    ptime: milliseconds of sound that each packet shall have."""
    kinds = [*map(str, codecs), *([str(events)] if events is not None else [])]
    lines = ["v=0", f"o=- {port} {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines.append(f"m=audio {port} RTP/AVP {' '.join(kinds)}")
    lines += [f"a=rtpmap:{codec} {CODECS[codec]}/8000" for codec in codecs]
    if events is not None:
        lines += [f"a=rtpmap:{events} telephone-event/8000", f"a=fmtp:{events} 0-16"]
    lines += [f"a=ptime:{ptime}", f"a={direction}"]
    return "\r\n".join(lines) + "\r\n"
