import threading
from dataclasses import dataclass
from random import Random

import pytest

from contactcentre.domain.contacts import fold
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.site import Agent, Site
from contactcentre.store import Store
from tests.store.calls import DAY, Call, answered


@dataclass(frozen=True)
class Fact:
    agent: str
    version: int
    at: float
    previous: str
    state: str
    reason: str = ""
    contact_id: str = ""
    queue: str = ""


def test_a_recorded_call_reads_back_as_what_its_events_mean(store: Store) -> None:
    call = answered()
    assert store.record(call.events).written == len(call.events)
    assert store.events(call.id) == call.events
    assert store.history(call.id) == fold(call.events)


def test_recording_a_batch_twice_changes_nothing(store: Store) -> None:
    call = answered()
    store.record(call.events)
    again = store.record(call.events + call.events)
    assert (again.written, again.repeated, again.rejected) == (0, 2 * len(call.events), 0)
    assert store.history(call.id) == fold(call.events)


def test_events_may_come_in_any_order_and_in_any_batches(store: Store) -> None:
    random = Random(7)
    calls = [answered(DAY + n) for n in range(5)]
    shuffled = [event for call in calls for event in call.events]
    random.shuffle(shuffled)
    while shuffled:
        size = random.randint(1, 9)
        store.record(shuffled[:size] + shuffled[:2])
        shuffled = shuffled[size:]
    for call in calls:
        assert store.history(call.id) == fold(call.events)


def test_two_writers_of_the_same_contact_leave_its_whole_history(store: Store) -> None:
    calls = [answered(DAY + n) for n in range(20)]
    halves: list[list[Event]] = [[], []]
    for call in calls:
        for event in call.events:
            halves[event.seq % 2].append(event)

    def write(events: list[Event]) -> None:
        for n in range(0, len(events), 7):
            store.record(events[n : n + 7])

    threads = [threading.Thread(target=write, args=(half,)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for call in calls:
        assert store.history(call.id) == fold(call.events)


@pytest.mark.parametrize(
    "poison",
    [
        Event("no-uuid", 1, DAY, Kind.ARRIVED, {}),
        Event("0199a000-0000-7000-8000-000000000000", -1, DAY, Kind.ARRIVED, {}),
        Event("0199a000-0000-7000-8000-000000000000", 2**31, DAY, Kind.ARRIVED, {}),
        Event("0199a000-0000-7000-8000-000000000000", 1, float("nan"), Kind.ARRIVED, {}),
        Event("0199a000-0000-7000-8000-000000000000", 1, 1e300, Kind.ARRIVED, {}),
        Event("0199a000-0000-7000-8000-000000000000", 1, DAY, Kind.ARRIVED, {"x": float("inf")}),
        Event("0199a000-0000-7000-8000-000000000000", AFTERWARDS, DAY, Kind.ARRIVED, {}),
        Event("0199a000-0000-7000-8000-000000000000", 1, DAY, Kind.ARRIVED, {"x": object()}),
    ],
    ids=["id", "negative", "huge", "no time", "far future", "infinite", "no recording", "no json"],
)
def test_a_fact_that_cannot_be_stored_is_kept_aside_and_holds_up_no_other(store: Store, poison: Event) -> None:
    before, after = answered(DAY), answered(DAY + 1)
    result = store.record([*before.events, poison, *after.events])
    assert (result.written, result.rejected) == (len(before.events) + len(after.events), 1)
    store.record([poison])
    ((_, text, error),) = store.rejected()
    assert poison.contact_id in text
    assert error
    assert store.history(after.id) == fold(after.events)


def test_a_contact_whose_meaning_cannot_be_stored_keeps_its_facts_and_holds_up_no_other(store: Store) -> None:
    noise = "".join(f"{Random(n).random()}" for n in range(1000))  # too long for an index
    odd, fine = answered(DAY, caller=noise), answered(DAY + 1)
    result = store.record([*odd.events, *fine.events])
    assert (result.written, result.rejected) == (len(odd.events) + len(fine.events), 1)
    assert store.events(odd.id) == odd.events
    assert store.history(fine.id) == fold(fine.events)


def test_a_number_that_belongs_to_another_fact_is_told_not_hidden(store: Store) -> None:
    call = answered()
    store.record(call.events)
    other = Event(call.id, 2, DAY, Kind.ENDED, {"outcome": "lost"})
    assert store.record([other]).rejected == 1
    assert "another fact" in store.rejected()[0][2]
    assert store.events(call.id) == call.events


def test_a_callers_strange_name_is_stored_without_what_a_database_cannot_hold(store: Store) -> None:
    call = Call(caller_name="a\0b\ud800c'; DROP TABLE contact; --")
    store.record(call.events)
    assert store.contact(call.id).caller_name == "a\ufffdb\ufffdc'; DROP TABLE contact; --"
    assert not store.rejected()


def test_what_a_worker_adds_after_the_end_changes_the_recording_only(store: Store) -> None:
    call = answered()
    call.events.insert(0, Event(call.id, AFTERWARDS, DAY, Kind.RECORDING_STORED, _stored("r1")))
    store.record(call.events[:1])
    store.record(call.events[1:])
    store.record([Event(call.id, AFTERWARDS, DAY + 500, Kind.RECORDING_STORED, _stored("r1"))])
    contact_id, recording = store.recording("r1")
    assert contact_id == call.id
    assert (recording.state, recording.path, recording.stored_at) == ("stored", "2026/11/23/r1.wav", DAY)
    assert store.contact(call.id).missing == ()
    store.record(
        [Event(call.id, AFTERWARDS, DAY + 900, Kind.RECORDING_DELETED, {"recording": "r1", "reason": "retention"})]
    )
    assert store.recording("r1")[1].deleted_at == DAY + 900
    assert len(store.events(call.id)) == len(call.events) + 1


def test_agent_facts_are_written_once_and_tell_where_the_time_went(store: Store) -> None:
    states = ["available", "offered", "talking", "wrap_up", "paused", "logged_out"]
    facts = [
        Fact("alice", n + 1, DAY + 100 * n, "available", state, "lunch" if state == "paused" else "")
        for n, state in enumerate(states)
    ]
    assert store.record([], facts).written == 6
    assert store.record([], facts).repeated == 6
    store.save_site(Site(agents={"alice": Agent(), "idle": Agent()}), "test")
    assert store.agent_times(DAY + 450, DAY + 460)["alice"].paused == {"lunch": 10}
    assert "idle" not in store.agent_times(DAY, DAY + 1000)
    time = store.agent_times(DAY + 50, DAY + 1000)["alice"]
    assert (time.available, time.offered, time.talking, time.wrap_up) == (50, 100, 100, 100)
    assert time.paused == {"lunch": 100}
    assert time.calls == 1


def _stored(recording: str) -> dict[str, object]:
    path = f"2026/11/23/{recording}.wav"
    return {"recording": recording, "path": path, "seconds": 60.0, "sha256": "ab", "bytes": 10, "channels": 2}
