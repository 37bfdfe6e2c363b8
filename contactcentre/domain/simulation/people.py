"""Who works when, and how agents treat their phone."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from random import Random
from typing import NamedTuple

from contactcentre.domain.events import OfferResult
from contactcentre.domain.simulation.arrivals import NoArrivals, read_time
from contactcentre.domain.simulation.distributions import AT_ONCE, Distribution
from contactcentre.domain.site import Agent, Site

Roster = Mapping[str, tuple[tuple[float, float], ...]]
"""Agent -> (from, until) in seconds since the start, in order; infinity = to the end. In between logged out."""


class NoRoster(ValueError):
    """The roster cannot be used. It names the line and the rule."""


class Fate(NamedTuple):
    """What becomes of one offer if the caller stays."""

    result: OfferResult | None  # None = answered
    after: float  # seconds


@dataclass(frozen=True, slots=True)
class Habits:
    """What agents do with an offer."""

    pick_up: Distribution = AT_ONCE  # seconds until they answer; longer than the queue's ring_seconds is a miss
    miss: float = 0.0  # share of offers that they let ring out whatever the time
    reject: float = 0.0  # share of offers that they decline, when they would have answered
    busy: float = 0.0  # share of offers that find the phone busy
    back_after: float = 300.0  # seconds until an agent who was paused for missing offers is back

    def __post_init__(self) -> None:
        for name in ("miss", "reject", "busy"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name):g} is not a share from 0 to below 1")
        if self.miss + self.reject + self.busy >= 1:
            raise ValueError("miss, reject and busy together are not below 1: nobody would ever answer")
        if not self.back_after > 0:
            raise ValueError(f"back_after {self.back_after:g} s is not above 0")

    def fate(self, random: Random, ring_seconds: float, auto_answer: bool) -> Fate:
        """Draws it. A phone that answers by itself does so at once, and nobody is asked."""
        rings = self.pick_up.draw(random)
        lot = random.random() if self.miss or self.reject or self.busy else 1.0
        if lot < self.busy:
            return Fate(OfferResult.BUSY, 0.0)
        if auto_answer:
            return Fate(None, 0.0)
        if lot >= self.busy + self.reject + self.miss and rings < ring_seconds:
            return Fate(None, rings)
        if lot < self.busy + self.reject and rings < ring_seconds:
            return Fate(OfferResult.REJECTED, rings)
        return Fate(OfferResult.MISSED, ring_seconds)


def always(agents: Iterable[str]) -> Roster:
    """All of them, all the time."""
    return dict.fromkeys(agents, ((0.0, inf),))


def parse_roster(text: str, name: str, site: Site) -> Roster:
    """A CSV table with the header `agent,from,until`; times in seconds or H:MM since the start; as many lines for an
    agent as there are spells of work, what lies between them is a break. Raises NoRoster."""
    rows = csv.DictReader(text.lstrip("\ufeff").splitlines(), skipinitialspace=True)
    if [(word or "").strip() for word in rows.fieldnames or ()] != ["agent", "from", "until"]:
        raise NoRoster(f"{name}, line 1: the header is not agent,from,until")
    spells: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        where = f"{name}, line {rows.line_num}"
        if None in row or None in row.values():
            raise NoRoster(f"{where}: expected 3 values")
        agent, since, until = (value.strip() for value in row.values())
        if agent not in site.agents:
            raise NoRoster(f"{where}: the site has no agent {agent!r}")
        try:
            spell = read_time(since, where), read_time(until, where)
        except NoArrivals as error:
            raise NoRoster(str(error)) from None
        if spell[1] <= spell[0]:
            raise NoRoster(f"{where}: until {until} is not after from {since}")
        spells.setdefault(agent, []).append(spell)
    for agent, mine in spells.items():
        mine.sort()
        for (_, until_first), (since_next, _) in pairwise(mine):
            if since_next < until_first:
                raise NoRoster(f"{name}: two lines of agent {agent} overlap")
    if not spells:
        raise NoRoster(f"{name}: nobody is in it")
    return {agent: tuple(mine) for agent, mine in spells.items()}


def staffed(site: Site, number: int) -> Site:
    """The site with so many agents: its own profiles of skills in turn, as often as it takes. With 6 profiles and 10
    agents the first four are there twice. A site without agents gets ones that have every skill at 100."""
    if number < 1:
        raise NoRoster(f"{number} agents: at least 1 is needed")
    profiles = site.agents or {"agent": Agent(skills=dict.fromkeys(site.skills, 100))}
    names = list(profiles)
    made: dict[str, Agent] = {}
    copies: dict[str, list[str]] = {name: [] for name in names}
    for place in range(number):
        turn, original = divmod(place, len(names))
        name = names[original] if turn == 0 else f"{names[original]}-{turn + 1}"
        while name in made or (turn and name in profiles):
            name += "x"
        made[name] = profiles[names[original]]
        copies[names[original]].append(name)

    def all_of(agents: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(copy for one in agents for copy in copies.get(one, ()))

    queues = {}
    for key, queue in site.queues.items():
        relax = tuple(step.model_copy(update={"agents": all_of(step.agents)}) for step in queue.relax)
        queues[key] = queue.model_copy(update={"agents": all_of(queue.agents), "relax": relax})
    return site.model_copy(update={"agents": made, "queues": queues})
