"""Who rings for a contact, one or several, and what becomes of each: on a PBX in memory."""

import time

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind, OfferResult
from contactcentre.pbx.events import Cause
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, state, story
from tests.controller.stack import kinds
from tests.controller.world import World
from tests.waiting import eventually


def both_ring(world: World) -> tuple[Line, Line]:
    eventually(lambda: len(world.pbx.ringing()) == 2, "both phones ring")
    first, second = world.pbx.ringing()
    return first, second


def results(world: World, caller: Line) -> dict[str, str]:
    return {e.data["agent"]: e.data["result"] for e in story(world, caller) if e.kind is Kind.REFUSED}


def test_ringall_the_first_answer_takes_the_contact_and_no_miss_is_counted_for_the_others(world: World) -> None:
    caller = calls(world, "6")
    first, second = both_ring(world)
    world.pbx.answer(second)
    comes(world, caller, Kind.TALK_STARTED)
    eventually(lambda: first.id not in world.pbx.lines, "the other phone is silent")
    expected = {first.endpoint: OfferResult.ANSWERED_ELSEWHERE}
    eventually(lambda: results(world, caller) == expected, "the other's offer is over")
    eventually(lambda: state(world, first.endpoint) is AgentState.AVAILABLE, "and its agent is free")
    assert world.live.agent(first.endpoint).misses == 0
    assert state(world, second.endpoint) is AgentState.TALKING
    ended = [e.data["cause"] for e in story(world, caller) if e.kind is Kind.LEG_ENDED and e.data["leg"] == first.id]
    assert ended == [Cause.ANSWERED_ELSEWHERE], "so no phone shows a missed call"
    world.peace()
    world.check()


def test_ringall_who_becomes_free_joins_in_and_who_declines_is_not_asked_again_at_once(world: World) -> None:
    world.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    caller = calls(world, "6")
    leg = rings(world)
    assert leg.endpoint == "anna"
    world.live.change("bert", Verb.UNPAUSE, time.time())
    anna, bert = both_ring(world)
    world.pbx.leave(anna, Cause.REJECTED)
    eventually(lambda: results(world, caller) == {"anna": OfferResult.REJECTED}, "anna has declined")
    assert bert.id in world.pbx.lines, "bert rings on"
    world.pbx.answer(bert)
    comes(world, caller, Kind.TALK_STARTED)
    world.peace()
    world.check()


def test_ringall_a_caller_who_hangs_up_frees_all_who_ring(world: World) -> None:
    caller = calls(world, "6")
    both_ring(world)
    world.pbx.leave(caller)
    eventually(world.quiet, "nothing is left")
    gone = {"anna": OfferResult.CALLER_GONE, "bert": OfferResult.CALLER_GONE}
    eventually(lambda: results(world, caller) == gone, "both offers are over")
    assert {world.live.agent(name).misses for name in ("anna", "bert")} == {0}
    world.peace()
    world.check()


def test_ringall_two_answers_in_the_same_moment_connect_one_and_free_the_other(world: World) -> None:
    caller = calls(world, "6")
    first, second = both_ring(world)
    world.pbx.answer(first)
    world.pbx.answer(second)
    comes(world, caller, Kind.TALK_STARTED)
    eventually(lambda: second.id not in world.pbx.lines, "the other phone is hung up")
    eventually(lambda: caller.bridge and caller.bridge == first.bridge, "they hear each other")
    late = {second.endpoint: OfferResult.ANSWERED_ELSEWHERE}
    eventually(lambda: results(world, caller) == late, "the other's offer is over")
    eventually(lambda: state(world, second.endpoint) is AgentState.AVAILABLE, "the other is free")
    world.peace()
    world.check()


def test_ringall_an_answer_that_cannot_be_connected_leaves_the_others_ringing(world: World) -> None:
    caller = calls(world, "6")
    first, second = both_ring(world)
    world.pbx.answer(first)
    world.pbx.leave(first)
    eventually(lambda: first.endpoint in results(world, caller), "the first has gone again")
    world.pbx.answer(second)
    comes(world, caller, Kind.TALK_STARTED)
    assert Kind.UNQUEUED in kinds(story(world, caller))
    world.peace()
    world.check()


def test_ringall_a_killed_controller_leaves_no_phone_ringing_and_the_caller_in_its_place(world: World) -> None:
    caller = calls(world, "6")
    both_ring(world)
    world.restart()
    eventually(lambda: len([e for e in story(world, caller) if e.kind is Kind.OFFERED]) == 4, "both are asked again")
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.TALK_STARTED)
    world.peace()
    world.check()


def test_ringall_a_controller_killed_after_the_answer_finds_the_talk_and_silences_the_other(world: World) -> None:
    caller = calls(world, "6")
    first, second = both_ring(world)
    world.pbx.answer(first)
    eventually(lambda: caller.bridge and caller.bridge == first.bridge, "they hear each other")
    world.restart()
    eventually(lambda: second.id not in world.pbx.lines, "the other phone is silent")
    eventually(lambda: state(world, second.endpoint) is AgentState.AVAILABLE, "the other is free")
    assert caller.bridge == first.bridge
    assert state(world, first.endpoint) is AgentState.TALKING
    world.restart()
    eventually(lambda: world.looks and world.controller.node.reconciled, "looked again")
    assert first.id in world.pbx.lines, "a later restart does not take the talk for an offer either"
    world.peace()
    world.check()


def test_an_agent_who_does_not_answer_comes_last_for_this_contact_and_the_next_one_is_asked(world: World) -> None:
    caller = calls(world, "1")
    first = rings(world)
    world.pbx.leave(first, Cause.REJECTED)
    second = eventually(
        lambda: next((leg for leg in world.pbx.ringing() if leg.endpoint != first.endpoint), None), "the other rings", 5
    )
    eventually(
        lambda: next(iter(world.controller.node.replica.waiting.values())).tried == (first.endpoint,), "it is noted"
    )
    world.pbx.leave(second, Cause.BUSY)
    eventually(lambda: [leg.endpoint for leg in world.pbx.ringing()] == [first.endpoint], "then the first again")
    world.pbx.answer(world.pbx.ringing()[0])
    comes(world, caller, Kind.TALK_STARTED)
    world.peace()
    world.check()


def test_a_busy_phone_counts_no_miss(world: World) -> None:
    calls(world, "1")
    first = rings(world)
    world.pbx.leave(first, Cause.BUSY)
    eventually(lambda: len([leg for leg in world.pbx.ringing() if leg.endpoint != first.endpoint]), "the other rings")
    assert world.live.agent(first.endpoint).misses == 0
    world.peace()
    world.check()


def test_callers_leave_a_queue_that_its_last_agent_has_left(world: World) -> None:
    world.live.change("bert", Verb.LOGOUT, time.time())
    eventually(lambda: state(world, "bert") is AgentState.LOGGED_OUT, "bert is out")
    busy = calls(world, "1")
    world.pbx.answer(rings(world))
    comes(world, busy, Kind.TALK_STARTED)
    caller = calls(world, "6")
    comes(world, caller, Kind.DECISION)
    world.live.change("anna", Verb.LOGOUT, time.time())  # a wish, while she talks
    world.pbx.leave(busy)
    left = comes(world, caller, Kind.UNQUEUED)
    assert (left.data["reason"], left.data["rule"]) == ("empty", "nobody is there: 2 logged out")
    comes(world, caller, Kind.RECORDING_STARTED)
    world.peace()
    world.check()


def test_nobody_enters_a_queue_where_nobody_is_logged_in_if_the_flow_has_another_way(world: World) -> None:
    for agent in ("anna", "bert"):
        world.live.change(agent, Verb.LOGOUT, time.time())
    eventually(lambda: state(world, "bert") is AgentState.LOGGED_OUT, "both are out")
    caller = calls(world, "6")
    left = comes(world, caller, Kind.UNQUEUED)
    assert (left.data["reason"], left.data["rule"]) == ("empty", "nobody who could serve it is logged in")
    world.peace()
    world.check()
