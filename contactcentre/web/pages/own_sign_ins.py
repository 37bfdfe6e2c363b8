"""Where one is signed in, and what happened of late to how one signs in."""

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from contactcentre.domain.sentences import phrase
from contactcentre.web.api.own_sessions import end_others, sign_ins
from contactcentre.web.api.second_factor import state_of_own
from contactcentre.web.errors import WebError
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.session import signed_in

WORDS = {
    "session.open": phrase("Signed in"),
    "session.close": phrase("Signed out"),
    "session.refuse": phrase("A sign-in was refused"),
    "user.invite": phrase("Account made"),
    "user.provision": phrase("Account made"),
    "user.identity": phrase("Tied to your organisation's sign-in"),
    "user.password": phrase("Password changed"),
    "user.reset": phrase("A link for a new password was made"),
    "user.change": phrase("Account changed"),
    "user.sign_out": phrase("Signed out everywhere"),
    "user.second_factor": phrase("Second factor"),
    "user.recovery_code": phrase("A recovery code was used"),
    "token.create": phrase("API token made"),
    "token.revoke": phrase("API token revoked"),
}

blueprint = APIBlueprint("own_sign_ins", __name__, url_prefix="/me/sessions", enable_openapi=False)


@blueprint.get("")
@requires(Permission.SELF)
def page() -> ResponseReturnValue:
    return _page()


@blueprint.post("/end")
@requires(Permission.SELF)
def end() -> ResponseReturnValue:
    try:
        ended = end_others(request.form.get("password", "")[:200], request.form.get("code", "")[:64])
    except WebError as refused:
        return _page(refused.detail), int(refused.status)
    return redirect(url_for("own_sign_ins.page", ended=ended), 303)


def _page(problem: str = "") -> str:
    return render_template(
        "second_step/sessions.html",
        found=sign_ins(),
        words=WORDS,
        problem=problem,
        factor=state_of_own(),
        has_password=bool(signed_in().user.password_hash),
    )
