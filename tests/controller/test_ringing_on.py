"""Phones that ring when a controller is killed, or loses its link: they ring on, and who answers is connected."""

import time

import pytest

from contactcentre.controller import offers
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.replacing import replace
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, state, story
from tests.controller.stack import kinds
from tests.controller.world import World
from tests.waiting import eventually


def taken_up(world: World, caller: Line) -> None:
    def there() -> bool:
        contacts = [c for c in world.controller.node.contacts.values() if c.caller_id == caller.id]
        return bool(contacts and contacts[0].waits)

    eventually(there, "somebody conducts it")


def test_a_phone_rings_on_over_a_restart_and_its_answer_connects(patient_world: World) -> None:
    world, caller = patient_world, calls(patient_world, "1")
    leg = rings(world)
    world.restart()
    taken_up(world, caller)
    assert world.pbx.ringing() == [leg]
    world.pbx.answer(leg)
    assert comes(world, caller, Kind.TALK_STARTED).data["leg"] == leg.id
    assert caller.bridge == leg.bridge
    assert state(world, leg.endpoint) is AgentState.TALKING
    assert kinds(story(world, caller)).count(Kind.OFFERED) == 1
    world.peace()
    world.check()


def test_who_answered_while_nobody_looked_is_connected_by_the_next_controller(patient_world: World) -> None:
    world, caller = patient_world, calls(patient_world, "1")
    leg = rings(world)
    world.kill()
    world.pbx.answer(leg)
    world.start()
    assert comes(world, caller, Kind.TALK_STARTED).data["leg"] == leg.id
    answered = [event for event in story(world, caller) if event.kind is Kind.LEG_ANSWERED]
    assert [event.data["leg"] for event in answered] == [caller.id, leg.id]
    world.peace()
    world.check()


def test_all_phones_of_a_ringall_queue_ring_on_and_one_of_them_wins(patient_world: World) -> None:
    world, caller = patient_world, calls(patient_world, "6")
    eventually(lambda: len(world.pbx.ringing()) == 2, "both ring")
    first, second = world.pbx.ringing()
    world.restart()
    taken_up(world, caller)
    assert world.pbx.ringing() == [first, second]
    world.pbx.answer(second)
    assert comes(world, caller, Kind.TALK_STARTED).data["leg"] == second.id
    eventually(lambda: state(world, first.endpoint) is AgentState.AVAILABLE, "the other one is free")
    assert first.id not in world.pbx.lines
    world.peace()
    world.check()


def test_a_phone_that_rings_on_and_declines_is_followed_by_the_next_one(patient_world: World) -> None:
    world, caller = patient_world, calls(patient_world, "1")
    leg = rings(world)
    world.restart()
    taken_up(world, caller)
    world.pbx.leave(leg)
    assert comes(world, caller, Kind.REFUSED).data["result"] == "rejected"
    assert rings(world).endpoint != leg.endpoint
    assert world.live.agent(leg.endpoint).misses == 1
    world.peace()
    world.check()


def test_a_phone_rings_on_while_the_link_is_away(patient_world: World) -> None:
    world, caller = patient_world, calls(patient_world, "1")
    leg = rings(world)
    (contact,) = world.controller.node.contacts.values()
    world.pbx.cut()
    eventually(lambda: contact.parked, "suspended")
    world.pbx.mend()
    taken_up(world, caller)
    assert world.pbx.ringing() == [leg]
    world.pbx.answer(leg)
    assert comes(world, caller, Kind.TALK_STARTED).data["leg"] == leg.id
    world.peace()
    world.check()


def test_an_offer_that_is_another_ones_by_now_or_nearly_over_is_taken_back(
    patient_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, caller = patient_world, calls(patient_world, "1")
    leg = rings(world)
    world.kill()
    there = world.live.agent(leg.endpoint)
    gone = {"state": AgentState.PAUSED, "reason": "lunch", "contact_id": "", "token": "", "deadline": 0.0}
    assert world.live.restore(replace(there, version=there.version + 1, **gone))
    world.start()
    eventually(lambda: [line for line in world.pbx.ringing() if line.endpoint != leg.endpoint], "the other one rings")
    assert leg.id not in world.pbx.lines
    (second,) = world.pbx.ringing()
    world.live.change(leg.endpoint, Verb.UNPAUSE, time.time())
    monkeypatch.setattr(offers, "WORTH_WHILE", 60.0)
    world.restart()
    eventually(lambda: second.id not in world.pbx.lines, "taken back")

    def refused() -> list[str]:
        return [event.data["result"] for event in story(world, caller) if event.kind is Kind.REFUSED]

    eventually(lambda: refused() == ["expired", "expired"], "both are told")
    world.peace()
    world.check()
