from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.contacts import ContactHistory, Phase, Segment, fold
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from tests.store.calls import DAY, Call, answered, recorded_call

AGENTS = st.sampled_from(["alice", "bob", ""])
QUEUES = st.sampled_from(["support", "sales", ""])
ODD: Any = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2), st.floats())
"""What a field may hold that another version of a controller wrote."""
DATA = st.builds(
    lambda agent, queue, reason, result, leg, odd: {
        "agent": agent,
        "queue": queue,
        "type": "voicemail" if leg == "leg1" else "menu",
        "reason": reason,
        "outcome": reason,
        "result": result,
        "leg": leg,
        "recording": leg,
        "priority": odd,
        "files": odd,
        "seconds": odd,
    },
    AGENTS,
    QUEUES,
    st.sampled_from(["answered", "abandoned", "timeout"]) | ODD,
    st.sampled_from(["missed", "caller_gone"]),
    st.sampled_from(["leg1", "leg2"]) | ODD,
    ODD,
)
FACTS = st.lists(st.tuples(st.floats(-5, 100), st.sampled_from(Kind), DATA), min_size=1, max_size=15)


@st.composite
def contacts(draw: st.DrawFn) -> list[Event]:
    """Facts of a contact as a bad day may leave them: any kinds in any order, clocks that go back, gaps."""
    events, at, seq = [], DAY, 0
    for step, kind, data in draw(FACTS):
        at += step
        seq += draw(st.sampled_from([1, 1, 1, 2, 5]))
        events.append(Event("c", seq, at, kind, data))
    return events


def tiles(history: ContactHistory) -> list[Segment]:
    return [segment for segment in history.segments if segment.kind is not Phase.WRAP_UP]


def test_an_answered_contact_tells_where_its_time_went() -> None:
    history = fold(answered().events)
    contact = history.contact
    assert (contact.outcome, contact.queue, contact.agents, contact.ended) == (
        "answered",
        "support",
        ("bob",),
        DAY + 90,
    )
    assert (contact.waited, contact.ring, contact.talk, contact.wrap_up) == (20, 15, 60, 12)
    assert [(s.kind, s.started - DAY, s.agent) for s in history.segments] == [
        ("ivr", 0, ""),
        ("queue", 10, ""),
        ("ring", 12, "alice"),
        ("queue", 17, ""),
        ("ring", 20, "bob"),
        ("talk", 30, "bob"),
        ("wrap_up", 90, "bob"),
    ]
    (visit,) = history.visits
    assert (visit.reason, visit.waited, visit.agent, visit.offers, visit.missed) == ("answered", 20, "bob", 2, 1)
    assert (visit.talk, visit.wrap_up, visit.requirement) == (60, 12, "lang_fr >= 50")
    alice, bob = history.legs
    assert (alice.answered, alice.cause, bob.answered, bob.ended) == (None, 19, DAY + 30, DAY + 90)


def test_a_caller_who_hangs_up_while_an_agent_rings_has_waited_until_then() -> None:
    call = Call().queued(5).offered(8)
    call.add(14, Kind.REFUSED, agent="alice", token="t", leg="alice-leg", result="caller_gone")
    history = fold(call.abandoned(14).events)
    (visit,) = history.visits
    assert (visit.reason, visit.waited, visit.missed) == ("abandoned", 9, 0)
    assert (history.contact.outcome, history.contact.ring) == ("abandoned", 6)


def test_a_contact_that_goes_to_another_queue_has_waited_in_both() -> None:
    call = Call().queued(0, "sales").add(30, Kind.UNQUEUED, queue="sales", reason="timeout", waited=30)
    history = fold(call.queued(35).offered(36).talked(40, 10).ended(50).events)
    assert [(visit.queue, visit.reason, visit.waited) for visit in history.visits] == [
        ("sales", "timeout", 30),
        ("support", "answered", 5),
    ]
    assert (history.contact.waited, history.contact.queues) == (35, ("sales", "support"))


def test_a_live_contact_has_an_open_part_and_no_outcome() -> None:
    history = fold(Call().queued(5).events)
    assert (history.contact.ended, history.contact.outcome) == (None, "")
    assert history.segments[-1] == Segment(Phase.QUEUE, DAY + 5, None, "support")
    assert (history.visits[0].left, history.visits[0].waited, history.visits[0].reason) == (None, None, "")


def test_a_message_left_is_a_part_of_its_own() -> None:
    call = Call().add(3, Kind.NODE, flow="main", node="vm", type="voicemail")
    call.add(20, Kind.VOICEMAIL, recording="v1", box="support", seconds=14.5).ended(21, "voicemail")
    history = fold(call.events)
    assert [(s.kind, s.started - DAY) for s in history.segments] == [("ivr", 0), ("voicemail", 3)]
    assert (history.voicemails[0].box, history.voicemails[0].seconds) == ("support", 14.5)
    assert history.recordings[0].kind == "voicemail"


def test_a_missing_fact_is_told_and_a_late_one_mends_it() -> None:
    events = answered().events
    torn = [event for event in events if event.seq not in (1, 2, 6, 7, 8)]
    assert fold(torn).contact.missing == ((1, 2), (6, 8))
    assert fold(events).contact.missing == ()


def test_a_contact_whose_end_a_dead_controller_never_told_keeps_what_is_known() -> None:
    call = Call().queued(0).add(30, Kind.ENDED, outcome="lost", by="system", cause=0)
    history = fold(call.events)
    assert (history.contact.outcome, history.visits[0].reason, history.visits[0].waited) == ("lost", "lost", 30)


def test_facts_from_afterwards_belong_to_the_recording_and_to_no_place_in_the_order() -> None:
    call = recorded_call("r1")
    stored = {"recording": "r1", "path": "p", "seconds": 3.0, "sha256": "s", "bytes": 9, "channels": 2}
    late = [
        Event(call.id, AFTERWARDS, DAY + 99999, Kind.RECORDING_DELETED, {"recording": "r1", "reason": "retention"}),
        Event(call.id, AFTERWARDS, DAY + 60, Kind.RECORDING_STORED, stored),
    ]
    (recording,) = fold([*late, *call.events]).recordings
    assert (recording.state, recording.stored_at, recording.offsets) == (
        "deleted",
        DAY + 60,
        {"left": 0.0, "right": 0.5},
    )
    assert fold([*call.events, *late]).contact == fold(call.events).contact


def test_a_recording_that_failed_and_then_worked_is_stored_and_keeps_the_failure() -> None:
    call = recorded_call("r1")
    failed = Event(call.id, AFTERWARDS, DAY + 60, Kind.RECORDING_FAILED, {"recording": "r1", "error": "disk full"})
    stored = Event(call.id, AFTERWARDS, DAY + 90, Kind.RECORDING_STORED, {"recording": "r1", "path": "p"})
    assert fold([*call.events, failed]).recordings[0].state == "failed"
    recording = fold([*call.events, failed, stored]).recordings[0]
    assert (recording.state, recording.error) == ("stored", "disk full")


@pytest.mark.parametrize("events", [[], [Event("a", 1, DAY, Kind.ARRIVED), Event("b", 2, DAY, Kind.ENDED)]])
def test_no_contact_and_two_contacts_are_refused(events: list[Event]) -> None:
    with pytest.raises(ValueError, match="contacts"):
        fold(events)


@given(contacts(), st.randoms())
def test_order_and_repetition_of_facts_do_not_matter(events: list[Event], random: Random) -> None:
    mixed = events + random.choices(events, k=3)
    random.shuffle(mixed)
    assert repr(fold(mixed)) == repr(fold(events))


@given(contacts())
def test_the_parts_of_a_life_touch_and_never_overlap(events: list[Event]) -> None:
    history = fold(events)
    contact, parts = history.contact, tiles(fold(events))
    for before, after in pairwise(parts):
        assert before.ended == after.started
    if parts:
        assert parts[0].started == contact.arrived
        assert parts[-1].ended == contact.ended
    else:
        assert contact.ended == contact.arrived
    assert all(part.ended is None or part.ended > part.started for part in parts)


@given(contacts())
def test_no_duration_is_negative_and_the_parts_add_up(events: list[Event]) -> None:
    history = fold(events)
    contact = history.contact
    assert min(contact.waited, contact.ring, contact.talk, contact.wrap_up) >= 0
    assert all(visit.waited is None or visit.waited >= 0 for visit in history.visits)
    if contact.ended is not None:
        lasted = sum(part.ended - part.started for part in tiles(history) if part.ended is not None)
        assert lasted == pytest.approx(contact.ended - contact.arrived, abs=1e-5)
        assert all(visit.left is not None and visit.reason for visit in history.visits)


@given(contacts())
def test_seen_and_missing_numbers_are_all_numbers(events: list[Event]) -> None:
    contact = fold(events).contact
    missing = {seq for first, last in contact.missing for seq in range(first, last + 1)}
    assert missing | {event.seq for event in events} == set(range(1, contact.last_seq + 1))
    assert not missing & {event.seq for event in events}


@given(contacts())
def test_talk_and_wrap_up_of_the_visits_are_within_those_of_the_contact(events: list[Event]) -> None:
    history = fold(events)
    assert sum(visit.talk for visit in history.visits) <= history.contact.talk + 1e-6
    assert sum(visit.wrap_up for visit in history.visits) <= history.contact.wrap_up + 1e-6
