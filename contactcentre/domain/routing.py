"""Who gets whom: the rules of routing, decided for everybody at once.

1. Contacts are served in one order over all queues: priority (high first), then first arrival, then contact id.
2. For each, the candidates are the agents who are members of its queue, have what it needs *now*, are available, whose
   endpoint is reachable, who are not excluded by it, whose delay after a miss has passed, and whom no contact before it
   has taken. A contact that finds nobody blocks nobody behind it.
3. The queue's strategy puts the candidates in order; the first one is the agent.

What a contact needs is the queue's requirement (or the last of its relax steps that is due) and the contact's own. The
configuration is looked at when the decision is made, so a changed queue counts at once for those who wait already.

All controllers compute this over the same data and each acts only on its own contacts. Nothing here reads a clock.
"""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from itertools import chain, islice
from typing import Any

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.requirements import Requirement, RequirementError, combine, parse
from contactcentre.domain.site import Queue, Site

KEPT_CANDIDATES = 10
KEPT_CUT = 20
EXAMINED = 60
"""A decision names so many candidates and so many who were cut, of so many looked at: enough for a queue of twenty, and
in a queue of a thousand it stays as fast. `Decision.fitting` and `Decision.left_out` count the rest."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One contact waiting in a queue."""

    contact_id: str
    queue: str
    node: str = ""  # its owner: only this node's controller acts on it
    requires: str = ""  # the contact's own requirement, on top of the queue's; "" = none
    priority: int = 0
    arrived: float = 0.0  # the contact's first arrival: its place in the order
    entered: float = 0.0  # this queue: relax steps and max_wait count from here
    excluded: tuple[str, ...] = ()  # agents it must not be offered to
    offered: str = ""  # agent reserved for it now; "" = it waits for one
    caller: str = ""  # shown on pages

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Waiting":
        """Raises ValueError, TypeError or KeyError when the text is no such record. Unknown keys are ignored."""
        raw = json.loads(text)
        known = {key: raw[key] for key in _WAITING_FIELDS if key in raw}
        known["excluded"] = tuple(str(name) for name in known.get("excluded", ()))
        made = cls(**known)
        texts = (made.contact_id, made.queue, made.node, made.requires, made.offered, made.caller)
        numbers = (made.priority, made.arrived, made.entered)
        if not all(isinstance(v, str) for v in texts) or not all(isinstance(v, (int, float)) for v in numbers):
            raise ValueError("a field has a wrong type")
        return made


_WAITING_FIELDS = tuple(f.name for f in fields(Waiting))


class Cut(StrEnum):
    """Why an agent is no candidate. A text in `Decision.cut` is one of these, often with `: detail` after it."""

    TAKEN = "serves a contact with right of way"
    EXCLUDED = "excluded by the contact"
    DELAYED = "waits out a delay after a missed offer"
    UNREACHABLE = "phone not registered or not answering"
    WRAP_UP = "in wrap-up"
    OFFERED = "rings for a contact"
    TALKING = "talking"
    PAUSED = "paused"
    LACKS_SKILL = "does not fit"
    LOGGED_OUT = "logged out"
    NOT_A_MEMBER = "not a member of the queue"


class Nobody(StrEnum):
    """The rule of a decision that found nobody."""

    NO_QUEUE = "the queue is not in the site"
    BAD_REQUIREMENT = "the contact's requirement cannot be read"
    NONE_FITS = "no member of the queue fits"
    NONE_THERE = "nobody who fits is logged in"
    NONE_FREE = "nobody who fits is free for it"
    HAS_OFFER = "an agent is ringing for it already"


_BUSY = {
    AgentState.LOGGED_OUT: Cut.LOGGED_OUT,
    AgentState.PAUSED: Cut.PAUSED,
    AgentState.OFFERED: Cut.OFFERED,
    AgentState.TALKING: Cut.TALKING,
    AgentState.WRAP_UP: Cut.WRAP_UP,
}
_CUT_ORDER = {cut: place for place, cut in enumerate(Cut)}


@dataclass(frozen=True, slots=True)
class Strategy:
    """Puts candidates in order. `key`: the smallest comes first; it gets the agent and how well the skills fit (0-100).
    `score` is what people are shown, in `unit`."""

    name: str
    unit: str
    key: Callable[[AgentStatus, int], tuple[Any, ...]]
    score: Callable[[AgentStatus, int, float], float]


LONGEST_IDLE = Strategy(
    "longest-idle",
    "seconds idle",
    key=lambda agent, fit: (agent.idle_since, agent.name),
    score=lambda agent, fit, now: round(now - agent.idle_since, 1),
)

STRATEGIES: dict[str, Strategy] = {LONGEST_IDLE.name: LONGEST_IDLE}


@dataclass(frozen=True, slots=True)
class Decision:
    """One contact's agent (`""` = nobody), and why."""

    contact_id: str
    queue: str
    agent: str
    rule: str  # in words
    candidates: tuple[tuple[str, float], ...]  # in order, the first one is `agent`; (name, score)
    cut: tuple[tuple[str, str], ...]  # (name, rule in words), the nearest misses first
    requirement: str = ""  # what was asked for, all in one expression
    fitting: int = 0  # candidates, also those not named
    left_out: int = 0  # agents cut and not named


@dataclass(frozen=True, slots=True)
class Terms:
    """What contacts of one kind ask for: those who share it share their candidates."""

    queue: str
    requirement: Requirement
    strategy: Strategy
    fits: Mapping[str, int]  # agent -> how well (0-100): the members who fulfil the requirement


@dataclass(frozen=True, slots=True)
class _QueueRules:
    members: Mapping[str, None]  # in the site's order
    steps: tuple[tuple[float, Requirement], ...]  # (after seconds, requirement); the first is at 0
    strategy: Strategy


class RoutingConfig:
    """What routing needs of a site, prepared once per site version. Make it with `from_site`."""

    def __init__(self, queues: Mapping[str, Queue], levels: Mapping[str, Mapping[str, int]]) -> None:
        """Raises RequirementError or ValueError where `provision.check` would have refused the site."""
        self.levels = {name: dict(skills) for name, skills in levels.items()}
        self.rules = {name: self._rules(name, queue) for name, queue in queues.items()}
        self._terms: dict[tuple[str, int, str], Terms | None] = {}

    @classmethod
    def from_site(cls, site: Site) -> "RoutingConfig":
        return cls(site.queues, {name: agent.skills for name, agent in site.agents.items()})

    def _rules(self, name: str, queue: Queue) -> _QueueRules:
        strategy = STRATEGIES.get(queue.strategy)
        if strategy is None:
            known = ", ".join(sorted(STRATEGIES))
            raise ValueError(f"queue {name}: strategy {queue.strategy!r} is none of: {known}")
        steps = [(0.0, parse(queue.requires))]
        steps += sorted(((step.after, parse(step.requires)) for step in queue.relax), key=lambda step: step[0])
        members = dict.fromkeys(agent for agent in queue.agents or self.levels if agent in self.levels)
        return _QueueRules(members, tuple(steps), strategy)

    def step(self, waiting: Waiting, now: float) -> int:
        """Which of the queue's relax steps counts: 0 = none yet."""
        rules = self.rules.get(waiting.queue)
        if rules is None or len(rules.steps) == 1:
            return 0
        waited = now - waiting.entered
        return sum(1 for after, _ in rules.steps[1:] if after <= waited)

    def terms(self, waiting: Waiting, now: float) -> Terms | None:
        """What it asks for now; None where the queue is gone or its own requirement cannot be read."""
        key = (waiting.queue, self.step(waiting, now), waiting.requires)
        if key not in self._terms:
            if len(self._terms) > 10_000:  # requirements come from flows, which are few; this is a fence
                self._terms.clear()
            self._terms[key] = self._make_terms(*key)
        return self._terms[key]

    def _make_terms(self, queue: str, step: int, requires: str) -> Terms | None:
        rules = self.rules.get(queue)
        try:
            own = parse(requires)
        except RequirementError:
            return None
        if rules is None:
            return None
        requirement = combine(rules.steps[step][1], own)
        fits = {
            name: requirement.score(self.levels[name])
            for name in rules.members
            if requirement.matches(self.levels[name])
        }
        return Terms(queue, requirement, rules.strategy, fits)


def order(waiting: Waiting) -> tuple[int, float, str]:
    """The key of the one order in which contacts are served: the smallest comes first."""
    return (-waiting.priority, waiting.arrived, waiting.contact_id)


class Pool:
    """The free agents who fit one kind of terms, in the strategy's order."""

    def __init__(self, terms: Terms, free: Iterable[AgentStatus], taken: Container[str]) -> None:
        key, fits = terms.strategy.key, terms.fits
        self.terms = terms
        self.agents = [agent for agent in free if agent.name in fits and agent.name not in taken]
        self.agents.sort(key=lambda agent: key(agent, fits[agent.name]))
        self.left = len(self.agents)  # not taken yet
        self._head = 0  # all before it are taken

    def rest(self, taken: Container[str], excluded: Container[str]) -> Iterator[AgentStatus]:
        while self._head < len(self.agents) and self.agents[self._head].name in taken:
            self._head += 1
        for place in range(self._head, len(self.agents)):
            agent = self.agents[place]
            if agent.name not in taken and agent.name not in excluded:
                yield agent


class Round:
    """One decision over everybody. `decide` is what controllers use; explanations look into the round itself."""

    def __init__(
        self,
        waiting: Iterable[Waiting],
        agents: Mapping[str, AgentStatus],
        config: RoutingConfig,
        now: float,
        reachable: Mapping[str, bool],
    ) -> None:
        self.agents, self.config, self.now, self.reachable = agents, config, now, reachable
        self.waiting = waiting
        self.free = {
            agent.name: agent
            for agent in agents.values()
            if agent.state is AgentState.AVAILABLE
            and agent.not_before <= now
            and agent.name in config.levels
            and reachable.get(agent.name, True)
        }
        self.taken: dict[str, Waiting] = {}  # agent -> the contact it serves
        self._pools: dict[int, Pool] = {}  # by id(terms)

    def decide(self, before: str = "") -> list[Decision]:
        """Decides for all, or only for those who have right of way before the contact `before`."""
        decisions: list[Decision] = []
        if not self.free:
            return decisions
        for contact in sorted((contact for contact in self.waiting if not contact.offered), key=order):
            if contact.contact_id == before:
                break
            terms = self.config.terms(contact, self.now)
            pool = self.pool(terms) if terms else None
            agent = next(pool.rest(self.taken, contact.excluded), None) if pool and pool.left else None
            if agent is not None:
                decisions.append(self.reason(contact))
                self._take(agent, contact)
                if len(self.taken) == len(self.free):
                    break
        return decisions

    def _take(self, agent: AgentStatus, contact: Waiting) -> None:
        self.taken[agent.name] = contact
        for pool in self._pools.values():
            pool.left -= agent.name in pool.terms.fits

    def pool(self, terms: Terms) -> Pool:
        pool = self._pools.get(id(terms))
        if pool is None:
            pool = self._pools[id(terms)] = Pool(terms, self.free.values(), self.taken)
        return pool

    def reason(self, contact: Waiting) -> Decision:
        """The decision about one contact as things stand: its agent, or why there is none."""
        terms = self.config.terms(contact, self.now)
        if terms is None:
            rule = Nobody.BAD_REQUIREMENT if contact.queue in self.config.rules else Nobody.NO_QUEUE
            return Decision(contact.contact_id, contact.queue, "", str(rule), (), (), contact.requires)
        pool, strategy = self.pool(terms), terms.strategy
        first = list(islice(pool.rest(self.taken, contact.excluded), KEPT_CANDIDATES))
        candidates = tuple((a.name, strategy.score(a, terms.fits[a.name], self.now)) for a in first)
        excluded = (set(contact.excluded) & self.free.keys() & terms.fits.keys()) - self.taken.keys()
        fitting = pool.left - len(excluded)
        if contact.offered:
            agent, text = "", f"{Nobody.HAS_OFFER}: {contact.offered}"
        elif first:
            agent, text = first[0].name, f"{strategy.name}: {candidates[0][1]:g} {strategy.unit}, first of {fitting}"
        else:
            agent, text = "", str(self._nobody(terms))
        cut = self._cut(contact, terms, pool)
        left_out = max(0, len(self.config.rules[contact.queue].members) - fitting - len(cut))
        return Decision(
            contact.contact_id, contact.queue, agent, text, candidates, cut, str(terms.requirement), fitting, left_out
        )

    def _nobody(self, terms: Terms) -> Nobody:
        if not terms.fits:
            return Nobody.NONE_FITS
        known = (self.agents.get(name) for name in terms.fits)
        if any(agent is not None and agent.state is not AgentState.LOGGED_OUT for agent in known):
            return Nobody.NONE_FREE
        return Nobody.NONE_THERE

    def _cut(self, contact: Waiting, terms: Terms, pool: Pool) -> tuple[tuple[str, str], ...]:
        """The nearest misses. Of a large queue not all members are looked at: first the free ones, then those who fit,
        then the others."""
        found: dict[str, tuple[Cut, str]] = {}
        names = chain((a.name for a in pool.agents), terms.fits, self.config.rules[contact.queue].members)
        for name in islice(names, EXAMINED):
            if name not in found and (why := self.why_cut(contact, terms, name)) is not None:
                found[name] = why
        nearest = sorted(found, key=lambda name: (_CUT_ORDER[found[name][0]], name))[:KEPT_CUT]
        return tuple((name, words(*found[name])) for name in nearest)

    def why_cut(self, contact: Waiting, terms: Terms, name: str) -> tuple[Cut, str] | None:
        """The first rule that keeps this agent from this contact, and its detail; None = it is a candidate."""
        config, agent = self.config, self.agents.get(name)
        if name not in terms.fits:
            if name not in config.rules[contact.queue].members:
                return Cut.NOT_A_MEMBER, ""
            return Cut.LACKS_SKILL, terms.requirement.why_not(config.levels[name])
        if name in contact.excluded:
            return Cut.EXCLUDED, ""
        if agent is None:
            return Cut.LOGGED_OUT, ""
        if agent.state is not AgentState.AVAILABLE:
            return _BUSY[agent.state], agent.reason if agent.state is AgentState.PAUSED else agent.contact_id
        if not self.reachable.get(name, True):
            return Cut.UNREACHABLE, ""
        if agent.not_before > self.now:
            return Cut.DELAYED, f"{agent.not_before - self.now:.1f} s more"
        if name in self.taken:
            return Cut.TAKEN, self.taken[name].contact_id
        return None


def words(cut: Cut, detail: str) -> str:
    return f"{cut}: {detail}" if detail else str(cut)


def decide(
    waiting: Iterable[Waiting],
    agents: Mapping[str, AgentStatus],
    config: RoutingConfig,
    now: float,
    reachable: Mapping[str, bool],
) -> list[Decision]:
    """Every contact that gets an agent now, in the order of right of way; no agent is in it twice.

    `waiting` are the contacts of all nodes that live: one whose controller is gone would hold an agent that nobody
    offers to it. `reachable`: agent -> can the endpoint ring; a missing one counts as reachable.
    """
    return Round(waiting, agents, config, now, reachable).decide()


def next_change(waiting: Iterable[Waiting], config: RoutingConfig, now: float) -> float | None:
    """When the next relax step of anybody falls due (epoch seconds); None = never. For the controller's timer."""
    due = [
        contact.entered + after
        for contact in waiting
        if (rules := config.rules.get(contact.queue)) is not None and not contact.offered
        for after, _ in rules.steps[1:]
        if contact.entered + after > now
    ]
    return min(due, default=None)
