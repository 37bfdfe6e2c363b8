"""Callers whom the PBX's own queue took while no controller was there are fetched from it."""

import time

import gevent
import pytest
from gevent.event import Event as Flag

from contactcentre.controller import reconcile
from contactcentre.controller.node import Node
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind
from contactcentre.pbx.events import Arrived, Party, Phone
from contactcentre.pbx.protocol import Inventory
from tests.controller.fake_pbx import FakePbx, Line
from tests.controller.people import calls, comes, rings
from tests.controller.world import World
from tests.waiting import eventually


def waits_with_the_pbx(world: World, seconds: int) -> Line:
    since = int(time.time()) - seconds
    line = Line(f"{world.node}-earlier", "carrier", "2", up=True, ours=False, waits_since=since)
    world.pbx.lines[line.id] = line
    world.callers.append(line.id)
    return line


def looks_again(world: World) -> None:
    looks = world.looks
    world.controller.reception.look_soon()
    eventually(lambda: world.looks > looks, "it has looked")


def arrival(world: World, line: Line) -> float:
    found = [contact for contact in world.controller.node.contacts.values() if contact.caller_id == line.id]
    return found[0].now.arrived if found else 0.0


def test_a_caller_who_waits_in_the_pbx_s_own_queue_comes_to_us_and_keeps_the_time_of_arrival(world: World) -> None:
    for agent in ("anna", "bert"):
        world.live.change(agent, Verb.PAUSE, time.time(), reason="lunch")
    caller = calls(world, "1")
    comes(world, caller, Kind.DECISION)
    line = waits_with_the_pbx(world, 300)
    world.controller.reception.look_soon()
    eventually(lambda: arrival(world, line), "there is a contact")
    assert abs(time.time() - 300 - arrival(world, line)) < 30
    arrived = comes(world, line, Kind.ARRIVED)
    assert 300 <= arrived.data["waited"] < 330
    world.pbx.leave(line)
    world.pbx.leave(caller)
    world.peace()
    world.check()


def test_nobody_is_fetched_twice_although_the_pbx_is_slow_to_let_them_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(FakePbx, "fetch", lambda _, channel: asked.append(channel))
    line = waits_with_the_pbx(world, 10)
    world.unseen.add(line.id)
    for _ in range(2):
        looks_again(world)
    assert asked == [line.id]
    monkeypatch.setattr("contactcentre.controller.fetching.AGAIN", 0.0)
    world.controller.reception.look_soon()
    eventually(lambda: len(asked) > 1, "whoever is still there is asked for again")
    world.pbx.leave(line)
    world.peace()
    world.check()


def test_whose_phone_the_pbx_s_own_queue_calls_is_offered_nobody_while_callers_are_fetched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That queue goes on calling agents until the last one is fetched."""
    monkeypatch.setattr("contactcentre.controller.reception.FETCHING", 60.0)
    fetching, fetched, fetch = Flag(), Flag(), FakePbx.fetch

    def slow(pbx: FakePbx, channel: str) -> None:
        fetch(pbx, channel)
        fetching.set()
        fetched.wait()

    monkeypatch.setattr(FakePbx, "fetch", slow)
    line = waits_with_the_pbx(world, 10)
    world.controller.reception.look_soon()
    assert fetching.wait(10)
    comes(world, line, Kind.QUEUED)
    gevent.sleep(0.5)
    assert not world.pbx.ringing()
    world.pbx.states["anna"] = Phone.IN_USE  # by a call of that queue: no look has seen it
    fetched.set()
    assert rings(world).endpoint == "bert"
    world.pbx.states.clear()
    world.pbx.leave(line)
    world.peace()
    world.check()


def test_a_pbx_that_is_slow_to_give_callers_up_keeps_nobody_from_being_served(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched, fetch = Flag(), FakePbx.fetch

    def slow(pbx: FakePbx, channel: str) -> None:
        fetched.wait()
        fetch(pbx, channel)

    monkeypatch.setattr(FakePbx, "fetch", slow)
    line = waits_with_the_pbx(world, 10)
    looks_again(world)
    caller = calls(world, "1")
    rings(world)
    fetched.set()
    eventually(lambda: arrival(world, line), "there is a contact")
    for one in (caller, line):
        world.pbx.leave(one)
    world.peace()
    world.check()


def test_a_caller_who_comes_while_we_look_at_what_is_there_is_one_contact(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(f"{world.node}-late", "carrier", "1", ours=True)
    orphans, told = reconcile._orphans, list[Arrived]()

    def and_then_it_is_told(node: Node, inventory: Inventory, known: set[str]) -> list[str]:
        if line.id in inventory.channels and not told:
            told.append(Arrived(line.id, line.born, ("did", "1"), Party("+33123", ""), "1", "carrier", "", up=False))
            world.pbx._sink(told[0])
        return orphans(node, inventory, known)

    world.callers.append(line.id)
    world.pbx.lines[line.id] = line  # entered, and its event is still on its way
    monkeypatch.setattr(reconcile, "_orphans", and_then_it_is_told)
    world.controller.reception.look_soon()
    eventually(lambda: arrival(world, line), "there is a contact")
    comes(world, line, Kind.DECISION)
    assert told
    world.pbx.leave(line)
    world.peace()
    world.check()
