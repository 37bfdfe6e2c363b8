"""What may be said of a contact, and what is missing."""

from typing import Any

import pytest

from contactcentre.domain.contacts import fold
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.history import Said
from contactcentre.domain.results import Answer, Incomplete, NotAcceptable, Result, Wish, of_queue
from contactcentre.domain.site import Queue
from tests.store.calls import DAY, answered

RULES = Queue.model_validate(
    {
        "dispositions": {
            "solved": "Solved",
            "again": {"label": "Call back", "final": False, "callback": True},
            "spam": {},
        },
        "disposition_required": True,
        "script": {
            "order": "Order number",
            "product": {"kind": "choice", "choices": ["Router", "Phone"], "required": True},
            "boxes": {"kind": "number"},
            "bought": {"label": "Bought on", "kind": "date"},
        },
    }
)
FRESH = Result("c1", "support", "bob")


def fact(**wish: Any) -> Any:
    change = FRESH.changed(RULES, Wish(**wish), "bob", DAY)
    return change and change.fact


def test_a_text_alone_is_a_label_and_a_thing_without_one_is_called_by_its_name() -> None:
    assert [one.called(code) for code, one in RULES.dispositions.items()] == ["Solved", "Call back", "spam"]
    assert RULES.script["order"].called("order") == "Order number"


def test_a_disposition_is_a_fact_that_says_whose_contact_it_was_and_who_said_it() -> None:
    change = FRESH.changed(RULES, Wish(disposition="solved"), "sue", DAY)
    assert change is not None
    expected = {"agent": "bob", "queue": "support", "code": "solved", "label": "Solved", "by": "sue"}
    assert change.fact == {**expected, "callback_at": 0, "number": ""}


def test_a_promise_says_when_and_whom_and_nothing_else_does() -> None:
    assert fact(disposition="again", callback_at=DAY + 60, number="+33 (6) 12-40")["number"] == "+3361240"
    for wish in (
        {"callback_at": DAY + 60},
        {"callback_at": DAY, "number": "+33612"},
        {"callback_at": DAY + 400 * 86400, "number": "+33612"},
        {"callback_at": DAY + 60, "number": "33;rm"},
        {},
    ):
        with pytest.raises(NotAcceptable):
            fact(disposition="again", **wish)
    with pytest.raises(NotAcceptable, match="nobody is called back"):
        fact(disposition="solved", number="+33612")
    with pytest.raises(NotAcceptable, match="solved, again, spam"):
        fact(disposition="burnt")


def test_what_says_nothing_new_changes_nothing() -> None:
    said = Said("support", "bob", "solved", "Solved", DAY, "bob")
    known = Result("c1", "support", "bob", said, "Hello", {"order": Answer("Order number", "12")}, 3)
    for wish in (Wish(), Wish("solved"), Wish(note=" Hello\n"), Wish(answers={"order": "12"})):
        assert known.changed(RULES, wish, "sue", DAY) is None
    assert FRESH.changed(RULES, Wish(disposition=""), "bob", DAY) is None
    back = known.changed(RULES, Wish(disposition=""), "sue", DAY)
    assert back is not None
    assert back.fact is not None
    assert (back.fact["code"], back.note) == ("", "Hello")


@pytest.mark.parametrize(
    ("name", "typed", "kept"),
    [
        ("order", "  A-17 ", "A-17"),
        ("boxes", "12,5", "12.5"),
        ("boxes", "1e3", "1000"),
        ("bought", "2026-11-02", "2026-11-02"),
        ("product", "Phone", "Phone"),
        ("order", "a\x00b", None),
        ("order", "x" * 1001, None),
        ("boxes", "many", None),
        ("boxes", "nan", None),
        ("boxes", "1e99", None),
        ("bought", "yesterday", None),
        ("product", "Fridge", None),
        ("colour", "red", None),
    ],
)
def test_an_answer_is_kept_as_its_kind_of_field_says(name: str, typed: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(NotAcceptable, match=f"answers.{name}"):
            FRESH.changed(RULES, Wish(answers={name: typed}), "bob", DAY)
        return
    change = FRESH.changed(RULES, Wish(answers={name: typed}), "bob", DAY)
    assert change is not None
    assert change.answers == {name: Answer(RULES.script[name].called(name), kept)}


def test_answers_to_a_script_of_before_stay_and_an_empty_one_is_taken_away() -> None:
    known = Result("c1", "support", "bob", None, "", {"old": Answer("Old?", "yes"), "order": Answer("Order", "1")}, 1)
    change = known.changed(RULES, Wish(answers={"order": " ", "product": "Router"}), "bob", DAY)
    assert change is not None
    assert change.answers == {"old": Answer("Old?", "yes"), "product": Answer("product", "Router")}


def test_an_agent_is_done_when_all_that_the_queue_needs_was_said() -> None:
    assert FRESH.missing(RULES) == ["how it ended", "product"]
    assert FRESH.missing(Queue()) == []
    with pytest.raises(Incomplete, match="how it ended, product"):
        FRESH.changed(RULES, Wish(note="x"), "bob", DAY, done=True)
    with pytest.raises(Incomplete, match=r"missing: product$"):
        FRESH.changed(RULES, Wish("solved"), "bob", DAY, done=True)
    assert FRESH.changed(RULES, Wish("solved", answers={"product": "Phone"}), "bob", DAY, done=True)


def test_a_note_is_text_of_a_bounded_length() -> None:
    assert FRESH.changed(RULES, Wish(note="a\r\nb\tc"), "bob", DAY).note == "a\nb\tc"  # type: ignore[union-attr]
    for note in ("x" * 4001, "a\x1bb", "\u202etxet"):
        with pytest.raises(NotAcceptable, match="note"):
            FRESH.changed(RULES, Wish(note=note), "bob", DAY)


# -- as history tells it -----------------------------------------------------------------------------------------------


def said(n: int, kind: Kind = Kind.DISPOSITION, /, **data: Any) -> Event:
    facts = {"agent": "bob", "queue": "support", "code": "solved", "label": "Solved", "by": "bob", "id": f"id{n}"}
    return Event(answered().id, AFTERWARDS, DAY + 100 + n, kind, {"callback_at": 0, "number": "", **facts, **data})


def of(*facts: Event) -> Any:
    call = answered(contact_id="c1")
    return fold([*call.events, *(Event("c1", 0, one.at, one.kind, one.data) for one in facts)])


def test_of_each_queue_the_last_word_counts_whatever_the_order_in_which_they_come() -> None:
    facts = [said(1), said(2, code="spam", label="Spam"), said(3, queue="sales", code="sold", label="Sold")]
    for order in (facts, facts[::-1], [*facts, *facts]):
        history = of(*order)
        assert {one.queue: one.code for one in history.said} == {"support": "spam", "sales": "sold"}
        assert history.contact.disposition == "sold"
    assert of(*facts[:2], said(4, code="")).contact.disposition == ""
    assert of().said == ()


def test_a_promise_is_kept_once_somebody_called_and_a_new_word_ends_it() -> None:
    promised = said(1, code="again", callback_at=DAY + 900, number="+33612")
    (open_,) = of(promised).said
    assert (open_.callback_at, open_.number, open_.called_at) == (DAY + 900, "+33612", None)
    (kept,) = of(promised, said(2, Kind.CALLED_BACK)).said
    assert kept.called_at == DAY + 102
    (other,) = of(promised, said(2, Kind.CALLED_BACK), said(3)).said
    assert (other.code, other.callback_at, other.called_at) == ("solved", None, None)
    assert of(said(2, Kind.CALLED_BACK)).said == ()


def test_a_result_is_the_agents_who_served_the_queue() -> None:
    history = of()
    assert of_queue(history) == ("c1", "support", "bob")
    assert of_queue(history, "sales") == ("c1", "sales", "bob")
