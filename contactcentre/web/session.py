"""Who is signed in. The cookie holds a random token (in Flask's signed session); Redis holds, under the token's hash,
whose it is. So signing out, a new password or a disabled account end a session at once, wherever its cookie lies.
"""

import hashlib
import json
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from apiflask import APIFlask
from flask import Flask, Request, Response, g, request
from flask import session as cookie
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user  # type: ignore[import-untyped]
from redis import Redis

from contactcentre.domain.sentences import phrase
from contactcentre.live.connection import PREFIX, ask
from contactcentre.store import ApiToken, Store, User
from contactcentre.web import bearer
from contactcentre.web.errors import NotFound, SessionNeeded, SignInNeeded
from contactcentre.web.wiring import services

IDLE_SECONDS = 30 * 60
"""A session ends after so long without a request; an open live page counts as use."""

LONGEST_SECONDS = 12 * 60 * 60
"""A session ends so long after signing in, whatever happens: one shift."""


SCREEN_SECONDS = 90 * 24 * 60 * 60
"""A wallboard's session: it sees numbers alone."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """When it was opened and last used (epoch seconds; None: on a wall, always), and from where it was opened."""

    opened: float
    used: float | None
    address: str


class Sessions:
    """Open sessions in Redis. All methods raise live.errors.Away when it does not answer."""

    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self._redis, self._prefix = redis, f"{prefix}web:"

    def open(self, user: str, now: float, address: str = "", *, screen: bool = False) -> str:
        """A new session's token, 256 random bits. `screen`: of one on the wall, which nobody signs in every morning."""
        token = secrets.token_urlsafe(32)
        key = self._key(token)
        idle, longest = (SCREEN_SECONDS, SCREEN_SECONDS) if screen else (IDLE_SECONDS, LONGEST_SECONDS)
        record = {"user": user, "opened": now, "address": address, **({"screen": True} if screen else {})}
        ask(self._redis, "SET", key, json.dumps(record), "EX", idle)
        ask(self._redis, "SADD", self._all(user), key)
        ask(self._redis, "EXPIRE", self._all(user), longest)
        return token

    def user_of(self, token: str, now: float) -> str | None:
        """Whose session it is, None when it has ended. Asking counts as use."""
        key = self._key(token)
        text = ask(self._redis, "GETEX", key, "EX", IDLE_SECONDS)
        if text is None:
            return None
        record = json.loads(text)
        left = record["opened"] + (SCREEN_SECONDS if record.get("screen") else LONGEST_SECONDS) - now
        if left <= 0:
            ask(self._redis, "DEL", key)
            return None
        if record.get("screen"):
            ask(self._redis, "EXPIRE", key, math.ceil(left))
        return str(record["user"])

    def close(self, token: str) -> None:
        ask(self._redis, "DEL", self._key(token))

    def close_all(self, user: str) -> int:
        """Ends all sessions of a user; returns how many were open."""
        keys = list(ask(self._redis, "SMEMBERS", self._all(user)))
        ask(self._redis, "DEL", self._all(user))
        return int(ask(self._redis, "DEL", *keys)) if keys else 0

    def close_others(self, user: str, token: str) -> int:
        """All of a user's but this one; returns how many were open."""
        keys = [key for key in ask(self._redis, "SMEMBERS", self._all(user)) if key != self._key(token)]
        if not keys:
            return 0
        ask(self._redis, "SREM", self._all(user), *keys)
        return int(ask(self._redis, "DEL", *keys))

    def of(self, user: str, now: float) -> list[OpenSession]:
        """A user's, the one opened last first. Looking is no use of them."""
        found = []
        for key in ask(self._redis, "SMEMBERS", self._all(user)):
            text, left = ask(self._redis, "GET", key), ask(self._redis, "TTL", key)
            record = json.loads(text or '{"opened": 0}')
            screen = bool(record.get("screen"))
            if now >= record["opened"] + (SCREEN_SECONDS if screen else LONGEST_SECONDS):
                continue
            used = None if screen else now - (IDLE_SECONDS - max(0, left))
            found.append(OpenSession(record["opened"], used, record.get("address", "")))
        return sorted(found, key=lambda one: -one.opened)

    def _key(self, token: str) -> str:
        return f"{self._prefix}session:{hashlib.sha256(token.encode()).hexdigest()}"

    def _all(self, user: str) -> str:
        return f"{self._prefix}sessions:{user}"


class SignedIn(UserMixin):  # type: ignore[misc]
    """The account behind a request, and the token of its session; or the API token (`grant`) that it came with."""

    def __init__(self, user: User, token: str, grant: ApiToken | None = None) -> None:
        self.user, self.token, self.grant = user, token, grant

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def role(self) -> str:
        return self.user.role

    @property
    def agent(self) -> str:
        """Who this account is at the phone; "" = nobody."""
        return self.user.agent

    @property
    def queues(self) -> frozenset[str] | None:
        """The only ones that this account sees; None: all."""
        return frozenset(self.user.queues) or None

    def get_id(self) -> str:
        return self.token


def current_account() -> SignedIn | None:
    """The account that makes this request; None = nobody is signed in. A request by token is of the token's account
    alone, whatever cookie comes with it."""
    if (text := bearer.given(request)) is None:
        return current_user._get_current_object() if current_user.is_authenticated else None
    if "contactcentre_bearer" not in g:
        found = bearer.holder(services().store, text, time.time(), request.remote_addr or "")
        g.contactcentre_bearer = None if found is None else SignedIn(found[1], text, found[0])
    return g.contactcentre_bearer  # type: ignore[no-any-return]


def signed_in() -> SignedIn:
    """The same where somebody is: the guard lets nobody else through to what is not public. Raises SignInNeeded."""
    account = current_account()
    if account is None:
        raise SignInNeeded
    return account


def by_session(refusal: str) -> SignedIn:
    """The same, but by a token: that is told the refusal. Raises SignInNeeded, SessionNeeded."""
    account = signed_in()
    if account.grant is not None:
        raise SessionNeeded(refusal)
    return account


def lasting(account: SignedIn) -> Callable[[], bool]:
    """Whether it is still so that the account is signed in, or its token is good, with the same rights. To be asked
    while a long answer goes on; counts as use. Raises LiveError, StoreUnavailable."""
    web, grant = services(), account.grant
    if grant is None:
        return lambda: web.sessions.user_of(account.token, time.time()) is not None

    def lasts() -> bool:
        found = bearer.holder(web.store, account.token, time.time())
        return found is not None and (found[1].role, found[1].queues) == (account.user.role, account.user.queues)

    return lasts


def own_agent() -> str:
    """The agent who makes this request. Raises NotFound for an account that is no agent's."""
    account = current_account()
    if account is None or not account.agent:
        raise NotFound(phrase("Your account is no agent's. An admin can tie it: contactcentre user agent NAME AGENT"))
    return account.agent


def sign_in(sessions: Sessions, user: User, now: float) -> None:
    """Begins a new session. What the cookie held before is dropped, so nobody can plant a session on a browser."""
    cookie.clear()
    cookie.permanent = True
    screen = user.role == "wallboard"
    login_user(SignedIn(user, sessions.open(user.name, now, address_of(request), screen=screen)))


def sign_out(sessions: Sessions) -> None:
    account = current_account()
    if account is not None:
        sessions.close(account.token)
    logout_user()
    cookie.clear()


class _CookieInterface(SecureCookieSessionInterface):
    """The cookie is `Secure` whenever the page came over https. Over plain http (which only the loopback address should
    serve) a browser would not send a Secure cookie back, and nobody could sign in."""

    def get_cookie_secure(self, app: object) -> bool:
        return request.is_secure

    def get_cookie_name(self, app: Flask) -> str:
        """Browsers take a cookie of this prefix from the host itself alone, and by https (RFC 6265bis, 4.1.3)."""
        name = super().get_cookie_name(app)
        return f"__Host-{name}" if request.is_secure else name


def install(app: APIFlask, store: Store, sessions: Sessions) -> None:
    app.config.update(
        SESSION_COOKIE_NAME="contactcentre",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SCREEN_SECONDS,  # of the cookie; Redis knows when the session ends
    )
    app.session_interface = _CookieInterface()
    manager = LoginManager(app, add_context_processor=False)
    manager.session_protection = None  # it would sign people out who change between Wi-Fi and cable

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(token: str) -> SignedIn | None:
        name = sessions.user_of(token, time.time())
        user = store.user_named(name) if name else None
        return SignedIn(user, token) if user and not user.disabled else None


def address_of(asked: Request) -> str:
    """Where a request came from, and by which API token, for the audit log and rate limits."""
    token, address = bearer.given(asked), asked.remote_addr or ""
    return f"{address} by {token[: bearer.SHOWN]}" if token else address


def forbid_storing(response: Response) -> Response:
    """Pages with people's data must not lie in a browser's or proxy's cache."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response
