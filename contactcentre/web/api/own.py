"""An agent's own contacts: how they ended, notes and answers, who called, and calls back that were promised."""

import time
from contextlib import suppress
from typing import Annotated

from apiflask import APIBlueprint
from pydantic import Field

from contactcentre.domain.agents import AgentState, AgentStatus, NotAllowed, Verb
from contactcentre.domain.customers import Customer, number_of
from contactcentre.domain.day import midnight
from contactcentre.domain.metrics import AgentTime, agent_time
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.sentences import phrase
from contactcentre.domain.shift import FACTS, not_taken
from contactcentre.store import AmbiguousContact, BadCursor, NoSuchContact, Promise
from contactcentre.store.paging import cursor_at
from contactcentre.web import customers
from contactcentre.web.api.results import Answer, told
from contactcentre.web.customers import CustomerRow
from contactcentre.web.customers import Wish as CustomerWish
from contactcentre.web.errors import BadValue, Conflict, NotFound
from contactcentre.web.etags import agree, etag, wanted_version
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.results import ResultRow, Sheet, Wish
from contactcentre.web.rows import Row
from contactcentre.web.session import own_agent, signed_in
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import services

OWN_SECONDS = 7 * 86400.0
"""For so long after its arrival agents write about a contact of their own."""

RECENT_SECONDS = 24 * 3600.0
"""Own contacts of so long are listed."""

MOST_OFFERS = 1000
"""More than anybody gets in a day."""

PAST = 10
"""Earlier contacts of a customer that an agent is shown."""


blueprint = APIBlueprint("own", __name__, url_prefix="/api/v1", tag="Own work")


class OwnWish(Wish):
    done: bool = Field(False, description="also ends the wrap-up; nothing that the queue asks for may be missing")


class OwnWindow(Window):
    limit: Annotated[int, Field(ge=1, le=200)] = 30


class OwnContact(Row):
    id: str
    arrived: float
    caller: str
    caller_name: str = Field(description="what the caller's side sent; anything may stand in it")
    queue: str
    disposition: str = Field(description="its label; empty: none was said")


class OwnContacts(Row):
    contacts: list[OwnContact] = Field(description="of the last 24 hours, the latest first")
    next: str = NEXT


class TodayRow(Row):
    """Since midnight in the site's time zone; seconds in each state, from stored facts."""

    since: float
    calls: int = Field(description="answered")
    talk: float
    wrap_up: float
    paused: float
    missed: int = Field(description="offers that came to nothing through one's own side")


class PastContact(Row):
    arrived: float
    queue: str
    agent: str
    outcome: str = Field(description="empty while it goes on")
    disposition: str = Field(description="labels of what was said")
    note: str


class CustomerField(Row):
    name: str
    label: str
    value: str


class OwnCustomer(Row):
    """Who calls in a contact of one's own."""

    customer: CustomerRow
    fields: list[CustomerField] = Field(description="the site's, and those that only this customer has")
    contacts: list[PastContact] = Field(description="before, the latest first")


class PromiseRow(Row):
    """A call back that was promised."""

    contact: str
    queue: str
    agent: str
    at: float = Field(description="for when")
    number: str
    caller_name: str = Field(description="what the caller's side sent; anything may stand in it")
    label: str = Field(description="of the disposition")


class Promises(Row):
    callbacks: list[PromiseRow] = Field(description="not made yet, the earliest first")
    next: str = NEXT


@blueprint.get("/me/today")
@blueprint.output(TodayRow)
@blueprint.doc(summary="What one did today", responses={404: "The account is no agent's"})
@requires(Permission.PHONE)
def today() -> TodayRow:
    me, store, now = own_agent(), services().store, time.time()
    since = midnight(services().fanout.timezone, now)
    changes = store.agent_changes(me, since, now)
    spent = agent_time(changes, since, now) if changes else AgentTime()
    offered = store.facts(store.contacts_offered(me, since, most=MOST_OFFERS), FACTS)
    return TodayRow(
        since=since,
        calls=spent.calls,
        talk=spent.talking,
        wrap_up=spent.wrap_up,
        paused=sum(spent.paused.values()),
        missed=not_taken(me, offered, since),
    )


@blueprint.get("/me/contacts")
@blueprint.input(OwnWindow, location="query", arg_name="wanted")
@blueprint.output(OwnContacts)
@blueprint.doc(summary="Contacts that one has talked with", responses={404: "The account is no agent's"})
@requires(Permission.PHONE)
def own_list(wanted: OwnWindow) -> OwnContacts:
    me, store, since = own_agent(), services().store, time.time() - RECENT_SECONDS
    try:
        page = store.contacts(agent=me, since=since, limit=wanted.limit, cursor=wanted.cursor)
    except BadCursor as error:
        raise BadValue(str(error)) from None
    found = []
    for contact in page.contacts:
        queue = _queue_of(contact.id, me)
        said = [one for one in store.said(contact.id) if one.queue == queue] if contact.disposition else []
        found.append(
            OwnContact(
                id=contact.id,
                arrived=contact.arrived,
                caller=contact.caller,
                caller_name=contact.caller_name,
                queue=queue,
                disposition=said[0].label if said else "",
            )
        )
    return OwnContacts(contacts=found, next=page.cursor)


@blueprint.get("/me/contacts/<id>")
@blueprint.output(ResultRow)
@blueprint.doc(
    summary="How an own contact ended, with notes, answers and the script",
    description="Of the contact that rings, is talked with or is being wrapped up, and of those that one has talked "
    "with within 7 days.",
    responses={404: "No such contact of one's own"},
)
@requires(Permission.PHONE)
def own(id: str) -> Answer:
    return told(own_result(id))


@blueprint.put("/me/contacts/<id>")
@blueprint.input(OwnWish, location="json", arg_name="wish")
@blueprint.output(ResultRow)
@blueprint.doc(
    summary="Say how an own contact ended, write notes, and be done with it",
    description="During the talk, in wrap-up, and afterwards. 409 `result_missing` names what the queue still wants.",
    responses={
        404: "No such contact of one's own",
        409: "Something is missing, or one talks still",
        412: "Changed meanwhile",
        422: "A value that the queue does not take",
    },
)
@requires(Permission.PHONE)
def change_own(id: str, wish: OwnWish) -> Answer:
    found, live = own_result(id), services().live
    me = found.result.agent
    status = live.agent(me)
    its = status.contact_id == found.result.contact
    if its and status.state is AgentState.OFFERED:
        raise Conflict(phrase("You do not talk yet."))
    if wish.done and its and status.state is AgentState.TALKING:
        raise Conflict(phrase("You talk still."))
    after = found.change(wish, _by(), wanted_version(), done=wish.done)
    if wish.done and its and status.state is AgentState.WRAP_UP:
        with suppress(NotAllowed):  # the timer has ended it a moment ago
            live.change(me, Verb.WRAPPED, time.time())
    return told(after)


@blueprint.get("/me/contacts/<id>/customer")
@blueprint.output(OwnCustomer)
@blueprint.doc(
    summary="Who calls, and what they called for before",
    description="Of the same contacts as `/me/contacts/{id}`, also while one rings.",
    responses={404: "No such contact of one's own, or its number is withheld"},
)
@requires(Permission.PHONE)
def own_customer(id: str) -> tuple[OwnCustomer, int, dict[str, str]]:
    return _customer_told(_customer(id), id)


@blueprint.put("/me/contacts/<id>/customer")
@blueprint.input(CustomerWish, location="json", arg_name="wish")
@blueprint.output(OwnCustomer)
@blueprint.doc(
    summary="Write down who calls",
    description="As `PUT /customers/{id}`.",
    responses={404: "No such contact of one's own, or its number is withheld", 412: "Changed meanwhile"},
)
@requires(Permission.PHONE)
def change_own_customer(id: str, wish: CustomerWish) -> tuple[OwnCustomer, int, dict[str, str]]:
    account = signed_in()
    return _customer_told(customers.change(_customer(id), wish, account.name, wanted_version()), id)


@blueprint.get("/me/callbacks")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(Promises)
@blueprint.doc(summary="Calls back that one has promised", responses={404: "The account is no agent's"})
@requires(Permission.PHONE)
def own_promises(wanted: Window) -> Promises:
    promised = services().store.promises(own_agent(), limit=MOST_OFFERS)
    found, after = wanted.of(promised, lambda one: cursor_at(one.said.callback_at or 0.0, one.contact_id).zfill(60))
    return Promises(
        next=after,
        callbacks=[
            PromiseRow(
                contact=one.contact_id,
                queue=one.said.queue,
                agent=one.said.agent,
                at=one.said.callback_at or 0.0,
                number=one.said.number,
                caller_name=one.caller_name,
                label=one.said.label,
            )
            for one in found
        ],
    )


@blueprint.post("/me/callbacks/<id>")
@blueprint.output(ResultRow)
@blueprint.doc(
    summary="A promised call back was made",
    description="`id`: the contact in which it was promised.",
    responses={404: "No such promise of one's own", 412: "Changed meanwhile"},
)
@requires(Permission.PHONE)
def called(id: str) -> Answer:
    me, store = own_agent(), services().store
    kept = own_promise(me, id)
    agree(wanted_version(), store.result(id, kept.said.queue, me).version)
    store.called_back(id, kept.said.queue, me, _by(), time.time())
    return told(Sheet.read(id, kept.said.queue, me))


def own_promise(agent: str, id: str) -> Promise:
    """Of the agent, to call back, made in this contact and not kept yet. Raises NotFound."""
    kept = next((one for one in services().store.promises(agent, limit=1000) if one.contact_id == id), None)
    if kept is None:
        raise NotFound(phrase("You have promised no call back there, or have made it."))
    return kept


def own_result(id: str) -> Sheet:
    """Of a contact of the agent who makes this request. Raises NotFound."""
    me = own_agent()
    status = services().live.agent(me)
    if status.contact_id == id:
        return Sheet.read(id, status.queue, me)
    try:
        contact = services().store.contact(id)
    except (NoSuchContact, AmbiguousContact):
        contact = None
    if contact is None or me not in contact.agents or contact.arrived < time.time() - OWN_SECONDS:
        raise NotFound(phrase("There is no such contact of yours."))
    return Sheet.read(contact.id, _queue_of(contact.id, me), me)


def need_result(status: AgentStatus) -> None:
    """Before an agent ends wrap-up: what the queue asks for was said. Raises Missing."""
    if status.state is AgentState.WRAP_UP and status.contact_id:
        Sheet.read(status.contact_id, status.queue, status.name).need_all()


def _customer(id: str) -> Customer:
    """Who calls in a contact of one's own. Raises NotFound."""
    own_result(id)
    web = services()
    running = web.live.contact(id)
    try:
        caller = running.caller if running is not None else web.store.contact(id).caller
        number = number_of(caller, customers.settings().country)
    except NoSuchContact:
        raise NotFound(phrase("There is no such contact of yours.")) from None
    except NotAcceptable:
        raise NotFound(phrase("The number is withheld, or nobody's.")) from None
    return web.store.customer_of(number) or Customer("", (number,))


def _customer_told(known: Customer, contact: str) -> tuple[OwnCustomer, int, dict[str, str]]:
    store = services().store
    past = [one for one in customers.contacts_of(known, PAST + 1).contacts if one.id != contact][:PAST]
    rows = []
    for one in past:
        said, notes = store.said(one.id) if one.disposition else [], store.notes(one.id)
        rows.append(
            PastContact(
                arrived=one.arrived,
                queue=one.queue,
                agent=one.agent,
                outcome=one.outcome,
                disposition=", ".join(word.label for word in said),
                note="\n".join(note.note for note in notes if note.note),
            )
        )
    labelled = customers.fields_of(known).items()
    fields = [CustomerField(name=name, label=label, value=value) for name, (label, value) in labelled]
    return OwnCustomer(customer=CustomerRow.of(known), fields=fields, contacts=rows), 200, etag(known.version)


def _queue_of(contact: str, agent: str) -> str:
    """The queue in which the agent had the contact last."""
    parts = [part for part in services().store.participations(contact) if part.agent == agent]
    return parts[-1].queue if parts else ""


def _by() -> str:
    account = signed_in()
    return account.agent or account.name
