"""Texts, times and numbers in the page's language (`negotiation` says which that is). What the API answers is English
by itself, for a `Phrase` is an English text to all who do not ask this module; only a problem's `shown` is not."""

from datetime import datetime

from babel import dates
from flask import has_request_context
from flask_babel import get_locale

from contactcentre.domain.sentences import Phrase
from contactcentre.languages import DEFAULT, translated
from contactcentre.web import vocabulary

_DAYS = {"%Y-%m-%d": "yMMdd", "%m-%d": "MMdd"}  # CLDR's names for the same


def current() -> str:
    """Of this request; English where there is none."""
    locale = get_locale() if has_request_context() else None
    return locale.language if locale else DEFAULT


def say(text: str | None) -> str:
    """A text of the code in the page's language: a `Phrase` with what is in it, a word such as a role's or an outcome's
    as `vocabulary` lists it; any other text as it is."""
    return translated(text or "", current())


def problem(code: str, title: str, detail: str) -> str:
    """What people are shown of a problem; "" where that is its English detail."""
    if current() == DEFAULT:
        return ""
    if isinstance(detail, Phrase) or not detail:
        return say(detail or title)
    if refusal := vocabulary.REFUSALS.get(code):
        return say(refusal)
    told = say(detail)
    return told if told != detail else f"{say(title)}: {detail}"


def date_and_time(at: datetime, pattern: str) -> str:
    """By a pattern of strftime; its day as people of the language write it, in English as ISO 8601: an English page has
    readers on both sides of the Atlantic."""
    if (language := current()) != DEFAULT:
        for iso, skeleton in _DAYS.items():
            if iso in pattern:
                pattern = pattern.replace(iso, dates.format_skeleton(skeleton, at, locale=language))
                break
    return at.strftime(pattern)


def capital(text: str) -> str:
    """At the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def part(name: str) -> str:
    """A section of the site."""
    return say(vocabulary.PARTS.get(name)) or name.capitalize()


def new_thing(kind: str) -> str:
    """Of a section of the site."""
    return say(vocabulary.NEW.get(kind)) or kind
