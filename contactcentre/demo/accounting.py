"""Every call accounted for: what the callers experienced, against what the history says, against the promises."""

import contextlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contactcentre.domain import metrics
from contactcentre.domain.agents import AgentState
from contactcentre.domain.contacts import ContactHistory
from contactcentre.domain.events import Event, Kind, Outcome
from contactcentre.domain.metrics import Counts
from contactcentre.lab.results import CallResult
from contactcentre.live import Snapshot

if TYPE_CHECKING:
    from contactcentre.store import Store

WAV_HEADER = 44
_NO_CONTACT = "is no contact"
HEARD_FOR_CERTAIN = 1.0
"""Seconds of talk after which both ends must agree that there was one."""


@dataclass(frozen=True)
class Account:
    """What a run comes to. `problems` is empty when nothing was lost and no promise broken."""

    summary: dict[str, Any]
    problems: tuple[str, ...]


def account(
    calls: Sequence[CallResult],
    store: "Store",
    recordings_dir: Path,
    since: float,
    until: float,
    own_queue: Container[str] = (),
) -> Account:
    """Compares every call with the history. Times are epoch seconds of the run; the recorder must have caught up.
    `own_queue`: callers whom the PBX's own queue has taken, for there was no controller. Who was not fetched from there
    is no contact of ours, and not lost."""
    histories = [store.history(id) for id in contact_ids(store, since)]
    events = [event for history in histories for event in store.events(history.contact.id)]
    known = {history.contact.caller for history in histories}
    alone = {call.caller for call in calls if call.caller in own_queue and call.caller not in known}
    problems = [
        *_unaccounted([call for call in calls if call.caller not in alone], histories),
        *_unfinished(histories),
        *_unrecorded(histories, recordings_dir),
        *double_offers(events),
    ]
    outcomes = Counter(history.contact.outcome or "unfinished" for history in histories)
    waits = [
        visit.waited
        for history in histories
        for visit in history.visits
        if visit.reason == "answered" and visit.waited is not None
    ]
    stats = store.queue_stats(since, until)
    total = sum((one.counts for one in stats.values()), Counts())
    formula = next((one.formula for one in stats.values()), "")
    summary = {
        "calls": len(calls),
        "contacts": len(histories),
        "by_the_pbx_alone": len(alone),
        "offered": total.offered,
        "answered": total.answered,
        "abandoned": total.abandoned,
        "lost": outcomes[Outcome.LOST] + sum(text.endswith(_NO_CONTACT) for text in problems),
        "recordings": sum(
            bool(one.stored_at) for history in histories for one in history.recordings if one.kind == "call"
        ),
        "voicemails": sum(len(history.voicemails) for history in histories),
        "service_level": _rounded(metrics.service_level(formula, total)) if formula else None,
        "service_level_formula": {name: one.text for name, one in stats.items()},
        "wait_p50": _rounded(metrics.percentile(waits, 0.50)),
        "wait_p99": _rounded(metrics.percentile(waits, 0.99)),
        "outcomes": dict(outcomes),
        "callers": dict(Counter(call.outcome for call in calls)),
        "problems": list(problems),
    }
    return Account(summary, tuple(problems))


def contact_ids(store: "Store", since: float) -> list[str]:
    """All contacts that arrived since, oldest first."""
    found: list[str] = []
    cursor = ""
    while True:
        page = store.contacts(since=since, limit=500, cursor=cursor)
        found += [contact.id for contact in page.contacts]
        cursor = page.cursor
        if not cursor:
            return found[::-1]


def pending(store: "Store", since: float) -> int:
    """Contacts that have not ended, and recordings of ended conversations that are neither stored nor given up."""
    count = 0
    for id in contact_ids(store, since):
        history = store.history(id)
        count += history.contact.ended is None
        count += sum(not (one.stored_at or one.failed_at) for one in history.recordings)
    return count


def _unaccounted(calls: Iterable[CallResult], histories: Iterable[ContactHistory]) -> Iterator[str]:
    by_caller: dict[str, list[ContactHistory]] = {}
    for history in histories:
        by_caller.setdefault(history.contact.caller, []).append(history)
    for call in calls:
        found = by_caller.pop(call.caller, [])
        name = f"the call of {call.caller}"
        if not found:
            yield f"lost: {name} ({call.outcome}, SIP {call.status}) {_NO_CONTACT}"
            continue
        if len(found) > 1:
            yield f"{name} is {len(found)} contacts"
        contact = found[0].contact
        talked = contact.outcome == Outcome.ANSWERED
        if call.served and not talked:
            yield f"{name} reached an agent, and the history says {contact.outcome or 'nothing'} ({contact.id})"
        if talked and not call.served and contact.talk > HEARD_FOR_CERTAIN:
            yield f"{name} heard nobody, and the history says it talked {contact.talk:.1f} s ({contact.id})"
        if contact.outcome == Outcome.LOST:
            yield f"lost: {name}, says the history itself ({contact.id})"
    for caller, strangers in by_caller.items():
        yield f"{len(strangers)} contacts of {caller}, who never called"


def _unfinished(histories: Iterable[ContactHistory]) -> Iterator[str]:
    for contact in (history.contact for history in histories):
        if contact.ended is None:
            yield f"contact {contact.id} has no end"
        if contact.missing:
            yield f"contact {contact.id} lacks events {contact.missing}"


def _unrecorded(histories: Iterable[ContactHistory], recordings_dir: Path) -> Iterator[str]:
    for history in histories:
        contact = history.contact
        if contact.outcome != Outcome.ANSWERED or not contact.talk:
            continue
        files = [recordings_dir / one.path for one in history.recordings if one.path and one.kind == "call"]
        if not files:
            errors = ", ".join(one.error for one in history.recordings if one.error)
            yield f"contact {contact.id} talked {contact.talk:.1f} s and has no recording ({errors or 'no error'})"
        for file in files:
            size = 0
            with contextlib.suppress(OSError):
                size = file.stat().st_size
            if size <= WAV_HEADER:
                yield f"the recording {file.name} of contact {contact.id} is empty or not there"


def left_over(state: Snapshot) -> Iterator[str]:
    """What the live state still holds when every call has ended: agents who talk with nobody, ghosts that wait."""
    for agent in state.agents.values():
        if agent.state in (AgentState.OFFERED, AgentState.TALKING):
            yield f"agent {agent.name} is still {agent.state} with {agent.contact_id}, and every call has ended"
    for contact_id in sorted(state.waiting.keys() | state.contacts.keys()):
        yield f"contact {contact_id} is still there, and every call has ended"


def double_offers(events: Iterable[Event]) -> Iterator[str]:
    """Agents who had two contacts at a time: an offer lasts from its making to its failure or the talk's end."""
    steps = sorted(
        (event for event in events if event.kind in _OPENING | _CLOSING), key=lambda event: (event.at, event.seq)
    )
    held: dict[str, str] = {}
    for event in steps:
        agent = str(event.data.get("agent", ""))
        if event.kind in _OPENING:
            other = held.get(agent)
            if other is not None and other != event.contact_id:
                yield f"agent {agent} was offered {event.contact_id} while having {other}"
            held[agent] = event.contact_id
        elif held.get(agent) == event.contact_id:
            del held[agent]


_OPENING = {Kind.OFFERED}
_CLOSING = {Kind.REFUSED, Kind.TALK_ENDED}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
