"""How contacts ended, by their agents or by supervisors: dispositions, notes, answers to the script."""

import time
from contextlib import suppress
from typing import Annotated

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.agents import AgentState, AgentStatus, NotAllowed, Verb
from contactcentre.domain.results import of_queue
from contactcentre.store import AmbiguousContact, NoSuchContact
from contactcentre.web.api.contacts import history_of
from contactcentre.web.errors import BadValue, Conflict, NotFound
from contactcentre.web.etags import etag, wanted_version
from contactcentre.web.permissions import Permission, granted, requires
from contactcentre.web.results import ResultRow, Sheet, Wish
from contactcentre.web.rows import Row
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, current_account, own_agent
from contactcentre.web.wiring import services

OWN_SECONDS = 7 * 86400.0
"""For so long after its arrival agents write about a contact of their own."""

RECENT_SECONDS = 24 * 3600.0
"""Own contacts of so long are listed."""

Answer = tuple[ResultRow, int, dict[str, str]]

blueprint = APIBlueprint("results", __name__, url_prefix="/api/v1", tag="Results")


class OfQueue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    queue: str | None = Field(None, max_length=40, description="one that the contact passed through; else its last")


class OwnWish(Wish):
    done: bool = Field(False, description="also ends the wrap-up; nothing that the queue asks for may be missing")


class OwnContact(Row):
    id: str
    arrived: float
    caller: str
    caller_name: str = Field(description="what the caller's side sent; anything may stand in it")
    queue: str
    disposition: str = Field(description="its label; empty: none was said")


class OwnContacts(Row):
    contacts: list[OwnContact] = Field(description="of the last 24 hours, the latest first")


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


class Window(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: float = Field(description="said at or after")
    until: float | None = Field(None, description="said before; else now")


class CountRow(Row):
    queue: str
    code: str
    label: str
    number: Annotated[int, Field(description="contacts of which this was said last for the queue")]


class Counts(Row):
    dispositions: list[CountRow]


@blueprint.get("/contacts/<id>/result")
@blueprint.input(OfQueue, location="query", arg_name="wanted")
@blueprint.output(ResultRow)
@blueprint.doc(summary="How a contact ended, with notes and answers", responses={404: "No such contact or queue"})
@requires(Permission.RESULTS, by_queue=True)
def one(id: str, wanted: OfQueue) -> Answer:
    return _told(of_contact(id, wanted.queue))


@blueprint.put("/contacts/<id>/result")
@blueprint.input(OfQueue, location="query", arg_name="wanted")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(ResultRow)
@blueprint.doc(
    summary="Say how a contact ended, or write notes",
    description="Also after its end. With `If-Match`, only what was read is changed. It is a fact of the contact, with "
    "who said it, and in the audit log.",
    responses={404: "No such contact or queue", 412: "Changed meanwhile", 422: "A value that the queue does not take"},
)
@requires(Permission.RESULTS, by_queue=True)
def change(id: str, wanted: OfQueue, wish: Wish) -> Answer:
    return _told(change_as_supervisor(of_contact(id, wanted.queue), wish, wanted_version()))


@blueprint.get("/dispositions")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(Counts)
@blueprint.doc(summary="How often each disposition was said, by queue")
@requires(Permission.CONTACTS, by_queue=True)
def counts(wanted: Window) -> Counts:
    until = time.time() if wanted.until is None else wanted.until
    found = services().store.count_said(wanted.since, until, current_scope().queues)
    return Counts(
        dispositions=[CountRow(queue=one.queue, code=one.code, label=one.label, number=one.number) for one in found]
    )


@blueprint.get("/me/contacts")
@blueprint.output(OwnContacts)
@blueprint.doc(summary="Contacts that one has talked with", responses={404: "The account is no agent's"})
@requires(Permission.PHONE)
def own_list() -> OwnContacts:
    me, store = own_agent(), services().store
    page = store.contacts(agent=me, since=time.time() - RECENT_SECONDS, limit=30)
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
    return OwnContacts(contacts=found)


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
    return _told(own_result(id))


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
        raise Conflict("You do not talk yet.")
    if wish.done and its and status.state is AgentState.TALKING:
        raise Conflict("You talk still.")
    after = found.change(wish, _by(), wanted_version(), done=wish.done)
    if wish.done and its and status.state is AgentState.WRAP_UP:
        with suppress(NotAllowed):  # the timer has ended it a moment ago
            live.change(me, Verb.WRAPPED, time.time())
    return _told(after)


@blueprint.get("/me/callbacks")
@blueprint.output(Promises)
@blueprint.doc(summary="Calls back that one has promised", responses={404: "The account is no agent's"})
@requires(Permission.PHONE)
def own_promises() -> Promises:
    return Promises(
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
            for one in services().store.promises(own_agent())
        ]
    )


@blueprint.post("/me/callbacks/<id>")
@blueprint.output(ResultRow)
@blueprint.doc(
    summary="A promised call back was made",
    description="`id`: the contact in which it was promised.",
    responses={404: "No such promise of one's own"},
)
@requires(Permission.PHONE)
def called(id: str) -> Answer:
    me, store = own_agent(), services().store
    kept = next((one for one in store.promises(me, limit=1000) if one.contact_id == id), None)
    if kept is None:
        raise NotFound("You have promised no call back there, or have made it.")
    store.called_back(id, kept.said.queue, me, _by(), time.time())
    return _told(Sheet.read(id, kept.said.queue, me))


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
        raise NotFound("There is no such contact of yours.")
    return Sheet.read(contact.id, _queue_of(contact.id, me), me)


def need_result(status: AgentStatus) -> None:
    """Before an agent ends wrap-up: what the queue asks for was said. Raises Missing."""
    if status.state is AgentState.WRAP_UP and status.contact_id:
        Sheet.read(status.contact_id, status.queue, status.name).need_all()


def _queue_of(contact: str, agent: str) -> str:
    """The queue in which the agent had the contact last."""
    parts = [part for part in services().store.participations(contact) if part.agent == agent]
    return parts[-1].queue if parts else ""


def may_say() -> bool:
    """Whether who makes this request may say how other people's contacts ended."""
    account = current_account()
    return account is not None and granted(account.role, Permission.RESULTS)


def change_as_supervisor(sheet: Sheet, wish: Wish, version: int | None) -> Sheet:
    """Audited. Raises BadValue, Changed."""
    account = current_account()
    assert account is not None  # the guard lets nobody through who is not signed in
    after = sheet.change(wish, account.name, version)
    if after is not sheet:
        detail = {"queue": after.result.queue, "disposition": after.result.code}
        services().store.audit(account.name, "contact.result", after.result.contact, detail, address_of(request))
    return after


def of_contact(id: str, queue: str | None = None) -> Sheet:
    """Of any contact that the asker sees, for one of its queues that the asker sees; else for the last of these. Raises
    NotFound, BadValue."""
    history = history_of(id)
    contact, scope = history.contact, current_scope()
    its = [name for name in contact.queues if scope.among([name])]
    if queue is None or not (queue or its):
        queue = its[-1] if its else ""
    elif queue not in its:
        raise BadValue(f"queue: {queue[:40]!r} is none that the contact passed through: {', '.join(its) or 'none'}")
    return Sheet.read(*of_queue(history, queue))


def _by() -> str:
    account = current_account()
    assert account is not None  # the guard lets nobody through who is not signed in
    return account.agent or account.name


def _told(found: Sheet) -> Answer:
    return found.row, 200, etag(found.result.version)
