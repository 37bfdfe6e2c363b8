"""Supervisors on real calls: who hears whom in each mode, from call to call, and what is left of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contactcentre.cli import group
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.site import Agent
from contactcentre.lab import OngoingCall, Phone
from contactcentre.live import CommandFailed, Commands
from tests.controller.stack import Stack, kinds, last, one
from tests.controller.test_devices_heard import agents, configure
from tests.controller.test_verbs_heard import hears
from tests.waiting import eventually


def supervise(stack: Stack, action: str, **args: Any) -> dict[str, Any]:
    wanted = {"action": action, "supervisor": "sue", **args}
    return Commands(stack.redis).send("node1", "supervise", wanted, timeout=12)


@contextmanager
def listening(
    stack: Stack, caller: str, mode: str, **more: Any
) -> Iterator[tuple[OngoingCall, Phone, Phone, dict[str, Any]]]:
    """anna talks with a customer; bert's phone is the supervisor's."""
    with (
        stack.phone("anna", ring=0.1, tone=800) as anna,
        stack.phone("bert", ring=0.1, tone=1200) as sue,
    ):
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        call = stack.lab.dial("1000", caller=caller, tone=400, talk=None, patience=None)
        try:
            stack.wait_for(caller, Kind.TALK_STARTED)
            told = supervise(stack, "start", agent="anna", phone="bert", mode=mode, **more)
            stack.wait_for(caller, Kind.SUPERVISED)
            eventually(lambda: hears(sue) >= {"anna", "caller"}, "the supervisor hears both")
            yield call, anna, sue, told
        finally:
            call.hang_up()
    stack.ended(caller)
    eventually(lambda: not supervise(stack, "list")["supervisions"], "nobody listens any more")
    stack.nothing_left_on_the_pbx()
    stack.agent_is("anna", AgentState.AVAILABLE)


@pytest.mark.parametrize(
    ("number", "mode", "anna_hears", "caller_hears"),
    [
        ("+33100000951", "listen", {"caller"}, {"anna"}),
        ("+33100000952", "whisper", {"caller", "bert"}, {"anna"}),
        ("+33100000953", "barge", {"caller", "bert"}, {"anna", "bert"}),
    ],
)
def test_a_supervisor_hears_both_and_is_heard_by_whom_the_mode_says(
    stack: Stack, number: str, mode: str, anna_hears: set[str], caller_hears: set[str]
) -> None:
    with listening(stack, number, mode) as (call, anna, _, _):
        assert (hears(anna), hears(call)) == (anna_hears, caller_hears)
    fact = one(stack.story(number), Kind.SUPERVISED).data
    assert (fact["supervisor"], fact["agent"], fact["mode"]) == ("sue", "anna", mode)
    order = kinds(stack.story(number))
    assert order.count(Kind.SUPERVISION_ENDED) == 1
    assert order.index(Kind.SUPERVISION_ENDED) < order.index(Kind.ENDED), "its end is the contact's last fact"


def test_the_mode_changes_without_calling_the_supervisor_again(stack: Stack) -> None:
    with listening(stack, "+33100000954", "listen") as (call, anna, sue, told):
        supervise(stack, "mode", id=told["id"], mode="whisper")
        assert (hears(anna), hears(call)) == ({"caller", "bert"}, {"anna"})
        supervise(stack, "mode", id=told["id"], mode="barge")
        assert hears(call) == {"anna", "bert"}
        supervise(stack, "mode", id=told["id"], mode="listen")
        assert (hears(anna), hears(call)) == ({"caller"}, {"anna"})
        assert len(sue.calls) == 0
        assert len(sue.ringing) == 1, "still the first call"
        with pytest.raises(CommandFailed, match="must be listen, whisper or barge"):
            supervise(stack, "mode", id=told["id"], mode="shout")


def test_the_supervisor_takes_the_call_over(stack: Stack) -> None:
    with listening(stack, "+33100000955", "listen") as (call, anna, sue, told):
        supervise(stack, "takeover", id=told["id"])
        anna.wait_calls()
        assert (hears(call), hears(sue)) == ({"bert"}, {"caller"})
        stack.agent_is("anna", AgentState.AVAILABLE)
    story = stack.story("+33100000955")
    assert last(story, Kind.PARTY_JOINED).data["to"] == "supervisor:sue"
    assert kinds(story).count(Kind.TALK_ENDED) == 1


def test_a_supervisor_who_follows_hears_the_agents_next_call(stack: Stack) -> None:
    with listening(stack, "+33100000956", "listen", follow=True) as (call, anna, sue, told):
        call.hang_up()
        stack.ended("+33100000956")
        second = stack.lab.dial("1000", caller="+33100000957", tone=400, talk=None, patience=None)
        stack.wait_for("+33100000957", Kind.SUPERVISED)
        eventually(lambda: hears(sue) >= {"anna", "caller"}, "hears the next call")
        assert hears(anna) == {"caller"}
        supervise(stack, "stop", id=told["id"])
        sue.wait_calls()
        assert hears(second) == {"anna"}, "the call goes on"
        second.hang_up()
        stack.ended("+33100000957")


def test_without_a_call_there_is_nothing_to_listen_to(stack: Stack) -> None:
    with pytest.raises(CommandFailed, match="has no call now"):
        supervise(stack, "start", agent="anna", phone="bert", mode="listen")
    with pytest.raises(CommandFailed, match="no agent"):
        supervise(stack, "start", agent="nobody", phone="bert", mode="listen")


def test_a_killed_controller_leaves_no_spy_and_the_call_goes_on(stack: Stack) -> None:
    with listening(stack, "+33100000958", "whisper") as (call, anna, sue, _):
        stack.kill()
        stack.start()
        sue.wait_calls()
        eventually(lambda: hears(anna) == {"caller"}, "nobody whispers")
        assert hears(call) == {"anna"}
        stack.wait_for("+33100000958", Kind.SUPERVISION_ENDED)
        assert one(stack.story("+33100000958"), Kind.SUPERVISION_ENDED).data["reason"] == "the controller was restarted"
        contact = stack.story("+33100000958")[0].contact_id
        eventually(lambda: stack.live.contacts()[contact].detail["listeners"] == [], "and nobody sees any")
        eventually(lambda: not stack.switch.spies(), "no spy is left")


@pytest.fixture
def carla(stack: Stack) -> Iterator[Phone]:
    """A third phone, the supervisor's; anna's and bert's calls are none of ours."""
    configure(stack, agents=agents(carla=Agent(number="203")))
    with stack.phone("carla", ring=0.1, tone=1700) as phone:
        yield phone
    stack.nothing_left_on_the_pbx()
    configure(stack)


@pytest.mark.parametrize("by", ["endpoint", "channel"])
def test_a_call_between_two_phones_in_the_dialplan_is_listened_to_whispered_into_and_barged(
    stack: Stack, carla: Phone, by: str
) -> None:
    with stack.phone("anna") as anna, stack.phone("bert", ring=0.1, tone=1200) as bert:
        private = anna.dial("202", tone=800, talk=None, patience=None)
        private.until("answered")
        channel = eventually(lambda: stack.switch.channel_of("bert"), "bert's channel is listed")
        aim = {by: channel if by == "channel" else "bert"}
        told = supervise(stack, "start", phone="carla", mode="listen", **aim)
        eventually(lambda: hears(carla) == {"anna", "bert"}, "the supervisor hears both")
        assert (hears(private), hears(bert)) == ({"bert"}, {"anna"})
        supervise(stack, "mode", id=told["id"], mode="whisper")
        assert (hears(private), hears(bert)) == ({"bert"}, {"anna", "carla"})
        supervise(stack, "mode", id=told["id"], mode="barge")
        assert (hears(private), hears(bert)) == ({"bert", "carla"}, {"anna", "carla"})
        with pytest.raises(CommandFailed, match="no call of ours to take over"):
            supervise(stack, "takeover", id=told["id"])
        supervise(stack, "stop", id=told["id"])
        carla.wait_calls()
        assert (hears(private), hears(bert)) == ({"bert"}, {"anna"}), "they talk on"
        private.hang_up()


def test_a_call_in_the_pbxs_own_queue_is_listened_to_and_the_supervisor_hears_when_it_is_over(
    stack: Stack, carla: Phone
) -> None:
    with stack.phone("bert", ring=0.1, tone=1200) as bert:
        stack.kill()  # so the dialplan falls back to its own queue
        call = stack.lab.dial("1000", caller="+33100000959", tone=400, talk=None, patience=None)
        call.until("person")
        eventually(stack.switch.serves_by_itself, "in the PBX's own queue")
        stack.start()
        command = ["listen", "start", "bert", "--endpoint", "--phone", "carla", "--mode", "whisper"]
        assert group.run(command) == 0
        eventually(lambda: hears(carla) == {"caller", "bert"}, "the supervisor hears both")
        assert (hears(call), hears(bert)) == ({"bert"}, {"caller", "carla"})
        call.hang_up()
        carla.wait_calls()
    eventually(lambda: supervise(stack, "list")["supervisions"] == [], "nobody listens any more")
    with pytest.raises(CommandFailed, match="bert has no call now"):
        supervise(stack, "start", endpoint="bert", phone="carla", mode="listen")
