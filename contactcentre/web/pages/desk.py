"""The agent's page: the phone in the browser, the call, the own state. What it shows comes over a live stream."""

from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import make_response, render_template
from flask.typing import ResponseReturnValue

from contactcentre.web.app import CONTENT_SECURITY_POLICY, HEADERS
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.session import current_account
from contactcentre.web.wiring import services

blueprint = APIBlueprint("desk", __name__, enable_openapi=False)


@blueprint.get("/agent")
@requires(Permission.PHONE)
def page() -> ResponseReturnValue:
    """It alone may use the microphone, and reach the PBX's websocket."""
    account, web = current_account(), services()
    agent = account.agent if account is not None else ""
    _, site = web.store.site()
    known = site.agents.get(agent) if site is not None else None
    response = make_response(render_template("desk.html", agent=agent, known=known))
    if url := web.settings.phone_url:
        parts = urlsplit(url)
        connect = f"connect-src 'self' {parts.scheme}://{parts.netloc}"
        policy = CONTENT_SECURITY_POLICY.replace("connect-src 'self'", connect)
        response.headers["Content-Security-Policy"] = policy
    allowed = HEADERS["Permissions-Policy"].replace("microphone=()", "microphone=(self), speaker-selection=(self)")
    response.headers["Permissions-Policy"] = allowed
    return response
