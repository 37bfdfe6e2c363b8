"""What a caller and an agent hear before they hear each other, on a real Asterisk."""

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind, OfferResult
from tests.controller.stack import Stack, one
from tests.waiting import eventually


def test_the_phone_is_asked_to_answer_by_itself_and_the_agent_hears_whose_call_it_is_before_the_caller(
    stack: Stack,
) -> None:
    caller = "+33100000201"
    with stack.phone("anna", ring=0.3) as anna:
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1007", caller=caller, talk=1)
        headers = {name.lower(): value for name, value in anna.wait_ringing()["headers"].items()}
        assert headers["call-info"].endswith(";answer-after=0")
        assert "info=alert-autoanswer" in headers["alert-info"]
        assert call.wait().served
        story = stack.ended(caller)
    answered = [e for e in story if e.kind is Kind.LEG_ANSWERED][1]
    assert one(story, Kind.TALK_STARTED).at - answered.at > 1.0, "the prompt was played to its end"
    stack.nothing_left_on_the_pbx()


def test_an_agent_who_hangs_up_while_being_told_has_declined_and_the_next_one_is_asked(stack: Stack) -> None:
    caller = "+33100000202"
    with stack.phone("anna", ring=0.1) as anna, stack.phone("bert", ring=0.1) as bert:
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1007", caller=caller, talk=1)
        stack.wait_for(caller, Kind.RINGING)
        eventually(lambda: len([e for e in stack.story(caller) if e.kind is Kind.LEG_ANSWERED]) == 2, "anna answers")
        stack.act("bert", Verb.LOGIN)
        anna.hang_up()
        assert call.wait().served
        assert bert.wait_calls()
        story = stack.ended(caller)
    refused = one(story, Kind.REFUSED)
    assert (refused.data["agent"], refused.data["result"]) == ("anna", OfferResult.REJECTED)
    stack.nothing_left_on_the_pbx()


def test_a_caller_who_hangs_up_while_the_agent_is_told_was_abandoned_and_the_agent_is_free(stack: Stack) -> None:
    caller = "+33100000203"
    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1007", caller=caller)
        eventually(lambda: len([e for e in stack.story(caller) if e.kind is Kind.LEG_ANSWERED]) == 2, "anna answers")
        call.hang_up()
        story = stack.ended(caller)
        stack.agent_is("anna", AgentState.AVAILABLE)
    assert one(story, Kind.ENDED).data["outcome"] == "abandoned"
    assert one(story, Kind.REFUSED).data["result"] == OfferResult.CALLER_GONE
    assert stack.live.agent("anna").misses == 0
    stack.nothing_left_on_the_pbx()


def test_a_waiting_caller_hears_the_position_and_a_free_agent_is_not_kept_waiting_by_it(stack: Stack) -> None:
    caller = "+33100000204"
    with stack.phone("anna", ring=0.1):
        call = stack.lab.dial("1007", caller=caller, talk=1)
        told = stack.wait_for(caller, Kind.ANNOUNCED)
        assert (told.data["position"], told.data["estimate"]) == (1, "")
        stack.act("anna", Verb.LOGIN)
        assert call.wait().served
        story = stack.ended(caller)
    offered = one(story, Kind.OFFERED)
    assert offered.seq > told.seq
    assert offered.at - told.at < 5, "the announcement was still playing, or had just ended"


def test_a_key_leads_a_waiting_caller_to_voicemail_and_another_into_another_queue(stack: Stack) -> None:
    call = stack.lab.dial("1007", caller="+33100000205", patience=20)
    stack.wait_for("+33100000205", Kind.DECISION)
    call.send_digits("1")
    stack.wait_for("+33100000205", Kind.RECORDING_STARTED)
    call.hang_up()
    left = next(e for e in stack.ended("+33100000205") if e.kind is Kind.UNQUEUED)
    assert (left.data["queue"], left.data["reason"]) == ("sales", "key")

    call = stack.lab.dial("1007", caller="+33100000206", patience=20)
    stack.wait_for("+33100000206", Kind.DECISION)
    call.send_digits("2")
    eventually(
        lambda: [e.data["queue"] for e in stack.story("+33100000206") if e.kind is Kind.QUEUED] == ["sales", "support"],
        "it waits in the other queue",
    )
    call.hang_up()
    story = stack.ended("+33100000206")
    assert len({e.contact_id for e in story}) == 1, "one contact, the same id"
