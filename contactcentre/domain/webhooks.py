"""What other programs are told: which facts, in which form, signed how, and when again if they do not take them.

Form and signature follow Standard Webhooks 1.0 (https://www.standardwebhooks.com): the headers `webhook-id`,
`webhook-timestamp` and `webhook-signature`, the last one an HMAC-SHA256 over `ID.TIMESTAMP.BODY`.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.notation import encode
from contactcentre.domain.results import NotAcceptable

VERSION = 1
"""Of the body. Keys may be added to a version; none is taken away or changed."""
AGENT_STATE = "agent.state"
ALERT = "alert"
TEST = "webhook.test"
LOOKUP = "customer.lookup"

_INSIDE = frozenset({Kind.NODE, Kind.CHOSE, Kind.SET, Kind.DECISION, Kind.RECORDING_PAUSED, Kind.RECORDING_RESUMED})
"""What a flow does inside, with what callers key in, and how the router thought, leaves the house with nobody."""
ENDS = tuple(f"{Kind.ENDED}:{outcome}" for outcome in Outcome)
KINDS: tuple[str, ...] = (*(kind.value for kind in Kind if kind not in _INSIDE), AGENT_STATE, ALERT)
"""What can be told. `contact.ended:OUTCOME` asks for those contacts only that ended so."""

MOST = 50
"""Webhooks at once."""
PREFIX = "whsec_"
TOLERANCE = 300.0
"""Seconds that a receiver should accept a message to be old, or to come from the future."""

FIRST_PAUSE, FACTOR, LONGEST_PAUSE = 5.0, 3.0, 6 * 3600.0
GIVEN_UP_AFTER = 24 * 3600.0
"""Seconds after which a message that nobody took is tried no more, and its webhook paused if it took nothing else."""
REST, LONGEST_REST = 5.0, 300.0
ORDERED_TRIES = 5
"""A contact's later messages wait for an earlier one until it was tried so often (some three minutes)."""
LETTERS_KEPT = 30 * 86400.0
"""Seconds that a message which nobody took stays to be sent again."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+(/[^\s#]*)?")


@dataclass(frozen=True, slots=True)
class Webhook:
    """`queues` empty: of all of them. Times are epoch seconds, 0 = never."""

    name: str
    url: str
    kinds: tuple[str, ...]
    queues: tuple[str, ...] = ()
    enabled: bool = True
    version: int = 0
    created_at: float = 0.0
    paused_at: float = 0.0
    paused_why: str = ""
    failures: int = 0  # in a row
    failing_since: float = 0.0
    next_at: float = 0.0  # nothing is tried before
    failed: int = 0  # tries, ever
    delivered: int = 0
    delivered_at: float = 0.0
    error: str = ""  # of the last try; empty when it worked
    waiting: int = 0
    letters: int = 0

    @property
    def state(self) -> str:
        if not self.enabled:
            return "off"
        return "paused" if self.paused_at else "failing" if self.failures else "on"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one webhook."""

    n: int
    webhook: str
    message: str
    kind: str
    subject: str
    fact: Mapping[str, Any] = field(default_factory=dict)
    made_at: float = 0.0
    tries: int = 0
    tried_at: float = 0.0
    error: str = ""


def checked(hook: Webhook, queues: Iterable[str]) -> Webhook:
    """Itself, its lists in order and without doubles. `queues`: those of the site. Raises NotAcceptable."""
    if not _NAME.fullmatch(hook.name):
        raise NotAcceptable("name: small letters, digits, - and _, at most 40, a letter first")
    if not _URL.fullmatch(hook.url) or len(hook.url) > 500:
        raise NotAcceptable("url: wants https://HOST/PATH, without user, password and #, at most 500 characters")
    if not hook.kinds:
        raise NotAcceptable("kinds: at least one")
    for kind in hook.kinds:
        if kind not in KINDS and kind not in ENDS:
            raise NotAcceptable(f"kinds: there is no {kind[:40]!r} to be told: {', '.join(KINDS)}")
    known = set(queues)
    for queue in hook.queues:
        if queue not in known:
            raise NotAcceptable(f"queues: the site has no queue {queue[:40]!r}: {', '.join(sorted(known)) or 'none'}")
    order = {kind: place for place, kind in enumerate((*KINDS, *ENDS))}
    kinds, named = sorted(set(hook.kinds), key=order.__getitem__), sorted(set(hook.queues))
    return replace(hook, kinds=tuple(kinds), queues=tuple(named))


def wants(kinds: Iterable[str], kind: str, data: Mapping[str, Any]) -> bool:
    """Whether who asked for these kinds is told this fact."""
    return kind in kinds or (kind == Kind.ENDED and f"{kind}:{data.get('outcome', '')}" in kinds)


def message_id(*key: object) -> str:
    """The same for the same fact, for ever, however often it is recorded or sent."""
    return "msg_" + sha256(encode([str(part) for part in key]).encode()).hexdigest()[:32]


def body(message: str, kind: str, at: float, data: Mapping[str, Any]) -> bytes:
    """`at`: when the fact was (epoch seconds)."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return encode({"version": VERSION, "id": message, "type": kind, "timestamp": moment, "data": dict(data)}).encode()


def signed(secret: bytes, message: str, at: float, sent: bytes) -> dict[str, str]:
    """The headers of a request. `at`: when it is sent (epoch seconds)."""
    stamp = str(int(at))
    mac = hmac.digest(secret, f"{message}.{stamp}.".encode() + sent, "sha256")
    return {
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def shown(secret: bytes) -> str:
    """A secret as people and libraries write it."""
    return PREFIX + base64.b64encode(secret).decode()


def secret_of(text: str) -> bytes:
    """Raises ValueError for what is no secret."""
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"a secret begins with {PREFIX} and goes on in base64") from None


def next_try(tries: int, made_at: float, now: float, chance: float) -> float | None:
    """When a message is tried again that was tried so often; None: no more, it is a dead letter. `chance`: 0 to 1; it
    spreads what failed at one moment over two fifths of the pause."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * FACTOR ** max(0, tries - 1)) * (0.8 + 0.4 * chance)
    return now + pause if now + pause - made_at <= GIVEN_UP_AFTER else None


def rest(failures: int, chance: float) -> float:
    """Seconds in which nothing is tried at a webhook that failed so often in a row."""
    return float(min(LONGEST_REST, REST * 2.0 ** min(30, max(0, failures - 1)))) * (0.8 + 0.4 * chance)
