"""Verbs on real calls, judged by what each party hears: whoever asks, and the agent's own phone keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gevent
import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.lab import OngoingCall, Phone
from contactcentre.live import CommandFailed, Commands
from tests.controller.stack import Stack, kinds, last, one
from tests.pbx.scene import WHOLE
from tests.pbx.spectrum import tones
from tests.waiting import AT_ONCE, eventually

TONES = {400: "caller", 440: "ringing", 615: "music", 800: "anna", 1200: "bert", 1700: "carla"}


def hears(who: Phone | OngoingCall) -> set[str]:
    """In half a second from now, when the sound has followed what was done. Where packets are missing, it is silent or
    the machine was busy with others: then the same must be heard twice."""
    before: set[str] | None = None
    while True:
        gevent.sleep(0.3)
        with TemporaryDirectory() as directory:
            hearing = who.hear(0.5, Path(directory) / "heard.wav")
            heard = {TONES[int(hertz)] for hertz in tones(hearing.wait(), TONES)}
        if hearing.packets >= WHOLE or heard == before:
            return heard
        before = heard


def ask(stack: Stack, caller: str, verb: str, **args: Any) -> dict[str, Any]:
    contact = stack.wait_for(caller, Kind.ARRIVED).contact_id
    return Commands(stack.redis).send("node1", "call", {"contact": contact, "verb": verb, "args": args, "by": "agent"})


@contextmanager
def talking(stack: Stack, caller: str) -> Iterator[tuple[OngoingCall, Phone, Phone]]:
    """A customer who talks with anna; bert is there."""
    with (
        stack.phone("anna", ring=0.1, tone=800) as anna,
        stack.phone("bert", ring=0.3, tone=1200) as bert,
    ):
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        call = stack.lab.dial("1000", caller=caller, tone=400, talk=None, patience=None)
        stack.wait_for(caller, Kind.TALK_STARTED)
        stack.act("bert", Verb.LOGIN)
        stack.reachable("bert")
        try:
            yield call, anna, bert
        finally:
            call.hang_up()
    stack.ended(caller)
    stack.nothing_left_on_the_pbx()
    for agent in ("anna", "bert"):
        stack.agent_is(agent, AgentState.AVAILABLE)


def consulting(stack: Stack, caller: str, bert: Phone) -> None:
    ask(stack, caller, "consult", to="agent:bert")
    stack.wait_for(caller, Kind.CONSULT_ANSWERED)
    eventually(lambda: hears(bert) == {"anna"}, "bert hears anna")


def test_hold_and_resume(stack: Stack) -> None:
    with talking(stack, "+33100000901") as (call, anna, _):
        assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})
        ask(stack, "+33100000901", "hold")
        assert (hears(call), hears(anna)) == ({"music"}, set())
        ask(stack, "+33100000901", "resume")
        assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})


def test_the_phones_hold_key_does_what_the_verb_does(stack: Stack) -> None:
    with talking(stack, "+33100000902") as (call, anna, _):
        anna.hold()
        assert stack.wait_for("+33100000902", Kind.TALK_HELD).data["by"] == "phone"
        contact = stack.wait_for("+33100000902", Kind.ARRIVED).contact_id
        eventually(lambda: stack.live.contacts()[contact].detail["talk"]["customer"] == "music", "everybody can see it")
        anna.resume()
        assert stack.wait_for("+33100000902", Kind.TALK_RESUMED).data["by"] == "phone"
        assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})


def test_mute(stack: Stack) -> None:
    with talking(stack, "+33100000903") as (call, anna, _):
        ask(stack, "+33100000903", "mute")
        assert (hears(call), hears(anna)) == (set(), {"caller"})
        ask(stack, "+33100000903", "unmute")
        assert hears(call) == {"anna"}


def test_an_expert_is_asked_while_the_customer_hears_music_and_takes_over(stack: Stack) -> None:
    with talking(stack, "+33100000904") as (call, anna, bert):
        consulting(stack, "+33100000904", bert)
        assert (hears(call), hears(anna), hears(bert)) == ({"music"}, {"bert"}, {"anna"})
        ask(stack, "+33100000904", "toggle")
        assert (hears(call), hears(anna), hears(bert)) == ({"anna"}, {"caller"}, {"music"})
        ask(stack, "+33100000904", "toggle")
        ask(stack, "+33100000904", "complete")
        assert (hears(call), hears(bert)) == ({"bert"}, {"caller"})
        anna.wait_calls()
        stack.agent_is("anna", AgentState.AVAILABLE)
        stack.agent_is("bert", AgentState.TALKING)
    story = stack.story("+33100000904")
    assert [e.data["agent"] for e in story if e.kind is Kind.TALK_STARTED] == ["anna", "bert"]
    recording = one(story, Kind.RECORDING_ENDED).data
    assert set(recording["files"]) == {"left", "right"}, "one recording, through all of it"


def test_the_agent_hears_ringing_while_the_experts_phone_rings(stack: Stack) -> None:
    with talking(stack, "+33100000913") as (call, anna, bert):
        bert.behave(ring=60)
        ask(stack, "+33100000913", "consult", to="agent:bert")
        bert.wait_ringing()
        eventually(lambda: hears(anna) == {"ringing"}, "in France it sounds 1.5 s of 5")
        assert hears(call) == {"music"}
        ask(stack, "+33100000913", "cancel")
        eventually(lambda: (hears(call), hears(anna)) == ({"anna"}, {"caller"}), "the customer is back")
        bert.behave(ring=2)
        ask(stack, "+33100000913", "consult", to="agent:bert")
        stack.wait_for("+33100000913", Kind.CONSULT_ANSWERED)
        eventually(lambda: (hears(anna), hears(bert)) == ({"bert"}, {"anna"}), "they talk, and nothing rings any more")
        assert hears(call) == {"music"}


def test_three_talk_and_the_first_agent_leaves(stack: Stack) -> None:
    with talking(stack, "+33100000905") as (call, anna, bert):
        consulting(stack, "+33100000905", bert)
        ask(stack, "+33100000905", "conference")
        assert (hears(call), hears(anna), hears(bert)) == ({"anna", "bert"}, {"caller", "bert"}, {"caller", "anna"})
        ask(stack, "+33100000905", "drop")
        assert (hears(call), hears(bert)) == ({"bert"}, {"caller"})


def test_a_busy_expert_leaves_the_customer_with_the_agent(stack: Stack) -> None:
    with talking(stack, "+33100000906") as (call, anna, bert):
        bert.behave(answer=486)
        ask(stack, "+33100000906", "consult", to="agent:bert")
        assert stack.wait_for("+33100000906", Kind.CONSULT_ENDED).data["result"] == "busy"
        eventually(lambda: hears(call) == {"anna"}, "the customer is back")
        assert hears(anna) == {"caller"}


def test_the_phones_transfer_key_leads_to_the_other_agent(stack: Stack) -> None:
    with talking(stack, "+33100000907") as (call, anna, bert):
        anna.transfer("bert")
        assert anna.wait_transfer() == 200
        bert.wait_ringing()
        eventually(
            lambda: len([e for e in stack.story("+33100000907") if e.kind is Kind.TALK_STARTED]) == 2, "they talk"
        )
        assert (hears(call), hears(bert)) == ({"bert"}, {"caller"})
    moved = one(stack.story("+33100000907"), Kind.TRANSFERRED).data
    assert (moved["to"], moved["by"], moved["how"]) == ("agent:bert", "anna", "blind")


def test_a_blind_transfer_that_nobody_answers_leads_back_to_the_queue(stack: Stack) -> None:
    with talking(stack, "+33100000908") as (call, anna, bert):
        bert.behave(answer=603)
        ask(stack, "+33100000908", "transfer", to="agent:bert")
        eventually(lambda: kinds(stack.story("+33100000908")).count(Kind.QUEUED) == 2, "waits again")
        eventually(lambda: kinds(stack.story("+33100000908")).count(Kind.TALK_STARTED) == 2, "and is served again")
        eventually(lambda: hears(call) == {"anna"}, "hears an agent")
        assert last(stack.story("+33100000908"), Kind.TALK_STARTED).data["agent"] == "anna"
        assert hears(anna) == {"caller"}


def test_parked_and_retrieved(stack: Stack) -> None:
    with talking(stack, "+33100000909") as (call, anna, bert):
        ask(stack, "+33100000909", "park")
        anna.wait_calls()
        assert hears(call) == {"music"}
        ask(stack, "+33100000909", "retrieve", agent="bert")
        stack.wait_for("+33100000909", Kind.RETRIEVED)
        eventually(lambda: hears(bert) == {"caller"}, "bert hears the customer")
        assert hears(call) == {"bert"}


def test_an_agent_who_hangs_up_in_a_consult_gives_the_customer_to_the_expert(stack: Stack) -> None:
    with talking(stack, "+33100000910") as (call, anna, bert):
        consulting(stack, "+33100000910", bert)
        anna.hang_up()
        eventually(lambda: hears(call) == {"bert"}, "the customer hears bert")
        assert hears(bert) == {"caller"}


def test_an_agent_who_hangs_up_from_the_page_leaves_nobody_in_silence(stack: Stack) -> None:
    with talking(stack, "+33100000914") as (call, anna, _):
        ask(stack, "+33100000914", "leave", agent="anna")
        eventually(lambda: call.result is not None, "the flow has gone on and ended", AT_ONCE)
        anna.wait_calls()


def test_a_verb_after_a_restart_of_the_controller(stack: Stack) -> None:
    with talking(stack, "+33100000911") as (call, anna, bert):
        consulting(stack, "+33100000911", bert)
        stack.kill()
        assert (hears(call), hears(anna), hears(bert)) == ({"music"}, {"bert"}, {"anna"})
        stack.start()

        def completed() -> bool:
            try:
                return bool(ask(stack, "+33100000911", "complete"))
            except CommandFailed:
                return False

        eventually(completed, "taken up, and completed")
        assert (hears(call), hears(bert)) == ({"bert"}, {"caller"})


def test_a_number_outside_that_the_site_does_not_allow_is_refused(stack: Stack) -> None:
    with talking(stack, "+33100000912") as (call, anna, _):
        with pytest.raises(CommandFailed, match="transfer_numbers"):
            ask(stack, "+33100000912", "transfer", to="number:+4912345")
        anna.transfer("+4912345")
        assert anna.wait_transfer() == stack.switch.declines_with
        if stack.switch.declines_with == 200:  # it has been told of success, and is out of the call
            anna.wait_calls()
        else:
            assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})
