"""Where one is signed in, and what happened of late to how one signs in: who was it that did not do that?"""

import time

from apiflask import APIBlueprint
from flask import request
from pydantic import Field

from contactcentre.web.api.second_factor import OURS, Proof, me_by_session, proven
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Row
from contactcentre.web.session import address_of, signed_in
from contactcentre.web.wiring import services

LATELY = 20
"""Entries of the audit log."""

OWN, DONE_TO = ("session",), ("user", "token")
"""Nouns of the audit log: what an account did itself, and what was done to it."""

blueprint = APIBlueprint("own_sessions", __name__, url_prefix="/api/v1", tag="Own account")


class OwnSession(Row):
    opened: float
    used: float | None = Field(description="last; null: a wallboard, always")
    address: str = Field(description="from which it was opened")


class SignIn(Row):
    at: float
    action: str = Field(description="noun.verb of the audit log")
    by: str
    detail: dict[str, object]
    address: str


class SignIns(Row):
    sessions: list[OwnSession]
    lately: list[SignIn] = Field(description="what was done by, or to, the account; newest first")


class EndedOthers(Row):
    sessions: int = Field(description="that were open elsewhere")


@blueprint.get("/me/sessions")
@blueprint.output(SignIns)
@blueprint.doc(summary="Where one is signed in, and what happened to the account of late")
@requires(Permission.SELF)
def mine() -> SignIns:
    return sign_ins()


@blueprint.post("/me/sessions/end")
@blueprint.input(Proof, location="json", arg_name="proof")
@blueprint.output(EndedOthers)
@blueprint.doc(summary="End all sessions of one's own but this one", responses=OURS)
@requires(Permission.SELF)
def end(proof: Proof) -> EndedOthers:
    return EndedOthers(sessions=end_others(proof.password, proof.code))


def sign_ins() -> SignIns:
    web, name = services(), signed_in().name
    found = [web.store.audit_entries(actor=name, action=noun, limit=LATELY) for noun in OWN]
    found += [web.store.audit_entries(subject=name, action=noun, limit=LATELY) for noun in DONE_TO]
    entries = sorted({entry.id: entry for each in found for entry in each}.items(), reverse=True)[:LATELY]
    told = [
        SignIn(at=one.at, action=one.action, by=one.actor, detail=dict(one.detail), address=one.address)
        for _, one in entries
    ]
    open_ = web.sessions.of(name, time.time())
    return SignIns(
        sessions=[OwnSession(opened=one.opened, used=one.used, address=one.address) for one in open_], lately=told
    )


def end_others(password: str, code: str) -> int:
    """Accounts without a password, of the company's provider, need none. Audited. Raises as `proven`."""
    me = me_by_session()
    if me.user.password_hash:
        proven(password, code)
    ended = services().sessions.close_others(me.name, me.token)
    services().store.audit(me.name, "user.sign_out", me.name, {"sessions": ended}, address_of(request))
    return ended
