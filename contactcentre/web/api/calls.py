"""Calls that go on, and what can be made of them: hold, consult, transfer, park, record, hang up."""

from typing import Any, Literal

import limits
from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.live.calls import VERBS, ask, find, noted
from contactcentre.live.errors import CommandFailed, LiveError, NoReply
from contactcentre.web import rows
from contactcentre.web.errors import BadValue, NotFound, TooManyTries, Unavailable
from contactcentre.web.openapi import choices
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, signed_in
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import limiter, services

PER_ACCOUNT = limits.parse("120 per minute")
"""More than a person presses; a program that has gone wild must not keep controllers from calls."""

blueprint = APIBlueprint("calls", __name__, url_prefix="/api/v1", tag="Calls")


class Calls(rows.Row):
    now: float
    calls: list[rows.ContactRow] = Field(description="each with `talk`")
    next: str = NEXT


class Wish(BaseModel):
    """What belongs to a verb; others take nothing."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(
        "",
        max_length=80,
        description="transfer, consult, add: agent:NAME, queue:NAME or number:N; transfer also flow:NAME, did:NUMBER, "
        "voicemail:BOX; move: queue:NAME",
    )
    party: str = Field(
        "", max_length=80, description="kick, mute, unmute: an agent, a number or a leg; to mute also `customer`"
    )
    agent: str = Field("", max_length=40, description="retrieve, pickup: who takes the customer")
    slot: str = Field("", max_length=3, description="park: where; the first that is free, if not named")
    digits: str = Field("", pattern=r"^[0-9A-D*#]{0,32}$", description="dtmf: keys for the customer's side")
    action: Literal["", "start", "stop", "pause", "resume"] = Field("", description="record")
    priority: int | None = Field(None, ge=-1000, le=1000, description="priority: points, those of the queue included")


class Told(rows.Row):
    """The call after the verb."""

    contact: str
    state: str = Field("over", description="as in `talk`; waiting; sent: left the conversation or queue; over: hung up")
    slot: str = ""
    recording: str = ""
    parties: tuple[rows.Party, ...] = ()
    priority: int | None = Field(None, description="of who waits, in points")


@blueprint.get("/calls")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(Calls)
@blueprint.doc(summary="Conversations and parked customers now, the longest first")
@requires(Permission.LIVE, by_queue=True)
def calls(wanted: Window) -> Calls:
    board = services().fanout.snapshot(current_scope().queues)
    if board is None:
        raise Unavailable(phrase("The live state cannot be read at the moment. Calls go on."))
    talking = [row for row in board.contacts.values() if row.talk is not None]
    found, after = wanted.of(talking, lambda row: row.id)  # a contact's id begins with its arrival
    return Calls(now=board.now, calls=found, next=after)


@blueprint.post("/calls/<id>/<verb>")
@choices(verb=VERBS)
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(Told)
@blueprint.doc(
    summary="Ask for something with a call",
    description=f"`verb`: {', '.join(VERBS)}. `id`: a contact's id, the beginning of one, an agent who talks, or a "
    "slot. Answers when it is done. 409 with a stable `code` says why not, and nothing has changed then; 504: nobody "
    "answered in time. Every request is in the audit log. 120 a minute. A session's requests carry `X-CSRFToken`.",
    responses={404: "No such call, or no such verb", 409: "Not possible now", 504: "No answer"},
)
@requires(Permission.CONTROL, by_queue=True)
def act(id: str, verb: str, wish: Wish) -> Told:
    account = signed_in()
    if not limiter().limiter.hit(PER_ACCOUNT, "calls", account.name):
        raise TooManyTries(phrase("You have asked for %(what)s things within a minute.", what=PER_ACCOUNT.amount))
    args = arguments(verb, wish)
    web = services()
    contact, outcome = find(web.live, id, current_scope().queues), {"outcome": "no answer"}
    try:
        told = Told.model_validate(ask(web.live, contact, verb, args))
        outcome = {}
    except CommandFailed as refused:
        outcome = {"outcome": refused.code}
        raise
    except NoReply:
        raise
    except LiveError as error:
        outcome = {"outcome": type(error).__name__}
        raise
    finally:
        detail = {**noted(args), **outcome}
        web.store.audit(account.name, f"call.{verb}", contact.contact_id, detail, address_of(request))
    return told


def arguments(verb: str, wish: Wish) -> dict[str, Any]:
    """What the verb takes, and nothing else. Raises NotFound, BadValue."""
    if verb not in VERBS:
        raise NotFound(phrase("There is no verb %(verb)s: %(verbs)s", verb=repr(verb[:40]), verbs=", ".join(VERBS)))
    given = {name: value for name, value in wish.model_dump().items() if value not in ("", None)}
    takes = VERBS[verb]
    for name in given:
        if name not in takes:
            raise BadValue(
                phrase(
                    "%(name)s: %(verb)s does not take it; it takes %(takes)s",
                    name=name,
                    verb=verb,
                    takes=", ".join(takes) or "nothing",
                )
            )
    for name, needed in takes.items():
        if needed and name not in given:
            raise BadValue(phrase("%(name)s: %(verb)s needs it", name=name, verb=verb))
    return given
