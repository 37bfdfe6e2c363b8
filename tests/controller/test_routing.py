"""Routing on a real Asterisk: several phones at once, and a site that changes while callers wait."""

from collections.abc import Iterator

import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind, OfferResult
from contactcentre.domain.site import Agent, Site
from contactcentre.pbx.events import Cause
from tests.controller.conftest import SITE
from tests.controller.stack import Stack, one


def test_ringall_rings_every_phone_and_those_who_did_not_answer_show_no_missed_call(stack: Stack) -> None:
    with stack.phone("anna", ring=60) as anna, stack.phone("bert", ring=60) as bert:
        for agent in ("anna", "bert"):
            stack.act(agent, Verb.LOGIN)
        call = stack.lab.dial("1006", caller="+33100000101", talk=2)
        anna.wait_ringing()
        bert.wait_ringing()
        bert.answer()
        (unanswered,) = anna.wait_calls()
        assert unanswered.cause == Cause.ANSWERED_ELSEWHERE
        assert call.wait().served
        story = stack.ended("+33100000101")
        stack.agent_is("anna", AgentState.AVAILABLE)
    refused = one(story, Kind.REFUSED)
    assert (refused.data["agent"], refused.data["result"]) == ("anna", OfferResult.ANSWERED_ELSEWHERE)
    assert one(story, Kind.TALK_STARTED).data["agent"] == "bert"
    assert stack.live.agent("anna").misses == 0
    stack.nothing_left_on_the_pbx()


def test_ringall_a_caller_who_hangs_up_silences_every_phone(stack: Stack) -> None:
    with stack.phone("anna", ring=60) as anna, stack.phone("bert", ring=60) as bert:
        for agent in ("anna", "bert"):
            stack.act(agent, Verb.LOGIN)
        call = stack.lab.dial("1006", caller="+33100000102")
        anna.wait_ringing()
        bert.wait_ringing()
        call.hang_up()
        anna.wait_calls()
        bert.wait_calls()
        story = stack.ended("+33100000102")
        for agent in ("anna", "bert"):
            stack.agent_is(agent, AgentState.AVAILABLE)
    assert {e.data["result"] for e in story if e.kind is Kind.REFUSED} == {OfferResult.CALLER_GONE}
    assert one(story, Kind.ENDED).data["outcome"] == "abandoned"
    stack.nothing_left_on_the_pbx()


@pytest.fixture
def site(stack: Stack) -> Iterator[Site]:
    """What is changed is changed back."""
    original = Site.model_validate(SITE)
    yield original
    stack.provision(original)


def test_who_waits_already_sees_at_once_that_an_agent_got_the_skill(stack: Stack, site: Site) -> None:
    with stack.phone("bert", ring=0.1, talk=1) as bert:
        stack.act("bert", Verb.LOGIN)
        call = stack.lab.dial("1002", caller="+33100000111", patience=120)
        why = stack.wait_for("+33100000111", Kind.DECISION)
        assert ["bert", "does not fit: needs lang_fr >= 50, has none"] in why.data["cut"]
        able = Agent(full_name="Bert", skills={"billing": 40, "lang_fr": 60})
        stack.provision(site.model_copy(update={"agents": {**site.agents, "bert": able}}))
        bert.wait_calls()
        assert call.wait().served


def test_who_waits_already_leaves_after_a_longest_wait_that_was_shortened(stack: Stack, site: Site) -> None:
    call = stack.lab.dial("1002", caller="+33100000112", patience=120)
    stack.wait_for("+33100000112", Kind.DECISION)
    impatient = site.queues["french"].model_copy(update={"max_wait": 1.0})
    stack.provision(site.model_copy(update={"queues": {**site.queues, "french": impatient}}))
    assert call.wait().ended_by == "pbx"
    assert one(stack.ended("+33100000112"), Kind.UNQUEUED).data["reason"] == "timeout"


def test_a_caller_gets_the_agent_of_the_last_time_and_nobody_else_is_disturbed(stack: Stack) -> None:
    caller = "+33100000121"
    with stack.phone("anna", ring=0.1) as anna, stack.phone("bert", ring=0.1) as bert:
        stack.act("anna", Verb.LOGIN)
        assert stack.lab.call("1006", caller=caller, talk=0.5).served
        stack.store.record(stack.ended(caller), [])
        stack.act("bert", Verb.LOGIN)
        assert stack.lab.call("1006", caller=caller, talk=0.5).served
        assert len(anna.wait_calls(2)) == 2
        assert not bert.calls
        assert not bert.ringing
