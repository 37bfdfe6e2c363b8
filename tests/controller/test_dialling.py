"""An agent calls somebody: on a PBX in memory, asked for as pages and programs do."""

import time
from typing import Any

import pytest

from contactcentre.controller import confirming, dialling, parties
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.contacts import ContactHistory, fold
from contactcentre.domain.events import Direction, Event, Kind, Outcome
from contactcentre.domain.history import Phase
from contactcentre.domain.site import Agent
from contactcentre.live import CommandFailed, Commands
from contactcentre.pbx.events import Cause
from tests.controller.fake_pbx import Line
from tests.controller.people import rings, state
from tests.controller.test_external import configure
from tests.controller.world import World
from tests.waiting import AT_ONCE, eventually

CUSTOMER = "+33123456789"


def call_out(world: World, **args: Any) -> str:
    """The contact's id."""
    wanted = {"agent": "anna", "number": CUSTOMER, "queue": "one", **args}
    return str(Commands(world.redis).send(world.node, "call_out", wanted, timeout=5)["contact"])


def refused(world: World, **args: Any) -> str:
    with pytest.raises(CommandFailed) as failed:
        call_out(world, **args)
    return failed.value.code


def story(world: World, contact: str) -> list[Event]:
    return sorted((event for event in world.events() if event.contact_id == contact), key=lambda event: event.seq)


def comes(world: World, contact: str, kind: Kind) -> Event:
    def found() -> Event | None:
        return next((event for event in story(world, contact) if event.kind is kind), None)

    event: Event = eventually(found, lambda: f"{kind} among {[event.kind for event in story(world, contact)]}")
    return event


def over(world: World, contact: str) -> ContactHistory:
    """What history has of it, once it has ended and all is as it was."""
    comes(world, contact, Kind.ENDED)
    world.peace()
    facts = story(world, contact)
    World.check_story(facts)
    assert not world.pbx.violations
    history = fold(facts)
    whole = history.contact
    tiles = [tile for tile in history.segments if tile.kind is not Phase.WRAP_UP]
    assert [tile.started for tile in tiles] == [whole.arrived, *(tile.ended for tile in tiles[:-1])]
    assert tiles[-1].ended == whole.ended
    assert (whole.direction, whole.did, whole.caller) == (Direction.OUTBOUND, "", CUSTOMER)
    return history


def phones(world: World) -> tuple[Line, Line]:
    """The agent's phone, which has answered, and the customer's, which rings."""
    phone = rings(world)
    assert phone.endpoint == "anna"
    world.pbx.answer(phone)
    customer = rings(world)
    assert customer.endpoint == f"{CUSTOMER}@carrier"
    return phone, customer


def test_the_agents_phone_rings_then_the_customers_and_they_talk_by_the_queues_rules(world: World) -> None:
    contact = call_out(world, name="Marie Dubois", about="an-earlier-one")
    assert state(world, "anna") is AgentState.OFFERED
    phone, customer = phones(world)
    eventually(lambda: phone.hears_ringing, "the agent hears that it rings")
    now = eventually(lambda: world.live.contact(contact), "pages see it")
    assert (now.state, now.agent, now.queue, now.caller) == ("dialling", "anna", "one", CUSTOMER)
    world.pbx.answer(customer)
    comes(world, contact, Kind.TALK_STARTED)
    eventually(lambda: phone.bridge == customer.bridge != "", "they hear each other")
    assert not phone.hears_ringing
    assert state(world, "anna") is AgentState.TALKING
    comes(world, contact, Kind.RECORDING_STARTED)
    world.pbx.leave(customer)
    whole = over(world, contact).contact
    assert (whole.outcome, whole.agent, whole.queue, whole.queues) == (Outcome.ANSWERED, "anna", "one", ("one",))
    assert whole.talk > 0
    assert (whole.caller_name, whole.waited, whole.ended_by) == ("Marie Dubois", 0.0, "caller")
    arrived = comes(world, contact, Kind.ARRIVED).data
    assert (arrived["agent"], arrived["queue"], arrived["about"]) == ("anna", "one", "an-earlier-one")
    assert state(world, "anna") is AgentState.AVAILABLE


def test_an_agent_who_is_paused_calls_and_is_paused_again_afterwards(world: World) -> None:
    world.live.change("anna", Verb.PAUSE, time.time(), reason="lunch", by="sue", note="go and eat")
    contact = call_out(world, queue="")
    phone, customer = phones(world)
    world.pbx.answer(customer)
    comes(world, contact, Kind.TALK_STARTED)
    world.pbx.leave(phone)
    history = over(world, contact)
    assert history.recordings == (), "no queue says that it is to be recorded"
    assert (history.contact.ended_by, history.contact.queue, history.contact.queues) == ("agent", "", ())
    assert state(world, "anna") is AgentState.WRAP_UP
    world.live.change("anna", Verb.WRAPPED, time.time())
    assert state(world, "anna") is AgentState.PAUSED
    status = world.live.agent("anna")
    assert (status.reason, status.by, status.note) == ("lunch", "sue", "go and eat")


def test_whom_an_agent_must_not_or_cannot_call_is_refused_and_nobodys_phone_rings(world: World) -> None:
    assert refused(world, number="+49301234567") == "not_allowed"
    assert refused(world, number="112") == "not_allowed"
    assert refused(world, number="+331") == "wrong_target"
    assert refused(world, number="+33123456789@evil") == "wrong_target"
    assert refused(world, number="") == "wrong_target"
    assert refused(world, agent="nobody") == refused(world, queue="nowhere") == "no_such_target"
    first = call_out(world)
    assert refused(world) == "busy"
    world.pbx.leave(rings(world), Cause.REJECTED)
    over(world, first)
    world.live.change("anna", Verb.LOGOUT, time.time())
    assert refused(world) == "busy"
    configure(world, trunks={})
    assert refused(world, agent="bert") == "no_trunk"
    assert not world.pbx.lines
    assert not world.controller.node.contacts


@pytest.mark.parametrize("cause", [Cause.BUSY, Cause.REJECTED, Cause.NO_ANSWER, Cause.UNREACHABLE])
def test_a_customer_who_cannot_be_reached_is_told_to_the_agent_who_is_free_again(world: World, cause: Cause) -> None:
    contact = call_out(world)
    phone, customer = phones(world)
    world.pbx.leave(customer, cause)
    whole = over(world, contact).contact
    assert (whole.outcome, whole.ended_by, whole.cause) == (Outcome.NOT_REACHED, "caller", cause)
    assert (whole.agent, whole.talk) == ("", 0.0)
    assert (dialling.ERROR, "") in phone.heard
    assert phone.id not in world.pbx.lines
    assert state(world, "anna") is AgentState.AVAILABLE
    assert world.live.agent("anna").misses == 0


def test_a_customer_who_does_not_answer_in_time_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "CUSTOMER_SECONDS", 0.3)
    contact = call_out(world)
    _, customer = phones(world)
    whole = over(world, contact).contact
    assert (whole.outcome, whole.ended_by, whole.cause) == (Outcome.NOT_REACHED, "caller", Cause.NO_ANSWER)
    assert customer.id not in world.pbx.lines


def test_an_agent_who_hangs_up_while_it_rings_takes_the_call_back(world: World) -> None:
    contact = call_out(world)
    phone, customer = phones(world)
    world.pbx.leave(phone)
    whole = over(world, contact).contact
    assert (whole.outcome, whole.ended_by) == (Outcome.NOT_REACHED, "agent")
    assert customer.id not in world.pbx.lines
    assert state(world, "anna") is AgentState.AVAILABLE


def test_an_agent_who_does_not_answer_the_own_phone_calls_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "RING_SECONDS", 0.3)
    contact = call_out(world)
    phone = rings(world)
    history = over(world, contact)
    assert (history.contact.ended_by, history.contact.cause) == ("agent", Cause.NO_ANSWER)
    assert [leg.role for leg in history.legs] == ["agent"]
    assert phone.id not in world.pbx.lines
    assert state(world, "anna") is AgentState.AVAILABLE


def test_an_agent_at_home_presses_the_key_before_the_customer_is_called(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "SECONDS", 5.0)
    configure(world, agents={"anna": Agent(external="+33611223344"), "bert": Agent()})
    contact = call_out(world)
    phone = rings(world)
    assert phone.endpoint == "+33611223344@carrier"
    world.pbx.answer(phone)
    eventually(lambda: ("digits:1", "") in phone.heard, "is asked for the key")
    assert not world.pbx.ringing()
    world.pbx.press(phone, "1")
    world.pbx.answer(rings(world))
    comes(world, contact, Kind.TALK_STARTED)
    world.pbx.leave(phone)
    assert over(world, contact).contact.outcome == Outcome.ANSWERED


def test_the_agent_hangs_up_by_command_before_and_in_the_conversation(world: World) -> None:
    def leave(contact: str) -> None:
        wanted = {"contact": contact, "verb": "leave", "args": {"agent": "anna"}, "by": "agent"}
        Commands(world.redis).send(world.node, "call", wanted, timeout=5)

    contact = call_out(world)
    phones(world)
    with pytest.raises(CommandFailed, match="has not answered") as failed:
        Commands(world.redis).send(world.node, "call", {"contact": contact, "verb": "hold", "args": {}}, timeout=5)
    assert failed.value.code == "not_talking"
    leave(contact)
    assert over(world, contact).contact.ended_by == "agent"
    contact = call_out(world)
    phone, customer = phones(world)
    world.pbx.answer(customer)
    comes(world, contact, Kind.TALK_STARTED)
    leave(contact)
    eventually(lambda: phone.id not in world.pbx.lines, "the own phone is hung up")
    eventually(lambda: customer.id not in world.pbx.lines, "nobody is left in silence", AT_ONCE)
    assert over(world, contact).contact.outcome == Outcome.ANSWERED


def test_a_customer_who_was_called_can_be_sent_on_and_waits_like_any_other(world: World) -> None:
    contact = call_out(world)
    _, customer = phones(world)
    world.pbx.answer(customer)
    comes(world, contact, Kind.TALK_STARTED)
    wanted = {"contact": contact, "verb": "transfer", "args": {"to": "agent:bert"}, "by": "agent"}
    Commands(world.redis).send(world.node, "call", wanted, timeout=5)
    second = rings(world)
    assert second.endpoint == "bert"
    world.pbx.answer(second)
    eventually(lambda: second.bridge == customer.bridge != "", "they talk")
    world.pbx.leave(second)
    whole = over(world, contact).contact
    assert whole.agents == ("anna", "bert")
    assert customer.id not in world.pbx.lines


@pytest.mark.parametrize("when", ["agent rings", "customer rings", "talking"])
@pytest.mark.parametrize("trouble", ["killed", "cut"])
def test_an_attempt_ends_with_the_controller_or_the_link_and_a_conversation_does_not(
    world: World, when: str, trouble: str
) -> None:
    contact = call_out(world)
    customer = None
    if when == "agent rings":
        rings(world)
    else:
        phone, customer = phones(world)
        if when == "talking":
            world.pbx.answer(customer)
            comes(world, contact, Kind.TALK_STARTED)
    comes(world, contact, Kind.LEG_STARTED)
    if trouble == "killed":
        world.restart()
    else:
        world.pbx.cut()
        world.pbx.mend()
    if when == "talking":
        assert customer is not None
        eventually(lambda: contact in world.controller.node.contacts, "taken up")
        assert phone.bridge == customer.bridge != ""
        world.pbx.leave(customer)
        assert over(world, contact).contact.outcome == Outcome.ANSWERED
    else:
        whole = over(world, contact).contact
        assert (whole.outcome, whole.ended_by) == (Outcome.NOT_REACHED, "system")
        assert not world.pbx.lines
    eventually(lambda: state(world, "anna") is AgentState.AVAILABLE, "anna is free")


def test_the_agent_is_reserved_for_longer_than_all_of_it_can_take(world: World) -> None:
    call_out(world)
    status = world.live.agent("anna")
    longest = parties.RING_SECONDS + confirming.SECONDS + dialling.CUSTOMER_SECONDS
    assert status.deadline > time.time() + longest - 1
    world.pbx.leave(rings(world))
    world.peace()
