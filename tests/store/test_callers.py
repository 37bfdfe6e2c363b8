"""Whom callers talked with, and who asked to be called back."""

from typing import Any

from contactcentre.domain.events import Kind
from contactcentre.store import Store
from tests.store.calls import DAY, Call, answered


def asked(at: float, queue: str = "support", number: str = "", **facts: Any) -> Call:
    """Waits, presses a key and asks to be called back after 30 s."""
    call = Call(at, **facts).queued(5, queue)
    call.add(30, Kind.UNQUEUED, queue=queue, reason="key", waited=25.0, rule="")
    known = {"queue": queue, "number": number or facts.get("caller", "+33142"), "requirement": "lang_fr >= 50"}
    call.add(30, Kind.CALLBACK_REQUESTED, **known, priority=3, language="fr")
    return call.ended(34, "callback")


def test_the_last_agent_is_the_one_of_the_latest_conversation_with_this_caller(store: Store) -> None:
    carla = Call(DAY + 500, caller="+331").queued(0).talked(1, 5, "carla").ended(6)
    gone = Call(DAY + 900, caller="+331").queued(0).offered(1, "alice").abandoned(9)
    store.record([*answered(DAY, caller="+331").events, *carla.events, *gone.events])
    assert store.last_agent("+331", DAY - 1) == "carla"
    assert store.last_agent("+331", DAY + 501) == "", "too long ago"
    assert store.last_agent("+332", DAY - 1) == ""
    assert store.last_agent("' OR true --", 0) == ""


def test_who_waits_longest_to_be_called_back_is_listed_first_and_who_has_been_served_last(store: Store) -> None:
    calls = [
        asked(DAY, caller="+331"),  # calls again, and is answered
        asked(DAY + 100, "sales", caller="+332"),
        asked(DAY + 50, caller="+333", number="0155501234"),  # somebody talks with that number
        asked(DAY + 20, caller="+334"),  # calls again, and gives up
        asked(DAY + 30, caller="", number="+335"),
    ]
    later = [
        answered(DAY + 1000, caller="+331"),
        answered(DAY + 2000, caller="0155501234"),
        Call(DAY + 1000, caller="+334").queued(0).abandoned(9),
        answered(DAY + 3000, caller=""),
    ]
    store.record([event for call in (*calls, *later) for event in call.events])
    found = store.callbacks(DAY - 1)
    assert [one.contact_id for one in found] == [calls[n].id for n in (3, 4, 1, 2, 0)]
    assert [one.done_at for one in found] == [None, None, None, DAY + 2030, DAY + 1030]
    first = found[0]
    assert (first.at, first.queue, first.number, first.caller) == (DAY + 50, "support", "+334", "+334")
    assert (first.requirement, first.priority, first.language) == ("lang_fr >= 50", 3, "fr")
    assert [one.number for one in store.callbacks(DAY - 1, "sales")] == ["+332"]
    assert store.callbacks(DAY + 101) == []
    assert len(store.callbacks(DAY - 1, limit=2)) == 2


def test_a_callback_is_no_abandoned_contact(store: Store) -> None:
    store.record([*asked(DAY).events, *answered(DAY).events])
    assert [contact.outcome for contact in store.contacts(outcome="callback").contacts] == ["callback"]
    (visit,) = store.visits(store.contacts(outcome="callback").contacts[0].id)
    assert (visit.reason, visit.waited) == ("key", 25.0)
