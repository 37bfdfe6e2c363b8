"""Customers: found, read, changed, merged, handed out and erased."""

import time
from typing import Annotated

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.archive.erasing import StillRuns, erase_customer, of_customer
from contactcentre.domain.customers import Customer
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.sentences import phrase
from contactcentre.store import BadCursor, OnHold
from contactcentre.store import Changed as ChangedMeanwhile
from contactcentre.store.customers import MAX_CUSTOMERS
from contactcentre.web.api.contacts import detail
from contactcentre.web.customers import CustomerRow, Wish, change, contacts_of, find, settings
from contactcentre.web.errors import BadValue, Changed, Conflict
from contactcentre.web.etags import agree, etag, wanted_version
from contactcentre.web.history import ContactDetail, ContactPage, ContactSummary
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Row
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, signed_in
from contactcentre.web.wiring import services

blueprint = APIBlueprint("people", __name__, url_prefix="/api/v1", tag="Customers")

Answer = tuple[CustomerRow, int, dict[str, str]]
ID = "`id`: the customer's, or a telephone number, also one of which nothing is known."
NOT_THERE = {404: "No such customer"}


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(default="", max_length=120, description="in the name, a field, or a number however it is spelled")
    tag: str = Field(default="", max_length=40)
    limit: Annotated[int, Field(ge=1, le=MAX_CUSTOMERS)] = 50
    cursor: str = ""


class Window(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str = ""


class CustomerList(Row):
    customers: list[CustomerRow] = Field(description="the one changed last first")
    next: str = Field(description="cursor of the next page; empty on the last one")


class MergeWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    other: str = Field(max_length=40, description="the customer who is this one from now on, by id or number")


class Export(Row):
    """Everything that is kept of a customer."""

    customer: CustomerRow
    contacts: list[ContactDetail] = Field(description="with facts, notes, answers, recordings and messages")


class EraseWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=500, description="for the audit log")]
    confirm: bool = Field(default=False, description="without it nothing is erased, and what would be is answered")


class Erased(Row):
    contacts: int = Field(description="out of which number, name, what was keyed in, notes and answers are taken")
    recordings: list[str] = Field(description="ids; messages that were left among them")
    done: bool


@blueprint.get("/customers")
@blueprint.input(Filter, location="query", arg_name="wanted")
@blueprint.output(CustomerList)
@blueprint.doc(summary="Customers, the one changed last first")
@requires(Permission.CUSTOMERS, by_queue=True)
def listing(wanted: Filter) -> CustomerList:
    try:
        page = services().store.customers(**wanted.model_dump(), only=current_scope().queues)
    except BadCursor as error:
        raise BadValue(str(error)) from None
    return CustomerList(customers=[CustomerRow.of(one) for one in page.customers], next=page.cursor)


@blueprint.post("/customers")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(CustomerRow, status_code=201)
@blueprint.doc(
    summary="A new customer",
    description="A number is one customer's, so asking twice makes no second: 409 `number_taken` names whose it is.",
    responses={409: "A number is another customer's", 422: "A value is not acceptable"},
)
@requires(Permission.CUSTOMERS, by_queue=True)
def add(wish: Wish) -> Answer:
    made = change(Customer(""), wish, actor(), None)
    return CustomerRow.of(made), 201, etag(made.version)


@blueprint.get("/customers/<id>")
@blueprint.output(CustomerRow)
@blueprint.doc(summary="One customer", description=ID, responses=NOT_THERE)
@requires(Permission.CUSTOMERS, by_queue=True)
def one(id: str) -> Answer:
    return told(find(id))


@blueprint.put("/customers/<id>")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(CustomerRow)
@blueprint.doc(
    summary="Change a customer",
    description=f"{ID} With `If-Match`: the ETag of what was read. What is left out stays.",
    responses={
        **NOT_THERE,
        409: "A number is another customer's",
        412: "Changed meanwhile",
        422: "A value is not acceptable",
        428: "If-Match is missing",
    },
)
@requires(Permission.CUSTOMERS, by_queue=True)
def put(id: str, wish: Wish) -> Answer:
    return told(change(find(id), wish, actor(), wanted_version()))


@blueprint.get("/customers/<id>/contacts")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(ContactPage)
@blueprint.doc(summary="What a customer called for, latest first", description=ID, responses=NOT_THERE)
@requires(Permission.CUSTOMERS, by_queue=True)
def history(id: str, wanted: Window) -> ContactPage:
    try:
        page = contacts_of(find(id), wanted.limit, wanted.cursor)
    except BadCursor as error:
        raise BadValue(str(error)) from None
    return ContactPage(contacts=[ContactSummary.of(contact) for contact in page.contacts], next=page.cursor)


@blueprint.post("/customers/<id>/merge")
@blueprint.input(MergeWish, location="json", arg_name="wish")
@blueprint.output(CustomerRow)
@blueprint.doc(
    summary="Two customers are one",
    description="`id` stays, with the numbers, tags and notes of both; the other's id leads to it from now on.",
    responses={**NOT_THERE, 412: "Changed meanwhile", 422: "They are one already"},
)
@requires(Permission.CUSTOMERS)
def merge(id: str, wish: MergeWish) -> Answer:
    return told(merge_two(find(id), find(wish.other), wanted_version()))


@blueprint.get("/customers/<id>/export")
@blueprint.output(Export)
@blueprint.doc(
    summary="Everything that is kept of a customer",
    description=f"{ID} To be handed out on request; the sound of recordings is at their `audio`. In the audit log.",
    responses=NOT_THERE,
)
@requires(Permission.CUSTOMERS)
def export(id: str) -> Export:
    return exported(find(id))


@blueprint.post("/customers/<id>/erase")
@blueprint.input(EraseWish, location="json", arg_name="wish")
@blueprint.output(Erased)
@blueprint.doc(
    summary="Erase a customer",
    description=f"{ID} With recordings and messages, notes, answers, and the number and name in every contact; when, "
    "how long and with whom stays, so reports do. What is on legal hold is not erased, and then nothing is.",
    responses={**NOT_THERE, 409: "On legal hold, or a call goes on", 412: "Changed meanwhile"},
)
@requires(Permission.KEEP)
def erase(id: str, wish: EraseWish) -> Erased:
    known = find(id)
    agree(wanted_version(), known.version)
    return erase_one(known, wish.reason, confirm=wish.confirm)


def merge_two(kept: Customer, other: Customer, version: int | None = None) -> Customer:
    """Audited. Raises BadValue, Changed."""
    if not kept.id or not other.id:
        raise BadValue(phrase("other: nothing is known of this number: add it to the other customer's numbers"))
    agree(version, kept.version)
    try:
        store = services().store
        return store.merge_customers(kept, other, settings().country, actor(), time.time(), address_of(request))
    except NotAcceptable as wrong:
        raise BadValue(wrong.args[0]) from None
    except ChangedMeanwhile:
        raise Changed(phrase("Read it again: somebody else has changed one of them.")) from None


def exported(known: Customer) -> Export:
    """Audited."""
    store = services().store
    found: list[ContactDetail] = []
    cursor = ""
    while True:
        page = contacts_of(known, 200, cursor)
        found += [detail(store.history(contact.id)) for contact in page.contacts]
        if not (cursor := page.cursor):
            break
    store.audit(actor(), "customer.export", known.id, {"contacts": len(found)}, address_of(request))
    return Export(customer=CustomerRow.of(known), contacts=found)


def erase_one(known: Customer, reason: str, *, confirm: bool) -> Erased:
    """Audited. Raises Conflict."""
    web, now = services(), time.time()
    try:
        found = of_customer(web.store, known, settings().country)
        if confirm:
            erase_customer(web.store, web.shelf, found, f"request: {reason}", actor(), now, address_of(request))
    except (OnHold, StillRuns) as refused:
        raise Conflict(str(refused)) from None
    return Erased(contacts=len(found.contacts), recordings=[one.id for _, one in found.recordings], done=confirm)


def actor() -> str:
    account = signed_in()
    return account.name


def told(one: Customer) -> Answer:
    return CustomerRow.of(one), 200, etag(one.version)
