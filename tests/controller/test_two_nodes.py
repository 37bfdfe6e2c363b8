"""Two controllers, each with a PBX of its own, share queues and agents through one real Redis, and nothing else.

A script of random steps is played to both at once: callers at either, phones that answer, hang up or decline, agents
who pause and log out, controllers that are killed, a Redis that is away. No phone ever rings twice, each contact is
served once, and when all is over, nothing is left.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Kind
from contactcentre.domain.routing import Decision, decide
from contactcentre.embedded import Services
from contactcentre.store import Store
from tests.controller.people import calls, comes, rings, state
from tests.controller.world import AGENTS, World, patch_constants
from tests.waiting import eventually

STEPS = (
    (World.arrive, 8), (World.wait, 8), (World.answer, 6), (World.press, 6), (World.caller_leaves, 3),
    (World.agent_leaves, 3), (World.answer_and_leave, 2), (World.agent_does, 2), (World.kill_and_start, 1),
    (World.redis_away, 1), (World.redis_back, 2), (World.trouble, 1),
)  # fmt: skip
step = st.tuples(
    st.integers(0, 1), st.sampled_from([run for run, weight in STEPS for _ in range(weight)]), st.integers(0, 59)
)


@pytest.fixture(scope="module")
def shared_worlds(
    services: Services, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, World]]:
    with pytest.MonkeyPatch.context() as patch, Store(database_url) as store:
        store.migrate()
        patch_constants(patch)
        made = [World(tmp_path_factory.mktemp(node), services, database_url, node) for node in ("node1", "node2")]
        for world in made:
            world.pbx.shared = [other.pbx for other in made]
            world.start()
        yield made[0], made[1]
        for world in made:
            world.kill()


@pytest.fixture
def worlds(shared_worlds: tuple[World, World]) -> tuple[World, World]:
    begin(shared_worlds)
    return shared_worlds


def begin(worlds: tuple[World, World]) -> None:
    first, second = worlds
    first.kill()
    second.begin()
    first.start()
    first.callers, first.lines, first.unseen, first.pbx.violations = [], [], set(), []
    first.began = second.began
    for world in worlds:
        eventually(
            lambda w=world: [w.controller.node.replica.agents.get(name) for name in AGENTS].count(None) == 0, "known"
        )


def balanced(worlds: tuple[World, World]) -> None:
    """Peace comes to both, then the accounts must balance."""
    try:
        for world in worlds:
            world.redis_back(0)
            world.pbx.mend()
        eventually(lambda: not undecided(worlds), "nobody waits while an agent who could have it is free")
        for world in worlds:
            world.peace()
        for name in AGENTS:
            eventually(
                lambda n=name: state(worlds[0], n) not in (AgentState.OFFERED, AgentState.TALKING), f"{name} is free"
            )
    finally:
        for world in worlds:
            world.check()


def undecided(worlds: tuple[World, World]) -> list[Decision]:
    """What a fresh look at Redis would decide that nobody has acted on."""
    live, config = worlds[0].live, worlds[0].controller.node.configuration.routing
    return decide(live.waiting().values(), live.agents(), config, time.time(), {})


def test_two_controllers_that_want_the_same_agent_reserve_them_once(worlds: tuple[World, World]) -> None:
    callers = [calls(world, "1") for world in worlds for _ in range(3)]

    def ringing() -> list[str]:
        return [leg.endpoint for world in worlds for leg in world.pbx.ringing()]

    eventually(lambda: len(ringing()) >= 2, "both phones ring")
    for world in worlds:
        for waiting in range(3):
            comes(world, callers[3 * worlds.index(world) + waiting], Kind.DECISION)
    assert sorted(ringing()) == sorted(AGENTS), "each phone once"
    balanced(worlds)


def test_the_caller_who_came_first_is_served_first_whichever_node_has_it(worlds: tuple[World, World]) -> None:
    first, second = worlds
    busy = [calls(first, "1") for _ in AGENTS]
    for leg in eventually(lambda: first.pbx.ringing() if len(first.pbx.ringing()) == 2 else None, "both ring"):
        first.pbx.answer(leg)
    for caller in busy:
        comes(first, caller, Kind.TALK_STARTED)
    earlier, later = calls(second, "1"), calls(first, "1")
    eventually(lambda: len(first.controller.node.replica.waiting) == 2, "both wait, and the first node knows")
    eventually(lambda: len(second.controller.node.replica.waiting) == 2, "both wait, and the second node knows")
    first.pbx.leave(busy[0])
    rings(second)
    comes(second, earlier, Kind.OFFERED)
    assert not first.pbx.ringing()
    assert later.id in first.pbx.lines
    balanced(worlds)


@settings(max_examples=20, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=10, max_size=60))
def test_whatever_two_controllers_do_at_once_no_agent_has_two_offers_and_no_contact_is_lost(
    shared_worlds: tuple[World, World], script: list[tuple[int, Any, int]]
) -> None:
    begin(shared_worlds)
    for node, run, number in script:
        run(shared_worlds[node], number)
    balanced(shared_worlds)
