"""Signing in and out, one-time links, one's own page."""

import time
from typing import Any
from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from contactcentre.domain.sentences import phrase
from contactcentre.languages import NAMES
from contactcentre.live.errors import LiveError
from contactcentre.store import StoreUnavailable, User
from contactcentre.web import accounts, tries
from contactcentre.web.api.tokens import issue, revoke
from contactcentre.web.entering import enter
from contactcentre.web.errors import BadValue
from contactcentre.web.language import say
from contactcentre.web.permissions import WORDS, Permission, granted, public, requires, words
from contactcentre.web.session import SignedIn, address_of, current_account, sign_in, sign_out, signed_in
from contactcentre.web.tokens import LONGEST_DAYS, grantable
from contactcentre.web.wiring import services

TOKEN_DAYS = (7, 30, 90, LONGEST_DAYS)
SHOWN_TOKENS = 100
"""More than an account has, with those that ended lately."""

blueprint = APIBlueprint("account", __name__, enable_openapi=False)


@blueprint.get("/login")
@public
def login() -> ResponseReturnValue:
    account = current_account()
    if account is not None:
        return redirect(home_of(account.user))
    return render_template("login.html", next=local(request.args.get("next", "")))


@blueprint.post("/login")
@public
def log_in() -> ResponseReturnValue:
    name = request.form.get("name", "").strip().lower()[:64]
    next = local(request.form.get("next", ""))
    tries.count(name)
    user = accounts.authenticate(services().store, name, request.form.get("password", ""))
    if user is None:
        shown = name if accounts.NAME.fullmatch(name) else "?"  # what else stands there may be a password
        services().store.audit(shown, "session.refuse", "", {}, address_of(request))
        text = phrase("Name and password do not belong together.")
        return render_template("login.html", next=next, name=name, problem=text), 403
    if user.role in services().settings.oidc_only.split():
        services().store.audit(user.name, "session.refuse", "", {"why": "password of a role"}, address_of(request))
        text = phrase("Accounts of your role do not sign in by password.")
        return render_template("login.html", next=next, name=name, problem=text), 403
    return enter(user, next, home_of(user))


@blueprint.post("/logout")
@requires(Permission.SELF)
def log_out() -> ResponseReturnValue:
    account, elsewhere = current_account(), bool(cookie.get("oidc_session"))
    sign_out(services().sessions)
    if account is not None:
        services().store.audit(account.name, "session.close", "", {}, address_of(request))
    return redirect(url_for("account.login", out=1 if elsewhere else None), 303)


@blueprint.get("/welcome")
@public
def welcome() -> ResponseReturnValue:
    """Where a one-time link leads. The token is behind the `#`, so a script of the page puts it into the form."""
    return render_template("welcome.html")


@blueprint.post("/welcome")
@public
def accept() -> ResponseReturnValue:
    """With a token alone: shows the form for the password. With a password too: sets it, uses the link up, signs in; a
    second factor is asked for here, too."""
    store, now = services().store, time.time()
    token = request.form.get("token", "").strip()[:200]
    tries.count(tries.LINK)
    user = accounts.holder(store, token, now)
    if user is None:
        return render_template("welcome.html", problem=UNUSABLE), 410
    password = request.form.get("password")
    if password is None:
        return render_template("password.html", user=user, token=token)
    try:
        if password != request.form.get("again", ""):
            raise accounts.PasswordRefused(phrase("The two passwords differ."))
        user = accounts.set_password(store, token, password, now)
    except accounts.PasswordRefused as refused:
        return render_template("password.html", user=user, token=token, problem=refused.args[0]), 422
    except accounts.LinkUnusable:
        return render_template("welcome.html", problem=UNUSABLE), 410
    tries.forget(tries.LINK)
    store.audit(user.name, "user.password", user.name, {"by": "one-time link"}, address_of(request))
    services().sessions.close_all(user.name)
    return enter(user, "", home_of(user))


UNUSABLE = phrase("This link cannot be used: it was used already, a newer one was made, or it is older than 24 hours.")


@blueprint.get("/me")
@requires(Permission.SELF)
def me() -> ResponseReturnValue:
    return _page()


@blueprint.post("/me/tokens")
@requires(Permission.SELF)
def make_token() -> ResponseReturnValue:
    """Shows the new token, this once."""
    form, days = request.form, request.form.get("days", type=float) or 0.0
    try:
        made, text = issue(signed_in(), form.get("name", ""), form.getlist("scope"), days, time.time())
    except BadValue as refused:
        return _page(token_problem=refused.args[0]), 422
    return _page(made=made, token=text), 201


@blueprint.post("/me/tokens/<id>/revoke")
@requires(Permission.SELF)
def revoke_token(id: str) -> ResponseReturnValue:
    revoke(signed_in(), id)
    return redirect(url_for("account.me", revoked=1, _anchor="tokens"), 303)


def _page(**said: Any) -> str:
    account, now = signed_in(), time.time()
    shown = services().store.tokens(account.name, now=now, limit=SHOWN_TOKENS).tokens
    scopes = [(one, say(WORDS[one])) for one in grantable(account.user)]
    return render_template(
        "me.html",
        permissions=_words(account),
        tokens=shown,
        scopes=scopes,
        days=TOKEN_DAYS,
        now=now,
        languages=NAMES,
        **said,
    )


@blueprint.post("/me/language")
@requires(Permission.SELF)
def choose_language() -> ResponseReturnValue:
    """Of one's own pages and e-mails; "" = the browser's."""
    account, wanted = signed_in(), request.form.get("language", "?")
    if wanted not in ("", *NAMES):
        raise BadValue(
            phrase("language %(wanted)s is none of %(names)s", wanted=repr(wanted[:20]), names=", ".join(NAMES))
        )
    services().store.change_user(account.name, language=wanted)
    services().store.audit(account.name, "user.language", account.name, {"language": wanted}, address_of(request))
    return redirect(url_for("account.me"), 303)


@blueprint.post("/me/password")
@requires(Permission.SELF)
def change_password() -> ResponseReturnValue:
    account, store = signed_in(), services().store
    tries.count(account.name)
    problem = ""
    if accounts.authenticate(store, account.name, request.form.get("current", "")) is None:
        problem = phrase("That is not your current password.")
        store.audit(account.name, "session.refuse", "", {"why": "password"}, address_of(request))
    elif request.form.get("password", "") != request.form.get("again", ""):
        problem = phrase("The two new passwords differ.")
    else:
        try:
            accounts.change_password(store, account.name, request.form.get("password", ""))
        except accounts.PasswordRefused as refused:
            problem = refused.args[0]
    if problem:
        return _page(problem=problem), 422
    tries.forget(account.name)
    store.audit(account.name, "user.password", account.name, {"by": "own page"}, address_of(request))
    services().sessions.close_all(account.name)
    sign_in(services().sessions, account.user, time.time())
    return redirect(url_for("account.me", changed=1), 303)


@blueprint.app_context_processor
def for_templates() -> dict[str, object]:
    try:
        account = current_account()
    except (StoreUnavailable, LiveError):  # this may be the page that says so
        account = None
    limited = account is not None and account.queues is not None
    allowed = {p.name for p in Permission if account is not None and granted(account.role, p, limited)}
    fanout = services().fanout
    return {"account": account, "allowed": allowed, "site_name": fanout.site_name, "timezone": fanout.timezone}


def _words(account: SignedIn) -> list[str]:
    return [say(one) for one in words(account.role, account.queues is not None)]


def home_of(user: User) -> str:
    """The page that somebody of this role looks at."""
    role = user.role
    if granted(role, Permission.LIVE):
        return url_for("live.page")
    if user.agent and granted(role, Permission.PHONE):
        return url_for("desk.page")
    if granted(role, Permission.NUMBERS):
        return url_for("wallboard.page")
    if granted(role, Permission.CONTACTS):
        return url_for("contacts.page")
    return url_for("voicemail.page" if granted(role, Permission.VOICEMAIL) else "account.me")


def local(target: str) -> str:
    """The target if it is a path on this server, else nothing: a login must not send people to another site."""
    parts = urlsplit(target)
    good = target.startswith("/") and not target.startswith("//") and "\\" not in target and not parts.netloc
    return target if good and target.isprintable() else ""
