"""Requests by token: `Authorization: Bearer cct_...`, below `/api/v1` only.

Such a request has nothing to do with a session: no cookie is read or set. So no form token is needed either, for no
page of another site can make a browser send this header.
"""

import hashlib

from flask import Request

from contactcentre.store import ApiToken, Store, User

MARK = "cct_"
"""Every token begins so: people and scanners of source code know one when they see it."""

SHOWN = len(MARK) + 8
"""Characters of a token that are its id, and no secret."""

LONGEST = 80


def given(asked: Request) -> str | None:
    """What the request names as its token, "" for one of another form; None: it is no request by token."""
    scheme, _, text = asked.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not asked.path.startswith("/api/v1/"):
        return None
    text = text.strip()
    return text if text.startswith(MARK) and len(text) <= LONGEST else ""


def hashed(token: str) -> str:
    """256 random bits cannot be guessed, so a fast hash keeps them."""
    return hashlib.sha256(token.encode()).hexdigest()


def holder(store: Store, token: str, now: float, address: str = "") -> tuple[ApiToken, User] | None:
    """Whose it is; None for one that is unknown, revoked or over, and for a disabled account's."""
    found = store.token(hashed(token), now, address) if token else None
    return None if found is None or found[1].disabled else found
