"""What agents do by the keys of their phones during a conversation: on a PBX in memory."""

import time

import pytest

from contactcentre.controller import handset
from contactcentre.domain import keying
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.pbx.events import TransferAsked
from contactcentre.pbx.protocol import Progress
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, state, story, talks
from tests.controller.test_verbs import end, hears
from tests.controller.world import World
from tests.waiting import eventually


def keys(world: World, line: Line, pressed: str) -> None:
    for key in pressed:
        world.pbx.press(line, key)


def told(line: Line) -> list[str]:
    return [medium for medium, _ in line.heard]


def test_the_code_for_hold_holds_and_takes_back(world: World) -> None:
    caller, leg = talks(world)
    keys(world, leg, "*3")
    held = comes(world, caller, Kind.TALK_HELD)
    assert (held.data["by"], hears(caller)) == ("phone", "music")
    keys(world, leg, "*3")
    comes(world, caller, Kind.TALK_RESUMED)
    eventually(lambda: hears(caller) == "talk", "they talk")
    eventually(lambda: told(leg) == [handset.BEEP, handset.BEEP], "each code is confirmed")
    end(world)


def test_the_same_keys_of_the_customer_mean_nothing(world: World) -> None:
    caller, leg = talks(world)
    keys(world, caller, "*3")
    keys(world, leg, "*8")
    comes(world, caller, Kind.MUTED)
    assert Kind.TALK_HELD not in {event.kind for event in story(world, caller)}
    end(world)


def test_an_expert_is_asked_and_gets_the_customer_by_keys_alone(world: World) -> None:
    caller, leg = talks(world)
    other = {"anna": "202", "bert": "201"}[leg.endpoint]
    keys(world, leg, "*2")
    eventually(lambda: hears(caller) == "music", "the customer does not hear the number")
    keys(world, leg, f"{other}#")
    asked = rings(world)
    world.pbx.answer(asked)
    comes(world, caller, Kind.CONSULT_ANSWERED)
    keys(world, leg, "*3")
    toggled = comes(world, caller, Kind.CONSULT_TOGGLED)
    assert toggled.data["customer"] is True
    keys(world, leg, "*4")
    moved = comes(world, caller, Kind.TRANSFERRED)
    assert (moved.data["by"], moved.data["how"]) == (leg.endpoint, "consult")
    eventually(lambda: (hears(caller), hears(asked)) == ("talk", "talk"), "they talk")
    assert leg.id not in world.pbx.lines
    end(world)


@pytest.mark.parametrize("number", ["999#", "#", "*"])
def test_a_number_that_comes_to_nothing_leaves_the_customer_with_the_agent(world: World, number: str) -> None:
    caller, leg = talks(world)
    keys(world, leg, f"#1{number}")
    comes(world, caller, Kind.TALK_RESUMED)
    eventually(lambda: hears(caller) == "talk", "they talk")
    if number == "999#":
        eventually(lambda: handset.ERROR in told(leg), "the agent hears that it was refused")
    assert Kind.TRANSFERRED not in {event.kind for event in story(world, caller)}
    end(world)


def test_a_number_without_an_end_is_complete_after_a_pause(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keying, "NUMBER_PAUSE", 0.05)
    caller, leg = talks(world)
    keys(world, leg, f"#1{ {'anna': '202', 'bert': '201'}[leg.endpoint] }")
    moved = comes(world, caller, Kind.TRANSFERRED)
    assert moved.data["to"] == f"agent:{'bert' if leg.endpoint == 'anna' else 'anna'}"
    assert rings(world).endpoint != leg.endpoint
    end(world)


def test_the_code_for_recording_pauses_it_and_lets_it_go_on(world: World) -> None:
    caller, leg = talks(world)
    keys(world, leg, "*1")
    comes(world, caller, Kind.RECORDING_PAUSED)
    keys(world, leg, "*1")
    comes(world, caller, Kind.RECORDING_RESUMED)
    end(world)


def test_a_code_that_is_not_possible_now_is_answered_by_a_tone(world: World) -> None:
    _, leg = talks(world)
    keys(world, leg, "*4")
    eventually(lambda: told(leg) == [handset.ERROR], "refused")
    end(world)


def attended(world: World, leg: Line) -> tuple[Line, str]:
    """The phone's transfer to a colleague whom it has called by itself: the colleague's channel, and whose it is."""
    number, other = {"anna": ("202", "bert"), "bert": ("201", "anna")}[leg.endpoint]
    peer = world.pbx.lines["peer"] = Line("peer", other, ours=False, up=True)
    world.pbx._tell(leg, TransferAsked(leg.id, time.time(), number, other="second", peer=peer.id))
    return peer, other


def test_a_phones_attended_transfer_gives_the_customer_to_whom_the_agent_has_called(world: World) -> None:
    caller, leg = talks(world)
    keys(world, leg, "*3")
    comes(world, caller, Kind.TALK_HELD)
    peer, other = attended(world, leg)
    moved = comes(world, caller, Kind.TRANSFERRED)
    assert (moved.data["to"], moved.data["how"]) == (f"agent:{other}", "consult")
    eventually(lambda: (hears(caller), hears(peer)) == ("talk", "talk"), "they talk")
    eventually(lambda: leg.id not in world.pbx.lines, "the first agent's call is over")
    assert leg.progress == [Progress.DONE]
    assert state(world, other) is AgentState.TALKING
    world.pbx.leave(peer)
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "free again")
    end(world)
    started = [e.data["agent"] for e in story(world, caller) if e.kind is Kind.TALK_STARTED]
    assert started == [leg.endpoint, other]
    assert len([e for e in story(world, caller) if e.kind is Kind.RECORDING_ENDED]) == 1


def test_a_phones_attended_transfer_to_who_is_no_agent_at_work_is_declined(world: World) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    world.live.change(other, Verb.PAUSE, time.time(), reason="x")
    peer, _ = attended(world, leg)
    eventually(lambda: leg.progress == [Progress.DECLINED], "the phone is told")
    assert hears(caller) == "talk"
    assert not peer.ours
    world.pbx.leave(peer)
    end(world)


def test_what_is_no_code_is_passed_on_to_the_customers_side(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keying, "CODE_PAUSE", 0.05)
    caller, leg = talks(world)
    keys(world, leg, "12*0")
    eventually(lambda: caller.digits == "12*0", "a machine hears them")
    keys(world, leg, "*3")
    comes(world, caller, Kind.TALK_HELD)
    keys(world, leg, "9*")
    keys(world, leg, "3")
    comes(world, caller, Kind.TALK_RESUMED)
    keys(world, leg, "*")
    eventually(lambda: caller.digits == "12*0*", "a lonely star, after a pause")
    end(world)


def parked(world: World, leg: Line, caller: Line) -> str:
    """By keys. The slot that the agent has heard."""
    keys(world, leg, "*7")
    slot = str(comes(world, caller, Kind.PARKED).data["slot"])
    assert told(leg) == [f"digits:{slot}"]
    eventually(lambda: leg.id not in world.pbx.lines, "the agent's call is over")
    assert hears(caller) == "music"
    return slot


def test_parked_by_a_code_and_retrieved_by_dialling_from_any_phone(world: World) -> None:
    caller, leg = talks(world)
    slot = parked(world, leg, caller)
    other = "bert" if leg.endpoint == "anna" else "anna"
    phone = world.pbx.arrive(f"*5{slot}", other)
    taken = comes(world, caller, Kind.RETRIEVED)
    assert taken.data["by"] == other
    eventually(lambda: (hears(caller), hears(phone)) == ("talk", "talk"), "they talk")
    assert state(world, other) is AgentState.TALKING
    keys(world, phone, "*3")
    eventually(lambda: hears(caller) == "music", "the phone that dialled has the same keys")
    world.pbx.leave(phone)
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "free again")
    end(world)


def test_who_parked_a_customer_can_retrieve_them_in_wrap_up(world: World) -> None:
    world.live.change("bert", Verb.PAUSE, time.time(), reason="x")
    caller = calls(world, "2")  # a queue with wrap-up
    leg = rings(world)
    world.pbx.answer(leg)
    comes(world, caller, Kind.TALK_STARTED)
    slot = parked(world, leg, caller)
    eventually(lambda: state(world, "anna") is AgentState.WRAP_UP, "wrap-up")
    phone = world.pbx.arrive(f"*5{slot}", "anna")
    eventually(lambda: (hears(caller), hears(phone)) == ("talk", "talk"), "they talk")
    end(world)


def test_a_slot_where_nobody_is_parked_is_answered_by_a_tone(world: World) -> None:
    caller, _ = talks(world)
    phone = world.pbx.arrive("*57", "bert")
    eventually(lambda: handset.ERROR in told(phone), "refused")
    eventually(lambda: phone.id not in world.pbx.lines, "hung up")
    assert Kind.RETRIEVED not in {event.kind for event in story(world, caller)}
    end(world)


def test_a_phone_that_hangs_up_while_it_retrieves_leaves_the_customer_parked(world: World) -> None:
    caller, leg = talks(world)
    slot = parked(world, leg, caller)
    other = "bert" if leg.endpoint == "anna" else "anna"
    phone = world.pbx.arrive(f"*5{slot}", other)
    world.pbx.leave(phone)
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "free")
    assert hears(caller) == "music"
    end(world)
