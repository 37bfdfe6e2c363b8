"""Mentors on a real Asterisk, judged by what everybody hears: called by a phone, and in their open line."""

from collections.abc import Iterator

import pytest

from contactcentre.cli import group
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.coaching import Coaching
from contactcentre.domain.events import Kind
from contactcentre.domain.site import Agent
from contactcentre.lab import Phone
from contactcentre.live.coaches import Coaches
from tests.controller.stack import Stack
from tests.controller.test_devices_heard import agents, configure
from tests.controller.test_verbs_heard import hears
from tests.waiting import eventually


@pytest.fixture(params=["per-call", "persistent"])
def bert(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Phone]:
    """The mentor's phone, or their open line; they are on a pause, so that contacts are anna's."""
    configure(stack, agents=agents(bert=Agent(number="202", line=request.param)))
    with stack.phone("bert", ring=0.1, tone=1200) as phone:
        stack.act("bert", Verb.LOGIN)
        stack.reachable("bert")
        stack.act("bert", Verb.PAUSE, reason="training")
        yield phone
        Coaches(stack.redis).assign("anna", Coaching(""), Coaching(""))
        stack.act("bert", Verb.LOGOUT)
        phone.wait_calls()
    stack.nothing_left_on_the_pbx()
    configure(stack)


def test_a_mentor_hears_the_agents_calls_one_after_the_other_and_whispers_until_that_is_ended(
    stack: Stack, bert: Phone, request: pytest.FixtureRequest
) -> None:
    open_line = request.node.callspec.params["bert"] == "persistent"
    first, second = ("+33100000973", "+33100000974") if open_line else ("+33100000971", "+33100000972")
    assert group.run(["listen", "coach", "bert", "anna"]) == 0
    with stack.phone("anna", ring=0.1, tone=800) as anna:
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        for caller in (first, second):
            call = stack.lab.dial("1000", caller=caller, tone=400, talk=None, patience=None)
            stack.wait_for(caller, Kind.SUPERVISED)
            eventually(lambda: hears(bert) == {"anna", "caller"}, "the mentor hears both")
            assert (hears(anna), hears(call)) == ({"caller", "bert"}, {"anna"})
            assert len(bert.ringing) == 1, "the phone was called once"
            assert not bert.calls
            if caller == second:
                assert group.run(["listen", "coach-end", "anna"]) == 0
                eventually(lambda: hears(anna) == {"caller"}, "nobody whispers any more")
                assert hears(call) == {"anna"}, "and they talk on"
                if open_line:
                    assert hears(bert) == set(), "silence, and the line stays"
                else:
                    bert.wait_calls()
            call.hang_up()
            stack.ended(caller)
            stack.agent_is("anna", AgentState.AVAILABLE)
    fact = next(event for event in stack.story(second) if event.kind is Kind.SUPERVISED).data
    assert (fact["supervisor"], fact["agent"], fact["mode"]) == ("bert", "anna", "whisper")
    entries = stack.store.audit_entries(subject="agent anna", action="agent.coach", limit=2)
    assert [entry.detail["mentor"] for entry in entries] == ["", "bert"]
