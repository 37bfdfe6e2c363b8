"""The estimated wait, as a controller on a PBX in memory learns and says it."""

import time

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.domain.estimate import LAST, SMALLEST_SAMPLE, Experience
from contactcentre.live import Estimate, Waiting
from tests.controller.people import talks
from tests.controller.world import World
from tests.store.test_waits import served, told
from tests.waiting import eventually


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


def test_how_wrong_estimates_were_is_published_whoever_told_them(world: World) -> None:
    now = time.time()
    for n in range(SMALLEST_SAMPLE):
        world.store.record(told(served(now - 600 + n, 60, 60, "one"), 10, 45.0, "one").events)
    world.store.record(told(served(now - 600, 60, 60, "two"), 10, 45.0, "two").events)
    world.restart()

    def published() -> dict[str, Estimate]:
        found = world.live.estimates()
        return found if "one" in found and found["one"].number else {}

    found = eventually(published, "the new controller has looked into history")
    assert (found["one"].number, found["one"].bias, found["one"].p80) == (SMALLEST_SAMPLE, -5.0, 5.0)
    assert (found["two"].number, found["two"].p80) == (0, 0.0), "one estimate tells nothing"
    world.peace()
    world.check()


def test_arrivals_of_before_the_start_count_only_as_far_as_history_is_remembered(world: World) -> None:
    now, number = time.time(), LAST + 100
    calls = [served(now - 5 * n - 70, 5, 60, "ways") for n in range(number)]
    world.store.record([event for call in calls for event in call.events])
    assert "ways" not in _rates(world.controller.node.replica.estimates._experience), "it came from nowhere"
    world.restart()
    experience = world.controller.node.replica.estimates._experience
    found = eventually(lambda: _rates(experience), "the new controller knows what history knows")
    assert found["ways"] == pytest.approx(1 / 5, rel=0.1)
    world.peace()
    world.check()


def _rates(experience: Experience) -> dict[str, float]:
    """Contacts a second that come to each queue."""
    return {example.queue: rate for example, rate in experience.arrivals(time.time())}


def test_who_is_answered_hangs_up_or_goes_on_is_learned_of_contacts_of_all_nodes(world: World) -> None:
    world.looked()  # it would take bert out of a talk with nobody
    replica, now = world.controller.node.replica, time.time()
    for n in range(SMALLEST_SAMPLE):
        waiting = Waiting(f"c{n}", "all", "node2", arrived=now - 100, entered=now - 100)
        world.live.enter(waiting)
        eventually(lambda waiting=waiting: waiting.contact_id in replica.waiting, "heard of")
        if n % 2:
            status = world.live.agent("bert")
            offered = world.live.reserve(status, waiting.contact_id, "all", "t", now + 60, now)
            assert offered is not None
            world.live.change("bert", Verb.ACCEPT, now, token="t")
        world.live.leave(waiting.contact_id)
        eventually(lambda waiting=waiting: waiting.contact_id not in replica.waiting, "heard of")
        if n % 2:
            world.live.change("bert", Verb.FINISH, now + 30, token="t", wrap_up=0.0)
    experience = replica.estimates._experience
    eventually(lambda: experience.hang_ups("all", now), "all have left")
    assert experience.answered("all", now) == pytest.approx(0.5)
    assert experience.hang_ups("all", now) == pytest.approx(0.5 / 100, rel=0.2)
    world.peace()
    world.check()
