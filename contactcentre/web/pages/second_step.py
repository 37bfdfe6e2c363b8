"""The second step of signing in, and one's own second factor."""

from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from contactcentre.domain.sentences import phrase
from contactcentre.web import entering, second_factor, tries
from contactcentre.web.api import second_factor as own
from contactcentre.web.entering import halfway
from contactcentre.web.errors import WebError
from contactcentre.web.permissions import Permission, public, requires
from contactcentre.web.second_factor import CodeRefused, Enrolment
from contactcentre.web.session import address_of

blueprint = APIBlueprint("second_step", __name__, enable_openapi=False)


@blueprint.get("/login/code")
@public
def code() -> ResponseReturnValue:
    found = halfway()
    return _again() if found is None else render_template("second_step/code.html")


@blueprint.post("/login/code")
@public
def give_code() -> ResponseReturnValue:
    found = halfway()
    if found is None:
        return _again()
    tries.count_code(found.user.name)
    if not second_factor.check(found.user, request.form.get("code", "")[:64], address_of(request)):
        problem = phrase("That code is not right, or was used before. Wait for the app's next one.")
        return render_template("second_step/code.html", problem=problem), 403
    entering.admit(found.user)
    return redirect(found.next, 303)


@blueprint.get("/login/enrol")
@public
def enrol() -> ResponseReturnValue:
    """Where the site wants a second factor of the role, and the account has none yet."""
    found = halfway()
    if found is None or second_factor.next_step(found.user) is not second_factor.Step.ENROL:
        return _again()
    return _enrolling(found.user.name)


@blueprint.post("/login/enrol")
@public
def enrolled() -> ResponseReturnValue:
    found = halfway()
    if found is None or second_factor.next_step(found.user) is not second_factor.Step.ENROL:
        return _again()
    name = found.user.name
    tries.count_code(name)
    try:
        codes = second_factor.confirm(name, request.form.get("code", "")[:64], name, address_of(request))
    except CodeRefused as refused:
        return _enrolling(name, refused.detail), 422
    entering.admit(found.user)
    return render_template("second_step/codes.html", codes=codes, next=found.next)


@blueprint.get("/me/second-factor")
@requires(Permission.SELF)
def mine() -> ResponseReturnValue:
    return _mine()


@blueprint.post("/me/second-factor")
@requires(Permission.SELF)
def begin() -> ResponseReturnValue:
    try:
        return _mine(begun=own.begin_own(**_proof()))
    except WebError as refused:
        return _mine(problem=refused.detail), int(refused.status)


@blueprint.post("/me/second-factor/confirm")
@requires(Permission.SELF)
def confirm() -> ResponseReturnValue:
    try:
        codes = own.confirm_own(request.form.get("code", "")[:64])
    except CodeRefused as refused:
        return _mine(begun=own.begun_own(), problem=refused.detail), int(refused.status)
    return render_template("second_step/codes.html", codes=codes, next=url_for("second_step.mine"))


@blueprint.post("/me/second-factor/codes")
@requires(Permission.SELF)
def codes() -> ResponseReturnValue:
    try:
        made = own.renew_own(**_proof())
    except WebError as refused:
        return _mine(problem=refused.detail), int(refused.status)
    return render_template("second_step/codes.html", codes=made, next=url_for("second_step.mine"))


@blueprint.post("/me/second-factor/off")
@requires(Permission.SELF)
def off() -> ResponseReturnValue:
    try:
        own.off_own(**_proof())
    except WebError as refused:
        return _mine(problem=refused.detail), int(refused.status)
    return redirect(url_for("second_step.mine", done="off"), 303)


def _mine(*, begun: Enrolment | None = None, problem: str = "") -> str:
    return render_template("second_step/mine.html", factor=own.state_of_own(), begun=begun, problem=problem)


def _enrolling(name: str, problem: str = "") -> str:
    begun = second_factor.begun(name) or second_factor.begin(name)
    return render_template("second_step/enrol.html", begun=begun, problem=problem)


def _proof() -> dict[str, Any]:
    return {"password": request.form.get("password", "")[:200], "code": request.form.get("code", "")[:64]}


def _again() -> ResponseReturnValue:
    return redirect(url_for("account.login"), 303)
