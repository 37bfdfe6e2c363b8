"""Codes and keys of real phones in real calls, judged by what each party hears."""

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Kind
from tests.controller.stack import Stack, kinds
from tests.controller.test_verbs_heard import hears, talking
from tests.waiting import eventually


def test_an_expert_is_asked_and_given_the_customer_by_codes(stack: Stack) -> None:
    caller = "+33100000931"
    with talking(stack, caller) as (call, anna, bert):
        anna.send_digits("*2")
        eventually(lambda: hears(call) == {"music"}, "the customer does not hear the number")
        anna.send_digits("202#")
        stack.wait_for(caller, Kind.CONSULT_ANSWERED)
        eventually(lambda: hears(bert) == {"anna"}, "bert hears anna")
        assert (hears(call), hears(anna)) == ({"music"}, {"bert"})
        anna.send_digits("*4")
        anna.wait_calls()
        eventually(lambda: hears(call) == {"bert"}, "the customer hears bert")
        assert hears(bert) == {"caller"}
    assert kinds(stack.story(caller)).count(Kind.TALK_STARTED) == 2


def test_parked_by_a_code_and_retrieved_by_dialling(stack: Stack) -> None:
    caller = "+33100000932"
    with talking(stack, caller) as (call, anna, bert):
        anna.send_digits("*7")
        slot = stack.wait_for(caller, Kind.PARKED).data["slot"]
        anna.wait_calls()
        assert hears(call) == {"music"}
        taking = bert.dial(f"*5{slot}", tone=1200, talk=None, patience=None)
        stack.wait_for(caller, Kind.RETRIEVED)
        eventually(lambda: hears(call) == {"bert"}, "the customer hears bert")
        assert hears(taking) == {"caller"}
        stack.agent_is("bert", AgentState.TALKING)
        taking.hang_up()


def test_a_wrong_number_leaves_the_customer_with_the_agent(stack: Stack) -> None:
    caller = "+33100000933"
    with talking(stack, caller) as (call, anna, _):
        anna.send_digits("#1999#")
        stack.wait_for(caller, Kind.TALK_RESUMED)
        eventually(lambda: hears(call) == {"anna"}, "the customer hears anna")
        assert hears(anna) == {"caller"}


def test_an_attended_transfer_by_the_phone_alone(stack: Stack) -> None:
    caller = "+33100000934"
    with talking(stack, caller) as (call, anna, bert):
        anna.hold()
        stack.wait_for(caller, Kind.TALK_HELD)
        second = anna.dial("202", tone=800, talk=None, patience=None)
        second.until("answered")
        eventually(lambda: hears(bert) == {"anna"}, "bert hears anna")
        anna.transfer("202", other=second)
        assert anna.wait_transfer() == 200
        assert stack.wait_for(caller, Kind.TRANSFERRED).data["to"] == "agent:bert"
        eventually(lambda: hears(call) == {"bert"}, "the customer hears bert")
        assert hears(bert) == {"caller"}
        stack.agent_is("bert", AgentState.TALKING)
        stack.agent_is("anna", AgentState.AVAILABLE)
        second.hang_up()
