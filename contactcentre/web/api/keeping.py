"""Legal holds, and erasure on request: of a recording, of all of a contact, or of all of a customer."""

import time
from typing import Annotated, Self

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.archive.erasing import Found, StillRuns, erase, named, of_caller, to_erase
from contactcentre.domain.sentences import phrase
from contactcentre.store import NoSuchRecording, OnHold
from contactcentre.web.errors import BadValue, Conflict, NotFound
from contactcentre.web.openapi import choices
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Row
from contactcentre.web.session import address_of, signed_in
from contactcentre.web.wiring import services

blueprint = APIBlueprint("keeping", __name__, url_prefix="/api/v1", tag="Recordings")

VERBS = ("hold", "release", "erase")


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    what: str = Field("", max_length=60, description="a recording, or a contact: then all of it, messages too")
    caller: str = Field("", max_length=40, description="erase: all of a customer, however the number is spelled")
    reason: Annotated[str, Field(min_length=1, max_length=500, description="for the audit log")]
    confirm: bool = Field(False, description="erase: without it nothing is erased, and what would be is answered")


class KeptRow(Row):
    recording: str
    contact: str
    kind: str = Field(description="call or voicemail")
    queue: str = Field(description="or box")
    agent: str
    started: float | None
    seconds: float | None

    @classmethod
    def of(cls, found: Found) -> Self:
        contact, one = found
        return cls(
            recording=one.id,
            contact=contact,
            kind=one.kind,
            queue=one.box or one.queue,
            agent=one.agent,
            started=one.started or one.ended,
            seconds=one.seconds,
        )


class Answer(Row):
    recordings: list[KeptRow] = Field(description="that it is about")
    done: int = Field(description="how many were put on hold, released or erased; others were so already")


@blueprint.post("/recordings/<verb>")
@choices(verb=VERBS)
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(Answer)
@blueprint.doc(
    summary="Hold, release or erase recordings",
    description=f"`verb`: {', '.join(VERBS)}. What is on legal hold is not erased, and then nothing is. Each is in the "
    "audit log. A session's requests carry `X-CSRFToken`.",
    responses={404: "No such recording, contact or verb", 409: "On legal hold, or still being recorded"},
)
@requires(Permission.KEEP)
def keep(verb: str, wish: Wish) -> Answer:
    account = signed_in()
    if verb not in VERBS:
        raise NotFound(
            phrase("There is nothing like %(verb)s: %(verbs)s.", verb=repr(verb[:40]), verbs=", ".join(VERBS))
        )
    if bool(wish.what) is bool(wish.caller) or (wish.caller and verb != "erase"):
        raise BadValue("what: name a recording or contact" + (", or give caller" if verb == "erase" else ""))
    store, by, address = services().store, account.name, address_of(request)
    try:
        found = named(store, wish.what) if wish.what else of_caller(store, wish.caller)
    except NoSuchRecording as error:
        raise NotFound(str(error)) from None
    ids = [one.id for _, one in found]
    done = 0
    match verb:
        case "hold":
            done = store.hold(ids, by, wish.reason, address)
        case "release":
            done = store.release(ids, by, wish.reason, address)
        case _:
            try:
                found = to_erase(store, found)
                for one in found if wish.confirm else ():
                    erase(store, services().shelf, one, f"request: {wish.reason}", by, time.time(), address)
                    done += 1
            except (OnHold, StillRuns) as refused:
                raise Conflict(str(refused)) from None
    return Answer(recordings=[KeptRow.of(one) for one in found], done=done)
