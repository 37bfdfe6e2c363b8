"""Call by call: what callers and agents experienced, against the history in PostgreSQL."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from contactcentre.demo.accounting import contact_ids, double_offers
from contactcentre.domain.contacts import ContactHistory
from contactcentre.domain.events import Outcome
from contactcentre.lab import CallResult
from contactcentre.store import Store

SILENCE = 5.0
"""Seconds that nobody should hear nothing."""
LATE = 5.0
"""Seconds by which whoever takes hundreds of calls up learns of an end late; it may be killed before it does."""
CERTAIN = 1.5
"""Seconds by which two watchers may differ: of a talk that long both must know."""
WAV_HEADER = 44


@dataclass(frozen=True, slots=True)
class Problem:
    """What should not have happened, to whom, and when (epoch seconds)."""

    kind: str
    """`dropped`, `lost` or `doubled`."""
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Outage:
    """When our controller did not act: calls that came meanwhile were the PBX's own, ends that nobody saw are told
    later. `pbx`: for the PBX itself was restarted."""

    begin: float
    end: float
    pbx: bool = False

    def overlaps(self, begin: float, end: float) -> bool:
        return self.begin <= end and begin <= self.end


def dropped(calls: Iterable[CallResult], served: Mapping[str, Sequence[CallResult]]) -> Iterator[Problem]:
    """Calls that neither side wanted to end: callers who were hung up on although no agent did, or turned away, and
    agents who were while their caller was still there."""
    for call in calls:
        talks = served.get(call.caller, [])
        where = "while talking" if call.served else "while waiting" if call.answered else "before an answer"
        if call.ended_by not in ("us", "patience") and not any(talk.ended_by == "us" for talk in talks):
            said = f"by {call.ended_by}, SIP {call.status}, cause {call.cause}"
            yield Problem("dropped", call.ended_at, f"{call.caller} was dropped {where} ({said})")
        elif call.ended_by == "patience":
            yield Problem("dropped", call.ended_at, f"{call.caller} waited {call.duration:.0f} s and was not served")
        for talk in talks:
            left_alone = talk.ended_by != "us" and talk.ended_at < call.ended_at - CERTAIN
            if left_alone and talk.served:  # who heard nobody yet rang: the call is offered again
                yield Problem("dropped", talk.ended_at, f"{talk.phone} was dropped while talking with {call.caller}")


def twice(
    served: Mapping[str, Sequence[CallResult]], ours: Container[str], outages: Iterable[Outage]
) -> Iterator[Problem]:
    """Callers who heard two agents at a time, agents whose phone had two calls at a time. Only of callers who are
    `ours`: what the PBX's own queue does with those who came while no controller was there it does by itself. A phone
    whose PBX has gone without a word believes for a while that it still talks: that is no call."""
    restarts = [outage.begin for outage in outages if outage.pbx]
    served = {caller: calls for caller, calls in served.items() if caller in ours}
    for what, groups in (("caller", served), ("agent", _by_agent(served))):
        for name, calls in groups.items():
            answered = sorted((c for c in calls if c.answered_at or what == "agent"), key=lambda c: c.started_at)
            for one, other in pairwise(answered):
                begun = other.answered_at if what == "caller" else other.started_at
                if begun is None or begun >= one.ended_at - CERTAIN:
                    continue
                if not any(one.started_at < at < begun for at in restarts):
                    yield Problem(
                        "doubled", begun, f"{what} {name} had two calls at once: {_told(one)}, {_told(other)}"
                    )


def _told(call: CallResult) -> str:
    """What became of a call, as its phone says; times of the day in UTC."""
    began, answered, ended = (_clock(at) for at in (call.started_at, call.answered_at, call.ended_at))
    return f"{call.caller or call.phone} {began}, answered {answered}, ended {ended} by {call.ended_by} ({call.cause})"


def _clock(at: float | None) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"[:-4] if at else "never"


def _by_agent(served: Mapping[str, Sequence[CallResult]]) -> dict[str, list[CallResult]]:
    found = defaultdict(list)
    for calls in served.values():
        for call in calls:
            found[call.phone].append(call)
    return found


@dataclass(frozen=True)
class Ledger:
    """A run's calls held against the history since `since`. `fallback`: callers whom the PBX's own queue served."""

    problems: tuple[Problem, ...]
    fallback: frozenset[str]
    contacts: Mapping[str, ContactHistory]
    """By caller; of several the first."""


def balance(
    calls: Sequence[CallResult],
    served: Mapping[str, Sequence[CallResult]],
    store: Store,
    recordings: Path,
    since: float,
    outages: Sequence[Outage],
) -> Ledger:
    """The recorder must have caught up, every call must have ended."""
    histories = [store.history(id) for id in contact_ids(store, since)]
    by_caller = defaultdict[str, list[ContactHistory]](list)
    for history in histories:
        by_caller[history.contact.caller].append(history)
    contacts = {caller: found[0] for caller, found in by_caller.items()}
    problems, fallback = [*dropped(calls, served), *twice(served, frozenset(by_caller), outages)], set[str]()
    for call in calls:
        found = by_caller.pop(call.caller, [])
        if len(found) > 1:
            stories = "; ".join(story(history, store, call.started_at) for history in found)
            problems.append(Problem("doubled", call.started_at, f"{call.caller} is {len(found)} contacts: {stories}"))
        elif found:
            for problem in _same(call, found[0], outages, recordings):
                text = f"{problem.text}; seconds from its beginning: {story(found[0], store, call.started_at)}"
                problems.append(replace(problem, text=text))
        elif any(outage.overlaps(call.started_at, call.started_at + CERTAIN) for outage in outages):
            fallback.add(call.caller)
        else:
            problems.append(Problem("lost", call.started_at, f"{call.caller} is no contact"))
    for caller, strangers in by_caller.items():
        arrived = strangers[0].contact.arrived
        problems.append(Problem("doubled", arrived, f"{len(strangers)} contacts of {caller}, who never called"))
    events = [event for history in histories for event in store.events(history.contact.id)]
    problems += [Problem("doubled", 0.0, text) for text in double_offers(events)]
    problems += [Problem("lost", at, f"rejected: {error}: {text[:300]}") for at, text, error in store.rejected()]
    return Ledger(tuple(problems), frozenset(fallback), contacts)


def story(history: ContactHistory, store: Store, since: float) -> str:
    """A contact's facts, and how many seconds after the call began."""
    facts = [f"{event.kind.value} {event.at - since:.1f}" for event in store.events(history.contact.id)]
    return f"{history.contact.id}: {', '.join(facts)}"


def _same(call: CallResult, history: ContactHistory, outages: Sequence[Outage], recordings: Path) -> Iterator[Problem]:
    contact = history.contact
    name, at = f"{call.caller} ({contact.id})", call.ended_at
    if contact.ended is None:
        yield Problem("lost", at, f"{name} has no end in history")
        return
    if contact.missing:
        yield Problem("lost", at, f"{name} lacks events {contact.missing}")
    heard = call.ended_at - call.person_at if call.person_at is not None else 0.0
    unseen = sum(one.end - one.begin for one in outages if one.overlaps(call.started_at, call.ended_at + LATE))
    if contact.outcome == Outcome.LOST:
        yield Problem("lost", at, f"{name} was lost, says history itself")
    if abs(contact.talk - heard) > 2 * CERTAIN + unseen:
        yield Problem("lost", at, f"{name} talked {heard:.1f} s, history says {contact.talk:.1f} s")
    elif call.served and heard > CERTAIN and contact.outcome != Outcome.ANSWERED:
        yield Problem("lost", at, f"{name} talked {heard:.1f} s, and is {contact.outcome} in history")
    if contact.queues and contact.queues[-1] == "recorded" and contact.talk > CERTAIN:
        files = [recordings / one.path for one in history.recordings if one.path and one.kind == "call"]
        if not any(file.is_file() and file.stat().st_size > WAV_HEADER for file in files):
            errors = ", ".join(one.error for one in history.recordings if one.error)
            yield Problem(
                "lost", at, f"{name} talked {contact.talk:.1f} s, recording not there ({errors or 'no error'})"
            )


def silent(calls: Iterable[CallResult]) -> list[tuple[CallResult, float]]:
    """Who heard nothing for too long, and when it was too long."""
    return [(call, (call.silence_at or call.ended_at) + SILENCE) for call in calls if call.silence > SILENCE]
