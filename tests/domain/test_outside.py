"""Numbers outside that agents may call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.numbers import canonical, known_calling_code
from contactcentre.domain.outside import NotAllowed, allowed
from contactcentre.domain.site import Settings


@pytest.mark.parametrize(
    ("country", "listed", "number", "dialled"),
    [
        ("FR", "+336", "0612345678", "+33612345678"),
        ("FR", "06", "+33612345678", "+33612345678"),
        ("FR", "00336", "06 12345678".replace(" ", ""), "+33612345678"),
        ("FR", "06", "0033612345678", "+33612345678"),
        ("FR", "0612345678", "+33612345678", "+33612345678"),
        ("FR", "+4420", "00442079460000", "+442079460000"),
        ("FR", "3949", "3949", "3949"),
        ("US", "011442", "+442079460000", "+442079460000"),
        ("US", "212", "12125550123", "+12125550123"),
        ("US", "1212", "2125550123", "+12125550123"),
        ("ES", "91", "912345678", "+34912345678"),
        ("ES", "112", "112", "112"),
        ("IT", "06", "+390612345678", "+390612345678"),
        ("", "+336", "0033612345678", "+33612345678"),
        ("", "00336", "+33612345678", "+33612345678"),
        ("", "06", "0612345678", "0612345678"),
        ("", "*21", "*21*5#", "*21*5#"),
    ],
)
def test_a_number_is_allowed_whatever_way_it_and_the_list_are_written(
    country: str, listed: str, number: str, dialled: str
) -> None:
    assert allowed(Settings(country=country, transfer_numbers=("+999", listed)), number) == dialled


@pytest.mark.parametrize(
    ("country", "listed", "number", "code", "said"),
    [
        ("FR", (), "0612345678", "not_allowed", r"0612345678 \(\+33612345678\) begins with none .* \(none\)"),
        ("FR", ("06",), "0712345678", "not_allowed", r"\(\+33712345678\) begins with none"),
        ("FR", ("0",), "00442079460000", "not_allowed", r"00442079460000 \(\+442079460000\) begins with none"),
        ("FR", ("+33",), "+442079460000", "not_allowed", "begins with none"),
        ("FR", ("3949",), "0394912345", "not_allowed", "begins with none"),
        ("FR", ("+336",), "+3361", "wrong_target", "no telephone number: too short"),
        ("FR", ("+33612345678",), "+336123456789", "wrong_target", "too long"),
        ("", ("+33",), "0612345678", "not_allowed", "0612345678 begins with none"),
    ],
)
def test_what_is_refused_is_said_as_it_was_understood(
    country: str, listed: tuple[str, ...], number: str, code: str, said: str
) -> None:
    with pytest.raises(NotAllowed, match=said) as refused:
        allowed(Settings(country=country, transfer_numbers=listed), number)
    assert refused.value.code == code


@given(st.from_regex(r"\A\+?[0-9*#]{1,20}\Z"), st.sampled_from(["FR", "US", "GB", "ES", "IT", "RU", ""]))
def test_nothing_abroad_is_called_where_only_the_own_country_is_listed(number: str, country: str) -> None:
    settings = Settings(country=country, transfer_numbers=("+33", "0", "06", "112"))
    try:
        dialled = allowed(settings, number)
    except NotAllowed:
        return
    assert dialled == canonical(number, country)
    own = {"FR": "+33", "US": "+1", "GB": "+44", "ES": "+34", "IT": "+39", "RU": "+7", "": "+33"}[country]
    assert not dialled.startswith("+") or dialled.startswith((own, "+33"))


@pytest.mark.parametrize(("beginning", "known"), [("+33", True), ("+4", True), ("+4420", True), ("+999", False)])
def test_there_are_numbers_only_with_a_country_code(beginning: str, known: bool) -> None:
    assert known_calling_code(beginning) is known
