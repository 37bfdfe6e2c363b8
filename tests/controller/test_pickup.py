"""An agent takes a customer who waits, or who rings at somebody else's phone: on a PBX in memory."""

import time

import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from tests.controller.people import calls, comes, rings, state, story, talks
from tests.controller.test_verbs import ask, end, hears, refused
from tests.controller.world import World
from tests.waiting import eventually


def test_who_rings_at_a_colleagues_phone_is_picked_up(world: World) -> None:
    caller = calls(world, "1")
    first = rings(world)
    other = "bert" if first.endpoint == "anna" else "anna"
    assert ask(world, caller, "pickup", agent=other)["state"] == "ringing"
    second = eventually(lambda: next((leg for leg in world.pbx.ringing() if leg is not first), None), "rings, too")
    assert second.endpoint == other
    world.pbx.answer(second)
    assert comes(world, caller, Kind.TALK_STARTED).data["agent"] == other
    eventually(lambda: first.id not in world.pbx.lines, "the first phone rings no longer")
    eventually(lambda: state(world, first.endpoint) is AgentState.AVAILABLE, "through no fault of that agent")
    end(world)


def test_who_waits_for_somebody_else_is_picked_up(world: World) -> None:
    world.live.change("anna", Verb.PAUSE, time.time(), reason="x")
    caller = calls(world, "2")  # anna's own queue
    comes(world, caller, Kind.QUEUED)
    eventually(lambda: world.live.waiting(), "waits")
    ask(world, caller, "pickup", agent="bert")
    world.pbx.answer(rings(world))
    started = comes(world, caller, Kind.TALK_STARTED).data
    assert (started["agent"], started["queue"]) == ("bert", "two")
    end(world)


def test_who_is_parked_is_picked_up(world: World) -> None:
    caller, leg = talks(world)
    ask(world, caller, "park")
    other = "bert" if leg.endpoint == "anna" else "anna"
    ask(world, caller, "pickup", agent=other)
    world.pbx.answer(rings(world))
    assert comes(world, caller, Kind.RETRIEVED).data["by"] == other
    eventually(lambda: hears(caller) == "talk", "they talk")
    end(world)


@pytest.mark.parametrize(("agent", "code"), [("nobody", "no_such_target"), ("anna", "busy"), ("bert", "busy")])
def test_whoever_is_not_free_picks_nobody_up(world: World, agent: str, code: str) -> None:
    world.live.change("anna", Verb.PAUSE, time.time(), reason="x")
    world.live.change("bert", Verb.LOGOUT, time.time())
    caller = calls(world, "1")
    comes(world, caller, Kind.QUEUED)
    eventually(lambda: world.live.waiting(), "waits")
    assert refused(world, caller, "pickup", agent=agent) == code
    end(world)


def test_who_talks_already_is_not_picked_up(world: World) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    assert refused(world, caller, "pickup", agent=other) == "not_waiting"
    assert Kind.TALK_ENDED not in {event.kind for event in story(world, caller)}
    end(world)
