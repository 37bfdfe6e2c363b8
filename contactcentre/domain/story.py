"""Why a contact got the agent it got, or none: told from its facts, in words that an admin understands.

For a contact that still waits `domain.explain` tells what routing would decide now; this tells what it did
decide. What a queue asked for while the contact waited follows from the versions of the site.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from contactcentre.domain.contacts import ContactHistory, Visit
from contactcentre.domain.events import Event, Kind, LeftQueue, OfferResult
from contactcentre.domain.routing import RoutingConfig
from contactcentre.domain.site import Queue, Site
from contactcentre.domain.telling import Finding, capital, lasting, step_in_words

NO_RESULT = "came to nothing"
RESULTS: Mapping[Any, str] = {
    OfferResult.MISSED: "did not answer",
    OfferResult.BUSY: "was busy",
    OfferResult.REJECTED: "declined it",
    OfferResult.UNREACHABLE: "could not be reached",
    OfferResult.CALLER_GONE: "was ringing when the caller hung up",
    OfferResult.EXPIRED: "did not answer before the offer's deadline",
    OfferResult.ANSWERED_ELSEWHERE: "was ringing when another agent answered",
}
"""What became of an offer, said of the agent."""

_LEFT: Mapping[Any, str] = {
    LeftQueue.ABANDONED: "The caller hung up",
    LeftQueue.TIMEOUT: "The queue's longest wait was over, the flow went on",
    LeftQueue.KEY: "The caller left the queue with a key",
    LeftQueue.FULL: "The queue was full, the flow went on",
    LeftQueue.EMPTY: "Nobody was there to answer, the flow went on",
    LeftQueue.TRANSFERRED: "It was moved elsewhere",
    LeftQueue.LOST: "The call was lost through our fault",
}
_WAITS_ON = frozenset(
    {OfferResult.MISSED, OfferResult.BUSY, OfferResult.REJECTED, OfferResult.UNREACHABLE, OfferResult.EXPIRED}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened at `at` (epoch seconds), and what explains it."""

    at: float
    text: str
    because: tuple[str, ...] = ()
    finding: Finding | None = None  # of a decision


@dataclass(frozen=True, slots=True)
class InForce:
    """A version of the site, from `since` (epoch seconds) until the next one."""

    since: float
    number: int
    by: str
    site: Site


def tell(
    history: ContactHistory, events: Iterable[Event], versions: Sequence[InForce] = (), now: float = inf
) -> list[Line]:
    """The contact's way to an agent, one line per step, in the order of time. `versions`: the one that was in force
    when it arrived and those that came while it was there, the oldest first. `now`: what falls due later is not told
    (epoch seconds)."""
    story = _Story(history)
    for event in sorted((event for event in events if event.seq), key=lambda event: event.seq):
        story.take(event)
    lines = [*story.lines, *asked_later(history, versions, now), *_end(history)]
    return sorted(lines, key=lambda line: line.at)


def asked_later(history: ContactHistory, versions: Sequence[InForce], now: float = inf) -> list[Line]:
    """When a relax step of its queue fell due while it waited, until `now`, and when somebody changed the queue."""
    return [line for visit in history.visits for line in _asked_later(visit, versions, now)]


class _Story:
    def __init__(self, history: ContactHistory) -> None:
        contact = history.contact
        name = f" ({contact.caller_name})" if contact.caller_name else ""
        flow = f"Flow {contact.flow} on {contact.node} took it." if contact.flow else ""
        caller = contact.caller or "A withheld number"
        self.lines = [Line(contact.arrived, f"{caller}{name} called {contact.did}.", _some(flow))]
        self._visits = iter(history.visits)
        self._visit: Visit | None = None
        self._before: Mapping[str, Any] = {}  # facts of the queue it was in before
        self._rings: dict[str, float] = {}  # agent -> since when
        self._found: Finding | None = None
        self._told_place: object = None

    def take(self, event: Event) -> None:
        data, at = event.data, event.at
        agent = str(data.get("agent", ""))
        match event.kind:
            case Kind.QUEUED:
                self._visit = next(self._visits, None)
                self._say(at, f"It entered queue {data.get('queue')}.", self._asked(data))
                self._before, self._found, self._told_place = data, None, None
            case Kind.DECISION:
                self._decided(at, Finding.read(data))
            case Kind.OFFERED:
                self._rings[agent] = at
            case Kind.REFUSED:
                self._refused(at, agent, data)
            case Kind.TALK_STARTED:
                self._rings.pop(agent, None)
                self._say(at, f"{agent} got it{_after(self._visit)}.")
            case Kind.ANNOUNCED if data.get("position") != self._told_place:
                self._told_place = data.get("position")
                estimate = data.get("estimate")
                wait = f" and a wait of about {lasting(estimate)}" if isinstance(estimate, int | float) else ""
                self._say(at, f"The caller was told place {data.get('position')}{wait}.")
            case Kind.REORDERED:
                self._say(at, f"A {data.get('by')} gave it {data.get('priority')} points from now on.")
            case Kind.CALLBACK_REQUESTED:
                self._say(at, f"The caller asked to be called back at {data.get('number')}.")
            case Kind.UNQUEUED if data.get("reason") != LeftQueue.ANSWERED:
                left = _LEFT.get(data.get("reason"), f"It left the queue: {data.get('reason')}")
                rule = str(data.get("rule") or "")
                self._say(at, f"{left}{_after(self._visit)}.", _some(f"{capital(rule)}." if rule else ""))

    def _say(self, at: float, text: str, because: tuple[str, ...] = (), finding: Finding | None = None) -> None:
        self.lines.append(Line(at, text, because, finding))

    def _asked(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        requirement, priority = data.get("requirement"), data.get("priority")
        before, queue = self._before.get("priority"), self._before.get("queue")
        raised = f", in queue {queue} it was {before}" if self._before and before != priority else ""
        return _some(
            f"It needs an agent with {requirement}." if requirement else "Any agent of the queue will do.",
            f"Its priority is {priority or 0}{raised}." if priority or raised else "",
            "It kept its first arrival: it need not queue twice." if self._before else "",
        )

    def _decided(self, at: float, found: Finding) -> None:
        if found == self._found:  # the same finding again and again is told once
            return
        self._found = found
        text = found.headline
        if found.agent and self._rings:
            text = f"{found.agent} was asked as well: {found.rule}."
        asked = f"Asked for: {found.requirement}." if found.requirement else ""
        self._say(at, text, _some(asked, *found.reasons()), found)

    def _refused(self, at: float, agent: str, data: Mapping[str, Any]) -> None:
        result = RESULTS.get(data.get("result"), f"{NO_RESULT}: {data.get('result')}")
        began = self._rings.pop(agent, None)
        rang = f" after {lasting(at - began)}" if began is not None else ""
        kept = self._visit is not None and data.get("result") in _WAITS_ON
        self._say(at, f"{agent} {result}{rang}.", _some("The contact kept its place in the queue." if kept else ""))
        self._found = None


def _asked_later(visit: Visit, versions: Sequence[InForce], now: float) -> Iterable[Line]:
    left = now if visit.left is None else visit.left
    ends = [version.since for version in versions[1:]] + [left]
    before: Queue | None = None
    for number, version in enumerate(versions):
        until, queue = min(left, ends[number]), version.site.queues.get(visit.queue)
        changed, before = queue != before, queue
        if number and changed and visit.entered < version.since < left:
            gone = " taken out of the site" if queue is None else " changed"
            said = f"Queue {visit.queue} was{gone} (version {version.number}, by {version.by})."
            yield Line(version.since, said, ("That counts at once, also for who waits already.",))
        try:
            rules = RoutingConfig.from_site(version.site).rules.get(visit.queue)
        except ValueError:  # of an older program, whose rules were others
            continue
        for step in range(1, len(rules.steps)) if rules else ():
            after = rules.steps[step].after if rules else 0.0
            due = visit.entered + after
            if rules and max(version.since, visit.entered) < due < until:
                change = step_in_words(rules, step)
                yield Line(due, f"After {lasting(after)} in queue {visit.queue} {change}.")


def _after(visit: Visit | None) -> str:
    if visit is None or visit.waited is None:
        return ""
    missed = f", {visit.missed} of {visit.offers} offers missed" if visit.missed else ""
    return f" after {lasting(visit.waited)} in queue {visit.queue}{missed}"


def _end(history: ContactHistory) -> list[Line]:
    contact = history.contact
    if contact.ended is None:
        return []
    because = _some(
        "" if history.visits else "It never entered a queue, so no agent was looked for.",
        f"It went to {contact.transferred_to}." if contact.transferred_to else "",
        *(f"Facts {first} to {last} of it are missing." for first, last in contact.missing),
    )
    by = {"caller": "the caller", "agent": "the agent", "system": "the system"}.get(contact.ended_by, contact.ended_by)
    outcome = contact.outcome.replace("_", " ")
    return [Line(contact.ended, f"It ended: {outcome}{f' (hung up by {by})' if by else ''}.", because)]


def _some(*texts: str) -> tuple[str, ...]:
    return tuple(text for text in texts if text)
