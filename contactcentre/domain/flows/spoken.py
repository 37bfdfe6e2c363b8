"""What the caller hears: prompts, sounds, texts, numbers, digits, dates and times, as a flow writes them."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from contactcentre.domain.flows.actions import Piece, Sort, Speech
from contactcentre.domain.flows.node import Language, Scene, Template
from contactcentre.domain.site import Model

Sound = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", max_length=100)]
PromptName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Saying = Annotated[Template, BeforeValidator(_text)]


class Words(Model):
    """Exactly one of these. `date` and `time` take `now`, or a text such as 2026-12-25 and 14:30. `language`:
    of this alone, where it is not the call's."""

    text: Saying | None = None
    number: Saying | None = None
    digits: Saying | None = None
    date: Saying | None = None
    time: Saying | None = None
    language: Language | None = None

    @model_validator(mode="after")
    def _one(self) -> "Words":
        given = [name for name in _SORTS if getattr(self, name, None) is not None]
        if len(given) != 1:
            known = [name for name in _SORTS if name in type(self).model_fields]
            raise ValueError(f"needs exactly one of {', '.join(known)}; has {', '.join(given) or 'none'}")
        if self.language is not None and given[0] in ("sound", "tone", "silence"):
            raise ValueError(f"{given[0]} takes no language: the PBX chooses by the call's")
        return self

    def piece(self, scene: Scene) -> Piece:
        """What is said now. A value that is not what it should be (a number that is none) is said as a
        text."""
        name = next(name for name in _SORTS if getattr(self, name, None) is not None)
        sort, written, language = _SORTS[name], getattr(self, name), self.language or ""
        if sort is Sort.PROMPT:
            text = scene.fill(text_of(scene.prompts.get(written, {}), language or scene.language))
            return Piece(sort, written, text, language)
        if sort in (Sort.SOUND, Sort.TONE, Sort.SILENCE):
            return Piece(sort, str(written))
        value = scene.fill(written).strip()
        if value == "now" and sort in (Sort.DATE, Sort.TIME):
            value = scene.now().strftime("%Y-%m-%d" if sort is Sort.DATE else "%H:%M")
        return Piece(sort if _sayable(sort, value) else Sort.TEXT, value, language=language)


class Item(Words):
    """One entry of a `prompt:` list. A bare name is a prompt, `sound:NAME` one of the PBX's own sounds."""

    prompt: PromptName | None = None
    sound: Sound | None = None
    tone: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,20}$")] | None = None
    silence: Annotated[float, Field(gt=0, le=60)] | None = None


_SORTS = {
    "prompt": Sort.PROMPT,
    "sound": Sort.SOUND,
    "text": Sort.TEXT,
    "number": Sort.NUMBER,
    "digits": Sort.DIGITS,
    "date": Sort.DATE,
    "time": Sort.TIME,
    "tone": Sort.TONE,
    "silence": Sort.SILENCE,
}


def _items(value: Any) -> Any:
    """Accepts one entry for a list of one, and texts for entries."""
    entries = value if isinstance(value, list | tuple) else [value]
    return [_item(entry) for entry in entries]


def _item(entry: Any) -> Any:
    if not isinstance(entry, str):
        return entry
    return {"sound": entry[6:]} if entry.startswith("sound:") else {"prompt": entry}


Items = Annotated[tuple[Item, ...], BeforeValidator(_items), Field(max_length=20)]
SomeItems = Annotated[tuple[Item, ...], BeforeValidator(_items), Field(min_length=1, max_length=20)]


def speech(items: tuple[Item, ...], scene: Scene) -> Speech:
    return tuple(item.piece(scene) for item in items)


def text_of(texts: Mapping[str, str], language: str) -> str:
    """The text for a language: itself (`fr-CA`), else its base (`fr`), else "" (never another language's)."""
    return texts.get(language) or texts.get(base(language)) or ""


def base(language: str) -> str:
    """`fr` of `fr-CA`."""
    return re.split("[-_]", language, maxsplit=1)[0]


def _sayable(sort: Sort, value: str) -> bool:
    match sort:
        case Sort.NUMBER:
            return re.fullmatch(r"-?\d{1,9}", value, re.ASCII) is not None
        case Sort.DIGITS:
            return re.fullmatch(r"[0-9*#]{1,40}", value) is not None
        case Sort.TIME:
            return re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII) is not None
        case Sort.DATE:
            try:
                return date.fromisoformat(value).isoformat() == value
            except ValueError:
                return False
        case _:
            return True
