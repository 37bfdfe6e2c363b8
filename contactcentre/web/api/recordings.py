"""What the player of a recording shows besides its sound: how loud it is, what happened in it, and people's notes."""

import time
from collections import OrderedDict
from threading import Lock

import gevent
from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.archive.peaks import Peaks, peaks
from contactcentre.domain.contacts import Recording
from contactcentre.domain.events import Kind
from contactcentre.domain.sentences import phrase
from contactcentre.store import RecordingNote
from contactcentre.web.api.contacts import opened, recording_named
from contactcentre.web.errors import BadValue, Gone, NotFound
from contactcentre.web.language import say
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Row
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, signed_in
from contactcentre.web.timeline import line
from contactcentre.web.wiring import services

REMEMBERED = 200
"""Pictures that a process keeps in memory, some kilobytes each. Nothing is written to the disk: what is erased there
leaves no picture of itself."""

MARKED = (
    *(Kind.TALK_STARTED, Kind.TALK_HELD, Kind.TALK_RESUMED, Kind.TALK_ENDED, Kind.TRANSFERRED, Kind.PARKED),
    *(Kind.CONSULT_STARTED, Kind.CONSULT_ENDED, Kind.PARTY_JOINED, Kind.PARTY_LEFT, Kind.RETRIEVED),
    *(Kind.RECORDING_PAUSED, Kind.RECORDING_RESUMED),
)

blueprint = APIBlueprint("recordings", __name__, url_prefix="/api/v1", tag="Recordings")


class Marker(Row):
    second: float = Field(description="from the recording's beginning")
    text: str = Field(description="for people, in the account's language")


class NoteRow(Row):
    id: str
    second: float
    text: str
    by: str
    at: float

    @classmethod
    def of(cls, note: RecordingNote) -> "NoteRow":
        return cls(id=note.id, second=note.second, text=note.text, by=note.by, at=note.at)


class Picture(Row):
    seconds: float
    peaks: list[list[int]] = Field(description="of each channel, the loudest of each part of the time, 0 to 100")
    markers: list[Marker] = Field(description="what happened in the call")
    notes: list[NoteRow]


class NoteWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    second: float = Field(ge=0, le=86400, description="from the recording's beginning")
    text: str = Field(min_length=1, max_length=1000)


@blueprint.get("/recordings/<id>/picture")
@blueprint.output(Picture)
@blueprint.doc(
    summary="A recording's loudness over time, what happened in it, and notes",
    description="To draw it. Counts as listening: it is written to the audit log.",
    responses={404: "No such recording", 410: "It is not stored any more, or not yet"},
)
@requires(Permission.LISTEN, by_queue=True)
def picture(id: str) -> Picture:
    account, (contact_id, recording) = signed_in(), _seen(id)
    store = services().store
    file = opened(recording)
    said = {"contact": contact_id, "picture": True}
    with file:
        store.audit(account.name, "recording.listen", recording.id, said, address_of(request))
        key = (recording.id, recording.file_sha256 or recording.sha256)
        if (drawn := _drawn.get(key)) is None:
            try:
                drawn = gevent.get_hub().threadpool.apply(peaks, (file,))  # a second's work must stop nobody else
            except ValueError as error:
                raise Gone(phrase("The recording cannot be read: %(error)s", error=error)) from None
            _drawn.put(key, drawn)
    seconds, channels = drawn
    return Picture(
        seconds=seconds,
        peaks=[list(channel) for channel in channels],
        markers=_markers(contact_id, recording, seconds),
        notes=_notes(recording),
    )


@blueprint.post("/recordings/<id>/notes")
@blueprint.input(NoteWish, location="json", arg_name="wish")
@blueprint.output(NoteRow)
@blueprint.doc(
    summary="Write something at a second of a recording",
    description="It stays as long as the recording does. That it was written is in the audit log, without the text.",
    responses={404: "No such recording", 410: "It is not stored any more, or not yet"},
)
@requires(Permission.LISTEN, by_queue=True)
def note(id: str, wish: NoteWish) -> NoteRow:
    account, (contact_id, recording) = signed_in(), _seen(id)
    text = " ".join(wish.text.split())
    if recording.state != "stored":
        raise Gone(phrase("The recording is %(state)s.", state=recording.state))
    if not text:
        raise BadValue(phrase("text: it says nothing"))
    if recording.seconds is not None and wish.second > recording.seconds:
        raise BadValue(phrase("second: the recording ends at %(seconds)s", seconds=format(recording.seconds, ".1f")))
    store = services().store
    detail = {"contact": contact_id, "second": round(wish.second, 1)}
    store.audit(account.name, "recording.note", recording.id, detail, address_of(request))
    return NoteRow.of(store.add_recording_note(recording.id, wish.second, text, account.name, time.time()))


def _seen(id: str) -> tuple[str, Recording]:
    """Raises NotFound."""
    contact_id, recording = recording_named(id)
    if not current_scope().recording(recording):
        raise NotFound(phrase("There is no recording %(id)s.", id=repr(id[:60])))
    return contact_id, recording


def _markers(contact_id: str, recording: Recording, seconds: float) -> list[Marker]:
    if recording.started is None:
        return []
    found = []
    for event in services().store.events(contact_id):
        second = event.at - recording.started
        if event.kind in MARKED and 0 <= second <= seconds:
            told = line(event.at, event.kind, event.data)
            found.append(Marker(second=round(second, 3), text=say(told.text)))
    return found


def _notes(recording: Recording) -> list[NoteRow]:
    return [NoteRow.of(one) for one in services().store.recording_notes(recording.id)]


class _Drawn:
    """The pictures that were drawn last, by (recording, checksum)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Peaks] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str, str]) -> Peaks | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[str, str], drawn: Peaks) -> None:
        with self._lock:
            self._kept[key] = drawn
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)


_drawn = _Drawn()
