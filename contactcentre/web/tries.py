"""How often a name, an address or an account may try to prove who it is: passwords and codes together."""

import hashlib
import time

import limits
from flask import request

from contactcentre.domain.sentences import phrase
from contactcentre.live.connection import PREFIX, ask
from contactcentre.web.errors import TooManyTries
from contactcentre.web.session import address_of
from contactcentre.web.wiring import limiter, services

PER_ADDRESS = limits.parse("300 per 5 minutes")
"""A whole office may sign in at the same minute behind one address."""

PER_NAME = limits.parse("8 per 5 minutes")
"""Passwords and codes of one name from one address; who is let in starts the count anew."""

CODES = limits.parse("20 per hour")
"""Codes of one account, from wherever: only who knows its password comes so far. Three codes in a million are good at
a time, so nobody guesses one within years."""


PER_ACCOUNT = limits.parse("100 per hour")
"""Tries of one name from all addresses from which it has not signed in of late: who guesses from a thousand addresses
gains nothing by it, and does not keep the name's owner out (ASVS 2.2.1)."""

KNOWN_SECONDS = 30 * 86400

LINK = "by one-time link"
"""The name of who comes by one; no account is called so."""


def count(name: str) -> None:
    """A try, before it is made, so that many at once do not slip through. Raises TooManyTries."""
    count_address()
    _hit(PER_NAME, "sign-in", name, address_of(request))
    if name != LINK and not ask(services().redis, "EXISTS", _known(name)):
        _hit(PER_ACCOUNT, "sign-in", name)


def count_address() -> None:
    """Where no name is known yet. Raises TooManyTries."""
    _hit(PER_ADDRESS, "sign-in", address_of(request))


def count_code(name: str) -> None:
    """The same of a code. Raises TooManyTries."""
    count(name)
    _hit(CODES, "code", name)


def forget(name: str) -> None:
    """It was the right one."""
    keeper = limiter().limiter
    keeper.clear(PER_NAME, "sign-in", name, address_of(request))
    keeper.clear(CODES, "code", name)
    ask(services().redis, "SET", _known(name), "", "EX", KNOWN_SECONDS)


def _known(name: str) -> str:
    """Redis's key of the name at this address."""
    return f"{PREFIX}web:known:{hashlib.sha256(f'{name} {address_of(request)}'.encode()).hexdigest()}"


def _hit(limit: limits.RateLimitItem, *key: str) -> None:
    keeper = limiter().limiter
    if not keeper.hit(limit, *key):
        seconds = max(1, round(keeper.get_window_stats(limit, *key).reset_time - time.time()))
        raise TooManyTries(
            phrase("At most %(limit)s. Try again in %(seconds)s seconds.", limit=str(limit), seconds=seconds)
        )
