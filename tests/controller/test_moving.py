"""A supervisor moves who waits: to another queue, to the front, to other points; on a PBX in memory."""

import time

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, story, talks
from tests.controller.test_verbs import ask, end, refused
from tests.controller.world import AGENTS, World
from tests.waiting import eventually


def waits(world: World, key: str = "1") -> Line:
    """A caller for whom nobody is free."""
    caller = calls(world, key)
    comes(world, caller, Kind.QUEUED)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    eventually(lambda: contact in world.live.waiting(), "waits")
    return caller


@pytest.fixture
def resting(world: World) -> World:
    for agent in AGENTS:
        world.live.change(agent, Verb.PAUSE, time.time(), reason="x")
    eventually(lambda: not world.controller.node.replica.index.free, "nobody is free")
    return world


def test_who_waits_goes_on_in_another_queue_with_the_first_arrival(resting: World) -> None:
    world, caller = resting, waits(resting, "7")  # of nobody's queue
    came = comes(world, caller, Kind.ARRIVED)
    told = ask(world, caller, "move", to="queue:told")
    assert (told["state"], told["contact"]) == ("sent", comes(world, caller, Kind.ARRIVED).contact_id)
    eventually(lambda: [one.queue for one in world.live.waiting().values()] == ["told"], "waits there")
    (waiting,) = world.live.waiting().values()
    assert abs(waiting.arrived - (came.at - came.data["waited"])) < 0.2
    left = comes(world, caller, Kind.UNQUEUED).data
    assert (left["queue"], left["reason"], left["rule"]) == ("ways", "transferred", "a supervisor moved it to told")
    moved = comes(world, caller, Kind.TRANSFERRED).data
    assert moved == {"to": "queue:told", "by": "", "how": "moved"}
    world.live.change("bert", Verb.UNPAUSE, time.time())
    assert rings(world).endpoint == "bert"
    end(world)


def test_where_the_other_queue_takes_nobody_the_caller_is_back(resting: World) -> None:
    for agent in AGENTS:
        resting.live.change(agent, Verb.LOGOUT, time.time())
    eventually(lambda: not resting.controller.node.replica.index.crew.serving, "nobody works")
    caller = waits(resting, "7")
    ask(resting, caller, "move", to="queue:all")  # whom nobody who is logged in could serve leaves it
    eventually(
        lambda: [e.data["queue"] for e in story(resting, caller) if e.kind is Kind.QUEUED] == ["ways", "all", "ways"],
        "there, and back",
    )
    end(resting)


def test_to_the_front_is_the_next_one_who_is_served(resting: World) -> None:
    world = resting
    first, second = waits(world), waits(world)
    id = comes(world, second, Kind.ARRIVED).contact_id
    told = ask(world, second, "front")
    assert (told["state"], told["priority"]) == ("waiting", 1)
    assert refused(world, second, "front") == "first_already"
    eventually(lambda: world.live.waiting()[id].priority == 1, "others see it")
    assert comes(world, second, Kind.REORDERED).data == {
        "queue": "one",
        "priority": 1,
        "by": "agent",
    }  # as `ask` of these tests says
    world.live.change("anna", Verb.UNPAUSE, time.time())
    leg = rings(world)
    assert leg.contact_id == id
    assert refused(world, second, "move", to="queue:told") == "ringing"
    assert ask(world, first, "priority", priority=-5)["priority"] == -5
    end(world)


def test_what_was_said_holds_after_a_restart(resting: World) -> None:
    caller = waits(resting)
    id = comes(resting, caller, Kind.ARRIVED).contact_id
    ask(resting, caller, "priority", priority=50)
    eventually(lambda: resting.live.waiting()[id].priority == 50, "written")
    resting.restart()
    eventually(lambda: id in resting.controller.node.contacts, "taken up")
    eventually(lambda: resting.controller.node.contacts[id].waits, "waits again")
    assert resting.live.waiting()[id].priority == 50
    end(resting)


def test_what_is_not_possible_is_refused_by_name(resting: World) -> None:
    caller = waits(resting)
    assert refused(resting, caller, "move", to="queue:none") == "no_such_queue"
    assert refused(resting, caller, "move", to="agent:anna") == "no_such_queue"
    assert refused(resting, caller, "move", to="queue:one") == "same_queue"
    assert refused(resting, caller, "hold") == "not_talking"
    end(resting)


def test_who_talks_waits_nowhere(world: World) -> None:
    caller, _ = talks(world)
    for verb, args in (("move", {"to": "queue:told"}), ("front", {}), ("priority", {"priority": 5})):
        assert refused(world, caller, verb, **args) == "not_waiting"
    end(world)
