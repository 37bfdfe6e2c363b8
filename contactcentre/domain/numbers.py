"""Telephone numbers: when two spellings mean the same one, and whether one can be dialled at all."""

import phonenumbers


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
