"""Finished and running contacts as the API shows them. Times are epoch seconds UTC, durations seconds."""

from dataclasses import asdict
from typing import Any, Self

from pydantic import Field

from contactcentre.domain.contacts import Contact, ContactHistory, Recording
from contactcentre.domain.events import Event
from contactcentre.store import Note
from contactcentre.web.rows import Row


class ContactSummary(Row):
    id: str
    direction: str = Field(description="inbound, or outbound: an agent called the customer, whose number is `caller`")
    did: str
    caller: str
    caller_name: str = Field(description="what the caller's side sent; anything may stand in it")
    flow: str
    language: str
    arrived: float
    answered: float | None = Field(description="by us, not yet by an agent")
    queued: float | None
    connected: float | None = Field(description="first talk with an agent")
    ended: float | None
    outcome: str = Field(description="empty while the contact lives")
    ended_by: str
    queue: str = Field(description="the last one")
    queues: tuple[str, ...]
    agent: str = Field(description="the last one who talked")
    agents: tuple[str, ...]
    waited: float
    ring: float
    talk: float = Field(description="the contact was an agent's: holding, consulting and conferences included")
    hold: float = Field(description="of talk: the customer on hold")
    consult: float = Field(description="of talk: the customer heard music while the agent asked somebody")
    wrap_up: float
    transferred_to: str
    disposition: str = Field(description="the last that was said; empty: none")

    @classmethod
    def of(cls, contact: Contact) -> Self:
        return cls.model_validate(asdict(contact))


class SegmentRow(Row):
    kind: str
    started: float
    ended: float | None
    queue: str
    agent: str


class ParticipationRow(Row):
    agent: str
    kind: str = Field(description="talk, hold, consult or conference")
    started: float
    ended: float | None
    queue: str
    had_customer: bool = Field(description="whose customer it was, or one who was asked or called in")


class LegRow(Row):
    leg: str
    role: str
    endpoint: str
    agent: str
    started: float
    answered: float | None
    ended: float | None
    cause: int = Field(description="Q.850")


class VisitRow(Row):
    queue: str
    requirement: str
    priority: int
    entered: float
    left: float | None
    reason: str = Field(description="empty while it waits")
    waited: float | None
    agent: str
    offers: int
    missed: int


class RecordingRow(Row):
    id: str
    kind: str
    state: str = Field(description="recording, ended, stored, failed or deleted")
    agent: str
    queue: str
    started: float | None
    seconds: float | None
    channels: int | None
    bytes: int | None
    audio: str | None = Field(description="where it can be heard; null unless it is stored")

    @classmethod
    def of(cls, recording: Recording, audio: str | None) -> Self:
        return cls.model_validate({**asdict(recording), "state": recording.state, "audio": audio})


class SaidRow(Row):
    """How the contact ended for one of its queues, as was said last."""

    queue: str
    agent: str
    code: str
    label: str
    at: float
    by: str
    callback_at: float | None = Field(description="a call back was promised for then")
    number: str
    called_at: float | None = Field(description="the promise was kept")


class AnswerRow(Row):
    label: str = Field(description="the question, as it was asked then")
    value: str


class NoteRow(Row):
    """What was written down about a contact for one of its queues."""

    queue: str
    note: str
    answers: dict[str, AnswerRow] = Field(description="to the queue's script, by the field's name")
    at: float
    by: str

    @classmethod
    def of(cls, note: Note) -> Self:
        return cls.model_validate(asdict(note))


class EventRow(Row):
    seq: int
    at: float
    kind: str
    data: dict[str, Any]


class ContactPage(Row):
    contacts: list[ContactSummary]
    next: str = Field(description="cursor of the next page; empty on the last one")


class ContactDetail(Row):
    contact: ContactSummary
    segments: list[SegmentRow]
    participations: list[ParticipationRow]
    visits: list[VisitRow]
    legs: list[LegRow]
    recordings: list[RecordingRow]
    said: list[SaidRow]
    notes: list[NoteRow]
    events: list[EventRow]

    @classmethod
    def of(
        cls, history: ContactHistory, events: list[Event], recordings: list[RecordingRow], notes: list[Note]
    ) -> Self:
        return cls(
            contact=ContactSummary.of(history.contact),
            segments=[SegmentRow.model_validate(asdict(one)) for one in history.segments],
            participations=[ParticipationRow.model_validate(asdict(one)) for one in history.participations],
            visits=[VisitRow.model_validate(asdict(one)) for one in history.visits],
            legs=[LegRow.model_validate(asdict(one)) for one in history.legs],
            recordings=recordings,
            said=[SaidRow.model_validate(asdict(one)) for one in history.said],
            notes=[NoteRow.of(one) for one in notes if one.note or one.answers],
            events=[EventRow(seq=one.seq, at=one.at, kind=one.kind, data=dict(one.data)) for one in events],
        )
