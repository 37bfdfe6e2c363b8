"""Who gets whom: the rules of routing, decided for everybody at once.

1. Contacts are served in one order over all queues (`domain.order`): score (high first: priority, and what the queue's
   contacts gain by waiting), then first arrival, then contact id.
2. For each, the candidates are the agents whom its queue asks by now, who have what it needs *now*, are available,
   whose endpoint is reachable, who are not excluded by it, whose delay after a miss has passed, and whom no contact
   before it has taken. As long as it prefers agents who are at work, the candidates are only those. A contact that
   finds nobody blocks nobody behind it.
3. The queue's strategy puts the candidates in order; the first one is the agent. Who was offered this contact before
   and did not answer comes after all others.
4. Where the strategy rings several agents at once, those who are then still free ring too (`Round.more`): nobody rings
   as the second one for a contact while another contact could have that agent as its first.

What a contact needs is the queue's requirement (or the last of its relax steps that is due) and the contact's own. The
configuration is looked at when the decision is made, so a changed queue counts at once for those who wait already.

All controllers compute this over the same data and each acts only on its own contacts. Nothing here reads a clock.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.strategies import Seen, drawn
from contactcentre.domain.terms import RoutingConfig, Terms
from contactcentre.domain.waiting import Waiting

__all__ = ["Cut", "Decision", "Nobody", "Round", "RoutingConfig", "Terms", "Waiting", "decide", "next_change", "order"]

KEPT_CANDIDATES = 10
KEPT_CUT = 20
EXAMINED = 60
"""A decision names so many candidates and so many who were cut, of so many looked at: enough for a queue of twenty, and
in a queue of a thousand it stays as fast. `Decision.fitting` and `Decision.left_out` count the rest."""


class Cut(StrEnum):
    """Why an agent is no candidate. A text in `Decision.cut` is one of these, often with `: detail` after it."""

    TAKEN = "serves a contact with right of way"
    NOT_PREFERRED = "another agent is preferred"
    EXCLUDED = "excluded by the contact"
    DELAYED = "waits out a delay after a missed offer"
    UNREACHABLE = "phone not registered or not answering"
    WRAP_UP = "in wrap-up"
    OFFERED = "rings for a contact"
    TALKING = "talking"
    PAUSED = "paused"
    LATER = "is asked later"
    LACKS_SKILL = "does not fit"
    LOGGED_OUT = "logged out"
    NOT_A_MEMBER = "not a member of the queue"


class Nobody(StrEnum):
    """The rule of a decision that found nobody."""

    NO_QUEUE = "the queue is not in the site"
    BAD_REQUIREMENT = "the contact's requirement cannot be read"
    PREFERS = "waits for an agent it prefers"
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


def order(waiting: Waiting) -> tuple[int, float, str]:
    """The order where no queue lets contacts age; `RoutingConfig.order` is the whole truth."""
    return (-waiting.priority, waiting.arrived, waiting.contact_id)


class Pool:
    """The free agents who fit one kind of terms, in the strategy's order."""

    def __init__(self, terms: Terms, free: Iterable[AgentStatus], taken: Container[str]) -> None:
        self.terms = terms
        self.agents = [terms.seen(agent) for agent in free if agent.name in terms.fits and agent.name not in taken]
        self.agents.sort(key=terms.strategy.key)
        self.left = len(self.agents)  # not taken yet
        self._head = 0  # all before it are taken

    def rest(self, contact: Waiting, taken: Container[str]) -> Iterator[Seen]:
        """Its candidates, in order."""
        agents = self._in_order(contact, taken)
        if not contact.tried:
            return agents
        return chain(*_new_and_tried(agents, contact.tried))

    def _in_order(self, contact: Waiting, taken: Container[str]) -> Iterator[Seen]:
        while self._head < len(self.agents) and self.agents[self._head].name in taken:
            self._head += 1
        left = islice(self.agents, self._head, None)
        there = (seen for seen in left if seen.name not in taken and seen.name not in contact.excluded)
        weight = self.terms.strategy.weight
        if weight is None:
            return there
        names = list(there)
        return iter(drawn(names, [weight(seen) for seen in names], seed(contact)))


def seed(contact: Waiting) -> str:
    """Of the lots drawn for it: others after every try, and the same whoever draws them again."""
    return f"{contact.contact_id}/{len(contact.tried)}"


def _new_and_tried(agents: Iterator[Seen], tried: tuple[str, ...]) -> Iterator[Iterable[Seen]]:
    again: dict[str, Seen] = {}
    last = {name: place for place, name in enumerate(tried)}
    for seen in agents:
        if seen.name in last:
            again[seen.name] = seen
        else:
            yield (seen,)
    yield (again[name] for name in sorted(again, key=last.__getitem__))


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
        self.waiting = tuple(waiting)
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
        for contact in self.in_order(contact for contact in self.waiting if not contact.offered):
            if contact.contact_id == before:
                break
            terms = self.config.terms(contact, self.now)
            agent = next(self.candidates(contact, terms), None) if terms and self.pool(terms).left else None
            if agent is not None:
                decisions.append(self.reason(contact))
                self._take(agent.name, contact)
                if len(self.taken) == len(self.free):
                    break
        return decisions

    def more(self) -> list[Decision]:
        """After `decide`: agents to ring besides those who ring for a contact already (or were just decided on), where
        the queue's strategy rings several. One decision for each agent; a contact may have many."""
        decisions: list[Decision] = []
        if len(self.taken) == len(self.free):
            return decisions
        ringing = Counter(agent.contact_id for agent in self.agents.values() if agent.state is AgentState.OFFERED)
        ringing.update(contact.contact_id for contact in self.taken.values())
        answered = {agent.contact_id for agent in self.agents.values() if agent.state is AgentState.TALKING}
        for contact in self.in_order(self.waiting):
            already, rules = ringing[contact.contact_id], self.config.rules.get(contact.queue)
            if not already or contact.contact_id in answered or rules is None:
                continue
            for _ in range(rules.together(self.now - contact.entered) - already):
                decision = self.reason(contact, besides=True)
                if not decision.agent:
                    break
                decisions.append(decision)
                self._take(decision.agent, contact)
        return decisions

    def in_order(self, contacts: Iterable[Waiting]) -> list[Waiting]:
        """By right of way, the first one first."""
        return sorted(contacts, key=lambda contact: self.config.order(contact, self.now))

    def _take(self, agent: str, contact: Waiting) -> None:
        self.taken[agent] = contact
        for pool in self._pools.values():
            pool.left -= agent in pool.terms.fits

    def pool(self, terms: Terms) -> Pool:
        pool = self._pools.get(id(terms))
        if pool is None:
            pool = self._pools[id(terms)] = Pool(terms, self.free.values(), self.taken)
        return pool

    def candidates(self, contact: Waiting, terms: Terms) -> Iterator[Seen]:
        """The agents who may be given to it now, in order."""
        only = self.preferred(contact, terms)
        if not only:
            return self.pool(terms).rest(contact, self.taken)
        free = (self.free[name] for name in only if name in self.free)
        return Pool(terms, free, self.taken).rest(contact, self.taken)

    def preferred(self, contact: Waiting, terms: Terms) -> tuple[str, ...]:
        """The agents who have it for themselves: those preferred who fit and are at work, as long as the queue grants
        it. Who is paused, logged out, without a phone or did not answer it before is not waited for."""
        if not self.config.asks_preferred(contact, self.now):
            return ()
        return tuple(
            name
            for name in dict.fromkeys(contact.preferred)
            if name in terms.fits
            and name not in contact.excluded
            and name not in contact.tried
            and self.reachable.get(name, True)
            and self.agents.get(name, AgentStatus(name)).state not in (AgentState.LOGGED_OUT, AgentState.PAUSED)
        )

    def reason(self, contact: Waiting, besides: bool = False) -> Decision:
        """The decision about one contact as things stand: its agent, or why there is none. `besides`: one more agent
        than those who ring for it."""
        terms = self.config.terms(contact, self.now)
        if terms is None:
            rule = Nobody.BAD_REQUIREMENT if contact.queue in self.config.rules else Nobody.NO_QUEUE
            return Decision(contact.contact_id, contact.queue, "", str(rule), (), (), contact.requires)
        pool, strategy, only = self.pool(terms), terms.strategy, self.preferred(contact, terms)
        found = self.candidates(contact, terms)
        first = list(found if only else islice(found, KEPT_CANDIDATES))
        candidates = tuple((seen.name, strategy.score(seen, self.now)) for seen in first)
        excluded = (set(contact.excluded) & self.free.keys() & terms.fits.keys()) - self.taken.keys()
        fitting = len(first) if only else pool.left - len(excluded)
        if contact.offered and not besides:
            agent, text = "", f"{Nobody.HAS_OFFER}: {contact.offered}"
        elif first:
            agent, text = first[0].name, f"{strategy.name}: {strategy.words(candidates[0][1])}, first of {fitting}"
        elif only:
            agent, text = "", f"{Nobody.PREFERS}: {', '.join(only)}"
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
            if name not in terms.members:
                after = next(s.after for s in config.rules[contact.queue].steps if name in s.members)
                return Cut.LATER, f"in {contact.entered + after - self.now:.0f} s"
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
        only = self.preferred(contact, terms)
        if only and name not in only:
            return Cut.NOT_PREFERRED, ", ".join(only)
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
    """When time alone changes what anybody may get (epoch seconds): a relax step falls due, one more agent may ring.
    None = never. For the controller's timer."""
    due = (moment for contact in waiting if (moment := config.next_moment(contact, now)) is not None)
    return min(due, default=None)
