"""An agent whose phone is in a call of ours on the PBX is never offered another one, whatever Redis says of them."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from contactcentre.controller import replica
from contactcentre.domain.agents import MISSED, AgentState, AgentStatus, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.replacing import replace
from contactcentre.pbx.errors import LinkDown
from tests.controller.fake_pbx import FakeBridge, Line
from tests.controller.people import calls, comes, rings, state, talks
from tests.controller.world import AGENTS, World
from tests.live.nodes import agent_facts
from tests.waiting import eventually


def answers_unwritten(world: World) -> tuple[Line, Line]:
    """The two talk, the journal knows, and Redis has the agent still as offered. Somebody waits for the next one."""
    caller = calls(world, "1")
    leg = rings(world)
    nobody_else_is_there(world, leg.endpoint)
    comes(world, calls(world, "1"), Kind.DECISION)  # ... that there is nobody
    world.away.before = True
    world.pbx.answer(leg)
    eventually(lambda: [c for c in world.controller.node.contacts.values() if c.now.state == "talking"], "they talk")
    assert world.live.agent(leg.endpoint).state is AgentState.OFFERED
    return caller, leg


def rewrite(world: World, agent: str, **changes: object) -> AgentStatus:
    """Somebody else has made the agent's record in Redis another one."""
    there = world.live.agent(agent)
    made = replace(there, version=there.version + 1, **changes)
    assert world.live.restore(made)
    return made


def expired(there: AgentStatus) -> dict[str, object]:
    return {"state": AgentState.AVAILABLE, "contact_id": "", "queue": "", "token": "", "deadline": 0.0, "misses": 1}


def missed(there: AgentStatus) -> dict[str, object]:
    return {**expired(there), "state": AgentState.PAUSED, "reason": MISSED}


def paused(there: AgentStatus) -> dict[str, object]:
    return {**expired(there), "state": AgentState.PAUSED, "reason": "lunch", "by": "sue", "note": "go and eat"}


def logged_out(there: AgentStatus) -> dict[str, object]:
    return {**expired(there), "state": AgentState.LOGGED_OUT}


def offered_to_another(there: AgentStatus) -> dict[str, object]:
    return {"contact_id": "another", "token": "another", "deadline": time.time() + 60}


def in_wrap_up(there: AgentStatus) -> dict[str, object]:
    return {"state": AgentState.WRAP_UP, "contact_id": "another", "token": "another", "deadline": time.time() + 60}


WRITTEN = {
    expired: AgentState.AVAILABLE,
    missed: AgentState.AVAILABLE,  # it was no fault of the agent's
    paused: AgentState.PAUSED,
    logged_out: AgentState.LOGGED_OUT,
    offered_to_another: AgentState.AVAILABLE,
    in_wrap_up: AgentState.AVAILABLE,
}
"""What Redis says of an agent who talks -> what that one is when the talk is over."""


def nobody_else_is_there(world: World, agent: str) -> None:
    for other in AGENTS:
        if other != agent:
            world.live.change(other, Verb.PAUSE, time.time(), reason="lunch")


def goes_on_and_the_next_is_served_after(world: World, leg: Line, then: AgentState = AgentState.AVAILABLE) -> None:
    agent = leg.endpoint
    eventually(lambda: state(world, agent) is AgentState.TALKING, "the agent talks")
    assert not world.pbx.ringing()
    assert not world.pbx.violations
    assert world.live.agent(agent).calls == 1, "the call is counted once"
    world.pbx.leave(leg)
    if then is AgentState.AVAILABLE:
        assert rings(world).endpoint == agent
        assert not world.live.agent(agent).misses
    else:
        eventually(lambda: state(world, agent) is then, f"{agent} is {then}")
    world.peace()
    world.check()


@pytest.fixture
def world(patient_world: World) -> World:
    return patient_world


def test_an_offer_that_is_overdue_when_a_controller_starts_is_not_ended_before_it_has_looked_at_the_pbx(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, leg = answers_unwritten(world)
    world.kill()
    monkeypatch.setattr(replica, "GRACE", 0.0)
    rewrite(world, leg.endpoint, deadline=time.time() - 1)
    before = world.live.agent(leg.endpoint).version
    world.away.before = False
    world.start()
    goes_on_and_the_next_is_served_after(world, leg)
    facts = [status for status in agent_states(world, leg.endpoint) if status[0] > before]
    assert facts[0][1] is AgentState.TALKING, "and nothing in between"


def agent_states(world: World, agent: str) -> list[tuple[int, AgentState]]:
    facts = [fact for fact in agent_facts(world.redis) if fact["agent"] == agent]
    return sorted((int(fact["version"]), AgentState(fact["state"])) for fact in facts)


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written.__name__)
def test_who_is_found_talking_at_a_take_over_talks_whatever_was_written(
    world: World, written: Callable[[AgentStatus], dict[str, object]]
) -> None:
    _, leg = answers_unwritten(world)
    world.kill()
    rewrite(world, leg.endpoint, **written(world.live.agent(leg.endpoint)))
    world.away.before = False
    world.start()
    goes_on_and_the_next_is_served_after(world, leg, WRITTEN[written])


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written.__name__)
def test_who_talks_goes_on_talking_whatever_somebody_writes(
    world: World, written: Callable[[AgentStatus], dict[str, object]]
) -> None:
    _, leg = talks(world)
    eventually(lambda: state(world, leg.endpoint) is AgentState.TALKING, "Redis knows it")
    rewrite(world, leg.endpoint, **written(world.live.agent(leg.endpoint)))
    eventually(lambda: world.live.agent(leg.endpoint).state is AgentState.TALKING, "the agent talks")
    world.pbx.leave(leg)
    if written is offered_to_another:  # so it says TALKING, with a contact that is nowhere: the regular look finds that
        world.controller.reception.look_soon()
    eventually(lambda: state(world, leg.endpoint) is WRITTEN[written], f"{leg.endpoint} is {WRITTEN[written]}")
    world.peace()
    world.check()


def test_an_acceptance_that_redis_learns_late_counts_although_the_offer_was_ended_meanwhile(world: World) -> None:
    _, leg = answers_unwritten(world)
    rewrite(world, leg.endpoint, **expired(world.live.agent(leg.endpoint)))
    world.away.before = False
    goes_on_and_the_next_is_served_after(world, leg)


def test_an_offer_of_a_suspended_contact_is_not_ended_by_its_own_controller(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls(world, "1")
    leg = rings(world)
    nobody_else_is_there(world, leg.endpoint)
    comes(world, calls(world, "1"), Kind.DECISION)  # ... that there is nobody
    contact, add = world.controller.node.contacts[leg.contact_id], FakeBridge.add

    def add_and_cut(bridge: FakeBridge, *channels: Any, absorb: bool = False) -> None:
        """The two are connected, and we do not learn it."""
        monkeypatch.setattr(FakeBridge, "add", add)
        add(bridge, *channels, absorb=absorb)
        world.pbx.cut()
        raise LinkDown("cut by the test")

    monkeypatch.setattr(FakeBridge, "add", add_and_cut)
    world.pbx.answer(leg)
    eventually(lambda: contact.parked, "suspended")
    monkeypatch.setattr(replica, "GRACE", 0.0)
    rewrite(world, leg.endpoint, deadline=time.time() - 1)
    world.controller.node.replica.load()
    world.controller.node.router.turn()
    assert world.live.agent(leg.endpoint).state is AgentState.OFFERED
    world.pbx.mend()
    goes_on_and_the_next_is_served_after(world, leg)


def test_an_agent_who_hung_up_before_anybody_looked_has_missed_nothing(world: World) -> None:
    caller, leg = answers_unwritten(world)
    world.kill()
    rewrite(world, leg.endpoint, **expired(world.live.agent(leg.endpoint)))
    world.pbx.leave(leg)
    world.away.before = False
    world.start()
    comes(world, caller, Kind.TALK_ENDED)
    assert rings(world).endpoint == leg.endpoint
    after = world.live.agent(leg.endpoint)
    assert (after.misses, after.calls) == (0, 1)
    world.peace()
    world.check()
