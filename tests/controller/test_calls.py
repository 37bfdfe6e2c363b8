"""Real calls on a real PBX: every way that a contact can go."""

import itertools

import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.routing import Cut
from tests.controller.stack import Stack, kinds, last, one
from tests.waiting import eventually


def test_a_caller_waits_is_answered_recorded_and_the_agent_is_free_again(stack: Stack) -> None:
    with stack.phone("anna", ring=0.2) as phone:
        stack.act("anna", Verb.LOGIN)
        result = stack.lab.call("1000", caller="+33100000001", talk=2)
        story = stack.ended("+33100000001")
        assert result.served, result
        assert one(story, Kind.ENDED).data["outcome"] == "answered"
        assert one(story, Kind.ENDED).data["by"] == "caller"
        assert last(story, Kind.DECISION).data["agent"] == "anna"
        assert one(story, Kind.OFFERED).data["agent"] == "anna"
        assert one(story, Kind.UNQUEUED).data["reason"] == "answered"
        recorded = one(story, Kind.RECORDING_ENDED).data
        for side in ("left", "right"):
            assert stack.recorded(recorded["files"][side]).stat().st_size > 16_000
        assert len(phone.calls) == 1
        stack.agent_is("anna", AgentState.AVAILABLE)
        eventually(lambda: not stack.live.contacts() and not stack.live.waiting(), "nobody is there any more")
    stack.nothing_left_on_the_pbx()


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_an_agents_phone_is_offered_what_the_caller_speaks_so_that_nothing_is_translated(
    stack: Stack, codec: str
) -> None:
    with stack.phone("anna", ring=0.1) as phone:
        stack.act("anna", Verb.LOGIN)
        assert stack.lab.call("1000", caller="+33100000005", talk=0.5, codec=codec).served
        (call,) = phone.wait_calls()
    assert call.offered == [codec, *({"PCMA", "PCMU"} - {codec})]
    stack.agent_is("anna", AgentState.AVAILABLE)


def test_the_agent_who_has_been_idle_longest_is_asked_first(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1, talk=1), stack.phone("bert", ring=0.1, talk=1):
        stack.act("bert", Verb.LOGIN)
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna", "bert")
        for number in ("+33100000011", "+33100000012"):
            stack.lab.call("1000", caller=number)
        first, second = stack.ended("+33100000011"), stack.ended("+33100000012")
    assert one(first, Kind.ACCEPTED).data["agent"] == "bert"
    assert one(second, Kind.ACCEPTED).data["agent"] == "anna"
    assert one(first, Kind.ENDED).data["by"] == "agent"


def test_only_an_agent_with_the_skill_is_offered_the_contact(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1, talk=1), stack.phone("bert") as bert:
        stack.act("bert", Verb.LOGIN)
        call = stack.lab.dial("1002", caller="+33100000021")
        why = stack.wait_for("+33100000021", Kind.DECISION)
        assert why.data["agent"] == ""
        assert any(name == "bert" and "lang_fr" in rule for name, rule in why.data["cut"])
        stack.act("anna", Verb.LOGIN)
        assert call.wait(120).served
        assert bert.calls == []
    story = stack.ended("+33100000021")
    assert Kind.RECORDING_STARTED not in kinds(story), "the queue is not recorded"
    stack.agent_is("anna", AgentState.WRAP_UP)
    stack.agent_is("anna", AgentState.AVAILABLE)
    eventually(lambda: Kind.WRAP_UP_ENDED in kinds(stack.story("+33100000021")), "wrap-up's end in the contact")


def test_a_caller_who_hangs_up_while_waiting_is_abandoned_and_leaves_nothing(stack: Stack) -> None:
    result = stack.lab.call("1000", caller="+33100000031", patience=1.5)
    assert result.outcome == "abandoned"
    story = stack.ended("+33100000031")
    assert one(story, Kind.ENDED).data["outcome"] == "abandoned"
    assert one(story, Kind.UNQUEUED).data["reason"] == "abandoned"
    eventually(lambda: not stack.live.waiting(), "nobody waits any more")
    stack.nothing_left_on_the_pbx()


def test_a_caller_who_hangs_up_while_the_agent_rings_frees_the_agent_without_a_miss(stack: Stack) -> None:
    with stack.phone("anna", ring=20):
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1000", caller="+33100000041", patience=120)
        stack.wait_for("+33100000041", Kind.RINGING)
        call.hang_up()
        story = stack.ended("+33100000041")
        assert one(story, Kind.REFUSED).data["result"] == "caller_gone"
        assert one(story, Kind.ENDED).data["outcome"] == "abandoned"
        stack.agent_is("anna", AgentState.AVAILABLE)
        assert stack.live.agent("anna").misses == 0
    stack.nothing_left_on_the_pbx()


def test_a_declined_offer_keeps_the_callers_place_and_the_next_agent_answers(stack: Stack) -> None:
    with stack.phone("anna", answer=603, ring=0.1), stack.phone("bert", ring=0.1, talk=1):
        stack.act("anna", Verb.LOGIN)
        stack.act("bert", Verb.LOGIN)
        stack.reachable("anna", "bert")
        assert stack.lab.call("1000", caller="+33100000051").served
        story = stack.ended("+33100000051")
    assert one(story, Kind.REFUSED).data["result"] == "rejected"
    assert one(story, Kind.REFUSED).data["agent"] == "anna"
    assert one(story, Kind.ACCEPTED).data["agent"] == "bert"
    assert one(story, Kind.QUEUED).seq < one(story, Kind.REFUSED).seq


def test_an_agent_who_lets_two_offers_ring_out_is_paused_as_missed(stack: Stack) -> None:
    with stack.phone("anna", answer=0, ring=60):
        stack.act("anna", Verb.LOGIN)
        call = stack.lab.dial("1002", caller="+33100000061", patience=120)
        stack.agent_is("anna", AgentState.PAUSED)
        assert stack.live.agent("anna").reason == "missed"
        call.hang_up()
        story = stack.ended("+33100000061")
    assert [e.data["result"] for e in story if e.kind is Kind.REFUSED] == ["missed", "missed"]
    assert one(story, Kind.ENDED).data["outcome"] == "abandoned"


def test_an_unregistered_phone_is_not_offered_anything(stack: Stack) -> None:
    eventually(lambda: "anna" in stack.signs()["unreachable"], "the last test's phone is known to be away")
    stack.act("anna", Verb.LOGIN)
    call = stack.lab.dial("1002", caller="+33100000071", patience=120)
    away = ["anna", str(Cut.UNREACHABLE)]  # the first decision may come before the news of the login
    eventually(
        lambda: any(e.kind is Kind.DECISION and away in e.data["cut"] for e in stack.story("+33100000071")),
        "she is cut for her phone",
    )
    with stack.phone("anna", ring=0.1, talk=1):
        assert call.wait(120).served, "served as soon as the phone registers"


def test_digits_choose_the_menus_branch(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1, talk=1):
        stack.act("anna", Verb.LOGIN)
        assert stack.lab.call("1001", digits="2", caller="+33100000081").served
        story = stack.ended("+33100000081")
    assert {"node": "ask", "choice": "2"} in [dict(e.data) for e in story if e.kind is Kind.CHOSE]
    assert one(story, Kind.QUEUED).data["queue"] == "french"


def test_garbage_digits_and_silence_end_in_the_menus_own_branches(stack: Stack) -> None:
    stack.lab.call("1001", digits="A*#9D", caller="+33100000091", patience=120)
    story = stack.ended("+33100000091")
    assert one(story, Kind.ENDED).data["outcome"] in ("self_served", "rejected")
    assert Kind.QUEUED not in kinds(story)


def test_a_queue_that_is_full_and_one_that_times_out_lead_to_voicemail(stack: Stack) -> None:
    first = stack.lab.dial("1003", caller="+33100000101", patience=120)
    stack.wait_for("+33100000101", Kind.QUEUED)
    second = stack.lab.dial("1003", caller="+33100000102", patience=120)
    assert stack.wait_for("+33100000102", Kind.UNQUEUED).data["reason"] == "full"
    assert stack.wait_for("+33100000101", Kind.UNQUEUED).data["reason"] == "timeout"
    assert one(stack.story("+33100000101"), Kind.ANNOUNCED).data["position"] == 1
    for call, number in ((first, "+33100000101"), (second, "+33100000102")):
        call.wait(120)
        story = stack.ended(number)
        assert one(story, Kind.VOICEMAIL).data["box"] == "short"
        assert one(story, Kind.ENDED).data["outcome"] == "voicemail"


def test_a_caller_who_hangs_up_in_the_middle_of_a_message_has_left_it(stack: Stack) -> None:
    call = stack.lab.dial("1004", caller="+33100000111", patience=120)
    message = stack.wait_for("+33100000111", Kind.RECORDING_STARTED).data["recording"]
    file = stack.recordings / f"{message}.wav"
    eventually(lambda: file.exists() and file.stat().st_size > 24_000, "the PBX has recorded 1.5 seconds")
    call.hang_up()
    story = stack.ended("+33100000111")
    assert one(story, Kind.VOICEMAIL).data["recording"] == message
    assert one(story, Kind.ENDED).data["outcome"] == "voicemail"
    assert file.exists(), "the message is kept"


def test_a_transfer_to_a_named_agent_reaches_that_agent(stack: Stack) -> None:
    with stack.phone("anna", ring=0.1, talk=1), stack.phone("bert"):
        stack.act("bert", Verb.LOGIN)
        stack.act("anna", Verb.LOGIN)
        assert stack.lab.call("1005", caller="+33100000121").served
        story = stack.ended("+33100000121")
    assert one(story, Kind.ACCEPTED).data["agent"] == "anna"
    assert one(story, Kind.ENDED).data["outcome"] == "answered"


def test_agents_log_in_pause_and_log_out_from_their_own_phones(stack: Stack) -> None:
    with stack.phone("anna") as phone:
        for code, state, reason in (
            ("*45", AgentState.AVAILABLE, ""),
            ("*472", AgentState.PAUSED, "lunch"),
            ("*48", AgentState.AVAILABLE, ""),
            ("*49", AgentState.AVAILABLE, ""),  # more wrap-up for whom is in none: refused, and nothing changes
            ("*46", AgentState.LOGGED_OUT, ""),
        ):
            result = phone.dial(code).wait(120)
            assert result.answered, code
            stack.agent_is("anna", state)
            assert stack.live.agent("anna").reason == reason


def test_what_a_caller_sends_as_a_name_is_data_and_nothing_else(stack: Stack) -> None:
    evil = '"; rm -rf / ${SYSTEM(id)} <script>'
    with stack.phone("anna", ring=0.1, talk=1):
        stack.act("anna", Verb.LOGIN)
        assert stack.lab.call("1000", caller="+33100000131", name=evil).served
        story = stack.ended("+33100000131")
    name = one(story, Kind.ARRIVED).data["caller_name"]
    assert "rm -rf" in name
    assert "uid=0" not in str(story)


def test_twenty_callers_and_two_agents_each_contact_is_served_once(stack: Stack) -> None:
    numbers = [f"+331000002{n:02}" for n in range(20)]
    with stack.phone("anna", ring=0.05, talk=0.5), stack.phone("bert", ring=0.05, talk=0.5):
        stack.act("anna", Verb.LOGIN)
        stack.act("bert", Verb.LOGIN)
        calls = [stack.lab.dial("1000", caller=number, patience=120) for number in numbers]
        results = [call.wait(120) for call in calls]
    stories = [stack.ended(number) for number in numbers]
    assert all(result.served for result in results)
    assert all(len([e for e in story if e.kind is Kind.TALK_STARTED]) == 1 for story in stories)
    offers = sorted(
        (e.at, e.data["agent"], e.kind)
        for story in stories
        for e in story
        if e.kind in (Kind.OFFERED, Kind.TALK_ENDED, Kind.REFUSED)
    )
    for agent in ("anna", "bert"):
        steps = [kind for _, name, kind in offers if name == agent]
        assert all(a != b or a is not Kind.OFFERED for a, b in itertools.pairwise(steps)), "two offers at once"
    stack.nothing_left_on_the_pbx()
