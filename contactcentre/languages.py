"""The languages of pages and e-mails, and their catalogues of texts (gettext).

English stands in the code itself; `web/translations/LANGUAGE/LC_MESSAGES/messages.po` has the others, from which
`npm run build` makes the `.mo` files and what scripts need of them.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations

from contactcentre.domain.sentences import Phrase

NAMES: Mapping[str, str] = {"en": "English", "fr": "Français", "es": "Español", "de": "Deutsch", "zh": "中文"}
"""By ISO 639, as the people who speak them call them."""

DEFAULT = "en"
DIRECTORY = Path(__file__).parent / "web" / "translations"


@cache
def catalogue(language: str) -> NullTranslations:
    """Of a language, for texts that are in no page; an unknown one, or one that is not built yet, has none: all stays
    English."""
    return Translations.load(DIRECTORY, [language] if language in NAMES else [DEFAULT])


def translated(text: str, language: str) -> str:
    """A text of the code in a language: a `Phrase` with what is in it, any other one if a catalogue has it as it is."""
    if language == DEFAULT or not text:
        return str(text)
    texts = catalogue(language)
    if not isinstance(text, Phrase):
        return str(texts.gettext(str(text)))
    found = texts.ngettext(text.pattern, text.many, int(text.number)) if text.many else texts.gettext(text.pattern)
    return str(found % {name: _value(one, language) for name, one in text.values.items()} if text.values else found)


def _value(one: object, language: str) -> object:
    if isinstance(one, Phrase):
        return translated(one, language)
    return format_decimal(one, locale=language) if isinstance(one, float) else one
