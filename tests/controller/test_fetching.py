"""Callers whom the PBX's own queue took while no controller was there are fetched from it."""

import time

from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes
from tests.controller.stack import eventually
from tests.controller.world import World


def waits_with_the_pbx(world: World, seconds: int) -> Line:
    since = int(time.time()) - seconds
    line = Line(f"{world.node}-earlier", "carrier", "2", up=True, ours=False, waits_since=since)
    world.pbx.lines[line.id] = line
    world.callers.append(line.id)
    return line


def arrival(world: World, line: Line) -> float:
    found = [contact for contact in world.controller.node.contacts.values() if contact.caller_id == line.id]
    return found[0].now.arrived if found else 0.0


def test_a_caller_who_waits_in_the_pbx_s_own_queue_comes_to_us_and_keeps_the_time_of_arrival(world: World) -> None:
    for agent in ("anna", "bert"):
        world.live.change(agent, Verb.PAUSE, time.time(), reason="lunch")
    caller = calls(world, "1")
    comes(world, caller, Kind.DECISION)
    line = waits_with_the_pbx(world, 300)
    world.controller._look_soon()
    eventually(lambda: arrival(world, line), "there is a contact")
    assert abs(time.time() - 300 - arrival(world, line)) < 30
    arrived = comes(world, line, Kind.ARRIVED)
    assert 300 <= arrived.data["waited"] < 330
    world.pbx.leave(line)
    world.pbx.leave(caller)
    world.peace()
    world.check()
