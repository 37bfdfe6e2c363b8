"""What contacts ask for: the rules of each queue, prepared once for each version of the site, and who fulfils them."""

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.order import BY_SCORE, STRICT, Claims, Key
from contactcentre.domain.requirements import Requirement, RequirementError, combine, parse
from contactcentre.domain.site import Queue, Site
from contactcentre.domain.strategies import ALIASES, STRATEGIES, Seen, Strategy, strategy_named
from contactcentre.domain.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Terms:
    """What contacts of one kind ask for: those who share it share their candidates."""

    queue: str
    requirement: Requirement
    strategy: Strategy
    fits: dict[str, int]  # agent -> how well (0-100): the members who fulfil the requirement, in the order of `members`
    members: Mapping[str, int]  # all whom the queue asks now -> place in its list, from 0

    def seen(self, agent: AgentStatus) -> Seen:
        """One of those who fit, as the queue's strategy looks at it."""
        return Seen(agent, self.fits[agent.name], self.members[agent.name])

    def relevel(self, agent: str, levels: Mapping[str, int]) -> None:
        """The agent has these skills from now on."""
        if agent not in self.members:
            return
        if not self.requirement.matches(levels):
            self.fits.pop(agent, None)
            return
        new, self.fits[agent] = agent not in self.fits, self.requirement.score(levels)
        if new:
            ordered = list(self.fits.items())
            insort(ordered, ordered.pop(), key=lambda one: self.members[one[0]])
            self.fits.clear()
            self.fits.update(ordered)


@dataclass(frozen=True, slots=True)
class Step:
    """What a queue asks for from some time of waiting on."""

    after: float  # seconds in the queue; the first step is at 0
    requirement: Requirement
    members: Mapping[str, int]  # agent -> place in the queue's list (without one: in the site's), from 0


@dataclass(frozen=True, slots=True)
class QueueRules:
    steps: tuple[Step, ...]
    strategy: Strategy
    ring_at_most: int  # agents who ring for one contact at the same time
    ring_more_every: float  # seconds
    claims: Claims
    prefer_for: float  # seconds

    @property
    def members(self) -> Mapping[str, int]:
        """All who ever may be asked: those of the last step."""
        return self.steps[-1].members

    def preferred_until(self, waiting: Waiting) -> float:
        """Until when the agents that a contact prefers have it for themselves (epoch seconds)."""
        return waiting.entered + (self.prefer_for if waiting.prefer_for is None else waiting.prefer_for)

    def together(self, waited: float) -> int:
        """How many agents may ring for one contact that has waited so many seconds in the queue."""
        if not self.strategy.together:
            return 1
        if not self.strategy.growing:
            return self.ring_at_most
        return min(self.ring_at_most, 1 + int(max(0.0, waited) // self.ring_more_every))

    def next_growth(self, waited: float) -> float | None:
        """After how many seconds of waiting one more agent may ring; None = never."""
        number = self.together(waited)
        if not self.strategy.growing or number >= self.ring_at_most:
            return None
        return number * self.ring_more_every


class RoutingConfig:
    """What routing needs of a site, prepared once per site version. Make it with `from_site`."""

    def __init__(
        self, queues: Mapping[str, Queue], levels: Mapping[str, Mapping[str, int]], order: str = BY_SCORE
    ) -> None:
        """Raises RequirementError or ValueError where `provision.check` would have refused the site."""
        self.by = order
        self.queues = dict(queues)
        self.levels = {name: dict(skills) for name, skills in levels.items()}
        self.rules = {name: self._rules(name, queue) for name, queue in queues.items()}
        self.bits = {name: 1 << place for place, name in enumerate(self.levels)}  # for `domain.crew`
        self.rings_together = any(rules.strategy.together for rules in self.rules.values())
        self._having: dict[str, dict[str, int]] = {}  # skill -> agent -> level
        for name, skills in self.levels.items():
            for skill, level in skills.items():
                self._having.setdefault(skill, {})[name] = level
        self._everybody = frozenset(self.levels)
        self._terms: dict[tuple[str, int, str], Terms | None] = {}

    @classmethod
    def from_site(cls, site: Site) -> "RoutingConfig":
        levels = {name: agent.skills for name, agent in site.agents.items()}
        return cls(site.queues, levels, site.settings.order)

    def relevel(self, agent: str, levels: Mapping[str, int]) -> None:
        """The agent has these skills from now on; terms that were made already follow. `Index.relevel` tells it."""
        for skill in self.levels[agent]:
            del self._having[skill][agent]
        self.levels[agent] = dict(levels)
        for skill, level in levels.items():
            self._having.setdefault(skill, {})[agent] = level
        for terms in self._terms.values():
            if terms is not None:
                terms.relevel(agent, levels)

    def _rules(self, name: str, queue: Queue) -> QueueRules:
        strategy = strategy_named(queue.strategy)
        if strategy is None:
            known = ", ".join((*STRATEGIES, *ALIASES))
            raise ValueError(f"queue {name}: strategy {queue.strategy!r} is none of: {known}")
        claims = Claims.of(queue, self.by)
        growth = (queue.ring_at_most, queue.ring_more_every)
        return QueueRules(self._steps(queue), strategy, *growth, claims, queue.prefer_for)

    def _steps(self, queue: Queue) -> tuple[Step, ...]:
        members = self._places(queue.agents or self.levels)
        steps = [Step(0.0, parse(queue.requires), members)]
        for relax in sorted(queue.relax, key=lambda step: step.after):
            requirement = steps[-1].requirement if relax.requires is None else parse(relax.requires)
            if relax.agents and queue.agents:
                members = self._places((*members, *relax.agents))
            steps.append(Step(relax.after, requirement, members))
        return tuple(steps)

    def _places(self, agents: Iterable[str]) -> dict[str, int]:
        there = dict.fromkeys(agent for agent in agents if agent in self.levels)
        return {agent: place for place, agent in enumerate(there)}

    def claims(self, queue: str) -> Claims:
        rules = self.rules.get(queue)
        return STRICT if rules is None else rules.claims

    def order(self, waiting: Waiting, now: float) -> Key:
        """The key of the one order in which contacts are served: the smallest comes first."""
        return self.claims(waiting.queue).key(waiting, now)

    def step(self, waiting: Waiting, now: float) -> int:
        """Which of the queue's relax steps counts: 0 = none yet."""
        rules = self.rules.get(waiting.queue)
        if rules is None or len(rules.steps) == 1:
            return 0
        return sum(1 for step in rules.steps[1:] if waiting.entered + step.after <= now)

    def next_moment(self, waiting: Waiting, now: float) -> float | None:
        """When time alone next changes what this contact may get; None = never."""
        rules = self.rules.get(waiting.queue)
        if rules is None or (waiting.offered and not rules.strategy.together):
            return None
        due = [waiting.entered + step.after for step in rules.steps[1:]]
        if waiting.preferred:
            due.append(rules.preferred_until(waiting))
        if waiting.offered and (growth := rules.next_growth(now - waiting.entered)) is not None:
            due.append(waiting.entered + growth)
        return min((moment for moment in due if moment > now), default=None)

    def asks_preferred(self, waiting: Waiting, now: float) -> bool:
        """Whether its preferred agents have it for themselves, as far as time goes."""
        rules = self.rules.get(waiting.queue)
        return rules is not None and bool(waiting.preferred) and rules.preferred_until(waiting) > now

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
        asked = rules.steps[step]
        requirement = combine(asked.requirement, own)
        able, members = requirement.among(self._having, self._everybody), asked.members
        there = sorted((members[name], name) for name in able if name in members)
        fits = {name: requirement.score(self.levels[name]) for _, name in there}
        return Terms(queue, requirement, rules.strategy, fits, asked.members)
