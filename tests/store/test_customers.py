"""Customers, on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from contactcentre.domain.customers import Customer
from contactcentre.domain.events import Kind
from contactcentre.domain.results import Wish
from contactcentre.domain.site import Queue
from contactcentre.store import BadCursor, Changed, NoSuchCustomer, NumberTaken, Store
from contactcentre.store.customers import spelled
from tests.store.calls import DAY, Call, answered

MARIE, ANA = "+33612407755", "+33142968100"


def made(store: Store, *numbers: str, at: float = DAY, **facts: Any) -> Customer:
    return store.save_customer(Customer(""), Customer("", numbers, **facts), "FR", "sue", at)


def test_a_customer_is_known_by_each_number_and_changed_with_a_line_in_the_audit_log(store: Store) -> None:
    marie = made(store, MARIE, ANA, name="Marie", fields={"account": "17"}, tags=("gold",))
    assert store.customer_of(ANA) == store.customer(marie.id) == marie
    later = store.save_customer(marie, replace(marie, numbers=(ANA,), name="Marie D."), "FR", "bob", DAY + 9)
    assert (later.version, later.changed_by, later.changed_at, later.created_at) == (2, "bob", DAY + 9, DAY)
    assert store.customer(marie.id) == later
    assert store.customer_of(MARIE) is None
    lines = store.audit_entries(subject=marie.id)
    assert [(one.actor, one.action) for one in lines] == [("bob", "customer.change"), ("sue", "customer.add")]
    assert lines[0].detail == {"changed": ["numbers", "name"]}
    with pytest.raises(NoSuchCustomer):
        store.customer("nonsense")


def test_of_two_who_change_or_make_one_at_once_one_is_told(store: Store) -> None:
    marie = made(store, MARIE)

    def change(name: str) -> str:
        try:
            return store.save_customer(marie, replace(marie, name=name), "FR", name, DAY).name
        except Changed:
            return "told"

    with ThreadPoolExecutor(2) as pool:
        assert "told" in (both := set(pool.map(change, ("a", "b"))))
    assert both == {"told", store.customer(marie.id).name}
    with pytest.raises(NumberTaken) as taken:
        made(store, ANA, MARIE)
    assert taken.value.holder == marie.id
    assert store.customer_of(ANA) is None, "nothing half done"


def test_customers_are_found_by_what_is_known_of_them(store: Store) -> None:
    marie = made(store, MARIE, name="Marie Dubois", fields={"account": "A-17_%"}, tags=("gold",))
    ana = made(store, ANA, name="Ana", at=DAY + 1)
    for text, found in (
        ("dubo", [marie]),
        ("06 12 40", [marie]),
        ("+33142", [ana]),
        ("a-17_%", [marie]),
        ("_%x", []),
        ("", [ana, marie]),
    ):
        assert list(store.customers(text).customers) == found, text
    assert list(store.customers(tag="Gold").customers) == [marie]
    first = store.customers(limit=1)
    assert list(store.customers(limit=1, cursor=first.cursor).customers) == [marie]
    with pytest.raises(BadCursor):
        store.customers(cursor="x")


def test_who_has_called_for_a_queue_is_seen_by_who_sees_that_queue(store: Store) -> None:
    marie, ana = made(store, MARIE), made(store, ANA)
    store.record(answered(caller="0612407755").events)  # as it came
    assert list(store.customers(only=["support"]).customers) == [marie]
    assert store.customers(only=["sales"]).customers == ()
    assert (store.customer_seen(marie.id, ["support"]), store.customer_seen(ana.id, ["support"])) == (True, False)


def test_two_become_one_under_both_ids(store: Store) -> None:
    a, b, c = made(store, MARIE, name="Marie"), made(store, ANA, notes="Rude"), made(store, "+33698124401")
    one = store.merge_customers(a, b, "FR", "sue", DAY + 5)
    assert store.customer(b.id) == store.customer(a.id) == one == store.customer_of(ANA)
    assert (one.numbers, one.notes, one.version) == ((MARIE, ANA), "Rude", 2)
    with pytest.raises(Changed):
        store.merge_customers(a, c, "FR", "sue", DAY + 6)
    last = store.merge_customers(c, one, "FR", "sue", DAY + 6)
    assert store.customer(b.id) == store.customer(a.id) == last, "by every id of before"
    assert list(store.customers().customers) == [last]
    assert store.audit_entries(action="customer.merge", limit=1)[0].detail == {"with": a.id}


def test_a_forgotten_customer_is_nowhere_in_the_database_and_every_number_stays(store: Store) -> None:
    marie = made(store, MARIE, name="Marie Dubois", fields={"account": "A-17"}, notes="Rude")
    other = made(store, ANA, name="Marie Dubois")
    gone = store.merge_customers(marie, other, "FR", "sue", DAY)
    call = answered(caller="0612407755", caller_name="Marie Dubois").add(91, Kind.SET, name="account", value="A-17")
    asked = Call(DAY + 500, caller=ANA).add(9, Kind.CALLBACK_REQUESTED, queue="support", number=MARIE, requirement="")
    store.record([*call.events, *asked.ended(10, "callback").events, *answered(DAY + 50, caller="+4930551207").events])
    rules = Queue.model_validate(
        {"dispositions": {"again": {"callback": True, "final": False}}, "script": {"order": {}}}
    )
    wish = Wish("again", "Marie called", {"order": "A-17"}, DAY + 900, MARIE)
    store.say(store.result(call.id, "support", "bob"), rules, wish, "bob", DAY + 95)
    before = store.queue_stats(DAY - 1, DAY + 1000)
    ids = [id for id, _ in store.contact_ids_of(spelled(gone.numbers, "FR"))]
    assert ids == [call.id, asked.id]
    store.forget_customer(gone, ids, "request", "sue")
    with store._begin() as connection:
        for table in sa.inspect(connection).get_table_names():
            text = str(connection.execute(sa.text(f"SELECT * FROM {table}")).all())
            for mark in ("12407755", "Marie", "A-17", "142968100", "Rude"):
                assert mark not in text, (table, text)
    assert store.queue_stats(DAY - 1, DAY + 1000) == before
    assert (store.contact(call.id).caller, store.contact(call.id).agent) == ("", "bob")
    assert [one.caller for one in store.contacts().contacts if one.id not in ids] == ["+4930551207"]
    assert store.customers().customers == ()
    (entry,) = store.audit_entries(action="customer.erase")
    assert (entry.subject, entry.detail) == (gone.id, {"reason": "request", "contacts": 2})
    store.refold(ids)
    assert store.contact(call.id).caller == "", "it is in no fact from which it could come back"
