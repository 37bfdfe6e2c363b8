"""Telephone numbers as people write them."""

from functools import lru_cache

import phonenumbers


@lru_cache(maxsize=4096)
def readable(number: str, country: str = "") -> str:
    """`+33612407755` as `+33 6 12 40 77 55`. `country` (ISO 3166) reads national numbers. What is no number that exists
    comes back as it is: callers may send anything."""
    try:
        parsed = phonenumbers.parse(number, country or None)
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_valid_number(parsed):
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
