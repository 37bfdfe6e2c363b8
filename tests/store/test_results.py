"""What was said of contacts, on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

from contactcentre.domain.results import Answer, Wish
from contactcentre.domain.site import Queue
from contactcentre.store import Changed, Store
from contactcentre.store.history import SAID_NOTHING
from tests.store.calls import DAY, Call, answered

RULES = Queue.model_validate(
    {
        "dispositions": {"solved": "Solved", "again": {"label": "Call back", "final": False, "callback": True}},
        "script": {"order": "Order number"},
    }
)
SAID = DAY + 95


def say(store: Store, call: Call, wish: Wish, at: float = SAID, queue: str = "support", agent: str = "bob") -> None:
    store.say(store.result(call.id, queue, agent), RULES, wish, agent, at)


def test_what_was_said_is_there_with_the_contact_and_can_be_said_anew(store: Store) -> None:
    call = answered()
    store.record(call.events)
    say(store, call, Wish("solved", "Was the cable.", {"order": "A-17"}))
    say(store, call, Wish(note="Was the plug."), SAID + 5)
    known = store.result(call.id, "support", "")
    assert (known.code, known.note, known.version) == ("solved", "Was the plug.", 2)
    assert known.answers == {"order": Answer("Order number", "A-17")}
    assert known.said is not None
    assert (known.said.agent, known.said.by, known.said.at) == ("bob", "bob", SAID)
    assert store.contact(call.id).disposition == "solved"
    assert store.history(call.id).said == (known.said,)
    assert [note.by for note in store.notes(call.id)] == ["bob"]
    kinds = [event.kind for event in store.events(call.id) if not event.seq]
    assert kinds == ["contact.disposition"], "notes and answers are in no event"


def test_a_disposition_said_before_the_journal_has_the_contact_is_there_when_it_comes(store: Store) -> None:
    call = answered()
    say(store, call, Wish("solved"))
    assert store.result(call.id, "support", "").code == "solved"
    store.record(call.events[:5])
    store.record(call.events[5:])
    assert store.contact(call.id).disposition == "solved"
    store.refold([call.id])
    assert store.contact(call.id).disposition == "solved", "a number that can be made again from the facts"


def test_of_two_who_write_at_once_one_is_told(store: Store) -> None:
    call = answered()
    store.record(call.events)
    for round_ in range(6):
        known = store.result(call.id, "support", "bob")

        def write(word: str, known=known) -> bool:  # type: ignore[no-untyped-def]
            try:
                store.say(known, RULES, Wish(note=word), word, SAID)
            except Changed:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(write, (f"bob{round_}", f"sue{round_}")))
        assert sorted(done) == [False, True]
        assert store.result(call.id, "support", "bob").version == known.version + 1


def test_contacts_are_found_by_what_was_said_of_them_or_was_not(store: Store) -> None:
    calls = [answered(DAY + n, caller=f"+3314{n}") for n in range(3)]
    gone = Call(DAY + 9).queued(1).abandoned(5)
    store.record([event for call in (*calls, gone) for event in call.events])
    say(store, calls[0], Wish("solved"))
    say(store, calls[1], Wish("again", callback_at=DAY + 900, number="+33612"))
    say(store, calls[1], Wish("solved"), SAID + 9, queue="sales")
    found = {code: [one.id for one in store.contacts(disposition=code).contacts] for code in ("solved", "again", "x")}
    assert found == {"solved": [calls[1].id, calls[0].id], "again": [calls[1].id], "x": []}
    assert [one.id for one in store.contacts(disposition=SAID_NOTHING).contacts] == [calls[2].id]
    limited = store.contacts(disposition="solved", only=["support"]).contacts
    assert [one.id for one in limited] == [calls[0].id], "what was said for another queue finds nothing"


def test_each_disposition_is_counted_once_for_each_contact_and_queue(store: Store) -> None:
    calls = [answered(DAY + n) for n in range(4)]
    store.record([event for call in calls for event in call.events])
    for call in calls[:3]:
        say(store, call, Wish("again", callback_at=DAY + 900, number="+33612"))
    say(store, calls[0], Wish("solved"), SAID + 1)
    say(store, calls[3], Wish("solved"), SAID + 2, queue="sales")
    counted = [(one.queue, one.code, one.label, one.number) for one in store.count_said(DAY, DAY + 1000)]
    expected = [("support", "again", "Call back", 2), ("support", "solved", "Solved", 1)]
    assert counted == [("sales", "solved", "Solved", 1), *expected]
    assert [one.queue for one in store.count_said(DAY, DAY + 1000, ["sales"])] == ["sales"]
    assert store.count_said(SAID + 2, SAID + 2) == []


def test_promises_are_listed_by_their_time_until_they_are_kept(store: Store) -> None:
    calls = [answered(DAY + n, caller_name=f"N{n}") for n in range(3)]
    store.record([event for call in calls for event in call.events])
    for n, call in enumerate(calls):
        say(store, call, Wish("again", callback_at=DAY + 900 - n, number=f"+3361{n}"), agent="bob" if n else "eve")
    assert [one.contact_id for one in store.promises()] == [call.id for call in calls[::-1]]
    first = store.promises("bob")[0]
    assert (first.caller_name, first.said.number, first.said.callback_at) == ("N2", "+33612", DAY + 898)
    store.called_back(calls[2].id, "support", "bob", "bob", DAY + 950)
    assert [one.contact_id for one in store.promises("bob")] == [calls[1].id]
    assert store.promises(only=["sales"]) == []
    assert store.history(calls[2].id).said[0].called_at == DAY + 950
