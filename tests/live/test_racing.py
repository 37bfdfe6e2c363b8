"""Two and three routers race on one real Redis, each with a replica that is as late as chance wills.

What others do arrives at a node when the test lets it hear, what a router posts is taken when the test lets the contact
take it; between any two steps anything else may happen. `RACING_OPERATIONS=2000000` makes it long.
"""

import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from contactcentre.controller.replica import over
from contactcentre.domain.agents import TRANSITIONS, AgentState, NotAllowed, Verb
from contactcentre.domain.routing import Decision, Round, RoutingConfig, Waiting
from contactcentre.domain.site import Agent, Queue, RelaxStep, Site
from contactcentre.live import Live, connect
from contactcentre.pbx.events import Phone
from tests.live.conftest import RedisServer
from tests.live.nodes import Clock, Contact, Node, agent_facts

OPERATIONS = int(os.environ.get("RACING_OPERATIONS", "6000"))
STEPS = 50

S = AgentState
NAMES = ("anna", "bob", "carla")
CALM = {"ring_seconds": 8.0, "retry_delay": 3.0, "wrap_up": 5.0}
QUEUES = st.builds(
    Queue,
    requires=st.sampled_from(["", "fr >= 50", "en"]),
    relax=st.sampled_from([(), (RelaxStep(after=6, requires=""),), (RelaxStep(after=6, agents=("carla",)),)]),
    agents=st.sampled_from([(), ("anna", "bob"), ("bob", "carla", "anna")]),
    strategy=st.sampled_from(
        ["longest-idle", "round-robin", "ringall", "fewest-calls", "ring-progressively", "random"]
    ),
    ring_at_most=st.integers(1, 3),
    ring_more_every=st.just(4.0),
    ageing=st.sampled_from([0.0, 60.0]),
    misses_allowed=st.sampled_from([0, 2]),
    prefer_for=st.just(5.0),
    leave_when_empty=st.sampled_from(["no", "no", "yes"]),
    **{name: st.just(value) for name, value in CALM.items()},
)
AGENTS = st.builds(
    Agent, skills=st.fixed_dictionaries({"fr": st.sampled_from([20, 80]), "en": st.sampled_from([0, 90])})
)
SITES = st.builds(
    Site,
    queues=st.fixed_dictionaries({"support": QUEUES}, optional={"sales": QUEUES}),
    agents=st.fixed_dictionaries({"anna": AGENTS, "bob": AGENTS}, optional={"carla": AGENTS}),
)
NODE = st.integers(0, 2)


class Racing(RuleBasedStateMachine):
    redis: "Redis"
    operations = 0

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        self.live, self.clock, self.count = Live(self.redis), Clock(), 0
        self.nodes: list[Node] = []
        self.over: list[Contact] = []

    @initialize(site=SITES, number=st.integers(2, 3))
    def begin(self, site: Site, number: int) -> None:
        self.site = site
        for name in NAMES:
            self.live.change(name, Verb.LOGIN, self.clock.now)
            self.clock.now += 1
        self.nodes = [Node(f"node{n}", self.live, self.clock, site, {}) for n in range(number)]

    # -- what may happen ----------------------------------------------------------------------------------------------

    @rule(
        node=NODE,
        queue=st.sampled_from(["support", "support", "sales"]),
        requires=st.sampled_from(["", "", "fr >= 50"]),
        priority=st.integers(0, 2),
        preferred=st.sampled_from([(), (), ("bob",)]),
        excluded=st.sampled_from([(), (), ("anna",)]),
    )
    def arrives(self, node: int, queue: str, **more: Any) -> None:
        self.count += 1
        at, now = self.at(node), self.clock.now
        waiting = Waiting(f"c{self.count}", queue, at.name, arrived=now, entered=now, **more)
        contact = at.contacts[waiting.contact_id] = Contact(at, waiting)
        contact.enter()

    @precondition(lambda self: self.contacts())
    @rule(number=st.integers(0, 99))
    def hangs_up(self, number: int) -> None:
        contact = self.contact(number)
        contact.hang_up()
        self.forget(contact)

    @precondition(lambda self: self.ringing())
    @rule(number=st.integers(0, 99), answers=st.sampled_from([True, True, False]), busy=st.booleans())
    def a_phone_is_answered_or_not(self, number: int, answers: bool, busy: bool) -> None:
        contact, agent = self.ringing()[number % len(self.ringing())]
        if answers:
            contact.answer(agent)
        else:
            contact.miss(agent, counts=not busy)

    @precondition(lambda self: any(contact.inbox for contact in self.contacts()))
    @rule(number=st.integers(0, 99))
    def takes_messages(self, number: int) -> None:
        told = [contact for contact in self.contacts() if contact.inbox]
        contact = told[number % len(told)]
        contact.take_messages()
        self.forget(contact)

    @rule(node=NODE)
    def decides(self, node: int) -> None:
        self.at(node).router.turn()

    @rule(node=NODE)
    def tells(self, node: int) -> None:
        self.at(node).router.tell()

    @rule(node=NODE, most=st.sampled_from([1, 2, 5, 1000]))
    def hears(self, node: int, most: int) -> None:
        self.at(node).hear(most)

    @rule(node=NODE)
    def hears_everything_and_turns(self, node: int) -> None:
        self.at(node).hear()
        self.at(node).turn()

    @rule(
        name=st.sampled_from(NAMES),
        verb=st.sampled_from(
            [Verb.PAUSE, Verb.UNPAUSE, Verb.LOGIN, Verb.LOGOUT, Verb.WRAPPED, Verb.UNPAUSE, Verb.LOGIN]
        ),
    )
    def an_agent_does(self, name: str, verb: Verb) -> None:
        with suppress(NotAllowed):
            self.live.change(name, verb, self.clock.now, **({"reason": "lunch"} if verb is Verb.PAUSE else {}))

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 6.0, 15.0]))
    def time_passes(self, seconds: float) -> None:
        for node in self.nodes:  # it takes a moment, not seconds
            node.router.tell()
        self.clock.now += seconds

    @rule(number=st.integers(0, 99))
    def phones_have_rung_long_enough(self, number: int) -> None:
        for contact in self.contacts()[: 1 + number % 3]:
            contact.ring_out()

    @rule(site=SITES)
    def the_site_changes(self, site: Site) -> None:
        self.site = site

    @rule(node=NODE)
    def loads_the_site(self, node: int) -> None:
        self.at(node).configure(self.site)

    @rule(node=NODE, name=st.sampled_from(NAMES), reachable=st.booleans())
    def a_phone_registers(self, node: int, name: str, reachable: bool) -> None:
        self.at(node).router.phones.reach({name: Phone.FREE if reachable else Phone.AWAY})

    @rule(node=NODE)
    def is_killed_and_starts_again(self, node: int) -> None:
        old = self.at(node)
        fresh = Node(old.name, self.live, self.clock, self.site, old.contacts)
        self.nodes[self.nodes.index(old)] = fresh
        fresh.take_up({contact.id for contact in self.contacts()})

    # -- peace --------------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), verb=st.sampled_from([Verb.UNPAUSE, Verb.LOGIN, Verb.WRAPPED]))
    def in_peace_an_agent_gets_whom_the_order_says(self, name: str, verb: Verb) -> None:
        self.peace()
        self.an_agent_does(name, verb)
        for node in self.nodes:
            node.hear()
        expected = {(decision.contact_id, decision.agent) for decision in self.open()}
        for node in self.nodes:
            node.turn()
        made = {
            (contact.id, message.agent.name)
            for contact in self.contacts()
            for message in contact.inbox
            if not hasattr(message, "refusal")
        }
        assert made == expected

    @rule()
    def peace(self) -> None:
        """Everybody hears everything: then nobody waits whom a free agent could serve, and nobody is forgotten."""
        for node in self.nodes:
            node.configure(self.site)
            node.router.phones.reach(dict.fromkeys(NAMES, Phone.FREE))
        for _ in range(50):
            busy = False
            for contact in self.contacts():
                busy = busy or bool(contact.inbox)
                contact.take_messages()
                contact.ring_out()
                self.forget(contact)
            for node in self.nodes:
                busy = bool(node.hear()) or busy
                node.turn()
                busy = bool(node.hear()) or busy or bool(node.router._unwritten) or bool(len(node.agents))
            if not busy and not any(node.router._look_for_empty for node in self.nodes):
                break
            if not busy:
                self.clock.now += 0.3  # only then is it looked again whether nobody is there
        else:
            raise AssertionError("no peace")
        assert self.open() == [], "somebody waits whom a free agent could serve"
        waits = {contact.id: contact for contact in self.contacts() if contact.talks_with is None}
        known = self.live.waiting()
        assert known.keys() == waits.keys(), "who waits is known to Redis, and nobody else"
        for contact_id, waiting in known.items():
            assert bool(waiting.offered) == bool(waits[contact_id].ringing)
            assert not waiting.offered or waiting.offered in waits[contact_id].ringing
        serving = {(agent, contact.ringing[agent].token) for contact, agent in self.ringing()}
        serving |= {(c.talks_with.name, c.talks_with.token) for c in self.contacts() if c.talks_with}
        records = self.live.agents().values()
        assert {(s.name, s.token) for s in records if s.state in (S.OFFERED, S.TALKING)} == serving
        for node in self.nodes:
            assert dict(node.replica.agents) == self.live.agents()
            assert dict(node.replica.waiting) == known

    def open(self) -> list[Decision]:
        """What a fresh look at Redis would decide."""
        config = RoutingConfig.from_site(self.site)
        round_ = Round(self.live.waiting().values(), self.live.agents(), config, self.clock.now, {})
        return round_.decide() + round_.more()

    # -- always -------------------------------------------------------------------------------------------------------

    @invariant()
    def no_phone_rings_twice_and_nobody_talks_with_two(self) -> None:
        Racing.operations += 1
        talking = [contact.talks_with for contact in self.contacts() if contact.talks_with]
        names = [status.name for status in talking]
        assert len(names) == len(set(names)), "an agent talks with one contact"
        in_time: dict[str, str] = {}
        for contact, agent in self.ringing():
            if over(contact.ringing[agent]) > self.clock.now:  # later, anybody may have ended it
                assert agent not in in_time, f"{agent} rings for {contact.id} and {in_time.get(agent)}"
                assert agent not in names, f"{agent} rings while talking"
                in_time[agent] = contact.id

    def teardown(self) -> None:
        if not self.nodes:
            return
        self.peace()
        state: dict[str, tuple[str, int]] = {}
        facts = agent_facts(self.redis)
        assert {fact["agent"] for fact in facts} == set(NAMES), "each has logged in at least"
        for fact in facts:
            name, before = fact["agent"], fact["previous"]
            if name in state:
                assert (before, fact["version"]) == (state[name][0], state[name][1] + 1), (
                    "no step is lost or taken twice"
                )
                possible = {target for (source, _), target in TRANSITIONS.items() if source == before}
                assert fact["state"] in possible | {S.PAUSED, S.LOGGED_OUT, S.AVAILABLE}
            state[name] = fact["state"], fact["version"]

    def at(self, number: int) -> Node:
        return self.nodes[number % len(self.nodes)]

    def contacts(self) -> list[Contact]:
        return [contact for node in self.nodes for contact in node.contacts.values()]

    def contact(self, number: int) -> Contact:
        return self.contacts()[number % len(self.contacts())]

    def ringing(self) -> list[tuple[Contact, str]]:
        return [(contact, agent) for contact in self.contacts() for agent in contact.ringing]

    def forget(self, contact: Contact) -> None:
        if contact.gone:
            contact.node.contacts.pop(contact.id, None)


def test_routers_that_race_on_one_redis_serve_each_contact_once_by_the_one_order_and_forget_nobody(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Racing, "redis", connect(server.url, timeout=60.0), raising=False)
    run_state_machine_as_test(
        Racing,
        settings=settings(
            max_examples=max(1, OPERATIONS // STEPS),
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    print(f"{Racing.operations} operations")


def test_a_contact_that_is_taken_up_after_a_restart_shows_its_offer_to_all_nodes(live: Live) -> None:
    """The record that the new controller writes again must not come after the reservation and take it back."""
    site, clock = Site(queues={"support": Queue()}, agents={"anna": Agent()}), Clock()
    killed = Node("node0", live, clock, site, {})
    waiting = Waiting("c1", "support", "node0", arrived=clock.now, entered=clock.now)
    contact = killed.contacts["c1"] = Contact(killed, waiting)
    contact.enter()
    killed.turn()
    live.change("anna", Verb.LOGIN, clock.now)
    fresh = Node("node0", live, clock, site, killed.contacts)
    fresh.take_up({"c1"})
    fresh.turn()
    assert live.agent("anna").contact_id == "c1"
    assert live.waiting()["c1"].offered == "anna"


def test_why_a_contact_still_waits_is_noted_when_it_asks_for_less(live: Live) -> None:
    relax = (RelaxStep(after=30, requires="fr >= 20"), RelaxStep(after=60, requires=""))
    agents = {"anna": Agent(skills={"fr": 90}), "bob": Agent()}
    site, clock = Site(queues={"support": Queue(requires="fr >= 50", relax=relax)}, agents=agents), Clock()
    node = Node("node0", live, clock, site, {})
    contact = Contact(node, Waiting("c1", "support", "node0", arrived=clock.now, entered=clock.now))
    contact.enter()
    for _ in range(9):
        node.turn()
        clock.now += 10
    assert [(fact["agent"], fact["requirement"]) for fact in contact.facts] == [
        ("", "fr >= 50"),
        ("", "fr >= 20"),
        ("", "any"),
    ]
