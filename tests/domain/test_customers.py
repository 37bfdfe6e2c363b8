"""Who a customer is."""

from typing import Any

import pytest

from contactcentre.domain.customers import Change, Customer, changed, merged, number_of, what_changed
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.site import Settings

FRANCE = Settings.model_validate({"country": "FR", "customer_fields": {"account": "Account number"}})
MARIE = Customer("c1", ("+33612407755",), "Marie Dubois", {"account": "17"}, ("gold",), "Prefers mornings", 3)


def change(known: Customer = MARIE, **wish: Any) -> Customer:
    return changed(known, Change(**wish), FRANCE)


@pytest.mark.parametrize("typed", ["06 12 40 77 55", "+33 6 12-40.77.55", "0033612407755", "(+33)612407755"])
def test_a_number_is_one_however_it_is_spelled(typed: str) -> None:
    assert number_of(typed, "FR") == "+33612407755"


@pytest.mark.parametrize("typed", ["", "3949", "hello", "+999123456", "+3361240", "0612407755<script>"])
def test_what_is_nobodys_number_is_refused(typed: str) -> None:
    with pytest.raises(NotAcceptable, match="numbers"):
        number_of(typed, "FR")


def test_without_a_country_a_number_names_its_own() -> None:
    assert number_of("+33612407755", "") == "+33612407755"
    with pytest.raises(NotAcceptable, match="with \\+ and its country's code"):
        number_of("0612407755", "")


def test_what_is_not_named_stays_and_what_is_empty_goes() -> None:
    assert change(name="Marie D.") == Customer(
        "c1", ("+33612407755",), "Marie D.", {"account": "17"}, ("gold",), "Prefers mornings", 3
    )
    assert change(fields={"account": " "}).fields == {}
    assert change(tags=[" VIP ", "vip", "late payer"]).tags == ("vip", "late payer")
    assert change(numbers=["0612407755", "+33 1 42 96 81 00", " "]).numbers == ("+33612407755", "+33142968100")
    assert change(name=" Marie Dubois ") is MARIE


@pytest.mark.parametrize(
    "wish",
    [
        {"name": "x" * 121},
        {"name": "two\nlines"},
        {"name": "a\x00"},
        {"notes": "x" * 8001},
        {"fields": {"colour": "red"}},
        {"fields": {"account": "x" * 501}},
        {"tags": ["<b>"]},
        {"tags": [f"t{n}" for n in range(31)]},
        {"numbers": []},
        {"numbers": [f"+336124077{n:02}" for n in range(21)]},
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_name(wish: dict[str, Any]) -> None:
    with pytest.raises(NotAcceptable, match=next(iter(wish))):
        change(**wish)


def test_of_two_who_are_one_nothing_is_lost() -> None:
    other = Customer(
        "c2", ("+33142968100", "+33612407755"), "M. Dubois", {"account": "9", "old": "x"}, ("late",), "Rude"
    )
    one = merged(MARIE, other)
    assert one.numbers == ("+33612407755", "+33142968100")
    assert (one.name, one.fields, one.tags) == ("Marie Dubois", {"account": "17", "old": "x"}, ("gold", "late"))
    assert one.notes == "Prefers mornings\n\nRude"
    assert merged(Customer("c1"), other).name == "M. Dubois"
    with pytest.raises(NotAcceptable, match="the same customer"):
        merged(MARIE, MARIE)


def test_the_audit_log_is_told_what_was_changed_and_not_to_what() -> None:
    after = change(name="Secret", fields={"account": "99"}, notes="hidden")
    assert what_changed(MARIE, after) == ["name", "notes", "fields.account"]
