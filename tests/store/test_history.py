import pytest

from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.store import AmbiguousContact, BadCursor, NoSuchContact, NoSuchRecording, Store
from tests.store.calls import DAY, Call, answered, recorded_call


def test_contacts_are_found_by_time_queue_agent_caller_and_outcome(store: Store) -> None:
    bob = answered(DAY, caller="+331")
    gone = Call(DAY + 100, caller="+332").queued(0, "sales").abandoned(9, "sales")
    live = Call(DAY + 200, caller="+332").queued(0, "sales")
    store.record([*bob.events, *gone.events, *live.events])

    def found(**wanted: object) -> list[str]:
        return [contact.id for contact in store.contacts(**wanted).contacts]  # type: ignore[arg-type]

    assert found() == [live.id, gone.id, bob.id]
    assert found(since=DAY + 100, until=DAY + 200) == [gone.id]
    assert found(queue="sales") == [live.id, gone.id]
    assert found(agent="bob") == [bob.id]
    assert found(agent="alice") == []  # she was rung, and did not talk
    assert found(caller="+332", outcome="abandoned") == [gone.id]
    assert found(live=True) == [live.id]
    assert found(live=False) == [gone.id, bob.id]
    assert found(caller="' OR true --") == []


def test_pages_go_through_all_contacts_once_also_when_many_arrived_at_once(store: Store) -> None:
    calls = [Call(DAY + n // 4) for n in range(23)]
    store.record([event for call in calls for event in call.events])
    seen, cursor = [], ""
    while True:
        page = store.contacts(limit=5, cursor=cursor)
        seen += [contact.id for contact in page.contacts]
        cursor = page.cursor
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 23
    assert store.contacts(limit=23).cursor == ""


@pytest.mark.parametrize("cursor", ["x", "1_2", "1.000000_" + "g" * 36, "'; DROP TABLE contact"])
def test_a_made_up_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(BadCursor):
        store.contacts(cursor=cursor)


def test_a_contact_is_found_by_the_beginning_of_its_id_if_only_one_has_it(store: Store) -> None:
    ids = ("0199a000-0000-7000-8000-000000000001", "0199a000-1000-7000-8000-000000000002")
    store.record([event for id in ids for event in Call(DAY, id).events])
    assert store.contact(ids[0]).id == ids[0]
    assert store.contact("0199A000-1").id == ids[1]
    assert store.contact("0199a0000").id == ids[0]
    with pytest.raises(AmbiguousContact, match=ids[0]):
        store.contact("0199a000")
    with pytest.raises(NoSuchContact, match="begins with"):
        store.contact("ffff")
    for nonsense in ("", "x", "019", "0199a000' OR 1=1", "%" * 8, "0" * 33):
        with pytest.raises(NoSuchContact, match="no contact id"):
            store.contact(nonsense)


def test_recordings_are_found_by_queue_agent_and_time(store: Store) -> None:
    for n, queue in enumerate(("sales", "support")):
        store.record(recorded_call(f"r{n}", DAY + n * 1000, queue).events)
    assert [recording.id for recording in store.recordings()] == ["r1", "r0"]
    assert [recording.id for recording in store.recordings(queue="sales")] == ["r0"]
    assert [recording.id for recording in store.recordings(since=DAY + 500, agent="alice")] == ["r1"]
    with pytest.raises(NoSuchRecording):
        store.recording("r2")


def test_a_recording_belongs_to_the_first_contact_that_names_it(store: Store) -> None:
    first, second = recorded_call("r1", DAY), recorded_call("r1", DAY + 50)
    store.record(first.events)
    store.record(second.events)
    assert store.recording("r1")[0] == first.id


def test_recordings_without_an_end_of_their_own_are_found_for_another_try(store: Store) -> None:
    call = recorded_call("r1")
    store.record(call.events)
    assert store.unfinished_recordings(DAY + 3) == []
    assert store.unfinished_recordings(DAY + 60) == ["r1"]
    store.record([Event(call.id, AFTERWARDS, DAY + 70, Kind.RECORDING_FAILED, {"recording": "r1", "error": "x"})])
    assert store.unfinished_recordings(DAY + 100) == []


def test_refolding_restores_rows_that_were_lost(store: Store) -> None:
    import sqlalchemy as sa

    call = answered()
    store.record(call.events)
    whole = store.history(call.id)
    with store._begin() as connection:
        connection.execute(sa.text("UPDATE contact SET talk = 0; DELETE FROM segment; DELETE FROM leg"))
    store.refold([call.id])
    assert store.history(call.id) == whole
