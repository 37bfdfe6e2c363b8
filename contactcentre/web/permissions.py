"""Who may do what: roles are sets of permissions, and every route names the one it needs.

A route without `@requires` or `@public` is refused to everybody (`guard`), so a forgotten decorator fails closed. So is
one to accounts that are limited to queues, unless it says that it shows them no more (`by_queue`, by `scope`).
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

import limits
from flask import Flask, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from contactcentre import logs
from contactcentre.domain.sentences import phrase
from contactcentre.web import bearer
from contactcentre.web.errors import Forbidden, SignInNeeded, TokenUnusable, TooManyTries, for_programs
from contactcentre.web.session import SignedIn, address_of, current_account
from contactcentre.web.vocabulary import ROLES
from contactcentre.web.wiring import limiter


class Permission(StrEnum):
    SELF = "self"  # one's own page and password; everyone who is signed in
    PHONE = "phone.use"  # one's own calls and state at work, and a phone in the browser
    LIVE = "live.see"  # queues, agents and contacts now
    NUMBERS = "numbers.see"  # of queues now, without anybody's name or number
    CONTACTS = "contacts.see"  # history with callers' numbers
    RESULTS = "contacts.results"  # how other people's contacts ended, and their notes
    CUSTOMERS = "customers.use"  # who calls: names, numbers, notes
    CONTROL = "calls.control"  # hold, transfer, hang up ... other people's calls
    SUPERVISE = "calls.supervise"  # listen to calls that go on, and see who does
    LEAD = "agents.lead"  # their states, skills for the day, and telling them something
    LISTEN = "recordings.listen"
    KEEP = "recordings.keep"  # legal holds, and erasure on request
    VOICEMAIL = "voicemail.use"  # one's own boxes and those of one's queues
    ALL_BOXES = "voicemail.all"
    AUDIT = "audit.see"
    SITE = "site.change"  # everything provisioned, and through it the PBX
    USERS = "users.manage"  # accounts of the pages: who may sign in, as what
    TOKENS = "tokens.all"  # everybody's API tokens: see and revoke them
    WEBHOOKS = "webhooks.manage"  # who else is told what happens


class Role(StrEnum):
    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    AUDITOR = "auditor"
    WALLBOARD = "wallboard"  # a screen on the wall


GRANTS: Mapping[str, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.SUPERVISOR: frozenset(
        {
            Permission.SELF,
            Permission.PHONE,
            Permission.LIVE,
            Permission.NUMBERS,
            Permission.CONTACTS,
            Permission.RESULTS,
            Permission.CUSTOMERS,
            Permission.CONTROL,
            Permission.SUPERVISE,
            Permission.LEAD,
            Permission.LISTEN,
            Permission.VOICEMAIL,
            Permission.ALL_BOXES,
        }
    ),
    Role.AGENT: frozenset({Permission.SELF, Permission.PHONE, Permission.VOICEMAIL}),
    Role.WALLBOARD: frozenset({Permission.SELF, Permission.NUMBERS}),
    Role.AUDITOR: frozenset({Permission.SELF, Permission.CONTACTS, Permission.LISTEN, Permission.AUDIT}),
}

WORDS: Mapping[Permission, str] = {
    Permission.SELF: phrase("your own page"),
    Permission.PHONE: phrase("your own calls, and a phone in the browser"),
    Permission.LIVE: phrase("the live page"),
    Permission.NUMBERS: phrase("the wallboard's numbers"),
    Permission.CONTACTS: phrase("contacts and their history"),
    Permission.RESULTS: phrase("saying how contacts ended"),
    Permission.CUSTOMERS: phrase("customers"),
    Permission.CONTROL: phrase("holding, transferring and ending calls"),
    Permission.SUPERVISE: phrase("listening to calls that go on"),
    Permission.LEAD: phrase("pausing agents, their skills for the day, and telling them something"),
    Permission.LISTEN: phrase("listening to recordings"),
    Permission.KEEP: phrase("holding and erasing recordings, and erasing customers"),
    Permission.VOICEMAIL: phrase("voicemail"),
    Permission.ALL_BOXES: phrase("everybody's voicemail"),
    Permission.AUDIT: phrase("the audit log"),
    Permission.SITE: phrase("changing queues, agents, trunks, numbers and flows"),
    Permission.USERS: phrase("users"),
    Permission.TOKENS: phrase("everybody's API tokens"),
    Permission.WEBHOOKS: phrase("webhooks"),
}

OWN = frozenset({Permission.SELF, Permission.PHONE})
"""About one's own account and work: no limit to queues takes it away."""

UNDIVIDED = frozenset(
    {Permission.KEEP, Permission.AUDIT, Permission.SITE, Permission.USERS, Permission.TOKENS, Permission.WEBHOOKS}
)
"""What cannot be limited to queues: an account that is has none of it."""

PER_TOKEN = limits.parse("600 per minute")
"""More than a program needs that reads what has changed; one that has gone wild must not slow pages down."""

WRONG_TOKENS = limits.parse("60 per minute")
"""Of one address."""

log = logs.get(__name__)
View = TypeVar("View", bound=Callable[..., Any])
_MARK = "_contactcentre_permission"
_BY_QUEUE = "_contactcentre_by_queue"


def granted(role: str, permission: Permission, limited: bool = False) -> bool:
    """Unknown roles have no permission. `limited`: to queues."""
    return permission in GRANTS.get(role, frozenset()) and not (limited and permission in UNDIVIDED)


def may(account: SignedIn | None, permission: Permission) -> bool:
    """By what the account's role has now, its limit to queues, and the token's scopes."""
    if account is None or not granted(account.role, permission, account.queues is not None):
        return False
    return account.grant is None or permission in account.grant.scopes


def words(role: str, limited: bool = False) -> list[str]:
    """What a role may do, for people."""
    return [WORDS[permission] for permission in Permission if granted(role, permission, limited)]


def requires(permission: Permission, *, by_queue: bool = False) -> Callable[[View], View]:
    """The view may be used by signed-in accounts whose role has this permission; by those that are limited to queues
    only if it shows and does what belongs to these alone (`by_queue`), or is about one's own account."""

    def mark(view: View) -> View:
        setattr(view, _MARK, permission)
        setattr(view, _BY_QUEUE, by_queue or permission in OWN)
        return view

    return mark


def public(view: View) -> View:
    """The view may be used by anybody who reaches the server."""
    setattr(view, _MARK, None)
    return view


def permission_of(view: Callable[..., Any]) -> Permission | None:
    """None = public. Raises LookupError for a view that nobody marked."""
    try:
        return getattr(view, _MARK)  # type: ignore[no-any-return]
    except AttributeError:
        raise LookupError(f"{view!r} has neither @requires nor @public") from None


def divides(view: Callable[..., Any]) -> bool:
    """May accounts that are limited to queues use it?"""
    return getattr(view, _BY_QUEUE, False) is True


def guard() -> ResponseReturnValue | None:
    """Runs before every request. Raises SignInNeeded or TokenUnusable (401), Forbidden (403) or TooManyTries (429); a
    page sends strangers to `/login`."""
    if request.endpoint is None:  # no such page: the 404 tells nobody anything
        return None
    try:
        permission = permission_of(current_app.view_functions[request.endpoint])
    except LookupError:
        raise Forbidden(phrase("The route %(endpoint)s has no permission.", endpoint=request.endpoint)) from None
    if permission is None:
        return None
    account = current_account()
    if bearer.given(request) is not None:
        _count(account)
    if account is None:
        if for_programs(request):
            raise SignInNeeded
        return redirect(url_for("account.login", next=request.full_path.rstrip("?")))
    why = ""
    if not granted(account.role, permission):
        why = phrase(
            "Your role, %(role)s, does not include %(permission)s.",
            role=ROLES.get(account.role, account.role),
            permission=WORDS[permission],
        )
    elif account.grant is not None and permission not in account.grant.scopes:
        why = phrase("The token %(id)s has not the scope %(permission)s.", id=account.grant.id, permission=permission)
    elif account.queues is not None and not divides(current_app.view_functions[request.endpoint]):
        why = phrase("Your account is limited to queues, and %(permission)s cannot be.", permission=WORDS[permission])
    if not why:
        return None
    log.warning(
        "web.refused",
        account=account.name,
        permission=str(permission),
        method=request.method,
        path=request.path,
        address=address_of(request),
    )
    raise Forbidden(why)


def _count(account: SignedIn | None) -> None:
    """A request by token. Raises TokenUnusable, TooManyTries."""
    keeper = limiter().limiter
    if account is None or account.grant is None:
        if not keeper.hit(WRONG_TOKENS, "wrong tokens", request.remote_addr or ""):
            raise TooManyTries(phrase("Too many requests with a token that cannot be used came from this address."))
        raise TokenUnusable(phrase("It is unknown, revoked or over, or its account is disabled."))
    if not keeper.hit(PER_TOKEN, "token", account.grant.id):
        raise TooManyTries(phrase("The token has made %(what)s requests within a minute.", what=PER_TOKEN.amount))


def protect(app: Flask) -> None:
    """Puts the guard before every request, and marks the two routes that are not ours."""
    public(app.view_functions["static"])
    requires(Permission.SELF)(app.view_functions["openapi.spec"])
    app.before_request(guard)
