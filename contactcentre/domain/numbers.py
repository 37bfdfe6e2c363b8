"""Telephone numbers: when two spellings mean the same one, and whether one can be dialled at all."""

from collections.abc import Iterable

import phonenumbers
from phonenumbers import PhoneMetadata


def canonical(number: str, country: str) -> str:
    """A number as two spellings of it agree: international, with + (E.164) where the country lets us know it.

    Without a country, `+` and a leading international `00` are all that is understood.
    """
    if country:
        try:
            parsed = phonenumbers.parse(number, country)
        except phonenumbers.NumberParseException:
            return number
        if phonenumbers.is_possible_number(parsed):
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        return number
    if number.startswith("00") and number.isdigit() and len(number) > 6:
        return f"+{number[2:]}"
    return number


def spellings(number: str, country: str) -> frozenset[str]:
    """All that `number` may have come as: as it is, international with + or 00, and as it is dialled at home."""
    known = canonical(number, country)
    found = {number, known}
    if known.startswith("+"):
        found |= {known[1:], f"00{known[1:]}"}
        parsed = phonenumbers.parse(known)
        if country and phonenumbers.region_code_for_number(parsed) == country:
            home = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
            found.add("".join(sign for sign in home if sign.isdigit()))
    return frozenset(found)


def is_possible(number: str, country: str) -> bool:
    """Could it be somebody's number? False also for a national number where the country is unknown ("")."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number, country or None))
    except phonenumbers.NumberParseException:
        return False


def begins_with(number: str, beginnings: Iterable[str], country: str) -> bool:
    """Whether a number begins like one of these, whatever way each of them is written: `+336`, `06` and `00336` are one
    beginning in France. What is no telephone number (a short code) is compared as it is written."""
    number = canonical(number, country)
    return any(number.startswith(spelling) for beginning in beginnings for spelling in _beginning(beginning, country))


def _beginning(beginning: str, country: str) -> tuple[str, ...]:
    """What numbers that begin so begin with, as `canonical` writes them; more than one where it may be a short code."""
    about = PhoneMetadata.metadata_for_region(country, None) if country else None
    abroad = (about.international_prefix if about is not None else None) or "00"
    if beginning.startswith("+"):
        return (beginning,)
    if abroad.isdigit() and beginning.startswith(abroad) and beginning != abroad:
        return (f"+{beginning.removeprefix(abroad)}",)
    if about is None or not beginning.isdigit():
        return (beginning,)
    trunk = about.national_prefix or ""
    if trunk and beginning.startswith(trunk):
        return (f"+{about.country_code}{beginning.removeprefix(trunk)}",)
    if trunk == "0":  # nobody leaves it away
        return (beginning,)
    return (beginning, f"+{about.country_code}{beginning}")


def known_calling_code(beginning: str) -> bool:
    """Whether there are numbers that begin with this + and these digits (ITU-T E.164, country codes)."""
    digits = beginning.removeprefix("+")
    codes = (str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    return any(code.startswith(digits) or digits.startswith(code) for code in codes)
