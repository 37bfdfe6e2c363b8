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

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heappop, heapreplace
from itertools import chain, islice

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.index import Index, Kind
from contactcentre.domain.strategies import Seen, drawn
from contactcentre.domain.terms import RoutingConfig, Terms
from contactcentre.domain.waiting import Waiting

__all__ = ["Cut", "Decision", "Nobody", "Round", "RoutingConfig", "Terms", "Waiting", "decide", "next_change"]

KEPT_CANDIDATES = 10
KEPT_CUT = 20
EXAMINED = 40
"""A decision names so many candidates and so many who were cut, of so many looked at: enough for a queue of twenty, and
in a queue of a thousand it stays as fast. `Decision.fitting` and `Decision.left_out` count the rest."""


class Cut(StrEnum):
    """Why an agent is no candidate. A text in `Decision.cut` is one of these, often with `: detail` after it."""

    TAKEN = "serves a contact with right of way"
    NOT_PREFERRED = "another agent is preferred"
    EXCLUDED = "excluded by the contact"
    DELAYED = "waits out the delay after an offer"
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


def seed(contact: Waiting) -> str:
    """Of the lots drawn for it: others after every try, and the same whoever draws them again."""
    return f"{contact.contact_id}/{len(contact.tried)}"


def _new_and_tried(agents: Iterable[Seen], tried: tuple[str, ...]) -> Iterator[Seen]:
    again: dict[str, Seen] = {}
    last = {name: place for place, name in enumerate(tried)}
    for seen in agents:
        if seen.name in last:
            again[seen.name] = seen
        else:
            yield seen
    yield from (again[name] for name in sorted(again, key=last.__getitem__))


class Round:
    """One decision over everybody. `decide` is what controllers use; explanations look into the round itself."""

    def __init__(
        self,
        waiting: Iterable[Waiting],
        agents: Mapping[str, AgentStatus],
        config: RoutingConfig,
        now: float,
        reachable: Mapping[str, bool],
        *,
        names_cut: bool = True,
    ) -> None:
        """Without `names_cut` decisions do not say who was cut and why, for who decides by the million."""
        self._begin(Index.of(waiting, agents, config, now, reachable, lasting=False))
        self._names_cut = names_cut

    @classmethod
    def on(cls, index: Index, now: float) -> "Round":
        """On an index that is kept up to date: costs what has changed, not what there is."""
        index.advance(now)
        made = cls.__new__(cls)
        made._begin(index)
        return made

    def _begin(self, index: Index) -> None:
        self.index, self.config, self.now = index, index.config, index.now
        self._names_cut = True
        self.taken: dict[str, Waiting] = {}  # agent -> the contact it serves
        self._version = index.version
        self._left: dict[Kind, int] = {}  # free agents not taken yet
        self._heads: dict[Kind, int] = {}  # in the kind's list of free agents all before this place are taken

    @property
    def waiting(self) -> Iterable[Waiting]:
        return self.index.waiting.values()

    def decide(self, before: str = "") -> list[Decision]:
        """Decides for all, or only for those who have right of way before the contact `before`. Merges the kinds that
        have both contacts and free agents, by the order of their first contacts."""
        decisions: list[Decision] = []
        until = self.index.waiting.get(before)
        stop = None if until is None else self.config.order(until, self.now)
        heads = [
            (kind.claims.key(kind.waiting[0][1], self.now), number, kind, 0)
            for number, kind in enumerate(self.index.ready)
        ]
        heapify(heads)
        while heads:
            key, number, kind, place = heads[0]
            if stop is not None and key >= stop:
                break
            contact = kind.waiting[place][1]
            if not self.left(kind):
                heappop(heads)
                continue
            if self.left(kind) > self._barred(kind, contact):
                decision = self.reason(contact)
                decisions.append(decision)
                self._take(decision.agent, contact)
            if place + 1 < len(kind.waiting):
                following = kind.waiting[place + 1][1]
                heapreplace(heads, (kind.claims.key(following, self.now), number, kind, place + 1))
            else:
                heappop(heads)
        return decisions

    def more(self) -> list[Decision]:
        """After `decide`: agents to ring besides those who ring for a contact already (or were just decided on), where
        the queue's strategy rings several. One decision for each agent; a contact may have many."""
        decisions: list[Decision] = []
        if not self.config.rings_together or len(self.index.free) <= len(self.taken):
            return decisions
        ringing = {contact_id: set(agents) for contact_id, agents in self.index.rings.items()}
        for agent, contact in self.taken.items():
            ringing.setdefault(contact.contact_id, set()).add(agent)
        known = (self.index.waiting[contact_id] for contact_id in ringing if contact_id in self.index.waiting)
        for contact in self.in_order(contact for contact in known if contact.contact_id not in self.index.talks):
            rules = self.config.rules.get(contact.queue)
            most = rules.together(self.now - contact.entered) if rules else 0
            for _ in range(most - len(ringing[contact.contact_id])):
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
        for kind in self.index.kinds_of(agent):
            if kind in self._left:
                self._left[kind] -= 1

    def left(self, kind: Kind) -> int:
        """How many of its free agents nobody has taken."""
        if self._version != self.index.version:  # a reservation was told meanwhile
            self._version = self.index.version
            self._left.clear()
            self._heads.clear()
        if kind not in self._left:
            taken = sum(1 for name in self.taken if name in self.index.free and name in kind.fits)
            self._left[kind] = len(kind.free) - taken
        return self._left[kind]

    def _barred(self, kind: Kind, contact: Waiting) -> int:
        """How many of those left it excludes."""
        if not contact.excluded:
            return 0
        names = (name for name in set(contact.excluded) if name in self.index.free and name in kind.fits)
        return sum(1 for name in names if name not in self.taken)

    def _candidates(self, kind: Kind, contact: Waiting) -> Iterator[Seen]:
        """The agents who may be given to it now, in order."""
        free, taken, excluded = kind.free, self.taken, contact.excluded
        head = self._heads.get(kind, 0) if self.left(kind) else len(free)
        while head < len(free) and free[head][1].name in taken:
            head += 1
        self._heads[kind] = head
        there = (free[place][1] for place in range(head, len(free)))
        found: Iterable[Seen] = (seen for seen in there if seen.name not in taken and seen.name not in excluded)
        if kind.terms.strategy.lots:
            weight = kind.terms.strategy.weight
            whole = self.left(kind) == len(free) and not contact.excluded
            names = [seen for _, seen in free] if whole else list(found)
            found = drawn(names, None if weight is None else [weight(seen) for seen in names], seed(contact))
        return _new_and_tried(found, contact.tried) if contact.tried else iter(found)

    def reason(self, contact: Waiting, besides: bool = False) -> Decision:
        """The decision about one contact as things stand: its agent, or why there is none. `besides`: one more agent
        than those who ring for it."""
        terms = self.config.terms(contact, self.now)
        if terms is None:
            rule = Nobody.BAD_REQUIREMENT if contact.queue in self.config.rules else Nobody.NO_QUEUE
            return Decision(contact.contact_id, contact.queue, "", str(rule), (), (), contact.requires)
        kind, strategy = self.index.kind(contact, terms), terms.strategy
        first = list(islice(self._candidates(kind, contact), KEPT_CANDIDATES))
        candidates = tuple((seen.name, strategy.score(seen, self.now)) for seen in first)
        fitting = self.left(kind) - self._barred(kind, contact)
        if contact.offered and not besides:
            agent, text = "", f"{Nobody.HAS_OFFER}: {contact.offered}"
        elif first:
            agent, text = first[0].name, f"{strategy.name}: {strategy.words(candidates[0][1])}, first of {fitting}"
        elif kind.only:
            agent, text = "", f"{Nobody.PREFERS}: {', '.join(kind.only)}"
        else:
            agent, text = "", str(self._nobody(terms))
        cut = self._cut(contact, kind)
        left_out = max(0, len(self.config.rules[contact.queue].members) - fitting - len(cut))
        return Decision(
            contact.contact_id, contact.queue, agent, text, candidates, cut, str(terms.requirement), fitting, left_out
        )

    def _nobody(self, terms: Terms) -> Nobody:
        if not terms.fits:
            return Nobody.NONE_FITS
        known = (self.index.agents.get(name) for name in terms.fits)
        if any(agent is not None and agent.state is not AgentState.LOGGED_OUT for agent in known):
            return Nobody.NONE_FREE
        return Nobody.NONE_THERE

    def _cut(self, contact: Waiting, kind: Kind) -> tuple[tuple[str, str], ...]:
        """The nearest misses. Of a large queue not all members are looked at: first the free ones, then those who fit,
        then the others."""
        if not self._names_cut:
            return ()
        found: dict[str, tuple[Cut, str]] = {}
        members = self.config.rules[contact.queue].members
        names = chain((seen.name for _, seen in kind.free), kind.terms.fits, members)
        for name in islice(names, EXAMINED):
            if name not in found and (why := self._why_cut(contact, kind, name)) is not None:
                found[name] = why
        nearest = sorted(found, key=lambda name: (_CUT_ORDER[found[name][0]], name))[:KEPT_CUT]
        return tuple((name, words(*found[name])) for name in nearest)

    def why_cut(self, contact: Waiting, terms: Terms, name: str) -> tuple[Cut, str] | None:
        """The first rule that keeps this agent from this contact, and its detail; None = it is a candidate."""
        return self._why_cut(contact, self.index.kind(contact, terms), name)

    def _why_cut(self, contact: Waiting, kind: Kind, name: str) -> tuple[Cut, str] | None:
        config, terms, agent = self.config, kind.terms, self.index.agents.get(name)
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
        if not self.index.reachable.get(name, True):
            return Cut.UNREACHABLE, ""
        if agent.not_before > self.now:
            return Cut.DELAYED, f"{agent.not_before - self.now:.1f} s more"
        if kind.only and name not in kind.only:
            return Cut.NOT_PREFERRED, ", ".join(kind.only)
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
