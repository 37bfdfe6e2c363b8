"""Agents with an open line: one call at login, a beep for each contact, and nothing left when it is over."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactcentre.controller import lines, open_line
from contactcentre.domain.agents import LINE_DOWN, AgentState, NotAllowed, Verb
from contactcentre.domain.events import Kind, OfferResult
from contactcentre.domain.site import Agent, Settings
from contactcentre.pbx.events import Cause
from contactcentre.pbx.protocol import LINE
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, state, story
from tests.controller.test_interleavings import STEPS
from tests.controller.world import AGENTS, World
from tests.waiting import eventually

OPEN = {name: Agent(line="persistent") for name in AGENTS}
ONLY_ANNA = {"anna": Agent(line="persistent", external="+33611223344", device="phone"), "bert": Agent()}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "AGAIN", (0.05, 0.1))
    monkeypatch.setattr(lines, "LOOK", 0.2)
    monkeypatch.setattr(open_line, "RING_SECONDS", 0.4)


def begin(world: World, agents: dict[str, Agent], **more: object) -> None:
    world.changes = {"agents": agents, **more}
    world.begin()


def end(world: World) -> None:
    """Everybody goes home."""
    world.redis_back(0)
    world.pbx.troubles.clear()
    world.pbx.mend()
    for agent in AGENTS:
        with suppress(NotAllowed):
            world.live.change(agent, Verb.LOGOUT, time.time())
    world.peace()
    world.changes = {}


@pytest.fixture
def anna(shared_world: World, quick: None) -> Iterator[World]:
    """Only she is at work, with an open line."""
    begin(shared_world, ONLY_ANNA)
    shared_world.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    yield shared_world
    end(shared_world)
    shared_world.check()


def line_of(world: World, agent: str = "anna") -> Line:
    """The line that is open or being opened."""

    def there() -> Line | None:
        return next((line for line in world.pbx.lines.values() if line.id.startswith(f"{LINE}{agent}-")), None)

    found: Line = eventually(there, f"the device of {agent} is called")
    return found


def opened(world: World, agent: str = "anna") -> Line:
    line = line_of(world, agent)
    world.pbx.answer(line)
    is_open(world, agent)
    return line


def is_open(world: World, agent: str = "anna", open_: bool = True) -> None:
    phones = world.controller.node.router.phones
    eventually(lambda: (agent in phones.lines) is open_, f"the line of {agent} is open: {open_}")


def talks(world: World, line: Line) -> Line:
    """A caller who talks through the line."""
    caller = calls(world, "1")
    comes(world, caller, Kind.TALK_STARTED)
    assert caller.bridge != ""
    eventually(lambda: line.bridge == f"{line.id}.r", "the line is in its room")
    return caller


def test_at_login_the_device_is_called_once_and_a_contact_is_a_beep_in_the_open_line(anna: World) -> None:
    line = opened(anna)
    for number in (1, 2):
        caller = talks(anna, line)
        assert line.heard == [("tone:beep", "")] * number
        anna.pbx.leave(caller)
        eventually(lambda: state(anna, "anna") is AgentState.AVAILABLE, "free for the next")
    assert line.id in anna.pbx.lines, "the line stays"
    assert not [there for there in anna.pbx.lines.values() if there.endpoint == "anna" and there is not line]


def test_until_the_line_is_open_nothing_is_offered(anna: World) -> None:
    line = line_of(anna)
    caller = calls(anna, "1")
    comes(anna, caller, Kind.DECISION)
    assert Kind.OFFERED not in [event.kind for event in story(anna, caller)]
    anna.pbx.answer(line)
    comes(anna, caller, Kind.TALK_STARTED)


def test_an_agent_who_hangs_up_the_line_is_logged_out(anna: World) -> None:
    anna.pbx.leave(opened(anna))
    eventually(lambda: state(anna, "anna") is AgentState.LOGGED_OUT, "logged out")


def test_an_agent_who_hangs_up_in_a_conversation_ends_it_and_is_logged_out(anna: World) -> None:
    line = opened(anna)
    caller = talks(anna, line)
    anna.pbx.leave(line)
    comes(anna, caller, Kind.TALK_ENDED)
    eventually(lambda: state(anna, "anna") is AgentState.LOGGED_OUT, "logged out")


def test_where_the_site_says_so_who_hangs_up_is_paused_and_is_called_again_after_the_pause(
    shared_world: World, quick: None
) -> None:
    world = shared_world
    begin(world, ONLY_ANNA, settings=Settings(line_down="pause"))
    world.pbx.leave(opened(world))
    eventually(lambda: state(world, "anna") is AgentState.PAUSED, "paused")
    assert world.live.agent("anna").reason == LINE_DOWN
    world.live.change("anna", Verb.UNPAUSE, time.time())
    opened(world)
    end(world)
    world.check()


def test_a_device_that_nobody_answers_is_called_some_times_and_then_no_more(anna: World) -> None:
    seen: set[str] = set()

    def logged_out() -> bool:
        seen.update(line.id for line in anna.pbx.lines.values() if line.id.startswith(LINE))
        return state(anna, "anna") is AgentState.LOGGED_OUT

    eventually(logged_out, "given up")
    assert len(seen) == 1 + len(lines.AGAIN)


def test_a_line_that_is_lost_is_called_again(anna: World) -> None:
    first = opened(anna)
    anna.pbx.leave(first, Cause.FAILURE)
    is_open(anna, open_=False)
    second = opened(anna)
    assert second.id != first.id
    talks(anna, second)


def test_the_line_is_closed_at_logout_and_after_a_call_where_one_runs(anna: World) -> None:
    line = opened(anna)
    caller = talks(anna, line)
    anna.live.change("anna", Verb.LOGOUT, time.time())
    contact = next(iter(anna.controller.node.contacts.values()))
    contact.ask("hold", {}, "program")
    assert line.id in anna.pbx.lines, "the call goes on"
    anna.pbx.leave(caller)
    eventually(lambda: line.id not in anna.pbx.lines, "closed")


def test_another_device_has_the_line_after_the_call(anna: World) -> None:
    line = opened(anna)
    caller = talks(anna, line)
    anna.live.change("anna", Verb.SWITCH, time.time(), device="external")
    anna.pbx.press(line, "5")
    assert line.id in anna.pbx.lines
    anna.pbx.leave(caller)
    eventually(lambda: line.id not in anna.pbx.lines, "the old one is closed")
    outside = line_of(anna)
    assert outside.endpoint == "+33611223344@carrier"
    anna.pbx.answer(outside)
    eventually(lambda: ("digits:1", "") in outside.heard, "a person, not an answering machine, opens the line")
    is_open(anna, open_=False)
    anna.pbx.press(outside, "1")
    is_open(anna)


def test_who_must_confirm_each_call_does_so_in_the_open_line(shared_world: World, quick: None) -> None:
    world = shared_world
    begin(world, {"anna": Agent(line="persistent", confirm="5"), "bert": Agent()})
    world.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    line = line_of(world)
    world.pbx.answer(line)
    eventually(lambda: line.heard, "is asked")
    world.pbx.press(line, "5")
    is_open(world)
    caller = calls(world, "1")
    comes(world, caller, Kind.LEG_ANSWERED)
    eventually(lambda: "line:anna" in {one.endpoint for one in world.pbx.lines.values()}, "a leg leads in")
    leg = next(one for one in world.pbx.lines.values() if one.endpoint == "line:anna")
    eventually(lambda: ("digits:5", "") in leg.heard, "is asked through the line")
    assert leg.bridge == ""
    world.pbx.press(leg, "5")
    comes(world, caller, Kind.TALK_STARTED)
    end(world)
    world.check()


def test_a_caller_who_leaves_during_the_beep_leaves_the_line_as_it_was(anna: World) -> None:
    line = opened(anna)
    caller = calls(anna, "1")
    eventually(lambda: line.heard, "beeps")
    anna.pbx.leave(caller)
    refused = comes(anna, caller, Kind.REFUSED).data
    assert refused["result"] == OfferResult.CALLER_GONE
    talks(anna, line)


def test_a_restarted_controller_takes_the_line_up_without_calling_again(anna: World) -> None:
    line = opened(anna)
    anna.restart()
    is_open(anna)
    assert line.id in anna.pbx.lines
    talks(anna, line)


def test_a_killed_controllers_conversation_goes_on_through_the_line_which_stays_after_it(anna: World) -> None:
    line = opened(anna)
    caller = talks(anna, line)
    anna.restart()
    is_open(anna)
    assert caller.bridge != ""
    assert line.bridge == f"{line.id}.r"
    anna.pbx.leave(caller)
    eventually(lambda: state(anna, "anna") is AgentState.AVAILABLE, "free")
    talks(anna, line)


def test_a_line_whose_agent_logged_out_while_no_controller_lived_is_ended(anna: World) -> None:
    line = opened(anna)
    anna.kill()
    anna.live.change("anna", Verb.LOGOUT, time.time())
    anna.start()
    eventually(lambda: line.id not in anna.pbx.lines, "ended")


def test_a_cut_link_leaves_the_line_open(anna: World) -> None:
    line = opened(anna)
    talks(anna, line)
    anna.flap(2)
    is_open(anna)
    assert line.id in anna.pbx.lines


def test_a_phone_that_holds_in_the_line_holds_the_customer(anna: World) -> None:
    line = opened(anna)
    caller = talks(anna, line)
    anna.pbx.hold(line)
    comes(anna, caller, Kind.TALK_HELD)
    anna.pbx.unhold(line)
    comes(anna, caller, Kind.TALK_RESUMED)


WITH_LINES = (*STEPS, (World.answer_line, 8), (World.hang_up_line, 1))
step = st.tuples(st.sampled_from([run for run, weight in WITH_LINES for _ in range(weight)]), st.integers(0, 599))


@settings(max_examples=30, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=5, max_size=40))
def test_whatever_happens_in_whatever_order_to_open_lines_nothing_is_left(
    shared_world: World, quick: None, script: list[tuple[Any, int]]
) -> None:
    world = shared_world
    begin(world, OPEN)
    for run, number in ((World.answer_line, 0), (World.wait, 5), (World.answer_line, 0), *script):
        run(world, number)
    try:
        end(world)
    finally:
        world.check()
