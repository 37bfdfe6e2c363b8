"""Asks a web service what a flow wants to know."""

from collections.abc import Callable

import orjson
import structlog
from gevent.event import AsyncResult

from contactcentre.controller.greenlets import Greenlets
from contactcentre.domain.flows import actions as act
from contactcentre.outgoing import ANYWHERE, Failed, ask
from contactcentre.outgoing.request import object_of
from contactcentre.store import StoreUnavailable

log = structlog.get_logger(__name__)

REMEMBERED = 60.0
"""Seconds after which a secret is read again."""
DEADLINE = 0.5
"""Seconds that a caller waits for it at most; then it is the one that was known before."""


class Lookups:
    """`secret` reads one from the store, and may take long."""

    def __init__(self, secret: Callable[[str], str | None], greenlets: Greenlets, now: Callable[[], float]) -> None:
        self._secret, self._greenlets, self._now = secret, greenlets, now
        self._known: dict[str, tuple[str, float]] = {}

    def look_up(self, action: act.Lookup) -> act.Looked | act.LookupFailed:
        """As `look_up`, with the secret that the action names."""
        headers: dict[str, str] = {}
        if action.secret:
            secret = self._read(f"http/{action.secret}")
            if not secret:
                log.warning("a lookup's secret is not known", secret=f"http/{action.secret}")
                return act.LookupFailed("no secret")
            headers[action.header] = f"Bearer {secret}" if action.header.lower() == "authorization" else secret
        return look_up(action, headers)

    def _read(self, name: str) -> str:
        secret, read_at = self._known.get(name, ("", 0.0))
        if not secret or self._now() - read_at > REMEMBERED:
            found: AsyncResult[str] = AsyncResult()
            self._greenlets.spawn("secret", self._ask, name, found)
            secret = found.wait(DEADLINE) or secret
            self._known[name] = secret, self._now()
        return secret

    def _ask(self, name: str, found: "AsyncResult[str]") -> None:
        try:
            found.set(self._secret(name) or "")
        except StoreUnavailable:
            found.set("")


def look_up(action: act.Lookup, headers: dict[str, str] | None = None) -> act.Looked | act.LookupFailed:
    """One HTTP request as the flow wants it, `action.timeout` seconds in all; anything but a JSON object of at most
    `action.max_bytes` is a LookupFailed. Flows may ask whom they like: who writes them may write dialplans, too."""
    body = orjson.dumps(dict(action.body)) if action.body is not None else None
    sent = {"User-Agent": "contactcentre", **({"Content-Type": "application/json"} if body is not None else {})}
    try:
        answer = ask(
            action.url,
            ANYWHERE,
            method=action.method,
            body=body,
            headers={**sent, **(headers or {})},
            connect=action.timeout,
            whole=action.timeout,
            most=action.max_bytes,
        )
        return act.Looked(answer.status, object_of(answer, action.max_bytes))
    except Failed as error:
        return act.LookupFailed("timeout" if str(error).startswith("timeout") else str(error))
