"""What people at work tell each other: broadcasts of supervisors, and messages between colleagues."""

import time
from contextlib import suppress
from typing import Any

import limits
from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.live import LiveError
from contactcentre.live.notices import announce
from contactcentre.store import Notice
from contactcentre.web.errors import BadValue, NotFound, TooManyTries
from contactcentre.web.notices import LONGEST, SUPERVISORS, NoSuchAudience, NoticeRow, readers_of, tell
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Row
from contactcentre.web.scope import current_scope
from contactcentre.web.session import SignedIn, address_of, own_agent, signed_in
from contactcentre.web.windows import NEXT
from contactcentre.web.wiring import limiter, services

MOST = 50
"""Of one page."""

PER_ACCOUNT = limits.parse("30 per minute")

blueprint = APIBlueprint("notices", __name__, url_prefix="/api/v1", tag="Notices")


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str = Field(max_length=60, description="all, queue:NAME, agent:NAME; an agent's: agent:NAME or supervisors")
    text: str = Field(min_length=1, max_length=LONGEST)


class Notices(Row):
    notices: list[NoticeRow] = Field(description="of the last 30 days, the latest first")
    new: int = Field(description="how many of these are told to who asks, and not read")
    next: str = NEXT


class Part(BaseModel):
    """Which part of the list. `next` of one page is `cursor` of the next."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=MOST, ge=1, le=MOST)
    cursor: str = Field(default="", pattern=r"^[0-9a-f-]{0,36}$")


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


@blueprint.get("/notices")
@blueprint.input(Part, location="query", arg_name="part")
@blueprint.output(Notices)
@blueprint.doc(
    summary="Broadcasts and what agents told the supervisors",
    description="With how many have read each. Of agents whom the account sees.",
)
@requires(Permission.LEAD, by_queue=True)
def listing(part: Part) -> Notices:
    return _told(part)


@blueprint.post("/notices")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(NoticeRow)
@blueprint.doc(
    summary="Tell agents something",
    description="It stands on their pages at once, until they have read it. `all` is, to an account that is limited to "
    "queues, all agents of these. 30 a minute; it is in the audit log, without its text.",
    responses={422: "There is no such audience, or nobody is in it"},
)
@requires(Permission.LEAD, by_queue=True)
def send(wish: Wish) -> NoticeRow:
    account, web, scope, now = signed_in(), services(), current_scope(), time.time()
    _limit(account)
    site = web.store.site()[1] or Site()
    only = site.agents if scope.queues is None else scope.agents
    if wish.to.startswith("queue:") and not scope.among([wish.to.partition(":")[2]]):
        raise BadValue(phrase("to: there is no queue %(to)s", to=repr(wish.to[6:][:40])))
    try:
        readers = readers_of(site, wish.to, web.live.agents().values(), now, only)
        if not readers:
            raise NoSuchAudience(phrase("to: nobody is in %(to)s", to=repr(wish.to[:60])))
        made = tell(web.store, web.live, account.name, "", wish.to, wish.text, readers, address_of(request))
    except NoSuchAudience as error:
        raise BadValue(str(error)) from None
    return NoticeRow.of(made, SUPERVISORS, account.name, names=True)


@blueprint.post("/notices/<id>/read")
@blueprint.input(Nothing, location="json", arg_name="nothing")
@blueprint.output(Notices)
@blueprint.doc(summary="A supervisor has read what an agent told them", responses={404: "No such message, or read"})
@requires(Permission.LEAD, by_queue=True)
def read(id: str, nothing: Nothing) -> Notices:
    account = signed_in()
    if not any(one.id == id and one.new for one in _told(Part()).notices):
        raise NotFound(phrase("Nothing of this id is told to you and not read."))
    _read(id, SUPERVISORS, account)
    return _told(Part())


@blueprint.get("/me/notices")
@blueprint.input(Part, location="query", arg_name="part")
@blueprint.output(Notices)
@blueprint.doc(summary="What one was told, and told others", responses={404: "The account is no agent's"})
@requires(Permission.PHONE)
def own(part: Part) -> Notices:
    return _own(part)


@blueprint.post("/me/notices")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(NoticeRow)
@blueprint.doc(
    summary="Tell a colleague or the supervisors something",
    description="30 a minute.",
    responses={404: "The account is no agent's", 422: "There is no such colleague"},
)
@requires(Permission.PHONE)
def send_own(wish: Wish) -> NoticeRow:
    me, account, web = own_agent(), signed_in(), services()
    _limit(account)
    site = web.store.site()[1] or Site()
    if wish.to != "supervisors" and not wish.to.startswith("agent:"):
        raise BadValue(phrase("to: agent:NAME or supervisors"))
    try:
        readers = [SUPERVISORS]
        if wish.to != "supervisors":
            readers = readers_of(site, wish.to, (), time.time(), site.agents.keys() - {me})
        if not readers:
            raise NoSuchAudience(phrase("to: that is yourself"))
        made = tell(web.store, web.live, account.name, me, wish.to, wish.text, readers, address_of(request))
    except NoSuchAudience as error:
        raise BadValue(str(error)) from None
    return NoticeRow.of(made, me, account.name)


@blueprint.post("/me/notices/<id>/read")
@blueprint.input(Nothing, location="json", arg_name="nothing")
@blueprint.output(Notices)
@blueprint.doc(summary="One has read what one was told", responses={404: "No such message of one's own, or read"})
@requires(Permission.PHONE)
def read_own(id: str, nothing: Nothing) -> Notices:
    me, account = own_agent(), signed_in()
    _read(id, me, account)
    return _own(Part())


def _told(part: Part) -> Notices:
    """What supervisors told and were told, as far as the account sees it."""
    account, scope, rows = signed_in(), current_scope(), []
    found = services().store.notices(time.time(), supervisors=True, limit=part.limit, before=part.cursor)
    for one in found:
        own, from_whom = one.sender == account.name, one.agent and one.agent in scope.agents
        if scope.queues is None or own or from_whom:
            rows.append(NoticeRow.of(one, SUPERVISORS, account.name, names=True))
    return _page(rows, found, part)


def _own(part: Part) -> Notices:
    me, account = own_agent(), signed_in()
    found = services().store.notices(time.time(), me, limit=part.limit, before=part.cursor)
    return _page([NoticeRow.of(one, me, account.name) for one in found], found, part)


def _page(rows: list[NoticeRow], found: list[Notice], part: Part) -> Notices:
    more = found[-1].id if len(found) == part.limit else ""
    return Notices(notices=rows, new=sum(row.new for row in rows), next=more)


def _read(id: str, reader: str, account: SignedIn) -> None:
    """Raises NotFound."""
    web = services()
    if not web.store.read_notice(id, reader, account.name, time.time()):
        raise NotFound(phrase("Nothing of this id is told to you and not read."))
    news: dict[str, Any] = {}  # that there is some: supervisors see who has read what
    with suppress(LiveError):
        announce(web.live.redis, news, ())


def _limit(account: SignedIn) -> None:
    if not limiter().limiter.hit(PER_ACCOUNT, "notices", account.name):
        raise TooManyTries(phrase("You have told %(what)s things within a minute.", what=PER_ACCOUNT.amount))
