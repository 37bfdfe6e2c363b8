"""Routing over random worlds: a state machine of agents, contacts and configuration, checked against a second, slower
statement of the rules."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contactcentre.domain.agents import TRANSITIONS, AgentState, AgentStatus, Verb, step
from contactcentre.domain.day import on_the_day
from contactcentre.domain.estimate import ahead
from contactcentre.domain.explain import Look
from contactcentre.domain.index import AWAY, Index
from contactcentre.domain.order import ORDERS
from contactcentre.domain.routing import Decision, Round, RoutingConfig, Waiting, next_change
from contactcentre.domain.site import Agent, Queue, RelaxStep, Settings, Site
from contactcentre.domain.strategies import STRATEGIES
from tests.domain.book import Book

S = AgentState
SKILLS = ("fr", "en", "vip")
NAMES = ("anna", "bob", "carla", "dora")
EXPRESSIONS = st.sampled_from(["", "fr >= 50", "en", "fr >= 20 or vip", "not vip", "fr and en >= 30"])
SOME = st.lists(st.sampled_from([*NAMES, "ghost"]), max_size=3, unique=True).map(tuple)
QUEUES = st.builds(
    Queue,
    requires=EXPRESSIONS,
    relax=st.lists(
        st.builds(RelaxStep, after=st.sampled_from([5, 20]), requires=st.none() | EXPRESSIONS, agents=SOME), max_size=2
    ).map(tuple),
    prefer_for=st.sampled_from([0, 8]),
    agents=SOME,
    strategy=st.sampled_from([*STRATEGIES, "leastrecent", "rrmemory", "rrordered", "top-down", "ring-all"]),
    ring_at_most=st.integers(1, 3),
    ring_more_every=st.just(5),
    ageing=st.sampled_from([0, 6, 60]),
    service_level=st.sampled_from([10, 20]),
    groups=st.sampled_from([{}, {"gold": 2, "grey": -1}]),
)
AGENTS = st.builds(Agent, skills=st.dictionaries(st.sampled_from(SKILLS), st.integers(0, 100)))
SITES = st.builds(
    Site,
    queues=st.fixed_dictionaries({"support": QUEUES, "sales": QUEUES}, optional={"vip": QUEUES}),
    settings=st.builds(Settings, order=st.sampled_from(ORDERS)),
    agents=st.fixed_dictionaries({"anna": AGENTS, "bob": AGENTS}, optional={"carla": AGENTS, "dora": AGENTS}),
)


class World(RuleBasedStateMachine):
    """What controllers do to agents and contacts, in any order."""

    @initialize(site=SITES)
    def begin(self, site: Site) -> None:
        self.now = 1_000_000.0
        self.site, self.config = site, RoutingConfig.from_site(site)
        logins = zip(NAMES, (5, 20, 11, 20), strict=True)  # so that idle time and name tell different orders
        self.agents = {name: step(AgentStatus(name), Verb.LOGIN, self.now - before) for name, before in logins}
        self.waiting: dict[str, Waiting] = {}
        self.reachable = dict.fromkeys(NAMES, True)
        self.served: set[tuple[str, str]] = set()  # contact, and an agent that rings for it or talks with it
        self.count = 0
        self.index = Index(self.config, self.now)

    @rule(
        queue=st.sampled_from(["support", "sales", "vip"]),
        requires=EXPRESSIONS,
        priority=st.integers(0, 2),
        arrived_before=st.sampled_from([0.0, 7.0]),
        excluded=st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
        group=st.sampled_from(["", "gold", "grey", "none"]),
        prefer_for=st.none() | st.sampled_from([0.0, 12.0]),
        preferred=st.just(()) | st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
    )
    def arrive(self, arrived_before: float, **contact: Any) -> None:
        self.count += 1
        made = Waiting(f"c{self.count}", arrived=self.now - arrived_before, entered=self.now, **contact)
        self.waiting[made.contact_id] = made

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def hang_up_while_waiting(self, data: st.DataObject) -> None:
        contact = self.waiting.pop(data.draw(st.sampled_from(sorted(self.waiting))))
        self._release_all(contact.contact_id)

    @rule(seconds=st.sampled_from([0.5, 5.0, 10.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        name=st.sampled_from(NAMES),
        verb=st.sampled_from([Verb.LOGIN, Verb.LOGOUT, Verb.PAUSE, Verb.UNPAUSE, Verb.WRAPPED]),
    )
    def agent_does(self, name: str, verb: Verb) -> None:
        if (self.agents[name].state, verb) in TRANSITIONS:
            self._take(name, verb, reason="break")

    @rule(name=st.sampled_from(NAMES), verb=st.sampled_from([Verb.ACCEPT, Verb.MISS, Verb.FINISH]))
    def offer_goes_on(self, name: str, verb: Verb) -> None:
        status = self.agents[name]
        if (status.state, verb) not in TRANSITIONS:
            return
        self._take(name, verb, misses_allowed=2, delay=4.0, wrap_up=6.0)
        if verb is Verb.ACCEPT:
            self.waiting.pop(status.contact_id)
            self._release_all(status.contact_id)
        else:
            self._over(status, verb is Verb.MISS)

    @rule()
    def deadlines_pass(self) -> None:
        for name, status in list(self.agents.items()):
            if 0 < status.deadline <= self.now:
                self._take(name, Verb.EXPIRE, misses_allowed=2, delay=4.0)
                if status.state is AgentState.OFFERED:
                    self._over(status, missed=True)

    def _over(self, status: AgentStatus, missed: bool) -> None:
        """What a controller does with a contact when one of its offers has come to nothing, or its call has ended."""
        self.served.remove((status.contact_id, status.name))
        if missed:
            contact = self.waiting[status.contact_id]
            still = [agent for contact_id, agent in sorted(self.served) if contact_id == contact.contact_id]
            tried = (*(name for name in contact.tried if name != status.name), status.name)
            self.waiting[contact.contact_id] = replace(contact, offered=still[0] if still else "", tried=tried)

    def _release_all(self, contact_id: str) -> None:
        """Takes back what still rings for it."""
        for name, status in list(self.agents.items()):
            if status.state is AgentState.OFFERED and status.contact_id == contact_id:
                self._take(name, Verb.RELEASE)
                self.served.remove((contact_id, name))

    @rule(name=st.sampled_from(NAMES), reachable=st.booleans())
    def phone_registers(self, name: str, reachable: bool) -> None:
        self.reachable[name] = reachable

    @rule(site=SITES)
    def the_site_changes(self, site: Site) -> None:
        self.site, self.config = site, RoutingConfig.from_site(site)

    @rule(data=st.data(), skills=st.dictionaries(st.sampled_from(SKILLS), st.integers(0, 100)))
    def somebody_has_other_skills_for_the_day(self, data: st.DataObject, skills: dict[str, int]) -> None:
        name = data.draw(st.sampled_from(sorted(self.site.agents)))
        self.site = on_the_day(self.site, {name: skills})
        if self.index.config is not self.config:
            self.index.configure(self.config)
        self.index.relevel(name, self.site.agents[name].skills)

    @rule()
    def everything_is_decided(self) -> None:
        round_ = self._round()
        first = round_.decide()
        for decision in first:
            assert not self.waiting[decision.contact_id].offered, "a first offer is for a contact that has none"
        for decision in first + round_.more():
            self._check_reason(decision)
            contact_id, name = decision.contact_id, decision.agent
            assert name not in [agent for _, agent in self.served], "an agent never has two contacts"
            self._take(name, Verb.OFFER, contact_id=contact_id, queue=decision.queue, deadline=self.now + 8)
            contact = self.waiting[contact_id]
            self.waiting[contact_id] = replace(contact, offered=contact.offered or name)
            self.served.add((contact_id, name))
        again = self._round()
        assert again.decide() == [], "nobody who could be served is left waiting"
        assert again.more() == [], "nobody who should ring as well is left idle"

    @invariant()
    def the_decision_is_the_one_by_the_book(self) -> None:
        round_, book = self._round(), self._book()
        assert [(d.contact_id, d.agent) for d in round_.decide()] == book.first_offers()
        assert [(d.contact_id, d.agent) for d in round_.more()] == book.further_offers()

    @invariant()
    def who_fits_is_who_would_if_everything_was_prepared_anew(self) -> None:
        fresh = RoutingConfig.from_site(self.site)
        for contact in self.waiting.values():
            known, right = self.config.terms(contact, self.now), fresh.terms(contact, self.now)
            assert (known and list(known.fits.items())) == (right and list(right.fits.items()))

    @invariant()
    def nodes_that_heard_of_everything_in_another_order_agree(self) -> None:
        agents = dict(reversed(self.agents.items()))
        other = Round(reversed(self.waiting.values()), agents, self.config, self.now, self.reachable)
        here = self._round()
        assert other.decide() + other.more() == here.decide() + here.more()

    @invariant()
    def an_index_that_only_hears_of_changes_decides_the_same(self) -> None:
        index = self.index
        if index.config is not self.config:
            index.configure(self.config)
        for name, can in self.reachable.items():
            index.reach(name, can=can)
        for name, status in self.agents.items():
            if index.agents.get(name) is not status:
                index.put_agent(status)
        for contact_id in [key for key in index.waiting if key not in self.waiting]:
            index.drop(contact_id)
        for contact in self.waiting.values():
            if index.waiting.get(contact.contact_id) is not contact:
                index.put(contact)
        kept, fresh = Round.on(index, self.now), self._round()
        assert kept.decide() + kept.more() == fresh.decide() + fresh.more()
        for contact in self.waiting.values():
            assert kept.reason(contact) == fresh.reason(contact)
        moment = index.next_moment()
        known = next_change(self.waiting.values(), self.config, self.now)
        assert known is None or (moment is not None and moment <= known)

        self._work_ahead_is_known(index)

    def _work_ahead_is_known(self, index: Index) -> None:
        """What estimated waits are made of, without looking at everybody."""
        crew = index.crew
        assert crew.free(self.now) == crew.named(index.free)
        at_work = [s for s in self.agents.values() if s.state not in AWAY and self.reachable.get(s.name, True)]
        assert crew.serving == crew.named(s.name for s in at_work)
        queues = {s.queue for s in at_work if s.queue}
        busy = {queue: crew.named(s.name for s in at_work if s.queue == queue) for queue in queues}
        assert {queue: names for queue, names in crew.by_queue.items() if names} == {q: n for q, n in busy.items() if n}
        for contact in self.waiting.values():
            kept, fresh = Counter[int](), Counter[int]()
            for terms, number in index.ahead(contact, self.now):
                kept[id(terms)] += number
            for terms, number in ahead(contact, self.waiting.values(), self.config, self.now):
                fresh[id(terms)] += number
            assert kept == fresh

    @invariant()
    def agents_and_contacts_agree(self) -> None:
        busy = {(s.contact_id, n) for n, s in self.agents.items() if s.state in (S.OFFERED, S.TALKING)}
        assert busy == self.served
        talking = [s.contact_id for s in self.agents.values() if s.state is S.TALKING]
        assert len(talking) == len(set(talking)), "a contact is never served twice"
        assert {(c.contact_id, c.offered) for c in self.waiting.values() if c.offered} <= busy

    @invariant()
    def everybody_can_be_explained(self) -> None:
        look = Look(self.waiting.values(), self.agents, self.config, self.now, self.reachable)
        first, further = dict(self._book().first_offers()), self._book().further_offers()
        for contact_id in self.waiting:
            told = look.contact(contact_id)
            assert told is not None
            assert told.finding.agent == first.get(contact_id, "")
            assert any(line.startswith(f"Agent {told.finding.agent} gets it now") for line in told.lines) == bool(
                told.finding.agent
            )
        gets = {agent: contact_id for contact_id, agent in (*first.items(), *further)}
        for name in NAMES:
            ready = look.agent(name)
            assert (ready is None) == (name not in self.site.agents)
            assert ready is None or ready.gets == gets.get(name, "")

    @invariant()
    def without_a_change_or_a_timer_nothing_is_to_be_done(self) -> None:
        """So a controller may sleep until then."""
        round_, agents, waiting = self._round(), dict(self.agents), dict(self.waiting)
        for d in round_.decide() + round_.more():
            offer = {"contact_id": d.contact_id, "queue": d.queue, "token": "t", "deadline": self.now + 9999}
            agents[d.agent] = step(agents[d.agent], Verb.OFFER, self.now, **offer)  # type: ignore[arg-type]
            waiting[d.contact_id] = replace(waiting[d.contact_id], offered=waiting[d.contact_id].offered or d.agent)
        change = next_change(waiting.values(), self.config, self.now)
        delays = [s.not_before for s in agents.values() if s.not_before > self.now]
        horizon = min([t for t in (change, *delays, self.now + 1000) if t is not None])
        later = Round(waiting.values(), agents, self.config, (self.now + horizon) / 2, self.reachable)
        assert later.decide() + later.more() == []

    def _round(self) -> Round:
        return Round(self.waiting.values(), self.agents, self.config, self.now, self.reachable)

    def _take(self, name: str, verb: Verb, **args: object) -> None:
        token = f"t{self.agents[name].version}" if verb is Verb.OFFER else self.agents[name].token
        self.agents[name] = step(self.agents[name], verb, self.now, token=token, **args)  # type: ignore[arg-type]

    def _book(self) -> Book:
        return Book(self.site, self.agents, self.waiting, self.now, self.reachable)

    def _check_reason(self, decision: Decision) -> None:
        names = [name for name, _ in decision.candidates] + [name for name, _ in decision.cut]
        assert decision.candidates[0][0] == decision.agent
        assert len(names) == len(set(names)), "an agent is a candidate or cut, not both"
        queue = self.site.queues[decision.queue]
        asked = {*queue.agents, *(name for relax in queue.relax for name in relax.agents)} if queue.agents else NAMES
        members = [name for name in asked if name in self.site.agents]
        assert sorted(names) == sorted(members), "every member is accounted for"
        assert (decision.fitting, decision.left_out) == (len(decision.candidates), 0)


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=60, stateful_step_count=40)
