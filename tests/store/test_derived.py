"""A contact that lives is remembered by whoever records it; what is in the database is what all its facts mean."""

from collections.abc import Iterator
from random import Random

import pytest
import sqlalchemy as sa

from contactcentre.domain.contacts import fold
from contactcentre.domain.customers import Customer
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.ids import uuid7
from contactcentre.store import Store, derived
from tests.store.calls import DAY, Call, answered, recorded_call


@pytest.fixture
def other(store: Store, database_url: str) -> Iterator[Store]:
    """Of another process, which remembers for itself."""
    with Store(database_url) as made:
        yield made


def said(call: Call, after: float, code: str, queue: str = "support") -> Event:
    known = {"id": uuid7(call.at + after), "agent": "alice", "queue": queue, "code": code, "label": code, "by": "alice"}
    return Event(call.id, AFTERWARDS, call.at + after, Kind.DISPOSITION, {**known, "callback_at": 0, "number": ""})


def written_by(url: str, call: Call) -> dict[str, str]:
    """The transaction that wrote each of the contact's legs last."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        rows = connection.exec_driver_sql(
            "SELECT leg, CAST(xmin AS text) FROM leg WHERE contact_id = CAST(%s AS uuid)", (call.id,)
        )
        found = {row.leg: row.xmin for row in rows}
    engine.dispose()
    return found


def test_facts_that_go_on_leave_alone_what_they_do_not_change(store: Store, database_url: str) -> None:
    call = answered()
    beginning = next(n for n, event in enumerate(call.events) if event.kind is Kind.TALK_STARTED) + 1
    store.record(call.events[:beginning])
    before = written_by(database_url, call)
    store.record(call.events[beginning:])
    after = written_by(database_url, call)
    assert after["alice-leg"] == before["alice-leg"]  # missed, and over since
    assert after["bob-leg"] != before["bob-leg"]
    assert store.history(call.id) == fold(call.events)


def test_what_another_process_has_written_meanwhile_counts(store: Store, other: Store) -> None:
    call = answered()
    store.record(call.events[:9])
    other.record(call.events[9:14])
    store.record(call.events[14:])
    assert store.history(call.id) == fold(call.events)


def test_facts_that_came_first_though_they_are_later_stay(store: Store, other: Store) -> None:
    call = answered()
    other.record(call.events[9:])
    store.record(call.events[:9])
    assert store.history(call.id) == fold(call.events)


def test_what_a_person_said_meanwhile_elsewhere_stays(store: Store, other: Store) -> None:
    call = answered()
    result = said(call, 50, "sold")
    store.record(call.events[:-3])
    other.record([result])
    store.record(call.events[-3:])
    assert store.history(call.id) == fold([*call.events, result])
    assert store.history(call.id).contact.disposition == "sold"


def test_a_result_that_is_taken_back_for_another_queues_leaves_no_row(store: Store) -> None:
    call = answered()
    store.record([*call.events[:-3], said(call, 50, "sold")])
    events = [said(call, 51, ""), said(call, 52, "lost", queue="sales")]
    store.record([*call.events[-3:], *events])
    assert [one.queue for one in store.history(call.id).said] == ["sales"]


def test_what_could_not_be_committed_is_not_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    call = answered()
    store.record(call.events[:9])
    with monkeypatch.context() as broken:
        broken.setattr("contactcentre.store.outbox.put", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.record(call.events[9:14])
    store.record(call.events[9:])
    assert store.history(call.id) == fold(call.events)


def test_what_has_ended_is_not_remembered_so_what_is_erased_stays_so(store: Store, other: Store) -> None:
    """The end of the wrap-up comes after a customer has been erased."""
    call = answered()
    store.record(call.events[:-1])
    other.forget_customer(Customer(""), [call.id], "asked", "root")
    store.record(call.events[-1:])
    assert store.history(call.id).contact.caller == ""
    assert store.history(call.id).contact.wrap_up == 12


@pytest.mark.parametrize("seed", range(6))
def test_however_facts_are_dealt_out_to_two_recorders_the_history_is_what_they_mean(
    store: Store, other: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    monkeypatch.setattr(derived, "REMEMBERED", 3)  # of 8: some are always forgotten
    calls = [answered(DAY + n) if n % 2 else recorded_call(f"r{seed}-{n}", DAY + n) for n in range(8)]
    facts = {call.id: [*call.events] for call in calls}
    for call in calls:
        for code in random.sample(["sold", "lost", ""], random.randrange(3)):
            facts[call.id].insert(random.randrange(len(facts[call.id])), said(call, random.randrange(80), code))
    left = {contact: [*events] for contact, events in facts.items()}
    while left:
        batch: list[Event] = []
        for contact in random.sample(sorted(left), min(3, len(left))):
            size = random.randint(1, 9)
            batch += left[contact][:size]
            left[contact] = left[contact][size:]
            if not left[contact]:
                del left[contact]
        random.shuffle(batch)
        (store if random.random() < 0.8 else other).record(batch)
    for call in calls:
        assert store.history(call.id) == fold(facts[call.id])
