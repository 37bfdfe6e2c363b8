"""Everybody's API tokens, for admins."""

import time

from apiflask import APIBlueprint
from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.utils import redirect

from contactcentre.store import BadCursor
from contactcentre.web.api.tokens import revoke
from contactcentre.web.errors import BadValue
from contactcentre.web.pages.site import around
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.session import signed_in
from contactcentre.web.wiring import services

SHOWN = 50

blueprint = APIBlueprint("token_pages", __name__, url_prefix="/admin/tokens", enable_openapi=False)


@blueprint.get("")
@requires(Permission.TOKENS)
def page() -> ResponseReturnValue:
    whose, now = request.args.get("account", "").strip()[:40], time.time()
    try:
        found = services().store.tokens(whose or None, now=now, limit=SHOWN, cursor=request.args.get("cursor", ""))
    except BadCursor as error:
        raise BadValue(str(error)) from None
    names = sorted(user.name for user in services().store.users())
    return render_template("admin/tokens.html", page=found, whose=whose, names=names, now=now, **around("tokens"))


@blueprint.post("/<id>/revoke")
@requires(Permission.TOKENS)
def end(id: str) -> ResponseReturnValue:
    ended = revoke(signed_in(), id)
    return redirect(url_for("token_pages.page", revoked=f"{ended.name} of {ended.account}"), 303)
