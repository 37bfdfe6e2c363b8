"""From the right password to the session: straight, or by a second step.

Who is between the two has no session: the cookie holds a random token, and Redis, under its hash, who has shown the
right password, for ten minutes. That ends with the password that was shown.
"""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass

from flask import redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from contactcentre.live.connection import PREFIX, ask
from contactcentre.store import User
from contactcentre.web import second_factor, tries
from contactcentre.web.session import address_of, sign_in
from contactcentre.web.wiring import services

HALFWAY_SECONDS = 10 * 60
_COOKIE = "halfway"


@dataclass(frozen=True, slots=True)
class Halfway:
    """Somebody whose password was right. `next`: the page that was asked for."""

    user: User
    next: str


def enter(user: User, next: str, home: str) -> ResponseReturnValue:
    """Opens the session, or asks for the second step first."""
    step = second_factor.next_step(user)
    if step is second_factor.Step.NOTHING:
        admit(user)
        return redirect(next or home, 303)
    cookie.clear()
    token = secrets.token_urlsafe(32)
    record = {"user": user.name, "next": next or home, "print": _print(user)}
    ask(services().redis, "SET", _place(token), json.dumps(record), "EX", HALFWAY_SECONDS)
    cookie[_COOKIE] = token
    return redirect(url_for(f"second_step.{step}"), 303)


def halfway() -> Halfway | None:
    """Who makes this request; None: nobody, or it took too long."""
    token = cookie.get(_COOKIE)
    text = ask(services().redis, "GET", _place(token)) if isinstance(token, str) else None
    if text is None:
        return None
    record = json.loads(text)
    user = services().store.user_named(record["user"])
    if user is None or user.disabled or _print(user) != record["print"]:
        return None
    return Halfway(user, record["next"])


def admit(user: User, how: str = "") -> None:
    """All that was asked for is shown: opens the session. Audited, with `how`."""
    token = cookie.get(_COOKIE)
    if isinstance(token, str):
        ask(services().redis, "DEL", _place(token))
    tries.forget(user.name)
    sign_in(services().sessions, user, time.time())
    services().store.audit(user.name, "session.open", "", {"by": how} if how else {}, address_of(request))


def _print(user: User) -> str:
    """Of what was shown: another password, another print."""
    return hashlib.sha256(user.password_hash.encode()).hexdigest()


def _place(token: str) -> str:
    return f"{PREFIX}web:halfway:{hashlib.sha256(token.encode()).hexdigest()}"
