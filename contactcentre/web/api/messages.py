"""Messages that callers left, in the boxes that the asker may see."""

import time
from collections.abc import Collection
from typing import Annotated, Self

from apiflask import APIBlueprint
from flask import Response, url_for
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.archive.shelf import SOUND
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.domain.voicemail import NOTE_LIMIT, MessageState, NotPossible, Step, boxes_of
from contactcentre.live import boxes_moved
from contactcentre.store import BadCursor, BoxMessage, NoSuchMessage, Taken
from contactcentre.store.boxes import cursor_of
from contactcentre.store.history import MAX_PAGE
from contactcentre.web.api.contacts import message_sound
from contactcentre.web.errors import BadValue, Conflict, NotFound
from contactcentre.web.etags import agree, etag, wanted_version
from contactcentre.web.numbers import readable
from contactcentre.web.openapi import answers, choices
from contactcentre.web.permissions import Permission, may, requires
from contactcentre.web.rows import BoxRow, Row
from contactcentre.web.scope import current_scope
from contactcentre.web.session import SignedIn, signed_in
from contactcentre.web.windows import NEXT
from contactcentre.web.wiring import services

blueprint = APIBlueprint("messages", __name__, url_prefix="/api/v1", tag="Voicemail")


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    box: str = Field("", description="of this queue or agent")
    own: bool = Field(False, description="only in the boxes of the agent whose account it is, and of that one's queues")
    state: MessageState | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100
    cursor: str = Field("", max_length=200)


class MessageRow(Row):
    id: str
    contact: str
    box: str
    at: float
    caller: str
    caller_text: str = Field(description="the number as people write it")
    caller_name: str = Field(description="what the caller's side sent; anything may stand in it")
    seconds: float
    state: MessageState
    free: bool = Field(description="nobody looks after it: it is new, or was claimed and forgotten")
    by: str = Field(description="who claimed it, or said that it is done")
    since: float | None = Field(description="when it came into this state; null: when it came")
    note: str
    version: int = Field(description="also the ETag of a step's answer")
    audio: str | None = Field(description="where it can be heard; null while it is not stored")

    @classmethod
    def of(cls, one: BoxMessage) -> Self:
        message = one.message
        return cls(
            id=one.id,
            contact=one.contact_id,
            box=message.box,
            at=one.at,
            caller=one.caller,
            caller_text=readable(one.caller, services().fanout.country),
            caller_name=one.caller_name,
            seconds=one.seconds,
            state=message.state,
            free=message.is_free(time.time()),
            by=message.owner,
            since=message.since or None,
            note=message.note,
            version=message.version,
            audio=url_for("messages.audio", id=one.id) if one.audio else None,
        )


class MessageList(Row):
    messages: list[MessageRow] = Field(description="to look after first, the oldest of them first")
    boxes: list[BoxRow] = Field(description="those with messages that are not done")
    next: str = NEXT


@blueprint.get("/voicemail")
@blueprint.input(Filter, location="query", arg_name="wanted")
@blueprint.output(MessageList)
@blueprint.doc(summary="Messages, and what waits in each box")
@requires(Permission.VOICEMAIL, by_queue=True)
def listing(wanted: Filter) -> MessageList:
    store, seen = services().store, _own() if wanted.own else _seen()
    boxes = chosen(wanted.box, seen)
    try:
        found = store.messages(boxes, wanted.state or "", wanted.limit + 1, cursor=wanted.cursor)
    except BadCursor as error:
        raise BadValue(str(error)) from None
    more = cursor_of(found[wanted.limit - 1]) if len(found) > wanted.limit else ""
    counts = sorted(store.boxes(time.time(), seen).items())
    return MessageList(
        messages=[MessageRow.of(one) for one in found[: wanted.limit]],
        next=more,
        boxes=[BoxRow(box=box, new=of.new, claimed=of.claimed, oldest=of.oldest) for box, of in counts],
    )


class Wish(BaseModel):
    """What belongs to a step."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field("", max_length=40, description="hand_over: a queue or agent")
    note: str = Field("", max_length=NOTE_LIMIT, description="a word for those who come after")


@blueprint.post("/voicemail/<id>/<step>")
@choices(step=Step)
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(MessageRow)
@blueprint.doc(
    summary="One step of a message",
    description=f"`step`: {', '.join(Step)}. Of two who claim at once one is refused. Each step is in the audit log. A "
    "session's requests carry `X-CSRFToken`.",
    responses={
        404: "No such message in a box of yours, or no such step",
        409: "Not possible now",
        412: "Changed meanwhile",
    },
)
@requires(Permission.VOICEMAIL, by_queue=True)
def act(id: str, step: str, wish: Wish) -> tuple[MessageRow, int, dict[str, str]]:
    done = take_step(id, step, wish.to, wish.note, wanted_version())
    return MessageRow.of(done), 200, etag(done.message.version)


def take_step(id: str, step: str, to: str, note: str, version: int | None = None) -> BoxMessage:
    """By whoever makes the request. Raises NotFound, BadValue, Conflict."""
    account = signed_in()
    if step not in list(Step):
        raise NotFound(phrase("There is no step %(step)s: %(steps)s.", step=repr(step[:40]), steps=", ".join(Step)))
    if step == Step.HAND_OVER and to not in known_boxes():
        raise BadValue(phrase("to: there is no box %(to)s", to=repr(to[:40])))
    if step != Step.HAND_OVER and to:
        raise BadValue(phrase("to: %(step)s does not take it", step=step))
    by, boxes = account.agent or account.name, boxes_to_see(account)
    try:
        if version is not None:
            agree(version, services().store.message(id, boxes).message.version)
        done = services().store.take_step(
            id, Step(step), by, time.time(), to=to, note=note, actor=account.name, boxes=boxes
        )
    except NoSuchMessage:
        raise NotFound(phrase("There is no such message, or its sound was deleted.")) from None
    except (NotPossible, Taken) as refused:
        raise Conflict(str(refused)) from None
    except ValueError as wrong:
        raise BadValue(f"note: {wrong}") from None
    boxes_moved(services().live.redis)
    return done


@blueprint.get("/voicemail/<id>/audio")
@answers(*sorted(set(SOUND.values())))
@blueprint.doc(
    summary="A message's sound",
    description="Whole, or in parts by Range. Every request is written to the audit log before a byte is sent.",
    responses={200: "Sound", 206: "A part of it", 410: "It is not stored any more, or not yet"},
)
@requires(Permission.VOICEMAIL, by_queue=True)
def audio(id: str) -> Response:
    try:
        return message_sound(services().store.message(id, _seen()).id)
    except NoSuchMessage:
        raise NotFound(phrase("There is no such message, or its sound was deleted.")) from None


def boxes_to_see(account: SignedIn) -> frozenset[str] | None:
    """None: all. Else those of the agent whose account it is, and of the queues that the account is limited to."""
    every, scope = may(account, Permission.ALL_BOXES), current_scope()
    if every and scope.queues is None:
        return None
    site = services().store.site()[1] or Site()
    if every:
        return frozenset(box for box in known_boxes() if scope.box(box)) | ({account.agent} & site.agents.keys())
    boxes = boxes_of(site, account.agent)
    return boxes if scope.queues is None else boxes & (scope.queues | {account.agent})


def chosen(box: str, seen: frozenset[str] | None) -> Collection[str] | None:
    """Of the boxes that may be seen the one that is asked for; all of them if none is."""
    if not box:
        return seen
    return {box} if seen is None or box in seen else ()


def _seen() -> frozenset[str] | None:
    account = signed_in()
    return boxes_to_see(account)


def _own() -> frozenset[str]:
    """Of those that may be seen."""
    account, seen = signed_in(), _seen()
    own = boxes_of(services().store.site()[1] or Site(), account.agent)
    return own if seen is None else own & seen


def known_boxes() -> list[str]:
    """All that the site has."""
    _, site = services().store.site()
    return sorted({*site.queues, *site.agents}) if site is not None else []
