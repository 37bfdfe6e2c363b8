"""How contacts ended, as supervisors see and say it, and how often what was said."""

import time
from typing import Annotated

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.results import of_queue
from contactcentre.domain.sentences import phrase
from contactcentre.web.api.contacts import history_of
from contactcentre.web.errors import BadValue
from contactcentre.web.etags import etag, wanted_version
from contactcentre.web.permissions import Permission, may, requires
from contactcentre.web.results import ResultRow, Sheet, Wish
from contactcentre.web.rows import Moment, Row
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, current_account, signed_in
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import services

Answer = tuple[ResultRow, int, dict[str, str]]

blueprint = APIBlueprint("results", __name__, url_prefix="/api/v1", tag="Results")


class OfQueue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    queue: str | None = Field(None, max_length=40, description="one that the contact passed through; else its last")


MANY = 999_999_999
"""More than a disposition is ever said: the most frequent come first."""


class Said(Window):
    since: Moment = Field(description="said at or after")
    until: Moment | None = Field(None, description="said before; else now")


class CountRow(Row):
    queue: str
    code: str
    label: str
    number: Annotated[int, Field(description="contacts of which this was said last for the queue")]


class Counts(Row):
    dispositions: list[CountRow]
    next: str = NEXT


@blueprint.get("/contacts/<id>/result")
@blueprint.input(OfQueue, location="query", arg_name="wanted")
@blueprint.output(ResultRow)
@blueprint.doc(summary="How a contact ended, with notes and answers", responses={404: "No such contact or queue"})
@requires(Permission.RESULTS, by_queue=True)
def one(id: str, wanted: OfQueue) -> Answer:
    return told(of_contact(id, wanted.queue))


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
    return told(change_as_supervisor(of_contact(id, wanted.queue), wish, wanted_version()))


@blueprint.get("/dispositions")
@blueprint.input(Said, location="query", arg_name="wanted")
@blueprint.output(Counts)
@blueprint.doc(summary="How often each disposition was said, by queue")
@requires(Permission.CONTACTS, by_queue=True)
def counts(wanted: Said) -> Counts:
    until = time.time() if wanted.until is None else wanted.until
    found = services().store.count_said(wanted.since, until, current_scope().queues)
    shown, after = wanted.of(found, lambda one: f"{one.queue} {MANY - one.number:09} {one.code}")
    rows = [CountRow(queue=one.queue, code=one.code, label=one.label, number=one.number) for one in shown]
    return Counts(dispositions=rows, next=after)


def may_say() -> bool:
    """Whether who makes this request may say how other people's contacts ended."""
    return may(current_account(), Permission.RESULTS)


def change_as_supervisor(sheet: Sheet, wish: Wish, version: int | None) -> Sheet:
    """Audited. Raises BadValue, Changed."""
    account = signed_in()
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
        raise BadValue(
            phrase(
                "queue: %(queue)s is none that the contact passed through: %(its)s",
                queue=repr(queue[:40]),
                its=", ".join(its) or "none",
            )
        )
    return Sheet.read(*of_queue(history, queue))


def told(found: Sheet) -> Answer:
    return found.row, 200, etag(found.result.version)
