"""Messages in boxes, on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from contactcentre.domain.events import Event, Kind
from contactcentre.domain.voicemail import CLAIM_SECONDS, MessageState, NotPossible, Step
from contactcentre.store import NoSuchMessage, Store
from tests.store.calls import DAY, Call


def left(store: Store, recording: str, at: float = DAY, box: str = "support", path: str = "p", **facts: str) -> Call:
    """A message of 14.5 s, whose sound is stored."""
    call = Call(at, **facts).add(3, Kind.NODE, flow="main", node="vm", type="voicemail")
    call.add(4, Kind.RECORDING_STARTED, recording=recording, agent="", queue=box)
    call.add(19, Kind.RECORDING_ENDED, recording=recording, agent="", queue=box, files={}, offsets={})
    call.add(20, Kind.VOICEMAIL, recording=recording, box=box, seconds=14.5).ended(21, "voicemail")
    stored = {"recording": recording, "path": path, "seconds": 14.5, "sha256": "s", "bytes": 9, "channels": 1}
    store.record([*call.events, Event(call.id, 0, at + 60, Kind.RECORDING_STORED, stored)])
    return call


def ids(store: Store, *boxes: str, state: str = "") -> list[str]:
    return [one.id for one in store.messages(boxes or None, state)]


def test_messages_to_look_after_come_first_and_the_oldest_of_them(store: Store) -> None:
    left(store, "m1", DAY)
    left(store, "m2", DAY + 100, caller="+33199")
    left(store, "m3", DAY + 200, box="anna")
    store.take_step("m1", Step.DONE, "anna", DAY + 300, note="called back")
    assert ids(store) == ["m2", "m3", "m1"]
    assert ids(store, "anna") == ["m3"]
    assert ids(store, state="done") == ["m1"]
    found = store.message("m2")
    assert (found.caller, found.seconds, found.message.state, found.audio) == ("+33199", 14.5, "new", True)
    counts = store.boxes(DAY + 400)
    assert (counts["support"].new, counts["support"].oldest, counts["anna"].new) == (1, DAY + 120, 1)


def test_every_step_is_in_the_audit_log(store: Store) -> None:
    left(store, "n1")
    store.take_step("n1", Step.CLAIM, "anna", DAY + 30)
    store.take_step("n1", Step.HAND_OVER, "anna", DAY + 40, to="bert", note="yours")
    assert store.message("n1").message.box == "bert"
    entries = store.audit_entries(subject="n1")
    assert [(e.actor, e.action) for e in entries] == [
        ("anna", "voicemail.hand_over"),
        ("anna", "voicemail.claim"),
    ]
    assert entries[0].detail == {"box": "support", "note": "yours", "to": "bert"}


def test_a_step_on_anothers_behalf_is_audited_as_whose_it_was(store: Store) -> None:
    left(store, "r1")
    store.take_step("r1", Step.CLAIM, "anna", DAY + 30, actor="cli:sue")
    assert store.message("r1").message.owner == "anna"
    (entry,) = store.audit_entries(subject="r1")
    assert (entry.actor, entry.detail["by"]) == ("cli:sue", "anna")


def test_a_message_in_another_box_is_not_there_for_whom_the_box_is_not(store: Store) -> None:
    left(store, "s1", box="billing")
    with pytest.raises(NoSuchMessage):
        store.take_step("s1", Step.CLAIM, "anna", DAY + 30, boxes={"support", "anna"})
    assert store.message("s1", {"billing"}).message.version == 0
    assert store.messages(()) == []


def test_a_claim_that_ran_out_counts_as_new_again(store: Store) -> None:
    left(store, "t1", DAY)
    left(store, "t2", DAY + 60)
    store.take_step("t1", Step.CLAIM, "anna", DAY + 100)
    store.take_step("t2", Step.DONE, "anna", DAY + 100)
    (before,) = store.boxes(DAY + 100 + CLAIM_SECONDS - 1).values()
    (after,) = store.boxes(DAY + 100 + CLAIM_SECONDS).values()
    assert (before.new, before.claimed, before.oldest) == (0, 1, None)
    assert (after.new, after.claimed, after.oldest) == (1, 0, DAY + 20)
    assert store.boxes(DAY + 200, {"billing"}) == {}


def test_of_many_who_claim_a_message_at_once_one_gets_it(store: Store) -> None:
    left(store, "o1")

    def claim(name: str) -> str:
        try:
            store.take_step("o1", Step.CLAIM, name, DAY + 30)
        except NotPossible:
            return ""
        return name

    names = [f"agent{n}" for n in range(12)]
    with ThreadPoolExecutor(12) as pool:
        got = [name for name in pool.map(claim, names) if name]
    assert len(got) == 1
    message = store.message("o1").message
    assert (message.owner, message.state, message.version) == (got[0], MessageState.CLAIMED, 1)
    assert len(store.audit_entries(subject="o1")) == 1


def test_a_message_whose_sound_was_deleted_is_no_message_any_more(store: Store) -> None:
    call = left(store, "p1")
    deleted = {"recording": "p1", "reason": "retention"}
    store.record([Event(call.id, 0, DAY + 99, Kind.RECORDING_DELETED, deleted)])
    assert ids(store, state="new") == []
    with pytest.raises(NoSuchMessage):
        store.take_step("p1", Step.CLAIM, "anna", DAY + 100)


def test_what_a_message_came_to_outlives_that_history_is_derived_anew(store: Store) -> None:
    call = left(store, "q1")
    store.take_step("q1", Step.DONE, "anna", DAY + 30)
    store.refold([call.id])
    assert store.message("q1").message.state is MessageState.DONE
