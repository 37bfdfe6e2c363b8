"""How a contact and an agent stand at one moment, as `explain` finds it: facts, and the lines that tell them."""

from collections.abc import Mapping
from dataclasses import dataclass

from contactcentre.domain.telling import Finding


@dataclass(frozen=True, slots=True)
class Claim:
    """What a contact's right of way comes from, in points."""

    score: float
    priority: float
    group: float  # what the queue grants its group
    waiting: float  # what it has gained by waiting
    words: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a contact stands that waits now. Durations in seconds."""

    contact_id: str
    queue: str
    node: str  # whose controller acts on it
    waited: float  # in this queue
    since_arrival: float
    claim: Claim
    position: int | None  # in its queue, by right of way; None while an agent rings for it
    position_of_all: int | None  # over all queues
    own_requirement: str
    step: int  # of the queue's relax steps; 0 = none yet
    steps: int
    next_step_in: float | None
    next_step: str  # what it changes, in words
    preferred: tuple[str, ...]
    preferred_for: float | None  # as long as its preferred agents have it for themselves
    excluded: tuple[str, ...]
    tried: tuple[str, ...]  # who did not answer it
    ringing: tuple[str, ...]  # whose phones ring for it
    finding: Finding
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContactThere:
    """A contact that waits in a queue of the agent's."""

    contact_id: str
    why: str  # the agent does not get it, in words


@dataclass(frozen=True, slots=True)
class InQueue:
    queue: str
    fits: bool
    why_not: str  # it does not fit, or is not asked yet
    requirement: str
    waiting: int
    contacts: tuple[ContactThere, ...]  # the first of them, if the agent is free


@dataclass(frozen=True, slots=True)
class Readiness:
    """What keeps an agent from calls now, or does not."""

    agent: str
    state: str
    since: float  # epoch seconds
    reason: str  # of a pause
    contact_id: str
    then: str  # what follows when the call is over
    reachable: bool
    delay: float  # seconds until the next offer may come
    misses: int  # in a row
    skills: Mapping[str, int]
    queues: tuple[InQueue, ...]
    not_member_of: tuple[str, ...]
    gets: str  # the contact that goes to the agent at this moment; "" = none
    lines: tuple[str, ...]
