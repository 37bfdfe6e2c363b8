"""An agent's shift, told from history: the time in each state, the offers and what became of them, and the contacts
that went to others meanwhile, by which rule. The look back that belongs to `Look.agent`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Event, Kind, OfferResult
from contactcentre.domain.ids import short
from contactcentre.domain.metrics import AgentTime, agent_time
from contactcentre.domain.sentences import joined, phrase, phrase_of
from contactcentre.domain.story import NO_RESULT, RESULTS
from contactcentre.domain.telling import Candidate, Finding, lasting

Events = Mapping[str, Sequence[Event]]
"""By contact."""

ANSWERED = "answered"
FACTS = (Kind.DECISION, Kind.OFFERED, Kind.ACCEPTED, Kind.REFUSED, Kind.TALK_ENDED)
"""What of a contact's events is looked at."""

_DURING = {
    AgentState.LOGGED_OUT: "logged out",
    AgentState.OFFERED: "rings for a contact",
    AgentState.TALKING: "talking",
    AgentState.WRAP_UP: "in wrap-up",
    AgentState.PAUSED: "paused",
}
"""As the rules of `routing.Cut` say it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an agent's state, as history has it. `contact_id` "" = none."""

    at: float
    state: str
    reason: str = ""
    contact_id: str = ""
    queue: str = ""


@dataclass(frozen=True, slots=True)
class PastOffer:
    at: float
    contact_id: str
    queue: str
    result: str  # "answered", or see OfferResult; "" = it rings still, or nobody knows
    rang: float | None  # seconds
    talked: float | None  # seconds

    @property
    def words(self) -> str:
        after = phrase(" after %(rang)s", rang=lasting(self.rang)) if self.rang is not None else ""
        if self.result == ANSWERED:
            talk = (
                phrase(", they talked for %(talked)s", talked=lasting(self.talked)) if self.talked is not None else ""
            )
            return phrase("answered%(after)s%(talk)s", after=after, talk=talk)
        if not self.result:
            return phrase("no end of it is in the history yet")
        return joined("", (phrase(RESULTS.get(self.result, f"{NO_RESULT}: {self.result}")), after))


@dataclass(frozen=True, slots=True)
class ToOthers:
    """Contacts that went to others, all by the same rule."""

    number: int
    rule: str  # in words
    contact_id: str  # of the last one
    agent: str  # who was chosen for it
    comparison: str  # of the two, where both were candidates


@dataclass(frozen=True, slots=True)
class Shift:
    """Times in epoch seconds."""

    since: float  # the day's beginning: time and numbers count from here
    time: AgentTime
    offers: tuple[PastOffer, ...]  # the last ones, the latest first; also of days before
    missed: int  # offers since then that the agent did not take
    meanwhile: float  # the last offer, or the day's beginning; others counts from here
    others: tuple[ToOthers, ...]  # the most frequent rule first
    others_more: bool  # there were more than were looked at
    lines: tuple[str, ...]


def shift(
    agent: str,
    changes: Sequence[Change],
    own: Events,
    elsewhere: Events,
    *,
    since: float,
    now: float,
    kept: int = 10,
    more: bool = False,
) -> Shift:
    """`changes` of the agent in the order of time, the last one before `since` first. `own`: the contacts that were
    offered to the agent lately; `elsewhere`: those offered to others; of both the `FACTS`."""
    every = sorted((offer for events in own.values() for offer in _offers(agent, events)), key=lambda offer: -offer.at)
    last = every[0].at if every else since
    others = _others(agent, changes, elsewhere, last)
    time = agent_time(changes, since, now) if changes else AgentTime()
    missed = not_taken(agent, own, since)
    lines = [_day(time, missed)]
    if call := next((offer for offer in every if offer.result == ANSWERED), None):
        talked = phrase(": they talked for %(talked)s", talked=lasting(call.talked)) if call.talked is not None else ""
        ago = lasting(now - call.at)
        lines.append(
            phrase(
                "The last call was contact %(contact_id)s of queue %(queue)s, %(ago)s ago%(talked)s.",
                contact_id=short(call.contact_id),
                queue=call.queue,
                ago=ago,
                talked=talked,
            )
        )
    lines.append(
        phrase("The last offer came %(last)s ago.", last=lasting(now - last))
        if every
        else phrase("No offer came lately.")
    )
    lines += [
        phrase(
            "  %(at)s ago: contact %(contact_id)s of queue %(queue)s: %(words)s.",
            at=lasting(now - offer.at),
            contact_id=short(offer.contact_id),
            queue=offer.queue,
            words=offer.words,
        )
        for offer in every[:kept]
    ]
    number = sum(one.number for one in others)
    if number:
        known = phrase("at least ") if more else ""
        when = phrase("Since then") if every else phrase("Today")
        lines.append(
            phrase(
                "%(when)s %(known)s%(number)s of its queues went to others:",
                when=when,
                known=known,
                number=phrase_of("%(num)s contact", "%(num)s contacts", number),
            )
        )
        lines += [_others_line(one) for one in others]
    elif every:
        lines.append(phrase("Since then no contact of its queues went to anybody else."))
    return Shift(since, time, tuple(every[:kept]), missed, last, others, more, tuple(lines))


def not_taken(agent: str, own: Events, since: float) -> int:
    """Offers since then that came to nothing through the agent's side, of these contacts."""
    took = ("", ANSWERED, OfferResult.CALLER_GONE, OfferResult.ANSWERED_ELSEWHERE)
    offers = (offer for events in own.values() for offer in _offers(agent, events))
    return sum(1 for offer in offers if offer.at >= since and offer.result not in took)


def _offers(agent: str, events: Iterable[Event]) -> Iterable[PastOffer]:
    """The offers of one contact to this agent."""
    rings: dict[str, PastOffer] = {}  # by token
    done: list[PastOffer] = []
    for event in events:
        data, token = event.data, str(event.data.get("token", ""))
        if data.get("agent") != agent:
            continue
        match event.kind:
            case Kind.OFFERED:
                rings[token] = PastOffer(event.at, event.contact_id, str(data.get("queue", "")), "", None, None)
            case Kind.ACCEPTED | Kind.REFUSED if token in rings:
                offer = rings.pop(token)
                result = ANSWERED if event.kind is Kind.ACCEPTED else str(data.get("result", ""))
                rang = max(0.0, event.at - offer.at)
                done.append(PastOffer(offer.at, offer.contact_id, offer.queue, result, rang, None))
            case Kind.TALK_ENDED if done and done[-1].result == ANSWERED and done[-1].talked is None:
                offer = done.pop()
                talked = max(0.0, event.at - offer.at - (offer.rang or 0.0))
                done.append(PastOffer(offer.at, offer.contact_id, offer.queue, offer.result, offer.rang, talked))
    return [*done, *rings.values()]


def _others(agent: str, changes: Sequence[Change], elsewhere: Events, since: float) -> tuple[ToOthers, ...]:
    """By rule: each contact counts once, with the last decision for somebody else."""
    found: dict[str, list[ToOthers]] = defaultdict(list)
    last: list[tuple[float, str, Finding]] = []
    for contact_id, events in elsewhere.items():
        made = [(event.at, Finding.read(event.data)) for event in events if event.kind is Kind.DECISION]
        for at, finding in reversed(made):
            if finding.agent not in ("", agent) and at > since:
                last.append((at, contact_id, finding))
                break
    for at, contact_id, finding in sorted(last, key=lambda one: (-one[0], one[1])):
        rule, comparison = _why_another(agent, finding, changes, at)
        found[rule].append(ToOthers(0, rule, contact_id, finding.agent, comparison))
    counts = [
        ToOthers(len(them), rule, them[0].contact_id, them[0].agent, them[0].comparison) for rule, them in found.items()
    ]
    return tuple(sorted(counts, key=lambda one: -one.number))


def _why_another(agent: str, finding: Finding, changes: Sequence[Change], at: float) -> tuple[str, str]:
    """(the rule in words, how the two compare) for a decision that went to somebody else."""
    by_name = {one.agent: one for one in finding.candidates}
    if agent in by_name:
        strategy = finding.rule.partition(":")[0]
        best = by_name.get(finding.agent) or Candidate(finding.agent, None, "")
        return phrase("others came first by %(strategy)s", strategy=strategy), joined(
            ", ", (joined(" ", pair) for pair in ((best.agent, best.words), (agent, by_name[agent].words)))
        )
    for one in finding.cut:
        if one.agent == agent:
            detail = f": {one.detail}" if one.detail and not one.contact_id else ""
            detail = "" if one.code == "delayed" else detail
            return joined("", (phrase(one.rule), detail)), ""
    state = next((change for change in reversed(changes) if change.at <= at), None)
    if state is not None and state.state in _DURING:
        during = _DURING[AgentState(state.state)]
        return joined(": ", [phrase(during), *([state.reason] if state.reason else [])]), ""
    if finding.fitting > len(finding.candidates):
        return phrase("others came first by %(rule)s", rule=finding.rule.partition(":")[0]), ""
    return phrase("not named in the decision"), ""


def _others_line(one: ToOthers) -> str:
    last = phrase(
        "the last one, contact %(contact_id)s, went to %(agent)s", contact_id=short(one.contact_id), agent=one.agent
    )
    told = joined(": ", [last, *([one.comparison] if one.comparison else [])])
    return joined("", (f"  {one.number}: ", one.rule, " (", told, ")."))


def _day(time: AgentTime, missed: int) -> str:
    pauses = sum(time.paused.values())
    reasons = sorted(time.paused.items())
    named = joined(
        ", ", (joined(" ", (reason or phrase("no reason"), lasting(seconds))) for reason, seconds in reasons)
    )
    parts = [
        joined(" ", (word, lasting(seconds)))
        for word, seconds in (
            (phrase("free"), time.available),
            (phrase("ringing"), time.offered),
            (phrase("talking"), time.talking),
            (phrase("wrap-up"), time.wrap_up),
        )
        if seconds >= 0.5
    ]
    if pauses >= 0.5:
        parts.append(phrase("paused %(pauses)s (%(named)s)", pauses=lasting(pauses), named=named))
    not_taken = phrase_of(", %(num)s offer not taken", ", %(num)s offers not taken", missed) if missed else ""
    return phrase(
        "Today: %(parts)s; %(calls)s answered%(not_taken)s.",
        parts=joined(", ", parts) if parts else phrase("not at work yet"),
        calls=phrase_of("%(num)s call", "%(num)s calls", time.calls),
        not_taken=not_taken,
    )
