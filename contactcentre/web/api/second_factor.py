"""One's own second factor: begun, confirmed, new recovery codes, off. The password is asked for again each time."""

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.web import accounts, second_factor, tries
from contactcentre.web.errors import BadValue, Conflict
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Row
from contactcentre.web.second_factor import CodeRefused, Enrolment
from contactcentre.web.session import SignedIn, address_of, by_session, signed_in
from contactcentre.web.users import NoneThere
from contactcentre.web.wiring import services

blueprint = APIBlueprint("second_factor", __name__, url_prefix="/api/v1", tag="Own account")

OURS = {403: "`session_needed`: no token does this", 422: "`wrong_password`, or `code_refused`"}


class WrongPassword(BadValue):
    code, title = "wrong_password", phrase("That is not your password")


class Required(Conflict):
    code, title = "second_factor_required", phrase("Your role has to have a second factor")


class Proof(BaseModel):
    """Who has a second factor gives a code of it, too."""

    model_config = ConfigDict(extra="forbid")

    password: str = Field(max_length=200)
    code: str = Field(default="", max_length=64, description="six digits of the app, or a recovery code")


class CodeGiven(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=64, description="six digits of the app")


class FactorRow(Row):
    on: bool
    since: float | None
    recovery_codes: int = Field(description="not used yet")
    required: bool = Field(description="the site wants it of everybody of this role")


class EnrolmentRow(Row):
    secret: str = Field(description="base 32; SHA-1, six digits, 30 seconds")
    uri: str = Field(description="what the picture says, and apps can open")
    qr: str = Field(description="the picture, SVG")


class RecoveryCodes(Row):
    recovery_codes: list[str] = Field(description="each is good once, in place of a code; told only here and now")


@blueprint.get("/me/second-factor")
@blueprint.output(FactorRow)
@blueprint.doc(summary="The own second factor")
@requires(Permission.SELF)
def mine() -> FactorRow:
    return state_of_own()


@blueprint.post("/me/second-factor")
@blueprint.input(Proof, location="json", arg_name="proof")
@blueprint.output(EnrolmentRow, status_code=201)
@blueprint.doc(
    summary="A new secret for an authenticator app",
    description="It waits 15 minutes for its first code (`confirm`); until then nothing changes.",
    responses=OURS,
)
@requires(Permission.SELF)
def begin(proof: Proof) -> tuple[EnrolmentRow, int]:
    made = begin_own(proof.password, proof.code)
    return EnrolmentRow(secret=made.secret, uri=made.uri, qr=made.qr), 201


@blueprint.post("/me/second-factor/confirm")
@blueprint.input(CodeGiven, location="json", arg_name="given")
@blueprint.output(RecoveryCodes)
@blueprint.doc(summary="The app's first code: from now on codes are asked for", responses=OURS)
@requires(Permission.SELF)
def confirm(given: CodeGiven) -> RecoveryCodes:
    return RecoveryCodes(recovery_codes=confirm_own(given.code))


@blueprint.post("/me/second-factor/codes")
@blueprint.input(Proof, location="json", arg_name="proof")
@blueprint.output(RecoveryCodes)
@blueprint.doc(
    summary="New recovery codes in place of those of before",
    responses={**OURS, 404: "`no_second_factor`"},
)
@requires(Permission.SELF)
def codes(proof: Proof) -> RecoveryCodes:
    return RecoveryCodes(recovery_codes=renew_own(proof.password, proof.code))


@blueprint.post("/me/second-factor/off")
@blueprint.input(Proof, location="json", arg_name="proof")
@blueprint.output(FactorRow)
@blueprint.doc(
    summary="No second factor any more",
    responses={**OURS, 404: "`no_second_factor`", 409: "`second_factor_required`"},
)
@requires(Permission.SELF)
def off(proof: Proof) -> FactorRow:
    off_own(proof.password, proof.code)
    return state_of_own()


def state_of_own() -> FactorRow:
    return state_of(signed_in().name, signed_in().role)


def state_of(name: str, role: str) -> FactorRow:
    found = services().store.second_factor(name)
    return FactorRow(
        on=found is not None,
        since=found.since if found else None,
        recovery_codes=found.recovery_codes if found else 0,
        required=second_factor.required(role),
    )


def begin_own(password: str, code: str) -> Enrolment:
    """Raises SessionNeeded, WrongPassword, CodeRefused, TooManyTries."""
    return second_factor.begin(proven(password, code).name)


def begun_own() -> Enrolment | None:
    return second_factor.begun(me_by_session().name)


def confirm_own(code: str) -> list[str]:
    """Raises SessionNeeded, CodeRefused, TooManyTries."""
    me = me_by_session()
    tries.count_code(me.name)
    made = second_factor.confirm(me.name, code, me.name, address_of(request))
    tries.forget(me.name)
    return made


def renew_own(password: str, code: str) -> list[str]:
    """Raises NoneThere, and as `begin_own`."""
    me = _having(password, code)
    return second_factor.new_recovery_codes(me.name, me.name, address_of(request))


def off_own(password: str, code: str) -> None:
    """Raises NoneThere, Required, and as `begin_own`."""
    if second_factor.required(signed_in().role):
        raise Required(
            phrase("The site wants it of everybody of your role. With another phone, begin anew with that one.")
        )
    me = _having(password, code)
    second_factor.drop(me.name, me.name, "off", address_of(request))


def _having(password: str, code: str) -> SignedIn:
    if services().store.second_factor(signed_in().name) is None:
        raise NoneThere(phrase("Set one up first."))
    return proven(password, code)


def proven(password: str, code: str) -> SignedIn:
    """Whoever finds an open browser must not change how its owner signs in. Raises as `begin_own`."""
    me = me_by_session()
    store = services().store
    has_one = store.second_factor(me.name) is not None
    (tries.count_code if has_one else tries.count)(me.name)
    if accounts.authenticate(store, me.name, password) is None:
        store.audit(me.name, "session.refuse", "", {"why": "password"}, address_of(request))
        raise WrongPassword(phrase("That is not your current password."))
    if has_one and not second_factor.check(me.user, code, address_of(request)):
        raise CodeRefused(phrase("That code is not right, or was used before. Wait for the app's next one."))
    tries.forget(me.name)
    return me


def me_by_session() -> SignedIn:
    """Raises SessionNeeded."""
    return by_session("A token changes nothing about how its account signs in.")
