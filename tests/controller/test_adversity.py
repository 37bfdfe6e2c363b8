"""Single misfortunes, each in its worst moment, on a PBX in memory."""

import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag

from contactcentre.controller import features
from contactcentre.controller.clock import Clock
from contactcentre.controller.contact import DIGITS_LIMIT, Contact
from contactcentre.controller.greeting import greet
from contactcentre.controller.queueing import LATE, MUSIC_AFTER, MUSIC_AT_LAST, QueueStay
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.live import Change, CommandFailed, Waiting
from contactcentre.pbx.errors import LinkDown, Refused
from contactcentre.pbx.events import Arrived, Digit, Left, Party
from tests.controller.fake_pbx import FakeBridge, FakeChannel, FakeTap
from tests.controller.people import calls, comes, rings, state, story, talks
from tests.controller.stack import kinds, one
from tests.controller.world import World
from tests.waiting import eventually


def test_a_talk_that_ends_while_redis_is_away_frees_the_agent_when_it_is_back(world: World) -> None:
    _, leg = talks(world)
    world.away.before = True
    world.pbx.leave(leg)
    eventually(lambda: not world.controller.node.contacts, "the contact is over")
    assert world.live.agent(leg.endpoint).state is AgentState.TALKING
    world.away.before = False
    eventually(lambda: state(world, leg.endpoint) is AgentState.AVAILABLE, "the agent is free")
    world.peace()
    world.check()


def test_music_waits_while_calls_are_late_and_not_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for agent in ("anna", "bert"):
        world.live.change(agent, Verb.PAUSE, time.time(), reason="lunch")
    node, began = world.controller.node, time.time()
    caller = calls(world, "1")
    eventually(lambda: caller.bridge == "waiting", "the caller hears music")
    assert time.time() - began < MUSIC_AT_LAST - 1
    monkeypatch.setattr(node, "late", lambda: 2 * LATE)
    began = time.time()
    second = calls(world, "1")
    eventually(lambda: second.bridge == "waiting", "the caller hears music at last")
    assert time.time() - began > MUSIC_AT_LAST - MUSIC_AFTER
    third = calls(world, "1")
    gevent.sleep(2 * MUSIC_AFTER)
    assert not third.bridge
    monkeypatch.undo()
    eventually(lambda: third.bridge == "waiting", "in time again")
    for line in (caller, second, third):
        world.pbx.leave(line)
    eventually(lambda: not node.contacts, "all are gone")


def test_a_caller_who_leaves_the_queue_while_redis_is_away_waits_there_no_longer(world: World) -> None:
    for agent in ("anna", "bert"):
        world.live.change(agent, Verb.PAUSE, time.time(), reason="lunch")
    caller = calls(world, "1")
    eventually(lambda: world.live.waiting(), "the caller waits")
    world.away.before = True
    world.pbx.leave(caller)
    eventually(lambda: not world.controller.node.contacts, "the contact is over")
    world.away.before = False
    eventually(lambda: not world.live.waiting(), "nobody waits")
    world.peace()
    world.check()


def test_an_answer_while_redis_is_away_connects_the_two_and_is_written_later(world: World) -> None:
    caller = calls(world, "1")
    leg = rings(world)
    world.away.before = True
    world.pbx.answer(leg)
    eventually(lambda: caller.bridge and caller.bridge == leg.bridge, "they hear each other")
    world.away.before = False
    eventually(lambda: state(world, leg.endpoint) is AgentState.TALKING, "the agent talks")
    world.peace()
    world.check()


def test_late_news_of_our_own_queue_does_not_take_back_a_reservation(world: World) -> None:
    replica = world.controller.node.replica
    waiting = Waiting("c1", "one", "node1", offered="anna")
    replica.put_waiting(waiting)
    replica._apply(Change("1-1", "waiting", "c1", Waiting("c1", "one", "node1")))
    assert replica.waiting["c1"].offered == "anna"
    replica._apply(Change("1-2", "waiting", "c1", None))
    assert "c1" in replica.waiting
    replica._apply(Change("1-3", "waiting", "c2", Waiting("c2", "one", "node2")))
    assert "c2" in replica.waiting
    replica.drop_waiting("c1")
    replica.drop_waiting("c2")


def test_a_caller_in_a_queue_that_is_removed_goes_where_the_flow_says(world: World) -> None:
    world.live.change("anna", Verb.PAUSE, time.time(), reason="lunch")
    caller = calls(world, "2")
    comes(world, caller, Kind.QUEUED)
    world.change_site(0)
    assert comes(world, caller, Kind.UNQUEUED).data["reason"] == "empty"
    assert comes(world, caller, Kind.RECORDING_STARTED), "the voicemail box"
    world.peace()
    world.check()


def test_a_conversation_goes_on_over_a_restart_even_if_its_flow_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, leg = talks(world)
    whole = world.configuration()
    without = whole.site.model_copy(update={"flows": {}})
    monkeypatch.setattr(world, "configuration", lambda: type(whole).of(9, without, whole.prompts))
    world.restart()
    eventually(lambda: world.looks and world.controller.node.contacts, "taken up")
    assert caller.bridge == leg.bridge
    world.pbx.leave(leg)
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "lost", "nobody can say how it goes on: an apology"
    assert one(story(world, caller), Kind.TALK_ENDED)
    world.peace()
    world.check()


def test_an_agent_whose_leg_is_taken_elsewhere_has_left_the_conversation(world: World) -> None:
    caller, leg = talks(world)
    del world.pbx.lines[leg.id]
    leg.tell(Left(leg.id, time.time()))
    comes(world, caller, Kind.TALK_ENDED)
    eventually(lambda: state(world, leg.endpoint) is AgentState.AVAILABLE, "the agent is free")
    world.peace()
    world.check()


def test_a_leg_that_is_gone_without_a_word_is_noticed_when_we_look(world: World) -> None:
    caller, leg = talks(world)
    del world.pbx.lines[leg.id]
    world.controller.reception.look_soon()
    comes(world, caller, Kind.TALK_ENDED)
    world.peace()
    world.check()


def test_a_flood_of_digits_costs_digits_and_nothing_else(world: World) -> None:
    caller, leg = talks(world)
    (contact,) = world.controller.node.contacts.values()
    for _ in range(3 * DIGITS_LIMIT):
        world.pbx.press(caller, "5")
    world.pbx.leave(leg)
    assert contact._inbox.qsize() <= DIGITS_LIMIT + 1
    comes(world, caller, Kind.TALK_ENDED)
    world.peace()
    world.check()


def test_a_recording_that_is_refused_leaves_the_talk_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeChannel, "tap", refuse)
    caller = calls(world, "1")
    leg = rings(world)
    world.pbx.answer(leg)
    comes(world, caller, Kind.RECORDING_FAILED)
    assert caller.bridge == leg.bridge
    world.restart()
    eventually(lambda: world.looks and world.controller.node.contacts, "taken up")
    assert caller.bridge == leg.bridge
    world.pbx.leave(leg)
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "answered"
    world.peace()
    world.check()


def refuse(*_: object) -> None:
    raise Refused("no", 500)


@pytest.mark.parametrize(("part", "verb"), [(FakeBridge, "add"), (FakeChannel, "tap")])
def test_a_conversation_in_whose_first_moment_the_link_was_cut_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch, part: type[object], verb: str
) -> None:
    done = getattr(part, verb)

    def cut_off(*args: object, **more: object) -> None:
        monkeypatch.setattr(part, verb, done)
        if verb == "add":  # whoever asked does not learn that it was done
            done(*args, **more)
        raise LinkDown("cut")

    caller = calls(world, "1")
    leg = rings(world)
    monkeypatch.setattr(part, verb, cut_off)
    world.pbx.answer(leg)
    comes(world, caller, Kind.RECORDING_STARTED)
    assert Kind.RECORDING_FAILED not in kinds(story(world, caller))
    assert caller.bridge == leg.bridge
    world.pbx.leave(leg)
    comes(world, caller, Kind.RECORDING_ENDED)
    world.peace()
    world.check()


def test_who_asks_for_something_in_the_moment_when_the_link_is_cut_is_told_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, leg = talks(world)
    (contact,) = world.controller.node.contacts.values()

    def cut_off(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise LinkDown("cut")

    monkeypatch.setattr(FakeChannel, "wait_with_music", cut_off)
    with pytest.raises(CommandFailed) as failed:
        contact.ask("hold", {}, "agent")
    assert failed.value.code == "suspended"
    eventually(lambda: not contact.parked or world.controller.node.contacts[contact.id] is not contact, "taken up")
    assert caller.bridge == leg.bridge
    world.pbx.leave(leg)
    comes(world, caller, Kind.ENDED)
    world.peace()
    world.check()


def is_killed_after(world: World, moment: Flag) -> None:
    assert moment.wait(5)
    gevent.sleep(0.1)
    world.kill()


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("known", ["that a phone rings", "that it is to be recorded"])
def test_a_conversation_in_whose_first_moment_the_controller_was_killed_is_recorded_once(
    world: World, monkeypatch: pytest.MonkeyPatch, known: str, begun: bool
) -> None:
    """Redis had not learned of what came last."""
    tap, tapped = FakeChannel.tap, Flag()

    def learns_no_more() -> None:
        world.controller.node.saver.flush()
        monkeypatch.setattr(world.controller.node.saver, "flush", lambda: None)

    def begins(channel: FakeChannel, tap_id: str) -> FakeTap:
        if known == "that it is to be recorded":
            learns_no_more()
        tapped.set()
        if not begun:
            gevent.sleep(60)  # killed
        return tap(channel, tap_id)

    caller = calls(world, "1")
    leg = rings(world)
    comes(world, caller, Kind.RINGING)
    if known == "that a phone rings":
        learns_no_more()
    monkeypatch.setattr(FakeChannel, "tap", begins)
    world.pbx.answer(leg)
    is_killed_after(world, tapped)
    monkeypatch.setattr(FakeChannel, "tap", tap)
    world.start()
    comes(world, caller, Kind.RECORDING_STARTED)
    gevent.sleep(0.3)  # another one would begin
    world.pbx.leave(leg)
    comes(world, caller, Kind.RECORDING_ENDED)
    world.peace()
    found = kinds(story(world, caller))
    assert (found.count(Kind.RECORDING_STARTED), found.count(Kind.RECORDING_ENDED)) == (1, 1)
    world.check()


def test_the_key_by_which_somebody_leaves_a_queue_counts_though_the_controller_is_killed_in_that_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving, left = Flag(), QueueStay._left

    def leaves(stay: QueueStay, *how: Any) -> Any:
        left(stay, *how)
        leaving.set()
        gevent.sleep(60)  # killed

    caller = calls(world, "7")
    comes(world, caller, Kind.QUEUED)
    monkeypatch.setattr(QueueStay, "_left", leaves)
    world.pbx.press(caller, "3")
    assert leaving.wait(5)
    world.kill()
    monkeypatch.setattr(QueueStay, "_left", left)
    world.start()
    eventually(lambda: kinds(story(world, caller)).count(Kind.QUEUED) == 2, "it waits in another queue")
    assert [event.data["queue"] for event in story(world, caller) if event.kind is Kind.QUEUED] == ["ways", "one"]
    world.peace()
    world.check()


def test_who_was_served_when_the_controller_was_killed_does_not_wait_in_the_queue_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the moment after the talk, before the flow went on."""
    stopping, stop = Flag(), FakeTap.stop

    def stops(*_: object) -> None:
        stopping.set()
        gevent.sleep(60)  # killed

    caller, leg = talks(world)
    monkeypatch.setattr(FakeTap, "stop", stops)
    world.pbx.leave(leg)
    is_killed_after(world, stopping)
    monkeypatch.setattr(FakeTap, "stop", stop)
    world.start()
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "answered"
    assert kinds(story(world, caller)).count(Kind.QUEUED) == 1
    world.peace()
    world.check()


def test_a_prompt_that_is_refused_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeChannel, "play", refuse)
    caller = calls(world, "1")
    comes(world, caller, Kind.QUEUED)
    world.peace()
    world.check()


def test_an_agent_who_hangs_up_while_being_connected_has_refused_and_the_next_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = calls(world, "1")
    first = rings(world)
    before_adding(monkeypatch, lambda: world.pbx.leave(first))
    world.pbx.answer(first)
    refused = comes(world, caller, Kind.REFUSED).data
    assert (refused["agent"], refused["result"]) == (first.endpoint, "rejected")
    assert Kind.TALK_STARTED not in kinds(story(world, caller))
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.TALK_STARTED)
    world.peace()
    world.check()


def test_somebody_outside_who_hangs_up_while_being_connected_is_a_failed_transfer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = calls(world, "5")
    target = rings(world)
    before_adding(monkeypatch, lambda: world.pbx.leave(target))
    world.pbx.answer(target)
    ended = comes(world, caller, Kind.ENDED).data
    assert (ended["outcome"], ended["by"]) == ("rejected", "system"), (
        "the flow's own branch, not a caller left in silence"
    )
    world.peace()
    world.check()


def before_adding(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Once, in the moment before the PBX joins the two."""
    add = FakeBridge.add

    def once(bridge: FakeBridge, *channels: object, absorb: bool = False) -> None:
        monkeypatch.setattr(FakeBridge, "add", add)
        happens()
        add(bridge, *channels, absorb=absorb)

    monkeypatch.setattr(FakeBridge, "add", once)


def test_a_conversation_outside_goes_on_over_a_restart(world: World) -> None:
    caller = calls(world, "5")
    target = rings(world)
    world.pbx.answer(target)
    eventually(lambda: caller.bridge and caller.bridge == target.bridge, "they talk")
    world.restart()
    eventually(lambda: world.looks and world.controller.node.contacts, "taken up")
    gevent.sleep(0.1)
    assert target.id in world.pbx.lines
    assert caller.bridge == target.bridge
    assert len([e for e in story(world, caller) if e.kind is Kind.LEG_STARTED]) == 2, "the number is not called again"
    world.pbx.leave(target)
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "transferred"
    world.check()


def test_a_message_that_is_being_recorded_goes_on_over_a_restart(world: World) -> None:
    caller = calls(world, "3")
    recording = comes(world, caller, Kind.RECORDING_STARTED).data["recording"]
    world.restart()
    left = comes(world, caller, Kind.VOICEMAIL).data
    assert left["recording"] == recording
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "voicemail"
    world.check()


def test_an_unknown_number_is_turned_away_also_when_the_pbx_does_not_answer_at_first(world: World) -> None:
    world.trouble(0)
    caller = world.pbx.arrive("0815")
    world.callers.append(caller.id)
    ended = comes(world, caller, Kind.ENDED).data
    assert ended["outcome"] == "rejected"
    assert caller.id not in world.pbx.lines
    world.check()


def test_feature_calls_beyond_the_limit_hear_busy_and_all_end(world: World) -> None:
    for number in range(2 * features.AT_ONCE):
        world.feature(5 * number)
    eventually(lambda: not world.pbx.lines and not world.controller.node.channels, "all have ended")
    assert not world.events(), "they are no contacts"


def test_a_feature_call_during_a_look_is_not_taken_for_a_caller(world: World) -> None:
    world.pbx.arrive("*47", "anna")
    world.controller.reception.look_soon()
    eventually(lambda: state(world, "anna") is AgentState.PAUSED, "paused")
    eventually(lambda: not world.pbx.lines, "ended")
    world.peace()
    assert not world.events()


def test_an_agent_whose_contact_vanished_is_freed(world: World) -> None:
    at = time.time()
    agent = world.live.agent("anna")
    assert world.live.reserve(agent, "nowhere", "one", "t", at + 60, at) is not None
    world.live.change("anna", Verb.ACCEPT, at, token="t")

    def freed() -> bool:  # the look at the start may have done it, before it could be seen that she talks
        world.controller.reception.look_soon()
        return world.live.agent("anna").state is AgentState.AVAILABLE

    eventually(freed, "free again")
    assert state(world, "anna") is AgentState.AVAILABLE


def test_who_waits_in_redis_and_nowhere_else_is_taken_out(world: World) -> None:
    world.live.enter(Waiting("nowhere", "one", "node1", arrived=1.0, entered=1.0))
    world.controller.reception.look_soon()
    eventually(lambda: not world.live.waiting(), "nobody waits")


def test_an_inbox_keeps_its_order_when_reservations_are_taken_out(world: World) -> None:
    caller, _ = talks(world)
    contact: Contact = next(iter(world.controller.node.contacts.values()))
    for digit in "123":
        contact.post(Digit(caller.id, 0.0, digit))
    assert contact.take_out(Left) == []
    assert [contact._inbox.get().digit for _ in range(3)] == ["1", "2", "3"]  # type: ignore[union-attr]
    world.peace()


def test_many_contacts_suspended_at_once_are_looked_at_once(world: World) -> None:
    for agent in ("anna", "bert"):
        world.live.change(agent, Verb.PAUSE, time.time(), reason="lunch")
    for _ in range(10):
        calls(world, "1")
    eventually(lambda: len(world.live.waiting()) == 10, "ten wait")
    looks = world.looks
    world.pbx.cut()
    world.pbx.mend()
    eventually(lambda: len([c for c in world.controller.node.contacts.values() if not c.parked]) == 10, "all are back")
    gevent.sleep(0.3)
    assert world.looks - looks <= 4
    world.peace()
    world.check()


def set_clock(world: World, seconds: float) -> None:
    """The system's, and so the PBX's."""
    clock = world.controller.node.now
    assert isinstance(clock, Clock)
    clock._wall = lambda: time.time() + seconds


def test_a_phone_that_nobody_answers_is_given_up_although_the_clock_was_set_back_meanwhile(world: World) -> None:
    caller = calls(world, "1")
    first = rings(world)
    set_clock(world, -3600)
    refused = comes(world, caller, Kind.REFUSED).data
    assert (refused["agent"], refused["result"]) == (first.endpoint, "missed")
    world.peace()
    world.check()


def test_a_phone_rings_on_and_the_talk_has_its_length_although_the_clock_was_set_forward(world: World) -> None:
    caller = calls(world, "1")
    leg = rings(world)
    set_clock(world, 3600)
    world.pbx.answer(leg)
    comes(world, caller, Kind.TALK_STARTED)
    world.pbx.leave(leg)
    comes(world, caller, Kind.TALK_ENDED)
    events = story(world, caller)
    assert not [event for event in events if event.kind is Kind.REFUSED]
    assert max(event.at for event in events) - min(event.at for event in events) < 3000
    world.peace()
    world.check()


def test_who_arrives_by_a_clock_that_was_set_back_does_not_overtake_who_waits(world: World) -> None:
    for agent in ("anna", "bert"):
        world.live.change(agent, Verb.PAUSE, time.time(), reason="lunch")
    first = calls(world, "1")
    comes(world, first, Kind.QUEUED)
    late = dated(world, -3600)
    contact = greet(world.controller.node, late)[0]
    earlier = next(iter(world.controller.node.contacts.values()))
    assert contact.now.arrived > earlier.now.arrived
    world.peace()


def dated(world: World, seconds: float) -> Arrived:
    """A call that the PBX dates so many seconds later than now."""
    at = world.controller.node.now() + seconds
    return Arrived("late", at, ("did", "1"), Party("+33123", ""), "1", "trunk", "", up=False)


def test_who_came_and_left_before_the_first_look_is_not_taken_up_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis, say, was away at the start. Of such a contact the journal may know the beginning and not yet the end."""
    node = world.controller.node
    world.looked()
    node.reconciled = False
    caller = calls(world, "1")
    (contact_id,) = node.contacts
    eventually(lambda: [event for event in world.events() if event.contact_id == contact_id], "Redis knows of it")
    with monkeypatch.context() as slow:
        slow.setattr(node.journal, "flush", lambda: None)
        world.pbx.leave(caller)
        eventually(lambda: not node.contacts, "the contact is over")
        looks = world.looks
        world.controller.reception.look_soon()
        eventually(lambda: world.looks > looks, "everything was looked at")
        assert not node.contacts
    world.peace()
    world.check()
