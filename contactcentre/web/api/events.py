"""The event stream: every fact as it is recorded, as server-sent events that can be taken up again."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.site import Site
from contactcentre.domain.webhooks import AGENT_STATE
from contactcentre.live.errors import LiveError
from contactcentre.store import StoreUnavailable
from contactcentre.store.facts import Fact
from contactcentre.web.api.contacts import history_of
from contactcentre.web.api.stream import PULSE_SECONDS, streamed
from contactcentre.web.audience import frame
from contactcentre.web.errors import BadValue, SignInNeeded, Unavailable
from contactcentre.web.fanout import Pulse, TooMany
from contactcentre.web.followers import LOOK_SECONDS
from contactcentre.web.openapi import answers
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Row
from contactcentre.web.scope import Scope, current_scope
from contactcentre.web.session import SignedIn, current_account, lasting
from contactcentre.web.wiring import services

PAGE = 200
"""Facts that are read at once."""

blueprint = APIBlueprint("events", __name__, url_prefix="/api/v1", tag="Events")


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    queue: str = Field("", max_length=40, description="of contacts that have been in it, and of agents in its calls")
    agent: str = Field("", max_length=40, description="of contacts that the agent has talked with, or is named in")
    contact: str = Field("", max_length=40, description="of one contact: its whole id")
    kind: str = Field("", max_length=400, pattern=r"^[a-z_.,]*$", description="these, or all that begin so: a,b.,c")
    last_event_id: str = Field(
        "", pattern=r"^\d{0,18}$", description="as the header Last-Event-ID; 0: all that are kept"
    )


class FactRow(Row):
    number: int = Field(description="grows from fact to fact, with gaps; the event's id")
    contact: str = Field(description="empty: of no contact")
    seq: int = Field(description="within the contact, from 1 without gaps; 0: added afterwards, or of no contact")
    at: float
    kind: str
    data: dict[str, Any]


class Begin(Row):
    number: int = Field(description="after this one the stream begins")
    oldest: int = Field(description="that is kept: what was asked for lies before it, if `number` is smaller")
    newest: int


@blueprint.get("/events")
@blueprint.input(Filter, location="query", arg_name="wanted")
@answers("text/event-stream")
@blueprint.doc(
    summary="Every fact as it is recorded",
    description="Server-sent events. `begin` says where the stream begins: now, or after `Last-Event-ID`. Each `fact` "
    "is one of a contact, as in `/contacts/{id}`, or `agent.state`; `pulse` comes every 15 seconds with the number up "
    "to which was looked, `bye` when the session or token has ended. No fact is left out or told twice to who comes "
    "back with the last id. Limited accounts get what they see in `/contacts`, and of agents what the live page shows.",
    responses={200: "A stream of events (text/event-stream)", 404: "No such contact", 422: "No such queue or agent"},
)
@requires(Permission.CONTACTS, by_queue=True)
def events(wanted: Filter) -> Response:
    web, account, scope = services(), current_account(), current_scope()
    if account is None:  # the guard lets nobody through who is not signed in
        raise SignInNeeded
    shown = _filter(wanted, scope, web.store.site()[1] or Site())
    last = request.headers.get("Last-Event-ID", wanted.last_event_id)
    if not (last.isascii() and (last.isdecimal() or not last) and len(last) <= 18):
        raise BadValue("Last-Event-ID: the id of an event of this stream")
    try:
        web.followers.enter()
    except TooMany as error:
        raise Unavailable(f"{error}.") from None
    try:
        oldest, newest = web.store.fact_numbers()
        begin = min(int(last), newest) if last else newest
        told = frame("begin", Begin(number=begin, oldest=oldest, newest=newest), str(begin))
        return streamed(_told(account, begin, told, shown), web.followers.leave)
    except BaseException:
        web.followers.leave()
        raise


def _told(account: SignedIn, number: int, begin: bytes, shown: Callable[[Fact], FactRow | None]) -> Iterator[bytes]:
    web, lasts = services(), lasting(account)
    store, newest, stopped = web.store, web.followers.newest, web.fanout.stopped

    def tell() -> Iterator[bytes]:
        at = number
        yield b"retry: 2000\n\n" + begin
        due = time.monotonic() + PULSE_SECONDS
        while not stopped.is_set():
            there, found = True, list[Fact]()
            try:
                found = list(store.facts_after(at, PAGE)) if newest() > at else []
            except StoreUnavailable:
                there = False
            text = b""
            for fact in found:
                at = fact.number
                if (row := shown(fact)) is not None:
                    text += frame("fact", row, str(at))
            if time.monotonic() >= due:
                due = time.monotonic() + PULSE_SECONDS
                try:
                    if not lasts():
                        yield text + b"event: bye\ndata: {}\n\n"
                        return
                except (LiveError, StoreUnavailable):
                    there = False
                text += frame("pulse", Pulse(now=time.time(), live=there), str(at))
            if text:
                yield text
            if not found:
                stopped.wait(LOOK_SECONDS)

    return tell()


def _filter(wanted: Filter, scope: Scope, site: Site) -> Callable[[Fact], FactRow | None]:
    """What is told of a fact. Raises BadValue, NotFound."""
    if wanted.queue and (wanted.queue not in site.queues or not scope.among([wanted.queue])):
        raise BadValue(f"queue: there is no queue {wanted.queue!r}")
    if wanted.agent and wanted.agent not in (site.agents if scope.queues is None else scope.agents):
        raise BadValue(f"agent: there is no agent {wanted.agent!r}")
    contact = history_of(wanted.contact).contact.id if wanted.contact else ""
    kinds = tuple(kind for kind in wanted.kind.split(",") if kind)

    def shown(fact: Fact) -> FactRow | None:
        data, queues = dict(fact.data), fact.queues
        if kinds and not fact.kind.startswith(kinds):
            return None
        if fact.kind == AGENT_STATE:
            if scope.queues is not None and data["agent"] not in scope.agents:
                return None
            if not scope.among([data["queue"]]):  # as on the live page: what they do elsewhere is a state
                fact, data = replace(fact, contact="", agents=()), {**data, "queue": ""}
            queues = (data["queue"],)
        elif not (scope.among(queues) or any(map(scope.box, fact.boxes))):
            return None
        if contact and fact.contact != contact:
            return None
        if wanted.queue and wanted.queue not in queues:
            return None
        if wanted.agent and wanted.agent not in (*fact.agents, data.get("agent")):
            return None
        return FactRow(number=fact.number, contact=fact.contact, seq=fact.seq, at=fact.at, kind=fact.kind, data=data)

    return shown
