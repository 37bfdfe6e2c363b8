"""Bullseye rings, relaxation and preferred agents; over random worlds they are in test_routing_machine.py."""

from typing import Any

import pytest

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.routing import RoutingConfig, Waiting, decide, next_change
from contactcentre.domain.site import Agent, Queue, Site
from tests.domain.asking import explain

NOW = 1_000_000.0
S = AgentState


def config(**queue: Any) -> RoutingConfig:
    levels = {"anna": 80, "bob": 20, "carla": 60, "dora": 90}
    agents = {name: Agent(skills={"fr": level}) for name, level in levels.items()}
    return RoutingConfig.from_site(Site(queues={"support": Queue.model_validate(queue)}, agents=agents))


def free(*names: str, **changes: Any) -> dict[str, AgentStatus]:
    return {
        name: AgentStatus(name, S.AVAILABLE, 1, idle_since=NOW - 100 + place, **changes)
        for place, name in enumerate(names)
    }


def waits(ago: float, **more: Any) -> Waiting:
    return Waiting("c1", "support", arrived=NOW - ago, entered=NOW - ago, **more)


def agent_for(config: RoutingConfig, contact: Waiting, agents: dict[str, AgentStatus], **reachable: bool) -> str | None:
    return next((decision.agent for decision in decide([contact], agents, config, NOW, reachable)), None)


RINGS = config(
    requires="fr >= 50",
    agents=["anna"],
    relax=[{"after": 10, "agents": ["carla", "bob"]}, {"after": 30, "requires": "fr >= 10"}],
)


@pytest.mark.parametrize(("waited", "agent"), [(0, None), (9.9, None), (10, "carla"), (29.9, "carla"), (30, "bob")])
def test_each_ring_asks_more_agents_and_each_step_less_of_them(waited: float, agent: str | None) -> None:
    assert agent_for(RINGS, waits(waited), free("bob", "carla", "dora")) == agent


def test_a_step_is_never_silently_ignored_and_nobody_below_the_level_is_asked_early() -> None:
    """app_queue: rules ignored a raised penalty, so members below the limit got calls (issue 1901)."""
    assert agent_for(RINGS, waits(29.9), free("bob")) is None
    assert agent_for(RINGS, waits(30), free("bob")) == "bob"


def test_rings_of_a_changed_site_count_for_those_who_wait_already() -> None:
    """app_queue: a change of queuerules does not reach callers who wait."""
    contact = waits(12)
    assert agent_for(config(agents=["anna"]), contact, free("bob")) is None
    changed = config(agents=["anna"], relax=[{"after": 10, "agents": ["bob"]}])
    assert agent_for(changed, contact, free("bob")) == "bob"


def test_agents_of_an_inner_ring_stay_when_the_next_one_opens() -> None:
    assert agent_for(RINGS, waits(30), free("anna", "bob")) == "anna"


def test_a_ring_that_names_no_requirement_keeps_the_one_before_it() -> None:
    later = config(
        requires="fr >= 85",
        agents=["bob"],
        relax=[{"after": 5, "requires": "fr >= 50"}, {"after": 10, "agents": ["carla"]}],
    )
    assert agent_for(later, waits(10), free("bob", "carla")) == "carla"


def test_who_joins_later_is_named_with_the_time_that_is_left() -> None:
    lines = explain("c1", [waits(4)], free("carla"), RINGS, NOW, {})
    assert "In 6 s the queue also asks carla, bob." in lines
    assert "Is asked later: bob (in 6 s), carla (in 6 s)." in lines
    assert "In 5 s the queue's part is relaxed to fr >= 10." in explain("c1", [waits(25)], {}, RINGS, NOW, {})
    assert next_change([waits(4)], RINGS, NOW) == NOW + 6


EVERYBODY = config(prefer_for=20)


def test_a_preferred_agent_who_is_busy_is_waited_for_while_others_are_free() -> None:
    agents = free("bob") | {"anna": AgentStatus("anna", S.TALKING, 2, contact_id="c0")}
    contact = waits(5, preferred=("anna",))
    assert agent_for(EVERYBODY, contact, agents) is None
    lines = explain("c1", [contact], agents, EVERYBODY, NOW, {})
    assert "It prefers anna for 15 s more." in lines
    assert "Nobody gets it now: waits for an agent it prefers: anna." in lines
    assert "Another agent is preferred: bob (anna)." in lines
    assert next_change([contact], EVERYBODY, NOW) == NOW + 15


def test_after_its_time_a_preferred_agent_is_one_like_the_others() -> None:
    agents = free("bob", "anna")
    assert agent_for(EVERYBODY, waits(19.9, preferred=("anna",)), agents) == "anna"
    assert agent_for(EVERYBODY, waits(20, preferred=("anna",)), agents) == "bob"


@pytest.mark.parametrize("state", [S.LOGGED_OUT, S.PAUSED])
def test_nobody_waits_for_a_preferred_agent_who_is_not_at_work(state: AgentState) -> None:
    agents = free("bob") | {"anna": AgentStatus("anna", state, 2)}
    assert agent_for(EVERYBODY, waits(0, preferred=("anna",)), agents) == "bob"
    assert agent_for(EVERYBODY, waits(0, preferred=("nobody", "zoe")), agents) == "bob"


def test_nobody_waits_for_a_preferred_agent_who_may_not_or_did_not_serve_the_contact() -> None:
    agents = free("bob", "anna")
    assert agent_for(EVERYBODY, waits(0, preferred=("anna",), excluded=("anna",)), agents) == "bob"
    assert agent_for(EVERYBODY, waits(0, preferred=("anna",), tried=("anna",)), agents) == "bob"
    assert agent_for(EVERYBODY, waits(0, preferred=("anna",)), agents, anna=False) == "bob"
    assert agent_for(config(requires="fr < 50"), waits(0, preferred=("anna",)), agents) == "bob"


def test_a_preferred_agent_who_waits_out_a_delay_is_waited_for() -> None:
    agents = free("bob") | free("anna", not_before=NOW + 3)
    assert agent_for(EVERYBODY, waits(0, preferred=("anna",)), agents) is None


def test_a_preferred_agent_serves_the_contact_with_right_of_way_first() -> None:
    older = Waiting("c0", "support", arrived=NOW - 60, entered=NOW - 60)
    found = decide([waits(1, preferred=("anna",)), older], free("anna"), EVERYBODY, NOW, {})
    assert [(d.contact_id, d.agent) for d in found] == [("c0", "anna")]
