"""One's own work at the phone: the agent behind the account, what rings, the call, and the phone in the browser."""

import base64
import hashlib
import hmac
import time
from typing import Any

import limits
from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.agents import EXTENSION, LONGEST_WRAP_UP, AgentState, NotAllowed, Verb
from contactcentre.domain.devices import NoSuchDevice, choose
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.live import Commands, signs_of_life
from contactcentre.live.calls import DIALLING, VERBS, ask
from contactcentre.settings import Settings
from contactcentre.web import rows
from contactcentre.web.api.calls import Told, Wish, arguments
from contactcentre.web.api.own import need_result
from contactcentre.web.errors import BadValue, Conflict, NotFound, TooManyTries, Unavailable
from contactcentre.web.openapi import choices
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.session import own_agent, signed_in
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import limiter, services

PER_AGENT = limits.parse("120 per minute")
"""More than a person presses."""
ICE_SECONDS = 60 * 60
"""For so long a TURN server's password opens new ways for sound; the page asks for another every minute, and ways that
are open stay (coturn keeps the key of each)."""
STEPS = {
    "login": Verb.LOGIN,
    "logout": Verb.LOGOUT,
    "pause": Verb.PAUSE,
    "unpause": Verb.UNPAUSE,
    "extend": Verb.EXTEND,
}
"""What agents can do with their own state: name -> step of `domain.agents`."""

NOT_ONES_OWN = ("hangup", "pickup", "retrieve")
"""Verbs of calls that are the phone's and the supervisor's."""

WINDOW = ("away", "here", "rejoin")
"""What the window that is the agent's phone says of itself during a call: it goes; it was only silent; it is back, or
another one takes its place, and is to be called."""

LEAVE = "leave"
"""The same as hanging the own phone up, wherever that is."""

NO_AGENT = {404: "The account is no agent's"}

blueprint = APIBlueprint("me", __name__, url_prefix="/api/v1", tag="Own work")


class Colleague(rows.Row):
    name: str
    full_name: str = ""
    state: str


class Colleagues(rows.Row):
    """Whom a caller can be given to."""

    agents: list[Colleague]
    queues: list[str] = Field(description="all of them, on each page")
    next: str = NEXT


class Step(BaseModel):
    """What belongs to a step; others take nothing."""

    model_config = ConfigDict(extra="forbid")

    device: str = Field("", max_length=40, description="login: phone, webrtc, external or external:NUMBER")
    reason: str = Field("", max_length=80, description="pause: one of the site's reasons (the first)")
    seconds: float = Field(EXTENSION, gt=0, le=LONGEST_WRAP_UP, description="extend: more time for wrap-up")


class PhoneWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    holder: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", description="the window, by a random text of its own")
    take: bool = Field(default=False, description="also from another window that has the phone")
    end: bool = Field(default=False, description="give it back")


class IceServer(rows.Row):
    """As RTCPeerConnection takes it."""

    urls: str
    username: str = ""
    credential: str = ""


class Phone(rows.Row):
    """How a phone in the browser signs in to the PBX."""

    url: str = Field(default="", description="SIP over a websocket")
    account: str = ""
    password: str = Field(default="", description="for this window alone; ask again before its time is over")
    until: float = 0.0
    ice: tuple[IceServer, ...] = ()


@blueprint.get("/me")
@blueprint.output(rows.Desk)
@blueprint.doc(summary="The own state, and the call that rings or goes on", responses=NO_AGENT)
@requires(Permission.PHONE)
def desk() -> rows.Desk:
    own_agent()
    return _desk()


@blueprint.get("/me/colleagues")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(Colleagues)
@blueprint.doc(summary="Whom a caller can be given to", responses=NO_AGENT)
@requires(Permission.PHONE)
def colleagues(wanted: Window) -> Colleagues:
    me, board = own_agent(), services().fanout.snapshot()
    if board is None:
        raise Unavailable(phrase("The live state cannot be read at the moment. Calls go on."))
    others = [row for name, row in board.agents.items() if name != me]
    found, after = wanted.of(others, lambda row: f"{row.full_name or row.name} {row.name}")
    return Colleagues(
        agents=[Colleague(name=row.name, full_name=row.full_name, state=row.state) for row in found],
        queues=sorted(board.queues),
        next=after,
    )


@blueprint.post("/me/<step>")
@choices(step=STEPS)
@blueprint.input(Step, location="json", arg_name="wish")
@blueprint.output(rows.Desk)
@blueprint.doc(
    summary="Begin and end work, pause, return, more wrap-up",
    description=f"`step`: {', '.join(STEPS)}. During a call `logout` and `pause` come when it is over; `unpause` takes "
    "that back, and ends wrap-up: 409 `result_missing` where its queue still wants to know something. `login` "
    "with a `device` also changes it while at work. Answers the state after it.",
    responses={404: "No such step, or the account is no agent's", 409: "Not possible now"},
)
@requires(Permission.PHONE)
def act(step: str, wish: Step) -> rows.Desk:
    me, live, site = own_agent(), services().live, _site()
    if step not in STEPS:
        raise NotFound(phrase("There is no step %(step)s: %(steps)s", step=repr(step[:40]), steps=", ".join(STEPS)))
    limit(me)
    verb, args = STEPS[step], _arguments(site, me, step, wish)
    if verb is Verb.LOGIN and live.agent(me).state is not AgentState.LOGGED_OUT:
        if not wish.device:
            return _desk()
        verb = Verb.SWITCH
    if step in ("unpause", "pause"):
        need_result(live.agent(me))
    try:
        after = live.change(me, verb, time.time(), **args)
    except NotAllowed as refused:
        raise Conflict(str(refused)) from None
    return _desk(after.version)


def _arguments(site: Site, agent: str, step: str, wish: Step) -> dict[str, Any]:
    match step:
        case "login":
            try:
                return {"device": choose(site, agent, wish.device) if wish.device else ""}
            except NoSuchDevice as error:
                raise BadValue(str(error)) from None
        case "pause":
            reasons = site.settings.pause_reasons
            reason = wish.reason or (reasons[0] if reasons else "")
            if reason not in reasons:
                raise BadValue(
                    phrase(
                        "reason %(reason)s is not one of: %(reasons)s", reason=repr(reason), reasons=", ".join(reasons)
                    )
                )
            return {"reason": reason}
        case "extend":
            return {"seconds": wish.seconds}
    return {}


@blueprint.post("/me/call/<verb>")
@choices(verb=[*(verb for verb in VERBS if verb not in NOT_ONES_OWN), LEAVE, *WINDOW])
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(Told)
@blueprint.doc(
    summary="Ask for something with the own call",
    description="The verbs of `/calls/{id}/{verb}`, with the customer whom one talks with; `hangup` and `pickup` are "
    "the phone's and the supervisor's. `leave` hangs the own phone up, also while one calls. And three by which "
    "the window that is the phone tells of itself: `away` (the customer hears music until it is back, 30 seconds at "
    "most), `here` (it was only silent) and `rejoin` (it, or another one, is called and has the agent's part in the "
    "call). 409 with a stable `code` says why not, and nothing has changed then.",
    responses={404: "No call, or no such verb", 409: "Not possible now", 504: "No answer"},
)
@requires(Permission.PHONE)
def call(verb: str, wish: Wish) -> Told:
    me, live = own_agent(), services().live
    if verb in NOT_ONES_OWN:
        raise NotFound(phrase("There is no verb %(verb)s for one's own call", verb=repr(verb)))
    args = {"agent": me} if verb in (LEAVE, *WINDOW) else arguments(verb, wish)
    limit(me)
    status = live.agent(me)
    contact = live.contact(status.contact_id) if status.contact_id else None
    calls = contact is not None and contact.state == DIALLING and verb == LEAVE
    if contact is None or not (status.state is AgentState.TALKING or calls):
        raise NotFound(phrase("You talk with nobody."))
    if contact.agent != me and verb not in (LEAVE, *WINDOW):
        raise Conflict(phrase("The customer is your colleague's: what becomes of the call is theirs to say."))
    return Told.model_validate(ask(live, contact, verb, args, by="agent"))


@blueprint.post("/me/phone")
@blueprint.input(PhoneWish, location="json", arg_name="wish")
@blueprint.output(Phone)
@blueprint.doc(
    summary="A password for the phone in the browser",
    description="Good for ten minutes, for one window; the same window asks again and keeps it. 409 `phone_elsewhere`: "
    "another window has the phone, and this one did not `take` it.",
    responses={404: "The account is no agent's", 409: "Not possible now", 503: "No controller is there"},
)
@requires(Permission.PHONE)
def phone(wish: PhoneWish) -> Phone:
    me, web = own_agent(), services()
    limit(me)
    if not web.settings.phone_url:
        raise Unavailable(phrase("CONTACTCENTRE_PHONE_URL is not set: nobody has said where browsers' phones sign in."))
    args = {"agent": me, "holder": wish.holder, "take": wish.take, "end": wish.end}
    told = Commands(web.live.redis).send(node(), "softphone", args)
    if wish.end:
        return Phone()
    window = hashlib.sha256(f"{signed_in().token} {wish.holder}".encode()).hexdigest()[:12]
    return Phone(url=web.settings.phone_url, **told, ice=ice_servers(web.settings, f"{me}-{window}", time.time()))


def ice_servers(settings: Settings, whose: str, now: float) -> tuple[IceServer, ...]:
    """With passwords that the TURN server can check by itself (draft-uberti-behave-turn-rest-00, section 2.2; coturn's
    `use-auth-secret`), for one window of one session: so its log tells who was who."""
    username = f"{int(now + ICE_SECONDS)}:{whose}"
    secret = settings.turn_secret.get_secret_value() if settings.turn_secret else ""
    made = base64.b64encode(hmac.digest(secret.encode(), username.encode(), hashlib.sha1)).decode()
    return tuple(
        IceServer(urls=url, username=username, credential=made)
        if url.startswith("turn") and secret
        else IceServer(urls=url)
        for url in settings.phone_ice.split()
    )


def node() -> str:
    """The node whose PBX phones sign in to: ours, or else the first that lives. Raises Unavailable."""
    web = services()
    linked = sorted(name for name, one in signs_of_life(web.live.redis).items() if one.linked)
    if not linked:
        raise Unavailable(phrase("No controller is there that could do it. Try again in a moment."))
    return web.settings.node if web.settings.node in linked else linked[0]


def _desk(version: int = 0) -> rows.Desk:
    found = services().fanout.desk(own_agent(), version)
    if found is None:
        raise Unavailable(phrase("The live state cannot be read at the moment. Calls go on."))
    return found


def limit(agent: str) -> None:
    """Raises TooManyTries."""
    if not limiter().limiter.hit(PER_AGENT, "me", agent):
        raise TooManyTries(phrase("You have asked for %(what)s things within a minute.", what=PER_AGENT.amount))


def _site() -> Site:
    return services().store.site()[1] or Site()
