"""The records of what happened: a contact, and what belongs to it. `domain.contacts.fold` makes them from
events.

Times are epoch seconds (UTC), durations seconds; None is what has not happened. The tables of `store` have
the same names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contactcentre.domain.events import Direction


class Phase(StrEnum):
    """What a segment is. All but WRAP_UP tile the contact's life from its arrival to its end: no gap, no
    overlap."""

    IVR = "ivr"
    DIALLING = "dialling"  # an agent calls the customer: the agent's phone rings, then the customer's
    QUEUE = "queue"
    RING = "ring"
    TALK = "talk"
    HOLD = "hold"  # the customer hears music, the agent is there
    CONSULT = "consult"  # the customer hears music, the agent asks somebody
    CONFERENCE = "conference"  # the agent and somebody more
    PARKED = "parked"
    OUTSIDE = "outside"  # with somebody outside, and no agent
    VOICEMAIL = "voicemail"
    WRAP_UP = "wrap_up"


@dataclass(frozen=True)
class Leg:
    leg: str
    role: str = ""
    endpoint: str = ""
    agent: str = ""
    started: float = 0.0
    answered: float | None = None
    ended: float | None = None
    cause: int = 0


@dataclass(frozen=True)
class Segment:
    kind: Phase
    started: float
    ended: float | None = None  # None: it goes on
    queue: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Participation:
    """What one agent did in the contact: talk, hold, consult or conference. An agent's own tile the time from joining
    to leaving: no gap, no overlap; two agents' overlap."""

    agent: str
    kind: Phase
    started: float
    ended: float | None = None  # None: it goes on
    queue: str = ""
    had_customer: bool = False  # whose customer it was, or one who was asked or called in


@dataclass(frozen=True)
class Visit:
    """One stay in one queue: what queue statistics count."""

    queue: str
    entered: float
    requirement: str = ""
    priority: int = 0
    left: float | None = None
    reason: str = ""  # see LeftQueue; "" while it waits
    waited: float | None = None
    agent: str = ""  # who talked
    offers: int = 0
    missed: int = 0  # offers that came to nothing through the agent's side
    talk: float = 0.0
    wrap_up: float = 0.0


@dataclass(frozen=True)
class Recording:
    id: str
    kind: str = "call"  # or "voicemail"
    agent: str = ""
    queue: str = ""
    box: str = ""
    started: float | None = None
    ended: float | None = None
    files: Mapping[str, Any] = field(default_factory=dict)  # on the PBX
    offsets: Mapping[str, Any] = field(default_factory=dict)
    stored_at: float | None = None
    path: str = ""  # below the recordings directory
    seconds: float | None = None
    bytes: int | None = None
    sha256: str = ""  # of the sound
    channels: int | None = None
    failed_at: float | None = None
    error: str = ""
    deleted_at: float | None = None
    file_sha256: str = ""  # of the file; "" in history of before: the same as of the sound

    @property
    def state(self) -> str:
        """recording | ended | stored | failed | deleted"""
        if self.deleted_at is not None:
            return "deleted"
        if self.stored_at is not None:
            return "stored"
        if self.failed_at is not None:
            return "failed"
        return "ended" if self.ended is not None else "recording"


@dataclass(frozen=True)
class Voicemail:
    recording: str
    box: str
    at: float
    seconds: float


@dataclass(frozen=True)
class Said:
    """How the contact ended for one of its queues, as was said last."""

    queue: str
    agent: str
    code: str
    label: str
    at: float
    by: str
    callback_at: float | None = None  # a call back was promised for then
    number: str = ""
    called_at: float | None = None  # the promise was kept


@dataclass(frozen=True)
class Contact:
    id: str
    node: str = ""
    direction: str = Direction.INBOUND.value
    did: str = ""
    caller: str = ""
    caller_name: str = ""
    flow: str = ""
    language: str = ""
    arrived: float = 0.0
    answered: float | None = None  # by us, not yet by an agent
    queued: float | None = None  # first
    connected: float | None = None  # first conversation
    ended: float | None = None
    outcome: str = ""  # see Outcome; "" while the contact lives
    ended_by: str = ""
    cause: int = 0
    queue: str = ""  # the last one
    queues: tuple[str, ...] = ()
    agent: str = ""  # the last one who talked
    agents: tuple[str, ...] = ()
    waited: float = 0.0
    ring: float = 0.0
    talk: float = 0.0
    hold: float = 0.0  # of talk
    consult: float = 0.0  # of talk
    wrap_up: float = 0.0
    transferred_to: str = ""
    disposition: str = ""  # the last that was said
    last_seq: int = 0
    missing: tuple[tuple[int, int], ...] = ()  # ranges (first, last) of events never seen


@dataclass(frozen=True)
class ContactHistory:
    contact: Contact
    legs: tuple[Leg, ...] = ()
    segments: tuple[Segment, ...] = ()
    participations: tuple[Participation, ...] = ()
    visits: tuple[Visit, ...] = ()
    recordings: tuple[Recording, ...] = ()
    voicemails: tuple[Voicemail, ...] = ()
    said: tuple[Said, ...] = ()
