"""Ways out of a queue that the queue itself has, and the agent a caller knows, walked on a PBX in memory."""

import itertools
import time
from typing import Any

import pytest

from contactcentre.controller import messages
from contactcentre.controller.callers import PAUSE, Callers
from contactcentre.controller.greenlets import Greenlets
from contactcentre.domain.customers import Customer, number_of
from contactcentre.domain.events import Kind
from contactcentre.domain.site import CustomerLookup
from contactcentre.store import Store
from tests.controller import fake_pbx
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, story
from tests.controller.stack import kinds, one
from tests.controller.world import SITE, World
from tests.store.calls import Call
from tests.waiting import eventually


def waits(world: World) -> Line:
    caller = calls(world, "7")
    comes(world, caller, Kind.QUEUED)
    return caller


def test_a_key_asks_to_be_called_back_and_the_contact_is_not_abandoned(world: World) -> None:
    caller = waits(world)
    world.pbx.press(caller, "1")
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "callback"
    asked = dict(one(story(world, caller), Kind.CALLBACK_REQUESTED).data)
    number = one(story(world, caller), Kind.ARRIVED).data["caller"]
    assert asked == {"queue": "ways", "number": number, "requirement": "", "priority": 0, "language": "en"}
    left = one(story(world, caller), Kind.UNQUEUED).data
    assert (left["queue"], left["reason"]) == ("ways", "key")
    assert comes(world, caller, Kind.ENDED).data["by"] == "system"
    world.check()


def test_a_restart_while_the_confirmation_plays_asks_not_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = world.at / "en" / "callback-noted.wav"
    spoken.parent.mkdir(exist_ok=True)
    spoken.touch()
    caller = waits(world)
    monkeypatch.setattr(fake_pbx, "SAID", 60.0)
    world.pbx.press(caller, "1")
    comes(world, caller, Kind.CALLBACK_REQUESTED)
    world.restart()
    eventually(lambda: world.looks and world.controller.node.contacts, "taken up")
    world.pbx.leave(caller)
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "callback"
    assert kinds(story(world, caller)).count(Kind.CALLBACK_REQUESTED) == 1
    spoken.unlink()
    world.check()


def test_a_key_leads_to_another_queue_where_the_contact_is_served(world: World) -> None:
    caller = waits(world)
    world.pbx.press(caller, "3")
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.TALK_STARTED)
    world.pbx.leave(caller)
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "answered"
    entered: list[Any] = [e.data["queue"] for e in story(world, caller) if e.kind is Kind.QUEUED]
    assert entered == ["ways", "one"]
    world.peace()
    world.check()


def test_a_message_to_which_a_queues_own_key_leads_goes_on_over_a_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "SHORTEST_MESSAGE", 0.0)
    caller = waits(world)
    world.pbx.press(caller, "2")
    recording = comes(world, caller, Kind.RECORDING_STARTED).data["recording"]
    world.restart()
    eventually(lambda: world.looks and world.controller.node.contacts, "taken up")
    world.pbx.leave(caller)
    assert comes(world, caller, Kind.VOICEMAIL).data["recording"] == recording
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "voicemail"
    world.check()


def calls_who_talked_with(world: World, *agents: str) -> Line:
    """A caller who talked with these agents, yesterday and on the days before, and waits for the last of them."""
    world.arrive(0)
    caller = world.lines[-1]
    number = comes(world, caller, Kind.ARRIVED).data["caller"]
    for days, agent in enumerate(agents, 1):
        before = Call(time.time() - 86400 * days, caller=number).queued(0).talked(1, 9, agent).ended(10)
        world.store.record(before.events)
    comes(world, caller, Kind.LEG_ANSWERED)
    world.pbx.press(caller, "8")
    return caller


def test_the_agent_whom_a_caller_talked_with_last_is_asked_although_another_one_is_idle_longer(world: World) -> None:
    calls_who_talked_with(world, "bert", "anna")
    assert rings(world).endpoint == "bert"
    world.peace()
    world.check()


def test_an_agent_whom_a_caller_knows_and_who_is_gone_is_waited_for_by_nobody(world: World) -> None:
    calls_who_talked_with(world, "zoe")
    assert rings(world).endpoint == "anna"
    world.peace()
    world.check()


def test_the_agent_whom_another_program_wants_has_the_caller_for_as_long_as_it_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"country": "FR", "customer_lookup": CustomerLookup(url="https://crm.example.com/who")}
    monkeypatch.setitem(world.changes, "settings", SITE.settings.model_copy(update=more))
    monkeypatch.setattr(world.pbx, "_numbers", itertools.count(155_500_100))
    world.controller.node.configure(world.configuration())
    world.arrive(0)
    caller = world.lines[-1]
    number = number_of(str(comes(world, caller, Kind.ARRIVED).data["caller"]), "FR")
    known = Customer("", (number,), looked_up={"agent": "bert", "agent_seconds": 45})
    world.store.save_customer(Customer(""), known, "FR", "looked up", time.time())
    comes(world, caller, Kind.LEG_ANSWERED)
    world.pbx.press(caller, "8")
    assert rings(world).endpoint == "bert", "anna is idle longer"
    (waiting,) = world.live.waiting().values()
    assert (waiting.preferred, waiting.prefer_for) == (("bert",), 45)
    world.peace()
    world.check()


def test_a_history_that_does_not_answer_keeps_no_caller_waiting_and_is_left_alone_for_a_while() -> None:
    now = 1000.0
    with Store("postgresql+psycopg://nobody@127.0.0.1:1/nothing") as store:
        callers = Callers(store, Greenlets(), lambda: now)
        assert callers.last_agent("anonymous") == ""
        assert callers._away_until == 0
        assert callers.last_agent("+33155501234") == ""
        assert callers._away_until == now + PAUSE
