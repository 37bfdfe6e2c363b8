"""The estimated wait, as a controller on a PBX in memory learns and says it."""

import time

from contactcentre.domain.agents import Verb
from contactcentre.domain.estimate import SMALLEST_SAMPLE
from contactcentre.domain.events import Kind
from contactcentre.live import Waiting
from tests.controller.people import calls, comes, talks
from tests.controller.stack import eventually
from tests.controller.world import World
from tests.store.test_waits import served


def test_nothing_is_estimated_before_enough_contacts_were_handled_and_history_outlives_a_restart(world: World) -> None:
    estimates, now = world.controller.node.replica.estimates, time.time()
    world.live.change("bert", Verb.PAUSE, now, reason="lunch")
    waiting = Waiting("c9", "two", arrived=now, entered=now)
    eventually(lambda: estimates.of(waiting) == 0.0, "anna is free")
    caller, _ = talks(world)
    assert estimates.of(waiting) is None, "nobody knows how long her talks take"
    for n in range(SMALLEST_SAMPLE):
        world.store.record(served(now - 600 + n, 5, 60, "one").events)
        world.store.record(served(now - 600 + n, 5, 60, "two").events)
    world.restart()
    again = world.controller.node.replica.estimates
    found = eventually(lambda: again.of(waiting), "the new controller knows what history knows")
    assert 30 < found < 90
    world.pbx.leave(caller)
    world.peace()
    world.check()


def test_what_was_told_is_checked_once_the_contact_is_answered(world: World) -> None:
    replica = world.controller.node.replica
    caller = calls(world, "1")
    waiting = Waiting("c8", "one", "node2", arrived=time.time() - 10, entered=time.time() - 10)
    replica.put_waiting(waiting)
    replica.estimates.told(waiting, 7.0)
    replica.drop_waiting("c8")
    assert replica.estimates._accuracy["one"].error is None
    assert "c8" not in replica.estimates._told
    comes(world, caller, Kind.OFFERED)
    world.peace()
    world.check()
