"""What agents and supervisors make of a conversation, asked for as the CLI does: on a PBX in memory."""

import time
from typing import Any

import pytest
from gevent.event import Event as Flag

from contactcentre.domain.agents import AgentState, AgentStatus, Verb
from contactcentre.domain.events import Kind
from contactcentre.live import CommandFailed, Commands
from contactcentre.pbx.events import Cause
from contactcentre.pbx.protocol import Progress
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, state, story, talks
from tests.controller.stack import kinds
from tests.controller.world import World
from tests.waiting import AT_ONCE, eventually


def ask(world: World, caller: Line, verb: str, **args: Any) -> dict[str, Any]:
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    wanted = {"contact": contact, "verb": verb, "args": args, "by": "agent"}
    return Commands(world.redis).send(world.node, "call", wanted, timeout=5)


def refused(world: World, caller: Line, verb: str, **args: Any) -> str:
    with pytest.raises(CommandFailed) as failed:
        ask(world, caller, verb, **args)
    return failed.value.code


def hears(line: Line) -> str:
    """music, talk (in the contact's bridge) or nothing"""
    return {"waiting": "music", "": "nothing"}.get(line.bridge, "talk")


def consulting(world: World) -> tuple[Line, Line, Line]:
    """Caller, the agent, and the other agent who is asked and has answered."""
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    ask(world, caller, "consult", to=f"agent:{other}")
    asked = rings(world)
    assert asked.endpoint == other
    world.pbx.answer(asked)
    comes(world, caller, Kind.CONSULT_ANSWERED)
    eventually(lambda: hears(asked) == "talk", "they talk")
    return caller, leg, asked


def end(world: World) -> None:
    world.peace()
    world.check()


def test_hold_and_resume_by_command(world: World) -> None:
    caller, leg = talks(world)
    assert ask(world, caller, "hold")["state"] == "held"
    assert (hears(caller), hears(leg)) == ("music", "talk")
    assert refused(world, caller, "hold") == "held_already"
    assert ask(world, caller, "resume")["state"] == "talking"
    assert hears(caller) == "talk"
    assert comes(world, caller, Kind.TALK_RESUMED).data["held"] >= 0
    end(world)


def test_hold_and_resume_by_the_phones_own_key(world: World) -> None:
    caller, leg = talks(world)
    world.pbx.hold(leg)
    assert comes(world, caller, Kind.TALK_HELD).data["by"] == "phone"
    eventually(lambda: hears(caller) == "music", "music")
    world.pbx.unhold(leg)
    comes(world, caller, Kind.TALK_RESUMED)
    eventually(lambda: hears(caller) == "talk", "back")
    end(world)


def test_mute_digits_and_a_verb_that_nobody_knows(world: World) -> None:
    caller, leg = talks(world)
    told = ask(world, caller, "mute")
    assert [party["muted"] for party in told["parties"]] == [False, True]
    assert leg.muted
    ask(world, caller, "unmute")
    assert not leg.muted
    ask(world, caller, "mute", party="customer")
    assert caller.muted
    ask(world, caller, "dtmf", digits="12#")
    assert caller.digits == "12#"
    assert refused(world, caller, "juggle") == "unknown_verb"
    end(world)


def test_a_phone_that_is_hung_up_from_the_page_ends_the_conversation_at_once(world: World) -> None:
    caller, leg = talks(world)
    ask(world, caller, "leave", agent=leg.endpoint)
    eventually(lambda: caller.id not in world.pbx.lines, "the flow has gone on and ended", AT_ONCE)
    eventually(lambda: state(world, leg.endpoint) is AgentState.AVAILABLE, "the agent is free", AT_ONCE)
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "answered"
    end(world)


def test_who_is_asked_answers_and_gets_the_customer(world: World) -> None:
    caller, leg, asked = consulting(world)
    assert (hears(caller), hears(leg), hears(asked)) == ("music", "talk", "talk")
    assert ask(world, caller, "complete")["state"] == "talking"
    eventually(lambda: leg.id not in world.pbx.lines, "the agent is out")
    assert (hears(caller), hears(asked)) == ("talk", "talk")
    eventually(lambda: state(world, leg.endpoint) is AgentState.AVAILABLE, "and free")
    assert state(world, asked.endpoint) is AgentState.TALKING

    def talked() -> list[str]:
        return [event.data["agent"] for event in story(world, caller) if event.kind is Kind.TALK_STARTED]

    eventually(lambda: talked() == [leg.endpoint, asked.endpoint], "both have talked")
    world.pbx.leave(asked)
    eventually(lambda: caller.id not in world.pbx.lines, "the flow goes on after the last agent has left")
    end(world)


def test_toggle_conference_kick_and_drop(world: World) -> None:
    caller, leg, asked = consulting(world)
    ask(world, caller, "toggle")
    assert (hears(caller), hears(leg), hears(asked)) == ("talk", "talk", "music")
    ask(world, caller, "toggle")
    assert ask(world, caller, "conference")["state"] == "conference"
    assert (hears(caller), hears(leg), hears(asked)) == ("talk", "talk", "talk")
    assert refused(world, caller, "kick", party="nobody") == "no_such_party"
    ask(world, caller, "drop")
    eventually(lambda: state(world, leg.endpoint) is AgentState.AVAILABLE, "the first agent is free")
    assert (hears(caller), hears(asked)) == ("talk", "talk")
    end(world)


@pytest.mark.parametrize(
    ("cause", "result"),
    [(Cause.BUSY, "busy"), (Cause.REJECTED, "rejected"), (Cause.NO_ANSWER, "missed"), (Cause.FAILURE, "unreachable")],
)
def test_who_is_asked_and_does_not_answer_leaves_the_customer_with_the_agent(
    world: World, cause: Cause, result: str
) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    assert ask(world, caller, "consult", to=f"agent:{other}")["state"] == "asking"
    assert hears(caller) == "music"
    world.pbx.leave(rings(world), cause)
    assert comes(world, caller, Kind.CONSULT_ENDED).data["result"] == result
    eventually(lambda: hears(caller) == "talk", "the customer is back")
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "who was asked is free, without a miss")
    assert world.live.agent(other).misses == 0
    end(world)


def test_who_was_asked_and_hangs_up_leaves_the_customer_with_the_agent(world: World) -> None:
    caller, _, asked = consulting(world)
    world.pbx.leave(asked)
    assert comes(world, caller, Kind.CONSULT_ENDED).data["result"] == "left"
    eventually(lambda: hears(caller) == "talk", "the customer is back")
    eventually(lambda: state(world, asked.endpoint) is AgentState.AVAILABLE, "who was asked is free")
    end(world)


def test_the_agent_hears_ringing_until_who_is_asked_answers_or_is_asked_no_more(world: World) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    assert not leg.hears_ringing
    ask(world, caller, "consult", to=f"agent:{other}")
    assert (leg.hears_ringing, caller.hears_ringing, hears(caller)) == (True, False, "music")
    ask(world, caller, "cancel")
    assert not leg.hears_ringing
    ask(world, caller, "consult", to=f"agent:{other}")
    assert leg.hears_ringing
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.CONSULT_ANSWERED)
    eventually(lambda: not leg.hears_ringing, "they talk")
    end(world)


def test_the_ringing_ends_also_where_the_controller_was_killed_in_it(world: World) -> None:
    caller, leg = talks(world)
    ask(world, caller, "consult", to="agent:bert" if leg.endpoint == "anna" else "agent:anna")
    assert leg.hears_ringing
    world.kill()
    world.start()
    eventually(lambda: not leg.hears_ringing and hears(caller) == "talk", "the customer is back")
    end(world)


def test_a_consult_that_is_cancelled_while_the_phone_rings_stops_the_ringing(world: World) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    ask(world, caller, "consult", to=f"agent:{other}")
    asked = rings(world)
    assert ask(world, caller, "cancel")["state"] == "talking"
    eventually(lambda: asked.id not in world.pbx.lines, "it rings no more")
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "and its agent is free")
    end(world)


def test_a_customer_who_hangs_up_in_a_consult_frees_everybody(world: World) -> None:
    caller, _, _ = consulting(world)
    world.pbx.leave(caller)
    assert comes(world, caller, Kind.CONSULT_ENDED).data["result"] == "customer_gone"
    eventually(world.quiet, "nothing is left")
    world.check()


def test_an_agent_who_hangs_up_in_a_consult_leaves_the_customer_to_who_was_asked(world: World) -> None:
    caller, leg, asked = consulting(world)
    world.pbx.leave(leg)
    eventually(lambda: (hears(caller), hears(asked)) == ("talk", "talk"), "they talk")
    eventually(lambda: state(world, leg.endpoint) is AgentState.AVAILABLE, "the agent is free")
    end(world)


def test_a_blind_transfer_to_an_agent_who_does_not_answer_leads_back_to_the_queue(world: World) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    assert ask(world, caller, "transfer", to=f"agent:{other}")["state"] == "sent"
    asked = rings(world)
    assert asked.endpoint == other
    world.pbx.leave(asked, Cause.REJECTED)
    eventually(lambda: kinds(story(world, caller)).count(Kind.QUEUED) == 2, "it waits again")
    moved = comes(world, caller, Kind.TRANSFERRED).data
    assert (moved["to"], moved["by"], moved["how"]) == (f"agent:{other}", leg.endpoint, "blind")
    end(world)


def test_a_blind_transfer_to_a_queue(world: World) -> None:
    caller, leg = talks(world)
    ask(world, caller, "transfer", to="queue:ways")
    eventually(lambda: [one.queue for one in world.live.waiting().values()] == ["ways"], "waits there")
    (waiting,) = world.live.waiting().values()
    assert waiting.arrived == caller.born, "its first arrival counts"
    assert waiting.priority == 3, "and who has talked already gains the queue's transfer_priority"
    eventually(lambda: state(world, leg.endpoint) is AgentState.AVAILABLE, "the agent is free")
    end(world)


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("agent:nobody", "no_such_target"),
        ("queue:nowhere", "no_such_target"),
        ("number:+49123456789", "not_allowed"),
        ("somewhere", "wrong_target"),
        ("number:x;y", "wrong_target"),
    ],
)
def test_a_transfer_to_what_is_not_there_or_not_allowed_is_refused_and_the_talk_goes_on(
    world: World, to: str, code: str
) -> None:
    caller, leg = talks(world)
    assert refused(world, caller, "transfer", to=to) == code
    assert refused(world, caller, "consult", to=to) == code
    assert (hears(caller), hears(leg)) == ("talk", "talk")
    end(world)


def test_a_busy_agent_is_not_asked(world: World) -> None:
    world.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    caller, leg = talks(world)
    assert leg.endpoint == "anna"
    assert refused(world, caller, "consult", to="agent:bert") == "busy"
    assert refused(world, caller, "consult", to="queue:told") == "busy", "bert is the only one there"
    end(world)


def test_the_phones_own_transfer_key_does_the_same_as_the_verb(world: World) -> None:
    caller, leg = talks(world)
    world.pbx.ask_transfer(leg, "nowhere")
    eventually(lambda: leg.progress == [Progress.DECLINED], "refused")
    assert (hears(caller), hears(leg)) == ("talk", "talk")
    world.pbx.ask_transfer(leg, "2")
    eventually(lambda: leg.progress == [Progress.DECLINED, Progress.DONE], "done")
    assert comes(world, caller, Kind.TRANSFERRED).data["to"] == "did:2"
    eventually(lambda: leg.id not in world.pbx.lines, "the agent is out")
    end(world)


def test_parked_retrieved_by_another_agent(world: World) -> None:
    caller, leg = talks(world)
    told = ask(world, caller, "park")
    assert (told["state"], told["slot"]) == ("parked", "1")
    assert hears(caller) == "music"
    eventually(lambda: state(world, leg.endpoint) is AgentState.AVAILABLE, "the agent is free")
    other = "bert" if leg.endpoint == "anna" else "anna"
    ask(world, caller, "retrieve", agent=other)
    taker = rings(world)
    world.pbx.answer(taker)
    assert comes(world, caller, Kind.RETRIEVED).data["by"] == other
    eventually(lambda: (hears(caller), hears(taker)) == ("talk", "talk"), "they talk")
    end(world)


@pytest.fixture
def telling(world: World, monkeypatch: pytest.MonkeyPatch) -> Flag:
    """Set once Redis is being told what agents did; that it is done the controller hears only when it asks for an
    agent."""
    node, begun, asked_for = world.controller.node, Flag(), Flag()
    steps, current = node.live.steps, node.agents.current

    def slow(*args: Any) -> list[bool]:
        begun.set()
        asked_for.wait()
        return steps(*args)

    def asks(agent: str) -> AgentStatus:
        asked_for.set()
        return current(agent)

    monkeypatch.setattr(node.live, "steps", slow)
    monkeypatch.setattr(node.agents, "current", asks)
    return begun


def test_who_has_just_parked_a_customer_can_have_them_back_while_redis_is_being_told(
    world: World, telling: Flag
) -> None:
    caller, leg = talks(world)
    ask(world, caller, "park")
    assert telling.wait(60)
    assert ask(world, caller, "retrieve", agent=leg.endpoint)["state"] == "parked"
    world.pbx.answer(rings(world))
    assert comes(world, caller, Kind.RETRIEVED).data["by"] == leg.endpoint
    end(world)


def test_an_agent_who_has_just_finished_is_called_for_who_asks_for_them_by_name_while_redis_is_being_told(
    world: World, telling: Flag
) -> None:
    world.live.change("bert", Verb.PAUSE, time.time(), reason="x")
    caller, leg = talks(world)
    world.arrive(0)
    second = world.lines[-1]
    comes(world, second, Kind.LEG_ANSWERED)
    telling.clear()
    world.pbx.leave(leg)
    assert telling.wait(60)
    world.pbx.press(second, "4")  # to anna
    world.pbx.answer(rings(world))
    assert comes(world, second, Kind.TALK_STARTED).data["agent"] == "anna"
    comes(world, caller, Kind.TALK_ENDED)
    end(world)


def test_a_customer_who_is_not_retrieved_goes_back_to_who_parked_them(world: World) -> None:
    settings = world.controller.node.site.settings
    assert settings.park_seconds >= 10
    caller, leg = talks(world)
    short = settings.model_copy(update={"park_seconds": 0.3})
    node = world.controller.node
    configuration = node.configuration
    site = node.site.model_copy(update={"settings": short})
    node.configuration = type(configuration).of(configuration.version, site, configuration.prompts)
    ask(world, caller, "park")
    again = rings(world)
    assert again.endpoint == leg.endpoint
    assert comes(world, caller, Kind.RETRIEVED).data["by"] == ""
    end(world)


def test_recording_stops_pauses_and_goes_on(world: World) -> None:
    caller, _ = talks(world)
    assert ask(world, caller, "record", action="pause")["recording"] == "paused"
    assert refused(world, caller, "record", action="pause") == "paused_already"
    assert ask(world, caller, "record", action="resume")["recording"] == "running"
    assert ask(world, caller, "record", action="stop")["recording"] == ""
    assert ask(world, caller, "record", action="start")["recording"] == "running"
    end(world)


def test_a_contact_that_waits_has_no_conversation(world: World) -> None:
    world.live.change("anna", Verb.PAUSE, time.time(), reason="x")
    world.live.change("bert", Verb.PAUSE, time.time(), reason="x")
    caller = calls(world, "1")
    comes(world, caller, Kind.QUEUED)
    assert refused(world, caller, "hold") == "not_talking"
    end(world)


@pytest.mark.parametrize("before", ["hold", "consult", "toggle", "conference", "park"])
def test_a_controller_that_is_killed_finds_everybody_where_they_were(world: World, before: str) -> None:
    if before in ("hold", "park"):
        caller, leg = talks(world)
        others: list[Line] = []
        ask(world, caller, before)
    else:
        caller, leg, asked = consulting(world)
        others = [asked]
        if before != "consult":
            ask(world, caller, before)
    places = [hears(line) for line in (caller, leg, *others)]
    eventually(lambda: not world.controller.node.journal.unsent, "all facts are written")
    count = len(kinds(story(world, caller)))
    world.restart()
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    eventually(lambda: contact in world.controller.node.contacts, "taken up")
    follow = {"hold": "resume", "consult": "complete", "toggle": "complete", "conference": "drop", "park": "retrieve"}
    eventually(lambda: world.controller.node.contacts[contact].in_talk, "it goes on")
    assert [hears(line) for line in (caller, leg, *others)] == places
    assert len(kinds(story(world, caller))) == count, "nothing has happened"
    ask(world, caller, follow[before], **({"agent": "anna"} if before == "park" else {}))
    end(world)
