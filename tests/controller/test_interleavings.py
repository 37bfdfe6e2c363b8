"""Whatever happens in whatever order, on a PBX in memory: nobody is lost, nobody is served twice, nothing is left.

A script of random steps (people, cut links, failing requests, a Redis that is away, a killed controller, a changed
site) is played to a whole controller with a real Redis; then peace comes, and the accounts must balance.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.controller.world import World

STEPS = (
    (World.arrive, 6), (World.wait, 8), (World.answer, 6), (World.press, 5), (World.caller_leaves, 3),
    (World.agent_leaves, 3), (World.answer_and_leave, 2), (World.feature, 1), (World.agent_does, 2), (World.cut, 1),
    (World.mend, 2), (World.flap, 1), (World.trouble, 3), (World.redis_away, 1), (World.redis_back, 2),
    (World.kill_and_start, 1), (World.change_site, 1), (World.verb, 7), (World.phone_key, 2),
    (World.keys, 5), (World.retrieve, 1), (World.hand_over, 1), (World.call_out, 3),
)  # fmt: skip
step = st.tuples(st.sampled_from([run for run, weight in STEPS for _ in range(weight)]), st.integers(0, 599))


SCRIPTS = int(os.environ.get("INTERLEAVINGS", "0"))
"""Scripts to be played, others each time; 0: the same thirty."""


@pytest.mark.timeout(60 + 10 * (SCRIPTS or 30))
@settings(max_examples=SCRIPTS or 30, derandomize=not SCRIPTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=5, max_size=40))
def test_whatever_happens_in_whatever_order_every_contact_ends_once_and_nothing_is_left(
    shared_world: World, script: list[tuple[Any, int]]
) -> None:
    world = shared_world
    world.begin()
    for run, number in script:
        run(world, number)
    try:
        world.peace()
    finally:
        world.check()
