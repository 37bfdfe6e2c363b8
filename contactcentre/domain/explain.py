"""Why a contact waits, and why an agent gets no calls: routing at one moment, as facts and in words.

A look is one round of `domain.routing`, so it cannot tell another story than the decision. It costs one decision over
everybody, however many questions are then asked.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.conditions import must_leave
from contactcentre.domain.day import skills_now
from contactcentre.domain.ids import short
from contactcentre.domain.order import BY_SERVICE_LEVEL
from contactcentre.domain.routing import Cut, Decision, Round, RoutingConfig, Waiting, words
from contactcentre.domain.telling import Finding, NotAsked, lasting, several, step_in_words
from contactcentre.domain.terms import QueueRules

NAMED = 5
"""Contacts that are told of each queue of an agent."""


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


class Look:
    """`Round`'s arguments, all of one moment."""

    def __init__(
        self,
        waiting: Iterable[Waiting],
        agents: Mapping[str, AgentStatus],
        config: RoutingConfig,
        now: float,
        reachable: Mapping[str, bool],
        phones: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`phones`: in words, what keeps an agent's phone from ringing."""
        self._agents, self._config, self._now, self._reachable = agents, config, now, reachable
        self._phones = phones
        self._round = Round(waiting, agents, config, now, reachable)
        self._decisions = {decision.contact_id: decision for decision in self._round.decide()}
        self._more = self._round.more()

    @cached_property
    def _order(self) -> list[Waiting]:
        return self._round.in_order(self._round.waiting)

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """Contact -> its place in its queue and over all, from 1, of those for whom nobody rings."""
        own: Counter[str] = Counter()
        places = {}
        for number, contact in enumerate((one for one in self._order if not one.offered), 1):
            own[contact.queue] += 1
            places[contact.contact_id] = own[contact.queue], number
        return places

    @cached_property
    def _of_queue(self) -> dict[str, list[Waiting]]:
        found = defaultdict(list)
        for contact in self._order:
            found[contact.queue].append(contact)
        return found

    @cached_property
    def _ringing(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for name, status in sorted(self._agents.items()):
            if status.state is AgentState.OFFERED:
                found[status.contact_id] = (*found.get(status.contact_id, ()), name)
        return found

    # -- a contact ----------------------------------------------------------------------------------------------------

    def contact(self, contact_id: str) -> Standing | None:
        """None: it does not wait in any queue."""
        contact = self._round.index.waiting.get(contact_id)
        if contact is None:
            return None
        decision = self._decisions.get(contact_id) or self._round.reason(contact)
        finding, claim = Finding.of(decision), self._claim(contact)
        place = self._places.get(contact_id)
        rules, step = self._config.rules.get(contact.queue), self._config.step(contact, self._now)
        steps = rules.steps if rules else ()
        ringing = self._ringing.get(contact_id, (contact.offered,) if contact.offered else ())
        waited = self._now - contact.entered
        lines = [
            f"Contact {short(contact_id)} waits in queue {contact.queue}: {lasting(waited)} there, "
            f"{lasting(self._now - contact.arrived)} since it arrived; {claim.words}."
        ]
        if place:
            lines.append(f"It is number {place[0]} in its queue and number {place[1]} over all queues.")
        lines += self._asked(contact, decision, rules, step)
        lines += self._verdict(contact, decision, ringing)
        lines += finding.reasons(self._about)
        further = step + 1 < len(steps)
        return Standing(
            contact_id=contact_id,
            queue=contact.queue,
            node=contact.node,
            waited=waited,
            since_arrival=self._now - contact.arrived,
            claim=claim,
            position=place[0] if place else None,
            position_of_all=place[1] if place else None,
            own_requirement=contact.requires,
            step=step,
            steps=max(0, len(steps) - 1),
            next_step_in=contact.entered + steps[step + 1].after - self._now if further else None,
            next_step=step_in_words(rules, step + 1) if rules and further else "",
            preferred=contact.preferred,
            preferred_for=rules.preferred_until(contact) - self._now
            if rules and self._config.asks_preferred(contact, self._now)
            else None,
            excluded=contact.excluded,
            tried=contact.tried,
            ringing=ringing,
            finding=finding,
            lines=tuple(lines),
        )

    def _claim(self, contact: Waiting) -> Claim:
        claims = self._config.claims(contact.queue)
        group, score = claims.groups.get(contact.group, 0), claims.score(contact, self._now)
        gained = round(score - claims.points(contact), 2) if claims.rate else 0.0
        parts = [f"priority {contact.priority}"]
        if contact.group in claims.groups:
            parts.append(f"{group} as group {contact.group}")
        if claims.rate:
            parts.append(f"{gained:g} for waiting")
        if self._config.by == BY_SERVICE_LEVEL and claims.rate:
            parts[-1] += f" (it has used {gained:.0f} % of the queue's service level)"
        said = parts[0] if len(parts) == 1 else f"score {score:g}: {' + '.join(parts)}"
        return Claim(score, contact.priority, group, gained, said)

    def _asked(self, contact: Waiting, decision: Decision, rules: QueueRules | None, step: int) -> list[str]:
        """What it asks for: the requirement, its steps, the agents it prefers and those it must not get."""
        if rules is None:
            return []
        own = f" (its own: {contact.requires})" if contact.requires else ""
        lines = [f"It needs {decision.requirement or 'any'}{own}"]
        if step and rules.steps[step].requirement is not rules.steps[0].requirement:
            after = lasting(rules.steps[step].after)
            lines[0] += f"; the queue's part was relaxed after {after} (step {step} of {len(rules.steps) - 1})"
        lines[0] += "."
        if new := [name for name in rules.steps[step].members if name not in rules.steps[0].members]:
            lines.append(f"By now the queue also asks {several(new)}.")
        if step + 1 < len(rules.steps):
            due = contact.entered + rules.steps[step + 1].after - self._now
            lines.append(f"In {lasting(due)} {step_in_words(rules, step + 1)}.")
        lines += self._preferred(contact, rules)
        if contact.excluded:
            lines.append(f"It must not get: {', '.join(contact.excluded)}.")
        if contact.tried:
            lines.append(f"Who did not answer it comes last: {', '.join(contact.tried)}.")
        return lines

    def _preferred(self, contact: Waiting, rules: QueueRules) -> list[str]:
        terms = self._config.terms(contact, self._now)
        if terms is None or not self._config.asks_preferred(contact, self._now):
            return []
        left = lasting(rules.preferred_until(contact) - self._now)
        lines = [f"It prefers {', '.join(contact.preferred)} for {left} more."]
        awaited = self._round.index.preferred(contact, terms)
        for name in (name for name in dict.fromkeys(contact.preferred) if name not in awaited):
            cut = self._round.why_cut(contact, terms, name)
            why = "did not answer it" if name in contact.tried else _told(*cut) if cut else "does not count"
            lines.append(f"It does not wait for {name}: {why}.")
        return lines

    def _verdict(self, contact: Waiting, decision: Decision, ringing: tuple[str, ...]) -> list[str]:
        also = [one.agent for one in self._more if one.contact_id == contact.contact_id]
        if decision.agent:
            lines = [f"Agent {decision.agent} gets it now ({decision.rule})."]
        elif ringing:
            lines = [f"Nobody gets it now: an agent is ringing for it already: {', '.join(ringing)}."]
        else:
            lines = [f"Nobody gets it now: {decision.rule}."]
        if also:
            lines.append(f"The phones of {several(also)} ring as well.")
        refused = must_leave(contact, self._agents, self._config, self._now, self._reachable, max_wait=0)
        if refused is not None and not decision.agent:
            lines.append(f"It has to leave the queue: {refused.rule}.")
        return lines

    def _about(self, one: NotAsked) -> str:
        """Of a contact with right of way, also where it stands."""
        first = self._round.index.waiting.get(one.contact_id)
        if one.rule != Cut.TAKEN or first is None:
            return short(one.detail)
        waited = lasting(self._now - first.arrived)
        return f"{short(one.detail)}, queue {first.queue}, {self._claim(first).words}, arrived {waited} ago"

    # -- an agent -----------------------------------------------------------------------------------------------------

    def agent(self, name: str) -> Readiness | None:
        """None: there is no such agent in the site."""
        if name not in self._config.levels:
            return None
        status, levels = self._agents.get(name, AgentStatus(name)), self._config.levels[name]
        reachable = self._reachable.get(name, True)
        delay = max(0.0, status.not_before - self._now)
        lines = [_state(status, self._now)]
        if status.by:
            lines.append(f"By {status.by}{f': {status.note}' if status.note else ''}.")
        if status.then:
            wish = status.then.replace(":", " (") + ")" if ":" in status.then else status.then
            lines.append(f"After that: {wish}.")
        if status.state is AgentState.AVAILABLE and not reachable:
            lines.append(self._phones.get(name, "The phone cannot ring: no calls until it can."))
        if status.state is AgentState.AVAILABLE and delay:
            lines.append(f"The delay after the last offer runs for {lasting(delay)} more.")
        if status.misses:
            lines.append(f"Offers not answered in a row: {status.misses}.")
        lines.append(f"Skills: {', '.join(f'{skill} {level}' for skill, level in sorted(levels.items())) or 'none'}.")
        if today := skills_now(status, self._now):
            told = ", ".join(f"{skill} {level}" if level else f"without {skill}" for skill, level in today.items())
            lines.append(f"For today: {told}, for {lasting(status.skills_until - self._now)} more.")
        strangers = tuple(sorted(queue for queue, rules in self._config.rules.items() if name not in rules.members))
        queues = tuple(self._queue(queue, name) for queue in self._config.rules if queue not in strangers)
        for one in queues:
            fits = f"fits ({one.requirement})" if one.fits else one.why_not
            lines.append(f"Queue {one.queue}: {fits}; {one.waiting or 'nobody'} waiting.")
            lines += [f"  Contact {short(there.contact_id)}: {there.why}." for there in one.contacts]
            if one.contacts and one.waiting > NAMED:
                lines.append(f"  and {one.waiting - NAMED} more contacts.")
        if strangers:
            lines.append(f"Not a member of: {several(strangers)}.")
        decisions = (*self._decisions.values(), *self._more)
        mine = next((decision for decision in decisions if decision.agent == name), None)
        if mine is not None:
            lines.append(f"Gets contact {short(mine.contact_id)} of queue {mine.queue} now ({mine.rule}).")
        return Readiness(
            agent=name,
            state=status.state.value,
            since=status.since,
            reason=status.reason,
            contact_id=status.contact_id,
            then=status.then,
            reachable=reachable,
            delay=delay,
            misses=status.misses,
            skills=levels,
            queues=queues,
            not_member_of=strangers,
            gets=mine.contact_id if mine else "",
            lines=tuple(lines),
        )

    def _queue(self, queue: str, name: str) -> InQueue:
        rules, contacts = self._config.rules[queue], self._of_queue.get(queue, [])
        first = next(step for step in rules.steps if name in step.members)
        unfit = first.requirement.why_not(self._config.levels[name])
        why_not = f"does not fit: {unfit}" if unfit else ""
        if first.after:
            why_not = f"is asked after {lasting(first.after)} of waiting" + (f" and {why_not}" if unfit else "")
        there = []
        free = name in self._agents and self._agents[name].state is AgentState.AVAILABLE  # else that is why
        for contact in contacts[:NAMED] if free else ():
            decision = self._decisions.get(contact.contact_id)
            if contact.offered:
                ringing = self._ringing.get(contact.contact_id, (contact.offered,))
                there.append(ContactThere(contact.contact_id, f"rings at {', '.join(ringing)}"))
            elif decision is not None and decision.agent != name:
                there.append(ContactThere(contact.contact_id, f"{decision.agent} gets it ({decision.rule})"))
            elif decision is None:
                there.append(ContactThere(contact.contact_id, self._why_not_this(contact, name)))
        return InQueue(queue, not why_not, why_not, str(first.requirement), len(contacts), tuple(there))

    def _why_not_this(self, contact: Waiting, name: str) -> str:
        terms = self._config.terms(contact, self._now)
        if terms is None:
            return "its requirement cannot be read"
        cut = self._round.why_cut(contact, terms, name)
        return _told(*cut) if cut is not None else "goes to nobody yet"


def _told(cut: Cut, detail: str) -> str:
    return words(cut, short(detail))


def _state(status: AgentStatus, now: float) -> str:
    during = f"for {lasting(now - status.since)}"
    match status.state:
        case AgentState.AVAILABLE:
            idle = lasting(now - status.idle_since)
            return f"Agent {status.name} is available {during}; idle time counts from {idle} ago."
        case AgentState.LOGGED_OUT:
            return f"Agent {status.name} is logged out: no calls until login."
        case AgentState.PAUSED:
            missed = " after offers that were not answered" if status.reason == "missed" else ""
            return (
                f"Agent {status.name} is paused ({status.reason or 'no reason'}) {during}{missed}: "
                "no calls until unpaused."
            )
        case AgentState.WRAP_UP:
            left, contact = lasting(max(0.0, status.deadline - now)), short(status.contact_id)
            return f"Agent {status.name} is in wrap-up of contact {contact} {during}, {left} at most are left."
        case _:
            doing = "is talking with" if status.state is AgentState.TALKING else "rings for"
            contact = short(status.contact_id)
            return f"Agent {status.name} {doing} contact {contact} of queue {status.queue} {during}."
