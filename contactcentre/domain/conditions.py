"""When a contact may enter a queue, and when it has to leave: full, too long, nobody there.

"Nobody there" is told in the words of Asterisk's `joinempty` and `leavewhenempty`: each word names a condition under
which an agent does not count as there. With no word the queue takes contacts although nobody is there; with any, who is
logged out or excluded by the contact does not count either.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.events import LeftQueue
from contactcentre.domain.terms import RoutingConfig, Terms
from contactcentre.domain.waiting import Waiting


class Absence(StrEnum):
    """Why an agent may not count as there."""

    PAUSED = "paused"
    PENALTY = "penalty"  # does not fit what the contact needs now; Asterisk: the penalty is out of the caller's range
    INUSE = "inuse"  # talks
    RINGING = "ringing"  # is being offered a contact
    UNAVAILABLE = "unavailable"  # the phone is not registered
    INVALID = "invalid"  # the queue names an agent whom the site does not have: never there
    UNKNOWN = "unknown"  # nothing is known of the agent: never there
    WRAPUP = "wrapup"


_LOOSE = frozenset({Absence.PENALTY, Absence.INVALID})
_NORMAL = _LOOSE | {Absence.PAUSED}
_STRICT = _NORMAL | {Absence.UNAVAILABLE}
_WORDS = {"loose": _LOOSE, "strict": _STRICT}
_JOIN = {"yes": frozenset[Absence](), "no": _NORMAL, **_WORDS}
_LEAVE = {"no": frozenset[Absence](), "yes": _NORMAL, **_WORDS}

_OF_STATE = {
    AgentState.PAUSED: Absence.PAUSED,
    AgentState.TALKING: Absence.INUSE,
    AgentState.OFFERED: Absence.RINGING,
    AgentState.WRAP_UP: Absence.WRAPUP,
}


@lru_cache(maxsize=256)
def absences(text: str, joining: bool) -> frozenset[Absence]:
    """What `join_empty` (joining) or `leave_when_empty` says: `yes`, `no`, `strict`, `loose`, or a list of conditions
    with commas between. Raises ValueError. Asterisk lets a list replace itself half-way (`paused,loose` is `loose`) and
    passes over words it does not know; here both are refused."""
    alone = _JOIN if joining else _LEAVE
    words = [word.strip() for word in text.split(",")]
    if len(words) == 1 and words[0] in alone:
        return alone[words[0]]
    for word in words:
        if word not in set(Absence):
            known = ", ".join((*alone, *Absence))
            stands = " stands alone" if word in alone else f" is none of: {known}"
            raise ValueError(f"{word!r}{stands}")
    return frozenset(Absence(word) for word in words)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A contact may not enter, or has to leave."""

    reason: LeftQueue
    rule: str  # in words


def may_enter(
    contact: Waiting,
    length: int,
    agents: Mapping[str, AgentStatus],
    config: RoutingConfig,
    now: float,
    reachable: Mapping[str, bool],
) -> Refusal | None:
    """None = it may. `length`: how many wait in the queue without it."""
    queue = config.queues.get(contact.queue)
    if queue is None:
        return Refusal(LeftQueue.EMPTY, "the queue is not in the site")
    if 0 < queue.max_length <= length:
        return Refusal(LeftQueue.FULL, f"{length} wait, max_length is {queue.max_length}")
    return _nobody_there(contact, absences(queue.join_empty, True), agents, config, now, reachable)


def must_leave(
    contact: Waiting,
    agents: Mapping[str, AgentStatus],
    config: RoutingConfig,
    now: float,
    reachable: Mapping[str, bool],
    max_wait: float | None = None,
) -> Refusal | None:
    """None = it stays. `max_wait` (seconds, 0 = for ever): the flow's own instead of the queue's. While an agent rings
    for it, nothing makes it leave."""
    queue = config.queues.get(contact.queue)
    if contact.offered:
        return None
    if queue is None:
        return Refusal(LeftQueue.EMPTY, "the queue is not in the site")
    longest = queue.max_wait if max_wait is None else max_wait
    if longest > 0 and contact.entered + longest <= now:
        return Refusal(LeftQueue.TIMEOUT, f"it waited {now - contact.entered:.0f} s, {longest:g} s are allowed")
    return _nobody_there(contact, absences(queue.leave_when_empty, False), agents, config, now, reachable)


def _nobody_there(
    contact: Waiting,
    absent_when: frozenset[Absence],
    agents: Mapping[str, AgentStatus],
    config: RoutingConfig,
    now: float,
    reachable: Mapping[str, bool],
) -> Refusal | None:
    if not absent_when:
        return None
    terms = config.terms(contact, now)
    away: Counter[str] = Counter()
    queue = config.queues[contact.queue]
    names = dict.fromkeys((*queue.agents, *chain.from_iterable(step.agents for step in queue.relax)))
    for name in names if queue.agents else config.levels:
        status = agents.get(name) if name in config.levels else None
        why = _absence(contact, absent_when, status or AgentStatus(name), terms, reachable.get(name, True))
        if not why:
            return None
        away[why] += 1
    told = ", ".join(f"{count} {why}" for why, count in away.most_common())
    return Refusal(LeftQueue.EMPTY, f"nobody is there: {told or 'the queue has no agents'}")


def _absence(
    contact: Waiting, absent_when: frozenset[Absence], status: AgentStatus, terms: Terms | None, reachable: bool
) -> str:
    """Why the agent does not count as there; "" = it does."""
    if status.name in contact.excluded:
        return "excluded by the contact"
    if status.state is AgentState.LOGGED_OUT:
        return "logged out"
    if Absence.PENALTY in absent_when and (terms is None or status.name not in terms.fits):
        return "not fit for it"
    if Absence.UNAVAILABLE in absent_when and not reachable:
        return Absence.UNAVAILABLE
    state = _OF_STATE.get(status.state)
    return state if state in absent_when and state is not None else ""
