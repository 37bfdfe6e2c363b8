"""Sends one signed message to one webhook."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contactcentre.domain.webhooks import body, signed
from contactcentre.outgoing.reach import Failed, Reach
from contactcentre.outgoing.request import Resolve, ask, names

MOST_ANSWER = 4096
"""Bytes of an answer that are read; nothing in it is of interest."""
BUSY = frozenset({408, 425, 429})
GONE = 410


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it. `error` empty: it was taken. `troubled`: other messages would fare no better now; `gone`: the
    receiver wants none ever again."""

    error: str = ""
    status: int = 0  # 0 = no answer
    seconds: float = 0.0
    troubled: bool = False
    gone: bool = False


def send(
    url: str,
    secret: bytes,
    message: str,
    kind: str,
    at: float,
    data: Mapping[str, Any],
    reach: Reach,
    resolve: Resolve = names,
) -> Sent:
    """`at`: when the fact was; the time of the signature is now."""
    content, began = body(message, kind, at, data), time.monotonic()
    headers = {"Content-Type": "application/json", "User-Agent": "contactcentre"}
    headers |= signed(secret, message, time.time(), content)
    try:
        answer = ask(url, reach, body=content, headers=headers, most=MOST_ANSWER, resolve=resolve)
    except Failed as error:
        return Sent(str(error), seconds=time.monotonic() - began, troubled=True)
    seconds, status = time.monotonic() - began, answer.status
    if 200 <= status < 300:
        return Sent(status=status, seconds=seconds)
    word = f"status {status}" + (" (redirects are not followed)" if 300 <= status < 400 else "")
    return Sent(word, status, seconds, status >= 500 or status in BUSY, status == GONE)
