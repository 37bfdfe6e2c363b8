"""Who is free and who waits, kept in the order of the rules, so that a decision looks only at what has changed.

Contacts who ask for the same (`Terms`) are of one kind. Each kind keeps its contacts in the order of right of way,
which within a queue never changes, and the free agents who fit in the order of its strategy. A change of one agent
touches the kinds that the agent fits, a change of one contact touches its kind; time alone is a heap of moments.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Any

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.crew import Crew
from contactcentre.domain.order import Claims, Key
from contactcentre.domain.strategies import Seen
from contactcentre.domain.terms import RoutingConfig, Terms
from contactcentre.domain.waiting import Waiting

KEPT_KINDS = 10_000
"""Requirements come from flows, which are few; above so many kinds, those that nobody waits in are forgotten."""

AWAY = (AgentState.LOGGED_OUT, AgentState.PAUSED)


class Kind:
    """Contacts of one kind and the free agents who fit them, both in order. With `only`, just these agents are theirs:
    the ones they prefer and wait for."""

    __slots__ = ("claims", "fits", "free", "only", "terms", "waiting")

    def __init__(self, terms: Terms, claims: Claims, only: tuple[str, ...]) -> None:
        self.terms, self.claims, self.only = terms, claims, only
        self.fits: Mapping[str, int] = {name: terms.fits[name] for name in only} if only else terms.fits
        self.waiting: list[tuple[Any, Waiting]] = []
        self.free: list[tuple[Any, Seen]] = []

    def add(self, contact: Waiting) -> None:
        insort(self.waiting, (self.claims.place(contact), contact))

    def remove(self, contact: Waiting) -> None:
        del self.waiting[bisect_left(self.waiting, (self.claims.place(contact),))]

    def before(self, place: Key, now: float) -> int:
        """How many of its contacts have right of way before that place in the order of all queues."""
        return bisect_left(self.waiting, place, key=lambda entry: self.claims.key(entry[1], now))

    def add_agent(self, agent: AgentStatus) -> None:
        seen = self.terms.seen(agent)
        insort(self.free, (self.terms.strategy.key(seen), seen))

    def remove_agent(self, agent: AgentStatus) -> None:
        """`agent` as it was added."""
        del self.free[bisect_left(self.free, (self.terms.strategy.key(self.terms.seen(agent)),))]


class Index:
    """What `Round` decides on. Tell it every change, then ask for a round; a round is stale after the next change."""

    def __init__(self, config: RoutingConfig, now: float = 0.0) -> None:
        self.config, self.now = config, now
        self.agents: dict[str, AgentStatus] = {}
        self.waiting: dict[str, Waiting] = {}
        self.reachable: dict[str, bool] = {}  # only who cannot is in it
        self.free: dict[str, AgentStatus] = {}
        self.crew = Crew(config)
        self.ready: dict[Kind, None] = {}  # kinds with both contacts and free agents
        self.rings: dict[str, set[str]] = {}  # contact -> the agents whose phones ring for it
        self.talks: dict[str, set[str]] = {}  # contact -> the agents who talk with it
        self.version = 0  # grows with every change
        self._kinds: dict[tuple[int, tuple[str, ...]], Kind] = {}
        self._of_agent: dict[str, list[Kind]] = {}
        self._placed: dict[str, tuple[Kind, Waiting]] = {}  # contacts that wait for a first offer
        self._aside: dict[str, Waiting] = {}  # the other contacts: somebody rings for them, or nobody can be found
        self._lengths: Counter[str] = Counter()  # queue -> contacts
        self._awaiting: dict[str, set[str]] = {}  # agent -> contacts that have them as a preferred one for a while
        self._moments: list[tuple[float, bool, str]] = []  # when what is due; True = contact, False = agent

    @classmethod
    def of(
        cls,
        waiting: Iterable[Waiting],
        agents: Mapping[str, AgentStatus],
        config: RoutingConfig,
        now: float,
        reachable: Mapping[str, bool],
        lasting: bool = True,
    ) -> "Index":
        """Of all of them. One that is not `lasting` is for a single round and follows no change: that is cheaper."""
        index = cls(config, now)
        index.reachable = dict(reachable)
        if not lasting:
            index._fill(waiting, agents)
            return index
        for agent in agents.values():
            index.put_agent(agent)
        for contact in waiting:
            index.put(contact)
        return index

    def _fill(self, waiting: Iterable[Waiting], agents: Mapping[str, AgentStatus]) -> None:
        self.agents = dict(agents)
        self.free = {
            name: agent
            for name, agent in agents.items()
            if agent.state is AgentState.AVAILABLE
            and agent.not_before <= self.now
            and name in self.config.levels
            and self.reachable.get(name, True)
        }
        if self.config.rings_together:
            for agent in agents.values():
                self._note(agent)
        self.waiting = {contact.contact_id: contact for contact in waiting}
        for contact in self.waiting.values() if self.free else ():
            if not contact.offered and (terms := self.config.terms(contact, self.now)) is not None:
                kind = self._kept(contact, terms)
                kind.waiting.append((kind.claims.place(contact), contact))
        for kind in self._kinds.values():
            kind.waiting.sort()
            if kind.waiting and kind.free:
                self.ready[kind] = None

    # -- changes ------------------------------------------------------------------------------------------------------

    def put(self, contact: Waiting) -> None:
        """It waits, or its record has changed."""
        self.drop(contact.contact_id)
        self.waiting[contact.contact_id] = contact
        self._lengths[contact.queue] += 1
        self._place(contact)

    def drop(self, contact_id: str) -> None:
        """It waits no longer."""
        if contact_id in self.waiting:
            self._displace(contact_id)
            self._lengths[self.waiting.pop(contact_id).queue] -= 1

    def put_agent(self, agent: AgentStatus) -> None:
        old = self.agents.get(agent.name)
        self.agents[agent.name] = agent
        if old is not None and (table := self._table(old)) is not None:
            table[old.contact_id].discard(agent.name)
            if not table[old.contact_id]:
                del table[old.contact_id]
        self._note(agent)
        self._refresh(agent.name)

    def drop_agent(self, name: str) -> None:
        if name in self.agents:
            self.put_agent(AgentStatus(name))
            del self.agents[name]

    def reach(self, name: str, *, can: bool) -> None:
        """Whether the agent's phone can ring; of whom nothing is said, it can."""
        if self.reachable.get(name, True) is not can:
            if can:
                del self.reachable[name]
            else:
                self.reachable[name] = False
            self._refresh(name)

    def configure(self, config: RoutingConfig) -> None:
        """Another version of the site: everything is put in order anew."""
        fresh = Index.of(self.waiting.values(), self.agents, config, self.now, self.reachable)
        fresh.version = self.version + 1
        self.__dict__ = fresh.__dict__

    def relevel(self, agent: str, levels: Mapping[str, int]) -> None:
        """An agent of the site has these skills from now on. Only what is about this one is put in order anew."""
        preferring = tuple(self._awaiting.get(agent, ()))
        for contact_id in preferring:
            self._displace(contact_id)
        self._take_out(agent)
        self.config.relevel(agent, levels)
        self.crew.forget_fitting()
        self._of_agent[agent] = [kind for kind in self._kinds.values() if agent in kind.fits]
        for contact_id in preferring:
            self._place(self.waiting[contact_id])
        self._refresh(agent)

    def advance(self, now: float) -> set[str]:
        """Time has passed. The contacts that may get others by time alone: a step was due, a preference is over."""
        self.now, due = now, set()
        while self._moments and self._moments[0][0] <= now:
            _, is_contact, name = heappop(self._moments)
            if not is_contact:
                self._refresh(name)
            elif name in self.waiting:
                self._displace(name)
                self._place(self.waiting[name])
                due.add(name)
        return due

    def next_moment(self) -> float | None:
        """When time alone may change something (epoch seconds); None = never."""
        return self._moments[0][0] if self._moments else None

    # -- questions ----------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether anybody might get an agent now: a contact and an agent find each other, or more may ring."""
        return bool(self.ready or (self.rings and self.free and self.config.rings_together))

    def length(self, queue: str) -> int:
        """How many wait in the queue, also those for whom somebody rings."""
        return self._lengths[queue]

    def position(self, contact: Waiting) -> int:
        """Its place in its queue by right of way, 1 = next; of one that does not wait, the place it would take."""
        place = self.config.claims(contact.queue).place(contact)
        kinds = (kind for kind in self._kinds.values() if kind.terms.queue == contact.queue)
        before = sum(bisect_left(kind.waiting, (place,)) for kind in kinds)
        aside = (other for other in self._aside.values() if other.queue == contact.queue)
        return 1 + before + sum(1 for other in aside if self.config.claims(other.queue).place(other) < place)

    def ahead(self, contact: Waiting, now: float) -> Iterable[tuple[Terms, int]]:
        """What those ask for who have right of way before the contact and for whom nobody rings, and how many."""
        place = self.config.order(contact, now)
        for kind in self._kinds.values():
            if kind.waiting and (number := kind.before(place, now)):
                yield kind.terms, number

    def kind(self, contact: Waiting, terms: Terms) -> Kind:
        """The kind whose agents are its candidates."""
        only = self.preferred(contact, terms)
        if not only:
            return self._kept(contact, terms)
        return self._kinds.get((id(terms), only)) or self._made(terms, only)

    def kinds_of(self, agent: str) -> Iterable[Kind]:
        return self._of_agent.get(agent, ())

    def preferred(self, contact: Waiting, terms: Terms) -> tuple[str, ...]:
        """The agents who have it for themselves: those preferred who fit and are at work, as long as the queue grants
        it. Who is paused, logged out, without a phone or did not answer it before is not waited for."""
        if not contact.preferred or not self.config.asks_preferred(contact, self.now):
            return ()
        return tuple(
            name
            for name in dict.fromkeys(contact.preferred)
            if name in terms.fits
            and name not in contact.excluded
            and name not in contact.tried
            and self.reachable.get(name, True)
            and name in self.agents
            and self.agents[name].state not in AWAY
        )

    # -- keeping the order --------------------------------------------------------------------------------------------

    def _kept(self, contact: Waiting, terms: Terms) -> Kind:
        only = self.preferred(contact, terms)
        kind = self._kinds.get((id(terms), only))
        if kind is None:
            if len(self._kinds) >= KEPT_KINDS:
                for idle in [one for one in self._kinds.values() if not one.waiting]:
                    self._forget(idle)
            kind = self._kinds[(id(terms), only)] = self._made(terms, only)
            for name in kind.fits:
                self._of_agent.setdefault(name, []).append(kind)
        return kind

    def _made(self, terms: Terms, only: tuple[str, ...]) -> Kind:
        kind = Kind(terms, self.config.claims(terms.queue), only)
        few, many = sorted((kind.fits, self.free), key=len)
        there = (terms.seen(self.free[name]) for name in few if name in many)
        kind.free = sorted((terms.strategy.key(seen), seen) for seen in there)
        return kind

    def _place(self, contact: Waiting) -> None:
        self.version += 1
        moment = self.config.next_moment(contact, self.now)
        if moment is not None:
            heappush(self._moments, (moment, True, contact.contact_id))
        if self.config.asks_preferred(contact, self.now):
            for name in contact.preferred:
                self._awaiting.setdefault(name, set()).add(contact.contact_id)
        terms = self.config.terms(contact, self.now)
        if terms is None or contact.offered:
            self._aside[contact.contact_id] = contact
            return
        kind = self._kept(contact, terms)
        kind.add(contact)
        self._placed[contact.contact_id] = kind, contact
        if kind.free:
            self.ready[kind] = None

    def _displace(self, contact_id: str) -> None:
        self.version += 1
        self._aside.pop(contact_id, None)
        for name in self.waiting[contact_id].preferred:
            if (others := self._awaiting.get(name)) is not None:
                others.discard(contact_id)
                if not others:
                    del self._awaiting[name]
        if contact_id in self._placed:
            kind, contact = self._placed.pop(contact_id)
            kind.remove(contact)
            if not kind.waiting:
                self.ready.pop(kind, None)
                if kind.only:
                    self._forget(kind)

    def _forget(self, kind: Kind) -> None:
        del self._kinds[(id(kind.terms), kind.only)]
        for name in kind.fits:
            self._of_agent[name].remove(kind)

    def _table(self, agent: AgentStatus) -> dict[str, set[str]] | None:
        match agent.state:
            case AgentState.OFFERED:
                return self.rings
            case AgentState.TALKING:
                return self.talks
        return None

    def _note(self, agent: AgentStatus) -> None:
        if (table := self._table(agent)) is not None:
            table.setdefault(agent.contact_id, set()).add(agent.name)

    def _take_out(self, name: str) -> None:
        """Out of the free ones."""
        self.version += 1
        if (old := self.free.pop(name, None)) is not None:
            for kind in self._of_agent.get(name, ()):
                kind.remove_agent(old)
                if not kind.free:
                    self.ready.pop(kind, None)

    def _refresh(self, name: str) -> None:
        """Puts the agent among the free ones, or takes it away."""
        self._take_out(name)
        agent = self.agents.get(name)
        self.crew.put(agent or AgentStatus(name), self.reachable.get(name, True))
        if agent is not None and agent.state is AgentState.AVAILABLE and name in self.config.levels:
            if agent.not_before > self.now:
                heappush(self._moments, (agent.not_before, False, name))
            elif self.reachable.get(name, True):
                self.free[name] = agent
                for kind in self._of_agent.get(name, ()):
                    kind.add_agent(agent)
                    if kind.waiting:
                        self.ready[kind] = None
        for contact_id in tuple(self._awaiting.get(name, ())):
            self._displace(contact_id)
            self._place(self.waiting[contact_id])
