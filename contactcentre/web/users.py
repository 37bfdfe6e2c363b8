"""Users as admins look after them: what `contactcentre user` does, by the same store.

Who manages users could become anybody, so API tokens do not; and nobody changes the own role, limit or state, so that
one admin is always left.
"""

import time
from typing import Literal, Self

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.store import NameTaken, NoSuchUser, User
from contactcentre.web import accounts, second_factor
from contactcentre.web.errors import BadValue, Conflict, NotFound
from contactcentre.web.proposals import site_of
from contactcentre.web.rows import Row
from contactcentre.web.session import SignedIn, address_of, by_session
from contactcentre.web.wiring import services

RoleName = Literal["admin", "supervisor", "agent", "auditor", "wallboard"]


class Taken(Conflict):
    code, title = "name_taken", phrase("There is a user of this name")


class OwnAccount(Conflict):
    code, title = "own_account", phrase("That cannot be done to the own account")


class NoneThere(NotFound):
    code, title = "no_second_factor", phrase("There is no second factor")


class UserRow(Row):
    name: str
    role: str
    agent: str = Field(description="of the site, who this account is at the phone; empty: nobody")
    queues: tuple[str, ...] = Field(description="the only ones that it sees; empty: all")
    state: str = Field(description="active, invited (has no password yet) or disabled")
    created_at: float

    @classmethod
    def of(cls, user: User) -> Self:
        state = "disabled" if user.disabled else "active" if user.password_hash else "invited"
        return cls(
            name=user.name,
            role=user.role,
            agent=user.agent,
            queues=user.queues,
            state=state,
            created_at=user.created_at,
        )


class Invitation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=40)
    role: RoleName
    queues: list[str] = Field(default=[], max_length=200, description="the only ones that it sees; empty: all")
    agent: str = Field(default="", max_length=40)


class Change(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: RoleName | None = None
    queues: list[str] | None = Field(default=None, max_length=200, description="empty: all")
    agent: str | None = Field(default=None, max_length=40, description="empty: nobody")
    disabled: bool | None = None


def find(name: str) -> User:
    """Raises NotFound."""
    user = services().store.user_named(name)
    if user is None:
        raise NotFound(phrase("there is no user %(name)s", name=repr(name[:40])))
    return user


def invite(wish: Invitation) -> tuple[User, str]:
    """(user, one-time link). Audited. Raises BadValue, Taken, SessionNeeded."""
    me = _me()
    _known(wish.queues, wish.agent)
    store = services().store
    try:
        token = accounts.invite(store, wish.name, wish.role, me.name, time.time(), wish.queues, address_of(request))
    except accounts.BadName as wrong:
        raise BadValue(str(wrong)) from None
    except NameTaken as taken:
        raise Taken(str(taken)) from None
    if wish.agent:
        store.change_user(wish.name, agent=wish.agent)
        store.audit(me.name, "user.change", wish.name, {"agent": wish.agent}, address_of(request))
    return find(wish.name), accounts.link_url(services().settings, token)


def change(name: str, wish: Change) -> User:
    """Open sessions end where role, queues or state change. Audited. Raises NotFound, BadValue, OwnAccount,
    SessionNeeded."""
    me, before = _me(), find(name)
    known = {"role": before.role, "queues": list(before.queues), "agent": before.agent, "disabled": before.disabled}
    asked = wish.model_dump(exclude_none=True)
    if "queues" in asked:
        asked["queues"] = sorted(set(asked["queues"]))
    differing = {field: value for field, value in asked.items() if value != known[field]}
    if not differing:
        return before
    ends = differing.keys() - {"agent"}
    if name == me.name and ends:
        raise OwnAccount(phrase("Ask another admin: you could not take it back."))
    _known(differing.get("queues", ()), differing.get("agent", ""))
    web = services()
    try:
        after = web.store.change_user(name, **differing)
    except NoSuchUser as error:
        raise NotFound(str(error)) from None
    said = differing | ({"queues": differing["queues"] or "all"} if "queues" in differing else {})
    web.store.audit(me.name, "user.change", name, said, address_of(request))
    if ends:
        web.sessions.close_all(name)
    return after


def new_link(name: str) -> str:
    """A one-time link that sets another password; the one of now works until it is used. Audited."""
    me, user = _me(), find(name)
    store = services().store
    store.audit(me.name, "user.reset", name, {}, address_of(request))
    return accounts.link_url(services().settings, accounts.new_link(store, name, user.role, time.time()))


def sign_out(name: str) -> int:
    """Everywhere; returns how many sessions were open. Audited."""
    me, user = _me(), find(name)
    ended = services().sessions.close_all(user.name)
    services().store.audit(me.name, "user.sign_out", name, {"sessions": ended}, address_of(request))
    return ended


def reset_second_factor(name: str) -> int:
    """Takes it away, for who has lost phone and codes; returns how many sessions ended. Audited. Raises NotFound,
    OwnAccount, SessionNeeded, NoneThere."""
    me, user = _me(), find(name)
    if name == me.name:
        raise OwnAccount(phrase("Your own is on your own page, and asks for your password."))
    if not second_factor.drop(name, me.name, "reset", address_of(request)):
        raise NoneThere(phrase("%(name)s has none.", name=name))
    return services().sessions.close_all(user.name)


def _known(queues: "list[str] | tuple[str, ...]", agent: str) -> None:
    _, site = site_of(None)
    if strange := [queue for queue in queues if queue not in site.queues]:
        raise BadValue(phrase("queues: the site has no queue %(strange)s", strange=repr(strange[0][:40])))
    if agent and agent not in site.agents:
        raise BadValue(phrase("agent: the site has no agent %(agent)s", agent=repr(agent)))


def _me() -> SignedIn:
    """Raises SessionNeeded."""
    return by_session(phrase("A token changes no users."))
