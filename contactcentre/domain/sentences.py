"""Sentences that pages can say in another language: English, and of what they were made."""

from collections.abc import Iterable, Mapping


class Phrase(str):
    """An English text that remembers its pattern and what was put into it. To everybody else it is that text."""

    pattern: str
    many: str  # the pattern of a plural; "" = it has none
    number: float
    values: Mapping[str, object]


def phrase(pattern: str, **values: object) -> Phrase:
    """`phrase("%(who)s rings", who="anna")`. `make words` finds the pattern, so it must stand there as it is. A value
    that is Phrase itself is translated with the rest; any other one stays as it is."""
    return _made(pattern % values if values else pattern, pattern, "", 0, values)


def phrase_of(one: str, many: str, number: float, **values: object) -> Phrase:
    """Of a number, which is `%(num)s` in both patterns."""
    values = {"num": number, **values}
    return _made((one if number == 1 else many) % values, one, many, number, values)


def _made(text: str, pattern: str, many: str, number: float, values: Mapping[str, object]) -> Phrase:
    made = Phrase(text)
    made.pattern, made.many, made.number, made.values = pattern, many, number, values
    return made


def joined(between: str, parts: Iterable[str]) -> Phrase:
    """The parts in one text, each still translated for itself."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    return phrase(between.replace("%", "%%").join(f"%({name})s" for name in values), **values)
