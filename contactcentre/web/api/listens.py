"""Supervisors who listen to calls that go on, whisper to agents, barge in or take over."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import limits
from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.live import listens
from contactcentre.live.calls import find
from contactcentre.live.errors import CommandFailed, LiveError, NoReply, NoSuchCall
from contactcentre.web import rows
from contactcentre.web.errors import BadValue, NotFound, TooManyTries, WebError
from contactcentre.web.openapi import choices
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.session import SignedIn, address_of, signed_in
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import limiter, services

PER_ACCOUNT = limits.parse("60 per minute")
Mode = Literal["listen", "whisper", "barge"]

blueprint = APIBlueprint("listens", __name__, url_prefix="/api/v1", tag="Supervision")


class Listen(rows.Row):
    """One supervisor's phone, and what it hears."""

    id: str
    supervisor: str
    phone: str = Field(description="an agent's name, an endpoint of the PBX, or number:N")
    agent: str = Field("", description="who is listened to")
    endpoint: str = Field("", description="of the PBX, in a call that is not ours; or a channel")
    contact: str = Field("", description="that is heard now")
    mode: Mode
    follow: bool = Field(description="goes on with the agent's next calls")
    state: str = Field(description="ringing, waiting (for the next call), listening or over")
    node: str = ""


class Listens(rows.Row):
    listens: list[Listen]
    next: str = NEXT


class Start(BaseModel):
    """What is listened to is exactly one of agent, contact, endpoint and channel."""

    model_config = ConfigDict(extra="forbid")

    agent: str = Field("", max_length=40, description="whose call, and with `follow` whose next ones")
    contact: str = Field("", max_length=80, description="with whichever agent it talks: an id, or the beginning of one")
    endpoint: str = Field("", max_length=40, description="of the PBX, in a call that is not ours")
    channel: str = Field("", max_length=120, description="of the PBX, in a call that is not ours: its id or name")
    phone: str = Field(
        "",
        max_length=80,
        description="which phone rings: an agent's name, an endpoint of the PBX, or number:N; the phone of the agent "
        "who the account is, if not said",
    )
    mode: Mode = Field("listen", description="who hears the supervisor: nobody, the agent, or both")
    follow: bool = Field(default=False, description="go on with the agent's next calls")


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mode: Literal["", "listen", "whisper", "barge"] = Field("", description="of the verb `mode`")


@blueprint.get("/listens")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(Listens)
@blueprint.doc(summary="Who listens to whom now")
@requires(Permission.SUPERVISE, by_queue=True)
def listing(wanted: Window) -> Listens:
    account, live = signed_in(), services().live
    seen = [_told(one) for one in listens.listening(live) if _seen(account, one)]
    found, after = wanted.of(seen, lambda one: one.id)
    return Listens(listens=found, next=after)


@blueprint.post("/listens")
@blueprint.input(Start, location="json", arg_name="wish")
@blueprint.output(Listen)
@blueprint.doc(
    summary="Call a supervisor's phone and let it hear a call",
    description="Answers when the phone is called. 409 with a stable `code` says why not. Every request is in the "
    "audit log, every listening-in among the contact's facts. 60 a minute. A session's requests carry `X-CSRFToken`.",
    responses={404: "No such call", 409: "Not possible now", 504: "No answer"},
)
@requires(Permission.SUPERVISE, by_queue=True)
def start(wish: Start) -> Listen:
    account = _account()
    said = wish.model_dump()
    given = [name for name in ("agent", "contact", "endpoint", "channel") if said[name]]
    if len(given) != 1:
        raise BadValue(phrase("agent, contact, endpoint, channel: exactly one says what is listened to"))
    said["phone"] = said["phone"] or account.agent
    if not said["phone"]:
        raise BadValue(
            phrase("phone: which one is to ring? Your account is no agent's (contactcentre user agent NAME AGENT)")
        )
    live, subject = services().live, said[given[0]]
    detail = {name: value for name, value in said.items() if value and name != given[0]}
    return _asked(
        account,
        "call.listen",
        subject,
        detail,
        lambda: listens.start(live, supervisor=account.name, **_within_scope(said)),
    )


@blueprint.post("/listens/<id>/<verb>")
@choices(verb=listens.VERBS)
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(Listen)
@blueprint.doc(
    summary="Another mode, take over, or stop",
    description=f"`verb`: {', '.join(listens.VERBS)}. `mode` takes `mode` and calls nobody again; `take_over` gives "
    "the customer to the supervisor's phone, and the agent is out; `stop` hangs the supervisor's phone up.",
    responses={404: "No such supervision, or no such verb", 409: "Not possible now", 504: "No answer"},
)
@requires(Permission.SUPERVISE, by_queue=True)
def act(id: str, verb: str, wish: Wish) -> Listen:
    account = _account()
    if verb not in listens.VERBS:
        raise NotFound(
            phrase("There is no verb %(verb)s: %(listens)s", verb=repr(verb[:40]), listens=", ".join(listens.VERBS))
        )
    if (verb == "mode") is not bool(wish.mode):
        raise BadValue(phrase("mode: the verb mode needs it, and no other takes it"))
    live = services().live
    one = listens.named(live, id)
    if not _seen(account, one):
        raise NoSuchCall(f"{id[:60]}: no supervision has this id")
    detail = {"id": one["id"], **({"mode": wish.mode} if wish.mode else {})}
    subject = one["contact"] or one["agent"] or one["endpoint"]
    return _asked(
        account, f"call.listen.{verb}", subject, detail, lambda: listens.change(live, one["id"], verb, wish.mode)
    )


def _within_scope(said: dict[str, Any]) -> dict[str, Any]:
    """What is to be listened to. Whoever is limited to queues may listen to a contact in one of them, and
    to all that an agent does who answers no other. Raises BadValue, NoSuchCall, NotFound, Forbidden."""
    scope = current_scope()
    if scope.queues is None:
        return said
    if said["endpoint"] or said["channel"]:
        raise BadValue(phrase("endpoint, channel: your account is limited to queues; such calls are in none"))
    if said["follow"]:
        scope.need_agent(said["agent"] or find(services().live, said["contact"], scope.queues).agent)
    if said["agent"] in scope.own_agents:
        return said
    found = find(services().live, said["contact"] or said["agent"], scope.queues)
    return {**said, "agent": "", "contact": found.contact_id}


def _seen(account: SignedIn, one: Mapping[str, Any]) -> bool:
    """One's own, that of a contact in a queue that is seen, and one that waits for such an agent's next call."""
    scope = current_scope()
    if scope.queues is None or one["supervisor"] == account.name:
        return True
    if not one["contact"]:
        return one["agent"] in scope.agents
    contact = services().live.contact(one["contact"])
    return contact is not None and scope.among([contact.queue])


def _account() -> SignedIn:
    account = signed_in()
    if not limiter().limiter.hit(PER_ACCOUNT, "listens", account.name):
        raise TooManyTries(phrase("You have asked for %(what)s things within a minute.", what=PER_ACCOUNT.amount))
    return account


def _asked(
    account: SignedIn, action: str, subject: str, detail: Mapping[str, Any], ask: Callable[[], dict[str, Any]]
) -> Listen:
    """Asks, and writes down who asked for what and what came of it, also where that is nothing."""
    outcome: dict[str, str] = {"outcome": "no answer"}
    try:
        told = ask()
        outcome = {"id": told["id"]}
    except CommandFailed as refused:
        outcome = {"outcome": refused.code}
        raise
    except NoReply:
        raise
    except LiveError as error:
        outcome = {"outcome": type(error).__name__}
        raise
    except WebError as refused:
        outcome = {"outcome": refused.code}
        raise
    finally:
        services().store.audit(account.name, action, subject, {**detail, **outcome}, address_of(request))
    return _told(told)


def _told(one: Mapping[str, Any]) -> Listen:
    return Listen.model_validate({name: value for name, value in one.items() if name in Listen.model_fields})
