"""Mentors whose phones are called when their agents begin to talk: on a PBX in memory."""

import time
from collections.abc import Iterator

import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.coaching import Coaching
from contactcentre.domain.events import Kind
from contactcentre.domain.site import Agent
from contactcentre.live.coaches import Coaches
from contactcentre.pbx.events import Cause
from contactcentre.pbx.protocol import Mode
from tests.controller.fake_pbx import Line
from tests.controller.people import comes, state, story, talks
from tests.controller.world import World
from tests.waiting import eventually

NOBODY = Coaching("")


@pytest.fixture
def bert_coaches(world: World) -> Iterator[Coaches]:
    """bert is at work, but on a pause: contacts are anna's."""
    world.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    coaches = Coaches(world.redis)
    coaches.assign("anna", Coaching("bert"), NOBODY)
    yield coaches
    coaches.assign("anna", NOBODY, NOBODY)
    eventually(lambda: not list(world.controller.supervisions), "nobody listens")
    world.peace()
    world.check()


def ears(world: World) -> Line:
    """The mentor's phone, which rings."""
    found: list[Line] = eventually(
        lambda: [line for line in world.pbx.ringing() if line.endpoint == "bert"], "bert's phone rings"
    )
    return found[0]


def hear(world: World, leg: Line) -> list[Mode]:
    return [line.mode for line in world.pbx.lines.values() if line.spies_on == leg.id]


def test_the_mentor_is_called_once_and_hears_one_conversation_after_the_other(
    world: World, bert_coaches: Coaches
) -> None:
    caller, leg = talks(world)
    assert leg.endpoint == "anna"
    mentor = ears(world)
    world.pbx.answer(mentor)
    fact = comes(world, caller, Kind.SUPERVISED).data
    assert (fact["supervisor"], fact["agent"], fact["mode"]) == ("bert", "anna", "whisper")
    assert hear(world, leg) == [Mode.WHISPER]
    assert "beep" not in str(leg.heard), "the agent is not told"
    assert "bert" in world.controller.node.router.phones.not_free, "and no contact is offered to the mentor"
    world.pbx.leave(caller)
    eventually(lambda: state(world, "anna") is AgentState.AVAILABLE, "anna is free")
    second, leg = talks(world)
    comes(world, second, Kind.SUPERVISED)
    assert mentor.id in world.pbx.lines
    assert not [line for line in world.pbx.ringing() if line.endpoint == "bert"], "still the first call"
    entries = [e for e in world.store.audit_entries(subject="anna", action="call.listen") if e.actor == "agent:bert"]
    assert entries[0].detail["as"] == "mentor"


def test_who_is_no_mentor_any_more_is_hung_up_and_the_conversation_goes_on(world: World, bert_coaches: Coaches) -> None:
    caller, leg = talks(world)
    mentor = ears(world)
    world.pbx.answer(mentor)
    comes(world, caller, Kind.SUPERVISED)
    bert_coaches.assign("anna", Coaching("bert", "listen"), NOBODY)
    eventually(lambda: hear(world, leg) == [Mode.LISTEN], "another mode counts at once")
    bert_coaches.assign("anna", NOBODY, NOBODY)
    eventually(lambda: mentor.id not in world.pbx.lines, "hung up")
    assert (hear(world, leg), leg.id in world.pbx.lines) == ([], True)
    eventually(lambda: "bert" not in world.controller.node.router.phones.not_free, "the phone is free")


def test_a_mentor_who_declines_is_called_again_with_the_next_contact_and_not_before(
    world: World, bert_coaches: Coaches
) -> None:
    caller, _ = talks(world)
    world.pbx.leave(ears(world), Cause.REJECTED)
    eventually(lambda: not list(world.controller.supervisions), "declined")
    for _ in range(3):
        world.controller.mentors.look()
    assert not world.pbx.ringing()
    world.pbx.leave(caller)
    eventually(lambda: state(world, "anna") is AgentState.AVAILABLE, "anna is free")
    talks(world)
    assert ears(world)


def test_a_mentor_who_is_not_at_work_is_not_called(world: World, bert_coaches: Coaches) -> None:
    world.live.change("bert", Verb.LOGOUT, time.time())
    eventually(lambda: state(world, "bert") is AgentState.LOGGED_OUT, "known")
    caller, _ = talks(world)
    world.controller.mentors.look()
    assert not world.pbx.ringing()
    world.live.change("bert", Verb.LOGIN, time.time())
    assert ears(world), "but as soon as they are, also in the middle of a conversation"
    assert Kind.SUPERVISED not in [event.kind for event in story(world, caller)]


def test_what_the_site_says_counts_and_the_agent_is_told_where_it_says_so(world: World) -> None:
    world.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    coached = Agent(number="201", mentor="bert", mentor_mode="listen", mentor_told=True)
    world.changes = {"agents": {"anna": coached, "bert": Agent(number="202")}}
    world.controller.node.configure(world.configuration())
    caller, leg = talks(world)
    world.pbx.answer(ears(world))
    comes(world, caller, Kind.SUPERVISED)
    eventually(lambda: ("tone:beep", "") in leg.heard, "a beep tells the agent")
    assert hear(world, leg) == [Mode.LISTEN]
    world.changes = {}
    world.controller.node.configure(world.configuration())
    eventually(lambda: not list(world.controller.supervisions), "hung up")
    world.peace()
    world.check()
