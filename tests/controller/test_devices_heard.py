"""Agents' devices on a real Asterisk, judged by what everybody hears: numbers outside, open lines, phones that die."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest

from contactcentre.controller.absent import LOOK
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind, OfferResult
from contactcentre.domain.site import Agent, Site, Trunk
from contactcentre.lab import OngoingCall, Phone
from contactcentre.lab.remote import Handsets
from tests.controller.conftest import SITE
from tests.controller.stack import Stack, one
from tests.controller.test_verbs_heard import ask, hears
from tests.waiting import eventually

OUTSIDE = "+33611223344"


@contextmanager
def elsewhere(stack: Stack) -> Iterator[Handsets]:
    """Phones of a process of their own, which can die."""
    info = stack.lab.info()
    handsets = Handsets(f"{info.sip_host}:{info.sip_port}")
    try:
        yield handsets
    finally:
        handsets.close()


def configure(stack: Stack, **changes: object) -> None:
    """Another version of the site, which the controller has read."""
    stack.provision(Site.model_validate(SITE).model_copy(update=changes))
    version = stack.store.site()[0]
    eventually(lambda: stack.signs().get("site") == version, "the controller has the site")


def port_of(stack: Stack, account: str) -> int:
    return int(eventually(lambda: stack.switch.phone_at(account), f"{account} is registered"))


def agents(**changes: Agent) -> dict[str, Agent]:
    return {**Site.model_validate(SITE).agents, **changes}


@pytest.fixture
def outside(stack: Stack) -> Iterator[Phone]:
    """A phone outside that a carrier leads to; anna is called there. It answers and says 1200 Hz."""
    with elsewhere(stack) as handsets, Phone(handsets, "bert", stack.store.secret("agent/bert") or "") as known:
        port = port_of(stack, "bert")
        carrier = {"carrier": Trunk(host="127.0.0.1", port=port, match=("127.0.0.9",), caller_id="+33100000000")}
        configure(stack, trunks=carrier, agents=agents(anna=Agent(external=OUTSIDE)))
        # It cannot be registered, and need not: the carrier knows where it is.
        phone = Phone(handsets, OUTSIDE, "no secret", ring=0.1, tone=1200, deadline=0)
        known.close()
        yield phone
    configure(stack)


def test_an_agent_outside_takes_the_call_by_a_key_and_until_then_the_caller_hears_music(
    stack: Stack, outside: Phone
) -> None:
    stack.act("anna", Verb.LOGIN)
    stack.reachable("anna")
    call = stack.lab.dial("1000", caller="+33100000951", tone=400, talk=None, patience=None)
    shown = outside.wait_ringing()
    assert shown["caller"] == "+33100000000", "carriers want a number of ours"
    stack.wait_for("+33100000951", Kind.OFFERED)
    gevent.sleep(1)
    assert hears(call) == {"music"}
    # speech may have a tenth of its energy at any pitch, for a moment; a tone that is heard stays
    assert not set.intersection(*(hears(outside) for _ in range(3))), "only the question"
    outside.send_digits("1")
    stack.wait_for("+33100000951", Kind.TALK_STARTED)
    assert (hears(call), hears(outside)) == ({"bert"}, {"caller"})
    call.hang_up()
    stack.ended("+33100000951")
    stack.agent_is("anna", AgentState.AVAILABLE)


def test_an_answering_machine_outside_gets_no_customer(stack: Stack, outside: Phone) -> None:
    stack.act("anna", Verb.LOGIN)
    stack.reachable("anna")
    call = stack.lab.dial("1000", caller="+33100000952", tone=400, talk=None, patience=None)
    outside.wait_ringing()
    heard = [hears(call) for _ in range(8)]
    assert set().union(*heard) == {"music"}
    eventually(lambda: stack.wait_for("+33100000952", Kind.REFUSED), "the offer is over")
    assert one(stack.story("+33100000952"), Kind.REFUSED).data["result"] == OfferResult.MISSED
    assert hears(call) == {"music"}
    call.hang_up()
    assert Kind.TALK_STARTED not in [event.kind for event in stack.ended("+33100000952")]


@pytest.fixture
def anna(stack: Stack) -> Iterator[Phone]:
    """Her phone, with an open line."""
    configure(stack, agents=agents(anna=Agent(line="persistent")))
    with stack.phone("anna", ring=0.1, tone=800) as phone:
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        yield phone
        if stack.live.agent("anna").state is not AgentState.LOGGED_OUT:
            stack.act("anna", Verb.LOGOUT)
        phone.wait_calls()
    stack.nothing_left_on_the_pbx()
    configure(stack)


def talks(stack: Stack, caller: str) -> OngoingCall:
    call = stack.lab.dial("1000", caller=caller, tone=400, talk=None, patience=None)
    stack.wait_for(caller, Kind.TALK_STARTED)
    return call


def test_an_open_line_carries_one_conversation_after_the_other_and_outlives_a_killed_controller(
    stack: Stack, anna: Phone
) -> None:
    line = next(iter(anna.ringing))
    assert hears(anna) == set(), "silence, between calls"
    call = talks(stack, "+33100000953")
    assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})
    call.hang_up()
    stack.ended("+33100000953")
    stack.agent_is("anna", AgentState.AVAILABLE)

    call = talks(stack, "+33100000954")
    stack.kill()
    assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})
    stack.start()
    assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})
    call.hang_up()
    stack.ended("+33100000954")
    stack.agent_is("anna", AgentState.AVAILABLE)

    stack.kill()  # between calls
    stack.start()
    stack.reachable("anna")
    call = talks(stack, "+33100000955")
    assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})
    assert list(anna.ringing) == [line], "the phone was called once"
    assert not anna.calls
    call.hang_up()
    story = stack.ended("+33100000955")
    assert one(story, Kind.RECORDING_ENDED).data["files"].keys() == {"left", "right"}


def test_in_an_open_line_the_customer_is_held_by_the_phones_key_and_by_a_code(stack: Stack, anna: Phone) -> None:
    call = talks(stack, "+33100000956")
    anna.hold()
    stack.wait_for("+33100000956", Kind.TALK_HELD)
    assert hears(call) == {"music"}
    anna.resume()
    stack.wait_for("+33100000956", Kind.TALK_RESUMED)
    assert (hears(call), hears(anna)) == ({"anna"}, {"caller"})
    anna.send_digits("*3")
    eventually(lambda: hears(call) == {"music"}, "held by the code")
    call.hang_up()
    stack.ended("+33100000956")


def test_in_an_open_line_the_agent_hears_ringing_while_a_colleagues_phone_rings(stack: Stack, anna: Phone) -> None:
    with stack.phone("bert", ring=60, tone=1200) as bert:
        call = talks(stack, "+33100000957")
        stack.act("bert", Verb.LOGIN)
        stack.reachable("bert")
        ask(stack, "+33100000957", "consult", to="agent:bert")
        bert.wait_ringing()
        eventually(lambda: hears(anna) == {"ringing"}, "the line rings")
        bert.answer()
        eventually(lambda: (hears(anna), hears(bert)) == ({"bert"}, {"anna"}), "they talk")
        assert hears(call) == {"music"}
        call.hang_up()
        stack.ended("+33100000957")


def test_who_hangs_up_the_line_in_a_conversation_is_logged_out_and_the_customer_is_not_left_in_silence(
    stack: Stack, anna: Phone
) -> None:
    call = talks(stack, "+33100000960")
    anna.hang_up()
    assert call.wait(120).answered
    stack.ended("+33100000960")
    stack.agent_is("anna", AgentState.LOGGED_OUT)


def test_a_phone_in_a_call_of_its_own_is_left_alone_until_that_is_over(stack: Stack) -> None:
    with (
        stack.phone("anna", ring=0.1, tone=800) as anna,
        stack.phone("bert", ring=0.1, tone=1200, lines=2),
    ):
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        private = anna.dial("202", tone=800, talk=None, patience=None)
        private.until("answered")
        eventually(lambda: "anna" in stack.signs()["in_use"], "anna is known to be in a call")
        call = stack.lab.dial("1000", caller="+33100000958", tone=400, talk=None, patience=None)
        decision = stack.wait_for("+33100000958", Kind.DECISION)
        assert ["anna", "phone not registered or not answering"] in decision.data["cut"]
        private.hang_up()
        anna.wait_ringing()
        stack.wait_for("+33100000958", Kind.TALK_STARTED)
        call.hang_up()
        stack.ended("+33100000958")


def test_a_phone_that_dies_gets_no_offers_as_soon_as_the_pbx_can_know(stack: Stack) -> None:
    """Its last registration stands for a minute; OPTIONS every 15 seconds tell, that are not answered within 3."""
    with elsewhere(stack) as handsets:
        Phone(handsets, "anna", stack.store.secret("agent/anna") or "")
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        os.kill(handsets.pid, signal.SIGKILL)
        died = time.time()
        eventually(lambda: "anna" in stack.signs()["unreachable"], "anna is known to be away", 60)
        print(f"no more offers {stack.signs()['unreachable']['anna'] - died:.1f} s after the phone died")
        call = stack.lab.dial("1000", caller="+33100000959", tone=400, talk=None, patience=None)
        stack.wait_for("+33100000959", Kind.DECISION)
        gevent.sleep(LOOK)
        assert Kind.OFFERED not in [event.kind for event in stack.story("+33100000959")]
        call.hang_up()
        stack.ended("+33100000959")
