"""Signing in by the company's provider, and out of it."""

import json
import time

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from contactcentre import logs
from contactcentre.domain.sentences import phrase
from contactcentre.live.connection import PREFIX, ask
from contactcentre.web import entering, provided, tries
from contactcentre.web.accounts import dashboard_url
from contactcentre.web.errors import NotFound, Unavailable
from contactcentre.web.oidc import Asked, Provider, ProviderFailed
from contactcentre.web.pages.account import home_of, local
from contactcentre.web.permissions import public
from contactcentre.web.session import address_of, current_account
from contactcentre.web.wiring import provider, services

SECONDS = 10 * 60
"""So long signing in at the provider may take."""

STATE, HERE = "oidc", "oidc_session"
"""In the cookie: the state of a sign-in that has begun; that this session was opened so."""

log = logs.get(__name__)
blueprint = APIBlueprint("oidc", __name__, enable_openapi=False)


@blueprint.get("/login/oidc")
@public
def begin() -> ResponseReturnValue:
    found, account = _provider(), current_account()
    if account is not None:
        return redirect(home_of(account.user))
    tries.count_address()
    asked = Asked.new()
    try:
        target = found.address(asked)
    except ProviderFailed as failed:
        log.error("web.oidc", error=str(failed))
        raise Unavailable(phrase("Your organisation's sign-in does not answer.")) from None
    record = {"nonce": asked.nonce, "verifier": asked.verifier, "next": local(request.args.get("next", ""))}
    ask(services().redis, "SET", _place(asked.state), json.dumps(record), "EX", SECONDS)
    cookie[STATE] = asked.state
    return redirect(target, 303)


@blueprint.get("/login/oidc/back")
@public
def back() -> ResponseReturnValue:
    """Where the provider sends the browser: good once, in the browser that began."""
    found, web = _provider(), services()
    tries.count_address()
    state = cookie.pop(STATE, "")
    if not state or request.args.get("state") != state:
        return _refused(
            "state", phrase("This sign-in was not begun in this browser, or took too long. Please try again.")
        )
    text = ask(web.redis, "GETDEL", _place(state))
    if text is None:
        return _refused("state", phrase("It took too long. Please try again."))
    record = json.loads(text)
    asked = Asked(state, record["nonce"], record["verifier"])
    try:
        claims = found.claims(asked, request.args, time.time())
        user = provided.user_for(web.store, web.sessions, web.settings, claims, address_of(request))
    except ProviderFailed as failed:
        log.error("web.oidc", error=str(failed))
        return _refused(str(failed), phrase("Your organisation's sign-in did not work. The log says why."))
    except provided.NotAdmitted as refused:
        return _refused(f"subject {claims['sub']}: {refused}", refused.args[0])
    entering.admit(user, how="provider")
    cookie[HERE] = True
    return redirect(record["next"] or home_of(user), 303)


@blueprint.get("/login/oidc/out")
@public
def out() -> ResponseReturnValue:
    """Signs out of the provider, too. A link and no form: no page of ours may send forms elsewhere."""
    try:
        target = _provider().logout_address(f"{dashboard_url(services().settings)}/login")
    except ProviderFailed as failed:
        log.error("web.oidc", error=str(failed))
        target = ""
    return redirect(target or url_for("account.login"), 303)


@blueprint.app_context_processor
def for_templates() -> dict[str, object]:
    settings = services().settings
    return {"provider_label": settings.oidc_label if settings.oidc_issuer else ""}


def _provider() -> Provider:
    found = provider()
    if found is None:
        raise NotFound("No provider is set: CONTACTCENTRE_OIDC_ISSUER")
    return found


def _refused(why: str, words: str) -> ResponseReturnValue:
    services().store.audit("?", "session.refuse", "", {"why": f"provider: {why}"[:300]}, address_of(request))
    return render_template("login.html", next="", problem=words), 403


def _place(state: str) -> str:
    return f"{PREFIX}web:oidc:{state}"
