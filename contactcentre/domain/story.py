"""Why a contact got the agent it got, or none: told from its facts, in words that an admin understands.

For a contact that still waits `domain.explain` tells what routing would decide now; this tells what it did
decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contactcentre.domain.contacts import ContactHistory, Visit
from contactcentre.domain.events import Event, Kind, LeftQueue, OfferResult

NO_RESULT = "came to nothing"
_RESULTS: Mapping[Any, str] = {
    OfferResult.MISSED: "did not answer",
    OfferResult.BUSY: "was busy",
    OfferResult.REJECTED: "declined it",
    OfferResult.UNREACHABLE: "could not be reached",
    OfferResult.CALLER_GONE: "was ringing when the caller hung up",
    OfferResult.EXPIRED: "did not answer before the offer's deadline",
}
_LEFT: Mapping[Any, str] = {
    LeftQueue.ABANDONED: "The caller hung up",
    LeftQueue.TIMEOUT: "The queue's longest wait was over, the flow went on",
    LeftQueue.KEY: "The caller left the queue with a key",
    LeftQueue.FULL: "The queue was full, the flow went on",
    LeftQueue.EMPTY: "Nobody was there to answer, the flow went on",
    LeftQueue.TRANSFERRED: "It was moved elsewhere",
    LeftQueue.LOST: "The call was lost through our fault",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened at `at` (epoch seconds), and what explains it."""

    at: float
    text: str
    because: tuple[str, ...] = ()


def tell(history: ContactHistory, events: Iterable[Event]) -> list[Line]:
    """The contact's way to an agent, one line per step, in the order of time."""
    contact = history.contact
    name = f" ({contact.caller_name})" if contact.caller_name else ""
    flow = f"Flow {contact.flow} on {contact.node} took it." if contact.flow else ""
    lines = [Line(contact.arrived, f"{contact.caller or 'A withheld number'}{name} called {contact.did}.", _some(flow))]
    visits = iter(history.visits)
    visit: Visit | None = None
    offered: dict[str, float] = {}
    before: tuple[Any, ...] = ()
    for event in sorted((event for event in events if event.seq), key=lambda event: event.seq):
        data, at = event.data, event.at
        agent = str(data.get("agent", ""))
        match event.kind:
            case Kind.QUEUED:
                visit = next(visits, None)
                lines.append(Line(at, f"It entered queue {data.get('queue')}.", _asked(data)))
                before = ()
            case Kind.DECISION:
                told = _decision(data)
                if told != before:  # the same finding again and again is told once
                    lines.append(Line(at, *told))
                before = told
            case Kind.OFFERED:
                offered[agent] = at
            case Kind.REFUSED:
                result = _RESULTS.get(data.get("result"), f"{NO_RESULT}: {data.get('result')}")
                rang = f" after {_seconds(at - offered[agent])}" if agent in offered else ""
                lines.append(Line(at, f"{agent} {result}{rang}.", _kept(data, visit)))
                before = ()
            case Kind.TALK_STARTED:
                lines.append(Line(at, f"{agent} got it{_after(visit)}."))
            case Kind.UNQUEUED if data.get("reason") != LeftQueue.ANSWERED:
                left = _LEFT.get(data.get("reason"), f"It left the queue: {data.get('reason')}")
                lines.append(Line(at, f"{left}{_after(visit)}."))
    return [*lines, *_end(history)]


def _asked(data: Mapping[str, Any]) -> tuple[str, ...]:
    requirement, priority = data.get("requirement"), data.get("priority")
    needs = f"It needs an agent with {requirement}." if requirement else "Any agent of the queue will do."
    return _some(needs, f"Its priority is {priority}." if priority else "")


def _decision(data: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    agent, rule = data.get("agent", ""), data.get("rule", "")
    chosen = f"{agent} was chosen: {rule}." if agent else f"Nobody was chosen: {rule}."
    requirement = data.get("requirement", "")
    candidates = [_candidate(one) for one in _list(data, "candidates")]
    more = _count(data, "fitting") - len(candidates)
    considered = f"Considered, in this order: {', '.join(candidates)}{f' and {more} more' if more > 0 else ''}."
    left_out = _count(data, "left_out")
    return chosen, _some(
        f"Asked for: {requirement}." if requirement else "",
        considered if candidates else "",
        *(f"Not {name}: {why}." for name, why in _pairs(_list(data, "cut"))),
        f"{left_out} more agents were no candidates either." if left_out else "",
    )


def _candidate(one: Any) -> str:
    match one:
        case [name, int() | float() as score]:
            return f"{name} ({score:g})"
        case [name, *_]:
            return str(name)
    return str(one)


def _pairs(cut: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for one in cut:
        match one:
            case [name, why]:
                yield str(name), str(why)
            case _:
                yield str(one), "no reason was noted"


def _kept(data: Mapping[str, Any], visit: Visit | None) -> tuple[str, ...]:
    waits_on = visit is not None and data.get("result") != OfferResult.CALLER_GONE
    return ("The contact kept its place in the queue.",) if waits_on else ()


def _after(visit: Visit | None) -> str:
    if visit is None or visit.waited is None:
        return ""
    missed = f", {visit.missed} of {visit.offers} offers missed" if visit.missed else ""
    return f" after {_seconds(visit.waited)} in queue {visit.queue}{missed}"


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


def _list(data: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = data.get(key)
    return value if isinstance(value, list | tuple) else ()


def _count(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key, 0)
    return value if isinstance(value, int) else 0


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
