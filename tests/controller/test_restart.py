"""The controller is killed, and started again: no call drops, no fact is lost."""

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.lab import IGNORE
from contactcentre.live import signs_of_life
from tests.controller.stack import Stack, kinds, one
from tests.waiting import eventually


def test_a_conversation_survives_kill_9_and_its_end_is_written_by_the_next_controller(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1000", caller="+33200000001", talk=6)
        stack.wait_for("+33200000001", Kind.RECORDING_STARTED)
        stack.kill()
        stack.start()
        result = call.wait(120)
        assert result.served
        assert result.ended_by == "us", "the caller's own decision, not a dropped call"
        story = stack.ended("+33200000001")
        assert one(story, Kind.TALK_ENDED)
        assert one(story, Kind.RECORDING_ENDED)
        assert one(story, Kind.ENDED).data["outcome"] == "answered"
        stack.agent_is("anna", AgentState.AVAILABLE)
    stack.nothing_left_on_the_pbx()


def test_a_waiting_caller_keeps_the_place_over_kill_9(stack: Stack) -> None:
    first = stack.lab.dial("1000", caller="+33200000011", patience=120, talk=1)
    stack.wait_for("+33200000011", Kind.QUEUED)
    second = stack.lab.dial("1000", caller="+33200000012", patience=120, talk=1)
    stack.wait_for("+33200000012", Kind.QUEUED)
    stack.kill()
    stack.start()
    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        assert first.wait(120).served
        assert second.wait(120).served
    stories = [stack.ended("+33200000011"), stack.ended("+33200000012")]
    assert one(stories[0], Kind.ACCEPTED).at < one(stories[1], Kind.ACCEPTED).at
    assert all(one(story, Kind.QUEUED) for story in stories), "the queue was entered once"


def test_a_caller_who_leaves_while_nobody_looks_is_closed_on_start(stack: Stack) -> None:
    call = stack.lab.dial("1000", caller="+33200000021", patience=120)
    stack.wait_for("+33200000021", Kind.QUEUED)
    stack.kill()
    call.hang_up()
    call.wait(120)
    stack.start()
    story = stack.ended("+33200000021")
    assert one(story, Kind.ENDED).data["outcome"] == "abandoned"
    assert one(story, Kind.UNQUEUED).data["reason"] == "abandoned"
    eventually(lambda: not stack.live.waiting(), "nobody waits")


def test_an_agent_who_leaves_while_nobody_looks_is_free_and_the_caller_is_not_stranded(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1) as phone:
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1000", caller="+33200000031", talk=None)
        stack.wait_for("+33200000031", Kind.RECORDING_STARTED)
        stack.kill()
        phone.hang_up()
        stack.start()
        call.wait(120)
        story = stack.ended("+33200000031")
        assert one(story, Kind.ENDED).data["by"] == "agent"
        stack.agent_is("anna", AgentState.AVAILABLE)
    stack.nothing_left_on_the_pbx()


def test_a_caller_who_arrives_while_there_is_no_controller_is_answered_by_the_pbxs_own_queue(stack: Stack) -> None:
    stack.kill()
    with stack.phone("anna", ring=0.1, talk=1):
        result = stack.lab.call("1000", caller="+33200000041", patience=20)
    assert result.served
    assert stack.story("+33200000041") == []
    stack.start()


def test_sigterm_leaves_calls_alone(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1000", caller="+33200000051", talk=4)
        stack.wait_for("+33200000051", Kind.TALK_STARTED)
        assert "node1" in signs_of_life(stack.redis)
        stack.stop()
        assert signs_of_life(stack.redis) == {}
        stack.start()
        assert call.wait(120).ended_by == "us"
        story = stack.ended("+33200000051")
    assert Kind.TALK_ENDED in kinds(story)


def test_redis_that_loses_everything_is_filled_again_and_the_call_ends_well(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        first = stack.lab.dial("1000", caller="+33200000061", talk=6)
        stack.wait_for("+33200000061", Kind.TALK_STARTED)
        second = stack.lab.dial("1000", caller="+33200000062", talk=1, patience=120)
        stack.wait_for("+33200000062", Kind.QUEUED)
        stack.redis.flushall()
        stack.agent_is("anna", AgentState.TALKING)
        assert first.wait(120).served
        assert second.wait(120).served, "still waiting, in its place"
        assert stack.ended("+33200000062")[-1].data["outcome"] == "answered"


def test_a_phone_that_rings_when_the_controller_is_killed_rings_on_and_its_answer_connects(stack: Stack) -> None:
    with stack.phone("anna", answer=IGNORE) as phone:
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        call = stack.lab.dial("1006", caller="+33200000081", talk=1, patience=None)
        rang = phone.wait_ringing(120)
        stack.wait_for("+33200000081", Kind.RINGING)
        stack.kill()
        stack.start()
        phone.answer()
        assert call.wait(120).served
        assert [one.call_id for one in phone.wait_calls(1, 120)] == [rang["call"]], "it did not ring anew"
        story = stack.ended("+33200000081")
        assert one(story, Kind.OFFERED).data["leg"] == one(story, Kind.ACCEPTED).data["leg"]
        stack.agent_is("anna", AgentState.AVAILABLE)
    stack.nothing_left_on_the_pbx()


def test_a_long_prompt_that_was_playing_does_not_hold_its_caller_up_after_kill_9(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1001", caller="+33200000071", talk=1, patience=60)
        call.until("answered")
        before = eventually(lambda: playing(stack), "the prompt plays")
        stack.kill()
        told = len(stack.log())
        stack.start()
        eventually(lambda: playing(stack) - before, "it begins anew, under another name")
        call.send_digits("1")
        assert call.wait(60).served
        assert "contact suspended" not in stack.log()[told:], "nothing was waited for in vain"
        assert [event.data["node"] for event in stack.ended("+33200000071") if event.kind is Kind.NODE][-1] == "support"


def playing(stack: Stack) -> set[str]:
    """What is being played to callers, as the next controller will know."""
    return {contact.detail["plays"] for contact in stack.live.contacts().values() if contact.detail.get("plays")}
