"""Users: who may sign in, as what, and where they are signed in now."""

import time
from typing import Annotated

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.web.api.second_factor import FactorRow, state_of
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Moment, Row
from contactcentre.web.users import (
    Change,
    Invitation,
    UserRow,
    change,
    find,
    invite,
    new_link,
    reset_second_factor,
    sign_out,
)
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import services

blueprint = APIBlueprint("users", __name__, url_prefix="/api/v1", tag="Users")

OURS = {403: "`session_needed`: a token changes no users", 409: "`own_account`, or the name is taken"}


class UserList(Row):
    users: list[UserRow]
    next: str = NEXT


class SessionRow(Row):
    opened: float
    used: float | None = Field(description="last; null: a wallboard, always")
    address: str = Field(description="from which it was opened")


class UserDetail(UserRow):
    second_factor: FactorRow
    sessions: list[SessionRow]


class Invited(Row):
    user: UserRow
    link: str = Field(description="sets the password, once, within 24 hours; it is nowhere else")


class LinkRow(Row):
    link: str = Field(description="sets another password, once, within 24 hours")


class Ended(Row):
    sessions: int


class AuditFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    actor: str = Field(default="", max_length=200)
    action: str = Field(default="", max_length=200, description="noun.verb, or a noun")
    subject: str = Field(default="", max_length=200)
    since: Moment | None = Field(default=None, description="at or after, epoch seconds")
    until: Moment | None = Field(default=None, description="before, epoch seconds")
    cursor: str = Field(default="", pattern=r"^\d{0,18}$", description="`next` of the page before")
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class AuditRow(Row):
    id: int
    at: float
    actor: str
    action: str
    subject: str
    detail: dict[str, object]
    address: str


class AuditList(Row):
    entries: list[AuditRow] = Field(description="newest first")
    next: str = NEXT


@blueprint.get("/users")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(UserList)
@blueprint.doc(summary="All users")
@requires(Permission.USERS)
def listing(wanted: Window) -> UserList:
    found, after = wanted.of(services().store.users(), lambda user: user.name)
    return UserList(users=[UserRow.of(user) for user in found], next=after)


@blueprint.post("/users")
@blueprint.input(Invitation, location="json", arg_name="wish")
@blueprint.output(Invited, status_code=201)
@blueprint.doc(
    summary="A new user", description="The answer alone has the link that sets the password.", responses=OURS
)
@requires(Permission.USERS)
def add(wish: Invitation) -> Invited:
    user, link = invite(wish)
    return Invited(user=UserRow.of(user), link=link)


@blueprint.get("/users/<name>")
@blueprint.output(UserDetail)
@blueprint.doc(summary="One user, with the open sessions")
@requires(Permission.USERS)
def one(name: str) -> UserDetail:
    user = find(name)
    found = services().sessions.of(name, time.time())
    sessions = [SessionRow(opened=each.opened, used=each.used, address=each.address) for each in found]
    factor = state_of(user.name, user.role)
    return UserDetail(**UserRow.of(user).model_dump(), second_factor=factor, sessions=sessions)


@blueprint.put("/users/<name>")
@blueprint.input(Change, location="json", arg_name="wish")
@blueprint.output(UserRow)
@blueprint.doc(
    summary="Change a user",
    description="What is left out stays. Open sessions end where role, queues or state change.",
    responses=OURS,
)
@requires(Permission.USERS)
def put(name: str, wish: Change) -> UserRow:
    return UserRow.of(change(name, wish))


@blueprint.post("/users/<name>/link")
@blueprint.output(LinkRow)
@blueprint.doc(
    summary="A new one-time link", description="The password of now works until the link is used.", responses=OURS
)
@requires(Permission.USERS)
def link(name: str) -> LinkRow:
    return LinkRow(link=new_link(name))


@blueprint.post("/users/<name>/sign-out")
@blueprint.output(Ended)
@blueprint.doc(summary="End all sessions of a user", responses=OURS)
@requires(Permission.USERS)
def end(name: str) -> Ended:
    return Ended(sessions=sign_out(name))


@blueprint.delete("/users/<name>/second-factor")
@blueprint.output(Ended)
@blueprint.doc(
    summary="Take a user's second factor away",
    description="For who has lost the phone and the recovery codes. All sessions end.",
    responses={**OURS, 404: "No such user, or `no_second_factor`"},
)
@requires(Permission.USERS)
def drop_factor(name: str) -> Ended:
    return Ended(sessions=reset_second_factor(name))


@blueprint.get("/audit")
@blueprint.input(AuditFilter, location="query", arg_name="wanted")
@blueprint.output(AuditList)
@blueprint.doc(summary="The audit log: who did what, to what, when, from where", tags=["Audit"])
@requires(Permission.AUDIT)
def audit(wanted: AuditFilter) -> AuditList:
    asked, before = wanted.model_dump(exclude={"cursor", "limit"}), int(wanted.cursor) if wanted.cursor else None
    found = services().store.audit_entries(**asked, before=before, limit=wanted.limit + 1)
    shown = found[: wanted.limit]
    entries = [AuditRow(**{name: getattr(entry, name) for name in AuditRow.model_fields}) for entry in shown]
    return AuditList(entries=entries, next=str(shown[-1].id) if len(found) > wanted.limit else "")
