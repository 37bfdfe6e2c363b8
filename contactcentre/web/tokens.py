"""API tokens: who may have which, made and revoked. `bearer` is about requests that come with one."""

import secrets
import string
from collections.abc import Collection

from contactcentre.domain.sentences import phrase
from contactcentre.store import ApiToken, Store, User
from contactcentre.store.tokens import TooManyTokens
from contactcentre.web.bearer import MARK, SHOWN, hashed
from contactcentre.web.permissions import Permission, granted

DAY = 86400.0
LONGEST_DAYS = 366
"""A token that nobody looks after any more ends within a year."""

MOST = 20
"""Usable tokens of an account."""

LONGEST_NAME = 60
_LETTERS = string.ascii_lowercase + string.digits


class TokenRefused(ValueError):
    """The text says which rule keeps the token from being made, field first."""


def grantable(user: User) -> list[Permission]:
    """The scopes that a token of this account can have: what its role may now."""
    return [one for one in Permission if granted(user.role, one, bool(user.queues))]


def issue(
    store: Store,
    user: User,
    name: str,
    scopes: Collection[str],
    days: float,
    by: str,
    now: float,
    address: str = "",
) -> tuple[ApiToken, str]:
    """A new token, as listed, and its text, which is nowhere else. Audited. Raises TokenRefused."""
    name, may = name.strip(), grantable(user)
    if user.disabled:
        raise TokenRefused(phrase("account: %(name)s is disabled", name=user.name))
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise TokenRefused(phrase("name: say in 1 to %(what)s characters what the token is for", what=LONGEST_NAME))
    if not scopes:
        raise TokenRefused(phrase("scopes: name at least one of %(may)s", may=", ".join(may)))
    if wrong := sorted(set(scopes) - {str(one) for one in may}):
        raise TokenRefused(
            phrase(
                "scopes: %(wrong)s: %(name)s may do %(may)s",
                wrong=", ".join(wrong)[:80],
                name=user.name,
                may=", ".join(may),
            )
        )
    if not 0 < days <= LONGEST_DAYS:
        raise TokenRefused(phrase("days: more than 0 and at most %(what)s", what=LONGEST_DAYS))
    id = MARK + "".join(secrets.choice(_LETTERS) for _ in range(SHOWN - len(MARK)))
    text = f"{id}_{secrets.token_urlsafe(32)}"
    try:
        made = store.add_token(
            id,
            hashed(text),
            user,
            name=name,
            scopes=scopes,
            expires_at=now + days * DAY,
            by=by,
            now=now,
            most=MOST,
        )
    except TooManyTokens as full:
        raise TokenRefused(f"account: {full}") from None
    detail = {"token": id, "name": name, "scopes": list(made.scopes), "expires_at": round(made.expires_at)}
    store.audit(by, "token.create", user.name, detail, address)
    return made, text


def revoke(store: Store, id: str, by: str, now: float, account: str | None = None, address: str = "") -> ApiToken:
    """Ends a token at once (`account`: if it is this one's). Audited. Raises store.NoSuchToken."""
    ended = store.revoke_token(id, now, account)
    store.audit(by, "token.revoke", ended.account, {"token": id, "name": ended.name}, address)
    return ended
