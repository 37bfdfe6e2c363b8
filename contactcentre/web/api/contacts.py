"""Contacts with their history, and recordings' sound."""

from io import SEEK_END
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from apiflask import APIBlueprint
from flask import Response, request, url_for
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wsgi import wrap_file

from contactcentre import logs
from contactcentre.archive import BadKeys, BadName, LostKey, NotThere, Tampered
from contactcentre.archive.shelf import SOUND, suffix_of
from contactcentre.domain.contacts import ContactHistory, Recording
from contactcentre.domain.events import Outcome
from contactcentre.domain.sentences import phrase
from contactcentre.store import AmbiguousContact, BadCursor, NoSuchContact, NoSuchRecording
from contactcentre.store.history import SAID_NOTHING
from contactcentre.web.errors import BadValue, Gone, NotFound, Unavailable
from contactcentre.web.history import ContactDetail, ContactPage, ContactSummary, RecordingRow
from contactcentre.web.openapi import answers
from contactcentre.web.permissions import Permission, may, requires
from contactcentre.web.rows import Moment
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, current_account
from contactcentre.web.wiring import services

log = logs.get(__name__)

blueprint = APIBlueprint("history", __name__, url_prefix="/api/v1", tag="Contacts")


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: Moment | None = Field(None, description="arrived at or after")
    until: Moment | None = Field(None, description="arrived before")
    queue: str = Field("", description="passed through it")
    agent: str = Field("", description="talked with")
    caller: str = Field("", description="the whole number")
    outcome: Outcome | None = None
    disposition: str = Field("", description=f"said of it; {SAID_NOTHING}: nobody has said any")
    live: bool | None = Field(None, description="true: only those that go on; false: only those that ended")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str = ""


@blueprint.get("/contacts")
@blueprint.input(Filter, location="query", arg_name="wanted")
@blueprint.output(ContactPage)
@blueprint.doc(summary="Contacts, latest arrival first")
@requires(Permission.CONTACTS, by_queue=True)
def listing(wanted: Filter) -> ContactPage:
    try:
        asked = {**wanted.model_dump(), "outcome": wanted.outcome or ""}
        page = services().store.contacts(**asked, only=current_scope().queues)
    except BadCursor as error:
        raise BadValue(str(error)) from None
    return ContactPage(contacts=[ContactSummary.of(one) for one in page.contacts], next=page.cursor)


@blueprint.get("/contacts/<id>")
@blueprint.output(ContactDetail)
@blueprint.doc(summary="One contact with everything known about it")
@requires(Permission.CONTACTS, by_queue=True)
def one(id: str) -> ContactDetail:
    return detail(history_of(id))


@blueprint.get("/recordings/<id>/audio")
@answers(*sorted(set(SOUND.values())))
@blueprint.doc(
    summary="A recording's sound",
    description="Whole, or in parts by Range. Every request is written to the audit log before a byte is sent.",
    responses={200: "Sound", 206: "A part of it", 410: "It is not stored any more, or not yet"},
)
@requires(Permission.LISTEN, by_queue=True)
def audio(id: str) -> Response:
    contact_id, recording = recording_named(id)
    if not current_scope().recording(recording):
        raise NotFound(phrase("There is no recording %(id)s.", id=repr(id)))
    return sound(contact_id, recording)


def message_sound(id: str) -> Response:
    """Of a message that the asker may hear; audited. Raises NotFound, Gone."""
    return sound(*recording_named(id))


def recording_named(id: str) -> tuple[str, Recording]:
    """(the contact, the recording), whoever may hear it. Raises NotFound."""
    try:
        return services().store.recording(id)
    except NoSuchRecording:
        raise NotFound(phrase("There is no recording %(id)s.", id=repr(id))) from None


def sound(contact_id: str, recording: Recording) -> Response:
    """Of a recording that the asker may hear; audited. Raises Gone."""
    store = services().store
    file = opened(recording)
    account = current_account()
    name = account.name if account else ""
    said: dict[str, Any] = {"contact": contact_id, "range": request.headers.get("Range", "")[:100]}
    size = file.seek(0, SEEK_END)
    file.seek(0)
    try:
        store.audit(name, "recording.listen", recording.id, said, address_of(request))
        response = Response(wrap_file(request.environ, file), direct_passthrough=True)
        response.mimetype = SOUND[suffix_of(Path(recording.path))]
        response.content_length = size
        response.cache_control.no_store = True
        response.make_conditional(request.environ, accept_ranges=True, complete_length=size)
    except BaseException:
        file.close()
        raise
    return response


def history_of(id: str) -> ContactHistory:
    """Of a contact that the asker sees. Raises NotFound."""
    try:
        found = services().store.history(id)
    except NoSuchContact as error:
        raise NotFound(str(error)) from None
    except AmbiguousContact as error:
        raise NotFound(ambiguous(error)) from None
    if not current_scope().contact(found):
        raise NotFound(phrase("no contact has an id that begins with %(id)s", id=repr(id[:40])))
    return found


def ambiguous(error: AmbiguousContact) -> str:
    """The ids that it names are not for who is limited to queues."""
    return str(error) if current_scope().queues is None else "Several contacts' ids begin so: give more of it."


def detail(history: ContactHistory) -> ContactDetail:
    """Everything about a contact, for the API and the page."""
    scope = current_scope()
    rows = [RecordingRow.of(one, _address(one)) for one in history.recordings if scope.recording(one)]
    store, id = services().store, history.contact.id
    return ContactDetail.of(history, store.events(id), rows, store.notes(id))


def _address(recording: Recording) -> str | None:
    heard = may(current_account(), Permission.LISTEN)
    return url_for("history.audio", id=recording.id) if heard and recording.state == "stored" else None


def opened(recording: Recording) -> BinaryIO:
    """The sound. Its path is the store's, never the asker's, and must lie below the recordings directory."""
    if recording.state != "stored":
        raise Gone(phrase("The recording is %(state)s.", state=recording.state))
    try:
        return services().shelf.open(recording)
    except (NotThere, BadName, OSError) as error:
        log.warning("web.recording_gone", recording=recording.id, error=str(error))
        raise Gone(phrase("The recording's file is not there.")) from None
    except Tampered as error:
        log.error("web.recording_tampered", recording=recording.id, error=str(error))
        raise Gone(phrase("The recording's file was changed or cut.")) from None
    except (LostKey, BadKeys) as error:
        log.error("web.recording_locked", recording=recording.id, error=str(error))
        raise Unavailable(phrase("The key of the recording is not here. `contactcentre doctor` says which.")) from None
