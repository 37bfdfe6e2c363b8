"""Pieces of speech in words: for speech synthesis where the PBX cannot say them, and for people who read a
simulation.

Dates, times and numbers are worded by the Unicode CLDR (babel), so every language it knows works.
"""

import unicodedata
from datetime import date, time

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from contactcentre.domain.flows.actions import Piece, Sort

MAX_SPOKEN = 500
"""Characters of one text that are synthesised; what a caller sends as a name is not read out for minutes."""


def words(piece: Piece, language: str) -> str:
    """What `piece` says, in words; "" for silence, tones and sounds of the PBX."""
    match piece.sort:
        case Sort.PROMPT:
            return piece.text
        case Sort.TEXT:
            return piece.value
        case Sort.NUMBER:
            return str(format_decimal(int(piece.value), locale=_locale(language)))
        case Sort.DIGITS:
            return " ".join(piece.value)
        case Sort.DATE:
            return str(format_date(date.fromisoformat(piece.value), "full", locale=_locale(language)))
        case Sort.TIME:
            return str(format_time(time.fromisoformat(piece.value), "short", locale=_locale(language)))
        case _:
            return ""


def spoken(text: str) -> str:
    """`text` fit for a synthesiser: no control or invisible characters, no brackets (which espeak-ng takes
    for phonemes) or mark-up, single spaces, at most MAX_SPOKEN characters. Texts may come from a caller."""
    plain = unicodedata.normalize("NFC", text[: MAX_SPOKEN * 4])
    kept = (" " if unicodedata.category(sign)[0] in "CZ" or sign in "[]<>{}|\\" else sign for sign in plain)
    return " ".join("".join(kept).split())[:MAX_SPOKEN]


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")
