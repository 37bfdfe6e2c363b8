import os
from typing import Any
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.controller.test_interleavings import step
from tests.controller.world import World


@pytest.mark.timeout(3000)
@seed(int(os.environ["SEED"]))
@settings(
    max_examples=int(os.environ["N"]),
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
@given(st.lists(step, min_size=5, max_size=40))
def test_explore(shared_world: World, script: list[tuple[Any, int]]) -> None:
    world = shared_world
    world.begin()
    for run, number in script:
        run(world, number)
    try:
        world.peace()
    finally:
        world.check()
