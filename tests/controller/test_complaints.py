"""What users of app_queue and mod_callcenter complain of where calls are concerned, not rules: see docs/routing.rst."""

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Kind
from tests.controller.people import calls, comes, rings, state, story
from tests.controller.world import World
from tests.waiting import eventually


def test_a_caller_who_hangs_up_in_the_moment_of_the_answer_leaves_nobody_talking(world: World) -> None:
    """mod_callcenter: members stay "Answered" hours after they have hung up (signalwire/freeswitch issue 1973)."""
    for _ in range(5):
        caller = calls(world, "1")
        leg = rings(world)
        world.pbx.answer(leg)
        world.pbx.leave(caller)
        assert comes(world, caller, Kind.ENDED)
        eventually(lambda: not world.live.waiting() and not world.live.contacts(), "nobody is left behind")
        eventually(lambda: {state(world, name) for name in ("anna", "bert")} == {AgentState.AVAILABLE}, "both are free")
        assert [e.kind for e in story(world, caller)].count(Kind.ENDED) == 1


def test_a_router_that_dies_ends_its_controller_in_words_and_the_next_one_serves_who_waits(world: World) -> None:
    """mod_callcenter: the dispatch thread dies silently, and only a reload of the module helps (issue 1641)."""
    caller = calls(world, "1")
    leg = rings(world)
    router = world.controller.node.router

    def dies() -> None:
        raise RuntimeError("a fault of ours")

    router.turn = dies  # type: ignore[method-assign]
    router.wake()
    eventually(world.run.ready, "the controller has ended")
    assert world.controller.failed
    assert leg.id in world.pbx.lines or caller.id in world.pbx.lines, "calls go on without it"
    world.store.close()
    world.start()
    eventually(lambda: leg.id not in world.pbx.lines, "the next one begins with who waits")
    world.pbx.answer(rings(world))
    assert comes(world, caller, Kind.TALK_STARTED)
