"""Passwords and one-time links: the rules, without any page.

There is no default password. A new user gets a link that is good once, for 24 hours, and sets the password there; the
store keeps only SHA-256 of the link's 256-bit token and argon2id of the password.
"""

import hashlib
import re
import secrets
import socket
import time
from collections.abc import Collection
from functools import cache
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent.threadpool import ThreadPool
from zxcvbn import zxcvbn

from contactcentre.domain.sentences import phrase
from contactcentre.store import Store, User
from contactcentre.web import vocabulary

SHORTEST, LONGEST = 12, 128
"""Characters of a password."""

MOST_HASHED = 1024
"""Characters of what is typed as one; more is no password, and would only cost time."""

WEAKEST_SCORE = 3
"""zxcvbn's score from 0 to 4; 3 means more than 10^8 guesses: safe where login is throttled and hashes are slow."""

LINK_SECONDS = 24 * 60 * 60
FIRST_ADMIN = "admin"
NAME = re.compile(r"[a-z][a-z0-9._-]{0,39}")

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106, second choice: 64 MiB, 3 passes, 4 lanes


class BadName(ValueError):
    """The user name is not acceptable."""


class PasswordRefused(ValueError):
    """The password breaks a rule; the text says which, for the person who chose it."""


class LinkUnusable(Exception):
    """The one-time link is unknown, used, replaced by a newer one, or older than 24 hours."""


class Address(Protocol):
    """The part of the settings that says where the pages are."""

    @property
    def web_url(self) -> str: ...
    @property
    def web_bind(self) -> str: ...
    @property
    def web_port(self) -> int: ...


def check_password(password: str, name: str) -> None:
    """Raises PasswordRefused. Length counts most (NIST SP 800-63B section 3.1.1.2); what is common is refused."""
    if len(password) < SHORTEST:
        raise PasswordRefused(
            phrase(
                "The password has %(password)s characters; it needs at least %(shortest)s.",
                password=len(password),
                shortest=SHORTEST,
            )
        )
    if len(password) > LONGEST:
        raise PasswordRefused(
            phrase(
                "The password has %(password)s characters; at most %(longest)s are possible.",
                password=len(password),
                longest=LONGEST,
            )
        )
    found = zxcvbn(password[:72], user_inputs=[name, "contactcentre", "asterisk"])
    if found["score"] < WEAKEST_SCORE:
        why = found["feedback"]["warning"] or "It is easy to guess."
        why = vocabulary.PASSWORDS.get(why, why)
        raise PasswordRefused(
            phrase(
                "%(why)s Choose another one: a few words that do not belong together are good.",
                why=why,
            )
        )


@cache
def _pool() -> ThreadPool:
    """Where hashes are made, outside the event loop. Each takes some 50 ms of processor time and 64 MiB: two at once
    are enough for everybody, and a flood of logins cannot take the machine's memory."""
    return ThreadPool(2)


def hash_password(password: str) -> str:
    """argon2id."""
    return str(_pool().apply(_hasher.hash, (password,)))


def is_password(hashed: str, password: str) -> bool:
    """Takes equally long whether there is a hash or not, so nobody learns from the clock which users exist."""
    try:
        right = _pool().apply(_hasher.verify, (hashed or _nobody(), password))
    except (VerificationError, InvalidHashError):
        return False
    return bool(right) and hashed != ""


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))


def authenticate(store: Store, name: str, password: str) -> User | None:
    """The user whose name and password these are, None otherwise. Raises StoreUnavailable."""
    user = store.user_named(name) if NAME.fullmatch(name) else None
    if not is_password(user.password_hash if user else "", password if len(password) <= MOST_HASHED else ""):
        return None
    if user is None or user.disabled:
        return None
    if _hasher.check_needs_rehash(user.password_hash):
        return store.change_user(name, password_hash=hash_password(password))
    return user


def invite(
    store: Store, name: str, role: str, by: str, now: float, queues: Collection[str] = (), address: str = ""
) -> str:
    """Makes a user without a password, limited to `queues` if any; returns the token of the link that sets it.

    Raises BadName, store.NameTaken, ValueError for an unknown role."""
    if not NAME.fullmatch(name):
        raise BadName(
            f"name {name!r}: a lower-case letter, then at most 39 lower-case letters, digits, '.', '_' or '-'"
        )
    store.add_user(name, "", role, queues=queues)
    store.audit(by, "user.invite", name, {"role": role, "queues": sorted(queues) or "all"}, address)
    return new_link(store, name, role, now)


def new_link(store: Store, name: str, role: str, now: float) -> str:
    """A fresh link's token for a user who is there; earlier ones of that user end."""
    token = secrets.token_urlsafe(32)
    store.drop_links(purpose=_purpose(name))
    store.add_link(_hashed(token), purpose=_purpose(name), role=role, expires_at=now + LINK_SECONDS)
    return token


def holder(store: Store, token: str, now: float) -> User | None:
    """Who may set a password with this link; None when it cannot be used (any more)."""
    link = store.link(_hashed(token), now)
    if link is None or not link.purpose.startswith(_purpose("")):
        return None
    user = store.user_named(link.purpose.removeprefix(_purpose("")))
    return None if user is None or user.disabled else user


def set_password(store: Store, token: str, password: str, now: float) -> User:
    """Uses the link up. Raises PasswordRefused (the link stays good) or LinkUnusable."""
    user = holder(store, token, now)
    if user is None:
        raise LinkUnusable
    check_password(password, user.name)
    hashed = hash_password(password)
    if store.use_link(_hashed(token), now) is None:  # somebody else was faster
        raise LinkUnusable
    return store.change_user(user.name, password_hash=hashed)


def change_password(store: Store, name: str, password: str) -> User:
    """Raises PasswordRefused, store.NoSuchUser."""
    check_password(password, name)
    return store.change_user(name, password_hash=hash_password(password))


def dashboard_url(address: Address) -> str:
    """Where users find the dashboard; without a slash at the end."""
    if address.web_url:
        return address.web_url.rstrip("/")
    host = address.web_bind
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 (nothing is bound here)
        host = socket.getfqdn()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{address.web_port}"


def link_url(address: Address, token: str) -> str:
    """Where the link leads. The token stands behind `#`: browsers never send that part, so no log has it."""
    return f"{dashboard_url(address)}/welcome#{token}"


def first_run_link(store: Store, settings: Address) -> str | None:
    """A link that makes the first administrator, while none can sign in; None as soon as one can.

    Earlier first-run links end. Raises StoreUnavailable."""
    users = store.users()
    if any(user.role == "admin" and user.password_hash and not user.disabled and not user.queues for user in users):
        return None
    now = time.time()
    there = next((user for user in users if user.name == FIRST_ADMIN), None)
    if there is None:
        return link_url(settings, invite(store, FIRST_ADMIN, "admin", "system", now))
    if there.role != "admin" or there.disabled or there.queues:
        store.change_user(FIRST_ADMIN, role="admin", disabled=False, queues=())
        store.audit("system", "user.change", FIRST_ADMIN, {"role": "admin", "disabled": False, "queues": "all"})
    return link_url(settings, new_link(store, FIRST_ADMIN, "admin", now))


def _purpose(name: str) -> str:
    return f"password:{name}"


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
