"""Calling customers from the desk: a number, whoever left a message, and whom one has promised to call back.

The agent's own phone rings first, then the customer's. Which numbers may be called say the site's rules for numbers
outside (`domain.outside`); the controller has the last word.
"""

import re
import time
from contextlib import suppress
from typing import Annotated

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.dialled import Came, came
from contactcentre.domain.events import Direction, Kind
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.domain.voicemail import MessageState, Step
from contactcentre.live import CommandFailed, Commands
from contactcentre.live.calls import DIALLING
from contactcentre.store import NoSuchMessage
from contactcentre.web.api.me import limit, node
from contactcentre.web.api.messages import boxes_to_see, take_step
from contactcentre.web.api.own import own_promise
from contactcentre.web.errors import BadValue, Conflict, Forbidden, NotFound, WebError
from contactcentre.web.permissions import Permission, may, requires
from contactcentre.web.rows import Row
from contactcentre.web.session import own_agent, signed_in
from contactcentre.web.wiring import services

REFUSED = {404: "The account is no agent's", 409: "Not possible now: `busy`, `not_allowed`, `no_trunk` ..."}

_SPELLING = re.compile(r"[\s().\-/]")

blueprint = APIBlueprint("calling", __name__, url_prefix="/api/v1", tag="Own work")


class CallWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: Annotated[str, Field(min_length=1, max_length=40, description="of the customer, as people write it")]
    queue: str = Field("", max_length=40, description="for which it is: its rules and script count; one of one's own")


class Called(Row):
    contact: str
    state: str = Field(description="dialling, talking, or over")
    result: str = Field(default="", description=f"once it is over: {', '.join(Came)}")


@blueprint.post("/me/calls")
@blueprint.input(CallWish, location="json", arg_name="wish")
@blueprint.output(Called)
@blueprint.doc(
    summary="Call a customer",
    description="One's own phone rings first, and when it is answered the customer's. One has to be free, or paused; a "
    "pause goes on afterwards. 409 with a stable `code` says why not: then nobody's phone rings. What comes of it is "
    "told by `GET /me/calls/{id}`, with the `contact` that this answers.",
    responses={**REFUSED, 422: "No telephone number, or no queue of one's own"},
)
@requires(Permission.PHONE)
def call(wish: CallWish) -> Called:
    me = own_agent()
    known = services().fanout.desk(me)
    if wish.queue and (known is None or wish.queue not in known.agent.queues):
        raise BadValue(phrase("queue: you do not answer %(queue)s", queue=repr(wish.queue)))
    return _call(me, wish.number, wish.queue)


@blueprint.get("/me/calls/<id>")
@blueprint.output(Called)
@blueprint.doc(
    summary="What comes of a call that one has asked for",
    description="Its end is known within about a second.",
    responses={404: "No such call of one's own, or its beginning is not recorded yet"},
)
@requires(Permission.PHONE)
def called(id: str) -> Called:
    me, web = own_agent(), services()
    running = web.live.contact(id)
    if running is not None and running.agent == me and running.detail.get("direction") == Direction.OUTBOUND:
        return Called(contact=id, state=DIALLING if running.state == DIALLING else "talking")
    facts = web.store.facts([id], [Kind.ARRIVED, Kind.ENDED]).get(id, []) if _is_id(id) else []
    began = next((fact.data for fact in facts if fact.kind is Kind.ARRIVED), None)
    if began is None or began.get("direction") != Direction.OUTBOUND or began.get("agent") != me:
        raise NotFound(phrase("There is no such call of yours."))
    result = came(facts)
    return Called(contact=id, state="over" if result else DIALLING, result=result or "")


@blueprint.post("/voicemail/<id>/call_back")
@blueprint.output(Called)
@blueprint.doc(
    summary="Call whoever left a message",
    description="As `POST /me/calls`, for the queue in whose box it lies. The message is claimed by that, and done "
    "when one says so.",
    tags=["Voicemail"],
    responses={**REFUSED, 404: "No such message in a box of yours, or the account is no agent's"},
)
@requires(Permission.VOICEMAIL, by_queue=True)
def call_back(id: str) -> Called:
    account, me, store = signed_in(), own_agent(), services().store
    if not may(account, Permission.PHONE):
        raise Forbidden(phrase("This token may not make calls: it lacks phone.use."))
    try:
        found = store.message(id, boxes_to_see(account))
    except NoSuchMessage:
        raise NotFound(phrase("There is no such message, or its sound was deleted.")) from None
    message = found.message
    if not found.caller:
        raise Conflict(phrase("The number is withheld, or nobody's."))
    mine = message.state is MessageState.CLAIMED and message.owner == me and not message.is_free(time.time())
    if not mine:
        take_step(found.id, Step.CLAIM, "", "")
    queue = message.box if message.box in (store.site()[1] or Site()).queues else ""
    try:
        return _call(me, found.caller, queue, name=found.caller_name, about=found.contact_id)
    except (CommandFailed, WebError):
        if not mine:
            with suppress(Conflict):  # somebody took it over
                take_step(found.id, Step.RELEASE, "", "")
        raise


@blueprint.post("/me/callbacks/<id>/call")
@blueprint.output(Called)
@blueprint.doc(
    summary="Make a call back that one has promised",
    description="As `POST /me/calls`. `id`: the contact in which it was promised. That it was made one says by `POST "
    "/me/callbacks/{id}`.",
    responses={**REFUSED, 404: "No such promise of one's own"},
)
@requires(Permission.PHONE)
def call_promised(id: str) -> Called:
    me = own_agent()
    kept = own_promise(me, id)
    return _call(me, kept.said.number, kept.said.queue, name=kept.caller_name, about=id)


def _call(agent: str, number: str, queue: str, name: str = "", about: str = "") -> Called:
    """Raises CommandFailed, BadValue."""
    limit(agent)
    args = {"agent": agent, "number": _SPELLING.sub("", number), "queue": queue, "name": name[:80], "about": about}
    try:
        told = Commands(services().live.redis).send(node(), "call_out", args)
    except CommandFailed as refused:
        if refused.code == "wrong_target":
            raise BadValue(f"number: {refused}") from None
        raise
    return Called(contact=str(told["contact"]), state=str(told["state"]))


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f-]{36}", text) is not None
