"""An agent calls somebody outside, on a real PBX, judged by what both hear."""

from collections.abc import Iterator
from typing import Any

import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.contacts import fold
from contactcentre.domain.events import Direction, Kind, Outcome
from contactcentre.domain.history import Phase
from contactcentre.domain.site import Settings, Trunk
from contactcentre.lab import BUSY, Phone
from contactcentre.lab.remote import Handsets
from contactcentre.live import CommandFailed, Commands
from contactcentre.pbx.events import Cause
from tests.controller.stack import Stack
from tests.controller.test_devices_heard import configure, elsewhere, port_of
from tests.controller.test_verbs_heard import hears
from tests.waiting import eventually

CUSTOMER, ENGAGED, ASLEEP = "+33611223341", "+33611223342", "+33611223343"


@pytest.fixture
def carrier(stack: Stack) -> Iterator[Handsets]:
    """Through which customers outside are called."""
    with elsewhere(stack) as handsets, Phone(handsets, "bert", stack.store.secret("agent/bert") or "") as known:
        port = port_of(stack, "bert")
        trunk = Trunk(host="127.0.0.1", port=port, match=("127.0.0.9",), caller_id="+33100000000")
        configure(stack, trunks={"carrier": trunk}, settings=Settings(transfer_numbers=("+336",)))
        known.close()
        yield handsets
    configure(stack)


def call_out(stack: Stack, number: str, **args: Any) -> dict[str, Any]:
    wanted = {"agent": "anna", "number": number, "queue": "support", **args}
    return Commands(stack.redis).send("node1", "call_out", wanted)


def test_an_agent_calls_a_customer_and_both_hear_each_other(stack: Stack, carrier: Handsets) -> None:
    customer = Phone(carrier, CUSTOMER, "no secret", ring=1.5, tone=1200, deadline=0)
    with stack.phone("anna", ring=0.1, tone=800) as anna:
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        call_out(stack, CUSTOMER)
        assert anna.wait_ringing()["caller"] == CUSTOMER, "the agent sees who is to be called"
        assert customer.wait_ringing()["caller"] == "+33100000000", "carriers want a number of ours"
        assert hears(anna) == {"ringing"}
        stack.wait_for(CUSTOMER, Kind.TALK_STARTED)
        eventually(lambda: hears(anna) == {"bert"} and hears(customer) == {"anna"}, "both hear each other")
        stack.agent_is("anna", AgentState.TALKING)
        customer.hang_up()
        story = stack.ended(CUSTOMER)
        anna.wait_calls()
        stack.agent_is("anna", AgentState.AVAILABLE)
    stack.nothing_left_on_the_pbx()
    history = fold(story)
    whole = history.contact
    assert (whole.direction, whole.outcome, whole.agent, whole.queue) == (
        Direction.OUTBOUND,
        Outcome.ANSWERED,
        "anna",
        "support",
    )
    assert whole.talk > 0
    assert [tile.kind for tile in history.segments][:2] == [Phase.DIALLING, Phase.TALK]
    assert history.recordings, "as its queue says"


def test_a_customer_whose_line_is_busy_and_numbers_that_nobody_may_call(stack: Stack, carrier: Handsets) -> None:
    Phone(carrier, ENGAGED, "no secret", ring=0.1, answer=BUSY, deadline=0)
    with stack.phone("anna", ring=0.1, tone=800) as anna:
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        for number in ("112", "+33899123456", "+4930123456"):
            with pytest.raises(CommandFailed, match="transfer_numbers"):
                call_out(stack, number)
        call_out(stack, ENGAGED)
        whole = fold(stack.ended(ENGAGED)).contact
        assert (whole.outcome, whole.ended_by, whole.cause) == (Outcome.NOT_REACHED, "caller", Cause.BUSY)
        anna.wait_calls()
        stack.agent_is("anna", AgentState.AVAILABLE)
    stack.nothing_left_on_the_pbx()


def test_an_agent_who_hangs_up_while_it_rings_ends_the_call_to_the_customer(stack: Stack, carrier: Handsets) -> None:
    customer = Phone(carrier, ASLEEP, "no secret", ring=600, deadline=0)
    with stack.phone("anna", ring=0.1, tone=800) as anna:
        stack.act("anna", Verb.LOGIN)
        stack.act("anna", Verb.PAUSE, reason="lunch")
        stack.reachable("anna")
        call_out(stack, ASLEEP, queue="")
        customer.wait_ringing()
        anna.hang_up()
        whole = fold(stack.ended(ASLEEP)).contact
        assert (whole.outcome, whole.ended_by) == (Outcome.NOT_REACHED, "agent")
        eventually(lambda: not customer.ringing, "it rings no longer")
        stack.agent_is("anna", AgentState.PAUSED)
        stack.act("anna", Verb.UNPAUSE)
    stack.nothing_left_on_the_pbx()
