"""The link to a real PBX is cut, the PBX itself is restarted, people do what they like: the accounts balance."""

import random
from collections import Counter
from collections.abc import Iterator

import gevent
import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Event, Kind
from contactcentre.lab.link import Proxy
from tests.controller.stack import Stack, kinds, one
from tests.waiting import eventually


@pytest.fixture(scope="module")
def proxy(module_stack: Stack) -> Iterator[Proxy]:
    """Between the controller and the PBX."""
    made = Proxy(module_stack.switch.control_port())
    module_stack.switch.proxy_port = made.port
    yield made
    module_stack.switch.proxy_port = 0
    made.close()


@pytest.fixture
def line(proxy: Proxy, stack: Stack) -> Stack:
    return stack


def linked(stack: Stack, is_linked: bool) -> None:
    eventually(lambda: stack.signs()["linked"] is is_linked, f"linked: {is_linked}")


def test_a_conversation_outlives_the_link_and_ends_once(line: Stack, proxy: Proxy) -> None:
    with line.phone("anna", ring=0.1):
        line.act("anna", Verb.LOGIN)
        call = line.lab.dial("1000", caller="+33300000001", talk=7)
        line.wait_for("+33300000001", Kind.RECORDING_STARTED)
        proxy.cut()
        linked(line, False)
        proxy.mend()
        linked(line, True)
        assert line.live.agent("anna").state is AgentState.TALKING
        result = call.wait(120)
        assert result.served
        assert result.ended_by == "us", "the caller's own decision, not a dropped call"
        story = line.ended("+33300000001")
        assert one(story, Kind.TALK_STARTED)
        assert one(story, Kind.TALK_ENDED)
        assert one(story, Kind.RECORDING_ENDED)
        line.agent_is("anna", AgentState.AVAILABLE)
    line.nothing_left_on_the_pbx()


def test_who_waits_rings_or_leaves_a_message_while_the_link_is_cut_is_taken_up_where_they_were(
    line: Stack, proxy: Proxy
) -> None:
    waiting = line.lab.dial("1002", caller="+33300000011", patience=120, talk=1)
    line.wait_for("+33300000011", Kind.QUEUED)
    message = line.lab.dial("1004", caller="+33300000012", patience=120)
    recording = line.wait_for("+33300000012", Kind.RECORDING_STARTED).data["recording"]
    gone = line.lab.dial("1002", caller="+33300000013", patience=120)
    line.wait_for("+33300000013", Kind.QUEUED)
    with line.phone("bert", ring=30):
        line.act("bert", Verb.LOGIN)
        ringing = line.lab.dial("1000", caller="+33300000014", patience=120)
        line.wait_for("+33300000014", Kind.RINGING)
        proxy.cut()
        linked(line, False)
        gone.hang_up()
        proxy.mend()
        linked(line, True)
        assert one(line.ended("+33300000013"), Kind.ENDED).data["outcome"] == "abandoned"
        assert line.live.agent("bert").state is AgentState.OFFERED, "the phone rings on"
        ringing.hang_up()
        story = line.ended("+33300000014")
        assert one(story, Kind.ENDED).data["outcome"] == "abandoned"
        assert one(story, Kind.RINGING), "once, and not anew"
        eventually(lambda: line.live.agent("bert").state is AgentState.AVAILABLE, "free again")
        assert line.live.agent("bert").misses == 0
    with line.phone("anna", ring=0.1):
        line.act("anna", Verb.LOGIN)
        assert waiting.wait(120).served
    assert one(line.ended("+33300000011"), Kind.QUEUED)
    message.wait(120)
    story = line.ended("+33300000012")
    assert one(story, Kind.VOICEMAIL).data["recording"] == recording, "one message, not two"
    line.nothing_left_on_the_pbx()


def test_forty_callers_and_agents_who_do_as_they_please_leave_nothing_behind(line: Stack, proxy: Proxy) -> None:
    dice = random.Random(7)
    numbers = [f"+333000001{n:02}" for n in range(40)]
    with line.phone("anna", ring=0.05, talk=0.4) as anna, line.phone("bert", ring=0.3, answer=486):
        line.act("anna", Verb.LOGIN)
        line.act("bert", Verb.LOGIN)
        calls = []
        for number in numbers:
            did = dice.choice(["1000", "1000", "1001", "1003", "1004", "1005"])
            calls.append(line.lab.dial(did, caller=number, patience=dice.choice([0.05, 0.3, 1.0, 3.0]), digits="1"))
            gevent.sleep(dice.choice([0.0, 0.05, 0.2]))
            match dice.randrange(12):
                case 0:
                    anna.hang_up()
                case 1:
                    dice.choice(calls).hang_up()
                case 2:
                    proxy.cut()
                    gevent.sleep(0.05)
                    proxy.mend()
                case 3 if line.live.agent("bert").state is AgentState.PAUSED:
                    line.act("bert", Verb.UNPAUSE)
        for call in calls:
            call.wait(120)
        eventually(lambda: not line.live.contacts() and not line.live.waiting(), "nobody is left")
        line.nothing_left_on_the_pbx()
        for agent in ("anna", "bert"):
            assert line.live.agent(agent).state not in (AgentState.OFFERED, AgentState.TALKING)
    came = [number for number in numbers if line.story(number)]
    assert len(came) >= 20, "most came while the link was there; the others were the fallback's"
    stories = [line.ended(number) for number in came]
    for story in stories:
        balanced(story)
    no_agent_has_two_offers(stories)


def balanced(story: list[Event]) -> None:
    count = Counter(kinds(story))
    assert count[Kind.ENDED] == 1
    assert count[Kind.QUEUED] == count[Kind.UNQUEUED]
    assert count[Kind.TALK_STARTED] == count[Kind.TALK_ENDED]
    legs = [Counter(e.data["leg"] for e in story if e.kind is kind) for kind in (Kind.LEG_STARTED, Kind.LEG_ENDED)]
    assert legs[0] == legs[1]
    assert set(legs[0].values()) == {1}


def no_agent_has_two_offers(stories: list[list[Event]]) -> None:
    facts = sorted((e for story in stories for e in story), key=lambda e: e.at)
    held: dict[str, str] = {}
    for event in facts:
        agent = str(event.data.get("agent", ""))
        if event.kind is Kind.OFFERED:
            assert agent not in held, f"{agent} has two offers"
            held[agent] = event.contact_id
        elif event.kind in (Kind.REFUSED, Kind.TALK_ENDED):
            held.pop(agent, None)


def test_a_pbx_that_restarts_ends_its_calls_and_agents_and_queue_work_again(line: Stack, proxy: Proxy) -> None:
    with line.phone("anna", ring=0.1):
        line.act("anna", Verb.LOGIN)
        line.lab.dial("1000", caller="+33300000021", talk=60)
        line.wait_for("+33300000021", Kind.TALK_STARTED)
        line.lab.stop()
    linked(line, False)
    line.lab.start(until_parent_dies=True)
    linked(line, True)
    story = line.ended("+33300000021")
    assert one(story, Kind.TALK_ENDED)
    line.agent_is("anna", AgentState.AVAILABLE)
    with line.phone("anna", ring=0.1):
        eventually(lambda: "anna" not in line.signs()["unreachable"], "the phone is registered again")
        assert line.lab.call("1000", caller="+33300000022", talk=1).served
    line.nothing_left_on_the_pbx()
