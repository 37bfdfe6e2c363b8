"""Edit forms of what a site holds, made of the site's own model: its fields, their types and what it says of them.

A field whose value has parts of its own (levels of skills, opening hours) is written as YAML, a line for each part.
"""

import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from contactcentre.domain.sentences import Phrase, joined, phrase
from contactcentre.domain.site import Site
from contactcentre.domain.strategies import STRATEGIES
from contactcentre.domain.written import descriptions
from contactcentre.provision.asking import ProblemSaid
from contactcentre.provision.document import read

REFERENCES = {
    "flow": "flows",
    "trunk": "trunks",
    "outbound_trunk": "trunks",
    "fallback_queue": "queues",
    "mentor": "agents",
    "music": "music",
    "line_music": "music",
    "agents": "agents",
    "skills": "skills",
    "requires": "skills",
}
"""Fields that name things of the site -> the section of those."""
TEXT = "value"
"""The only field of what is a text, such as a skill."""
NOTHING = '""'
"""How an empty text is written where an empty field is the default."""

Kind = Literal["check", "choice", "number", "text", "words", "yaml"]


@dataclass(frozen=True)
class Entry:
    """One field of a form. `set`: it differs from its default, or has none."""

    name: str
    label: Phrase
    hint: Phrase
    kind: Kind
    value: str
    choices: tuple[tuple[str, str], ...] = ()
    known: tuple[str, ...] = ()
    required: bool = False
    set: bool = False
    problems: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return min(14, max(2, self.value.count("\n") + 2))


def model_of(part: str) -> type[BaseModel] | None:
    """Of the things of a section, or of a section that is one thing; None = they are texts. Raises KeyError."""
    annotation = Site.model_fields[part].annotation
    if typing.get_origin(annotation) is dict:
        inside = typing.get_args(annotation)[1]
        return inside if isinstance(inside, type) and issubclass(inside, BaseModel) else None
    return annotation if isinstance(annotation, type) else None


def about(part: str) -> Phrase:
    """What a section's things are."""
    model = model_of(part)
    told = " ".join((model.__doc__ or "").split()) if model else ""
    return phrase(told)


def entries(
    part: str,
    thing: Any,
    site: Site,
    typed: Mapping[str, str] | None = None,
    problems: tuple[tuple[str, str], ...] = (),
) -> list[Entry]:
    """The form of `thing` (of a section; None = a new one). `typed`: what somebody has written there meanwhile,
    `problems`: (field, what is wrong)."""
    model = model_of(part)
    if model is None:
        shown = typed.get(TEXT, "") if typed is not None else thing or ""
        told = tuple(text for _, text in problems)
        return [
            Entry(
                TEXT,
                phrase("Description"),
                phrase("What it means."),
                "text",
                shown,
                required=False,
                set=True,
                problems=told,
            )
        ]
    made = []
    for name, info in model.model_fields.items():
        kind = kind_of(info.annotation)
        required = info.is_required()
        value = getattr(thing, name) if thing is not None else None if required else info.get_default()
        shown = typed.get(name, "") if typed is not None else written(kind, value, info)
        made.append(
            Entry(
                name,
                phrase(name.replace("_", " ").capitalize()),
                _hint(descriptions(model).get(name, ""), info, kind),
                kind,
                shown,
                _choices(info) if kind == "choice" else (),
                _known(name, site),
                required,
                required or value != info.get_default() or (typed is not None and _was_typed(kind, shown, info)),
                tuple(text for field, text in problems if field.partition(".")[0] == name),
            )
        )
    return made


def value_of(part: str, typed: Mapping[str, str]) -> tuple[Any, list[tuple[str, str]]]:
    """What a form that was sent says, as the site's model takes it, and (field, what is wrong) of what cannot be
    read."""
    model = model_of(part)
    if model is None:
        return typed.get(TEXT, "").strip(), []
    found: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for name, info in model.model_fields.items():
        kind, text = kind_of(info.annotation), typed.get(name, "").strip()
        if kind == "check":
            found[name] = text == "yes"
        elif kind == "words":
            found[name] = [word.strip() for word in text.replace("\n", ",").split(",") if word.strip()]
        elif kind == "yaml":
            document = read(text, "")
            wrong += [(name, f"line {problem.line}: {problem.message}") for problem in document.problems]
            if document.data is not None:
                found[name] = document.data
        elif text:  # else its default
            found[name] = "" if text == NOTHING else _literals(info).get(text, text)
    return found, wrong


def problems_by_field(part: str, name: str, problems: list[ProblemSaid]) -> tuple[list[tuple[str, str]], list[str]]:
    """(field, what is wrong) of those of this thing, and the others in words."""
    prefix = f"{part}.{name}." if name else f"{part}."
    own = [(one.where.removeprefix(prefix), one.message) for one in problems if one.where.startswith(prefix)]
    others = [f"{one.where}: {one.message}" for one in problems if not one.where.startswith(prefix)]
    return own, others


def kind_of(annotation: Any) -> Kind:
    origin, inside = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind_of(inside[0])
    if origin in (typing.Union, types.UnionType):
        kind = kind_of(next(one for one in inside if one is not type(None)))
        return "choice" if kind == "check" else kind
    if origin is bool:
        return "check"
    if origin is typing.Literal:
        return "choice"
    if origin in (int, float):
        return "number"
    if origin is tuple and kind_of(inside[0]) == "text":
        return "words"
    return "text" if origin is str else "yaml"


def written(kind: Kind, value: Any, info: FieldInfo) -> str:
    """A value as the form shows it."""
    if kind == "yaml":
        return as_yaml(value)
    if value is None:
        return ""
    if value == "" and _optional(info):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "words":
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_yaml(value: Any) -> str:
    """ "" = nothing but defaults."""
    found = plain(value)
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=110) if found else ""


def short(value: Any) -> str:
    """A value in a list of many."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} {short(one)}" if not isinstance(one, Mapping) else name for name, one in value.items()
        )
    if isinstance(value, list):
        return ", ".join(short(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def plain(value: Any) -> Any:
    """As JSON and YAML have it, without what has its default."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _was_typed(kind: Kind, shown: str, info: FieldInfo) -> bool:
    return shown != written(kind, None if info.is_required() else info.get_default(), info)


def _optional(info: FieldInfo) -> bool:
    return type(None) in typing.get_args(info.annotation)


def _literals(info: FieldInfo) -> dict[str, Any]:
    """What may be chosen: word -> value."""
    inside = [one for one in typing.get_args(info.annotation) if one is not type(None)]
    if _optional(info) and inside == [bool]:
        return {"yes": True, "no": False}
    literal = inside[0] if _optional(info) else info.annotation
    return {str(one): one for one in typing.get_args(literal)} if typing.get_origin(literal) is Literal else {}


def _choices(info: FieldInfo) -> tuple[tuple[str, str], ...]:
    unsaid = (("", "default"),) if _optional(info) else ()
    return (*unsaid, *((word, word) for word in _literals(info)))


def _known(name: str, site: Site) -> tuple[str, ...]:
    if name == "strategy":
        return tuple(STRATEGIES)
    return tuple(getattr(site, REFERENCES[name])) if name in REFERENCES else ()


def _hint(told: str, info: FieldInfo, kind: Kind) -> Phrase:
    more = {"words": phrase("Commas between them."), "yaml": phrase("YAML.")}.get(kind)
    if kind == "text" and _optional(info) and _may_be_empty(info):
        more = phrase("%(nothing)s is none.", nothing=NOTHING)
    told = " ".join(told.split())
    if kind == "yaml":
        told = re.sub(r"(\w)=(\w)", r"\1: \2", told)  # as the command line has it
    return joined(" ", [part for part in (phrase(told), more) if part])


def _may_be_empty(info: FieldInfo) -> bool:
    try:
        TypeAdapter(typing.cast(Any, info.annotation)).validate_python("")
    except ValidationError:
        return False
    return True


def texts(*_: object, **__: object) -> Iterator[tuple[int, str, str, list[str]]]:
    """All that forms say, for Babel (`babel.cfg`): models say it, not calls of `phrase`."""
    for part in Site.model_fields:
        if typing.get_origin(Site.model_fields[part].annotation) is dict or model_of(part):
            said = [about(part), *(text for one in entries(part, None, Site()) for text in (one.label, one.hint))]
            for one in said:
                yield from ((0, "phrase", text, []) for text in _pieces(one) if text)


def _pieces(text: Phrase) -> Iterator[str]:
    """Of a text that is joined of others: these."""
    inside = [value for value in text.values.values() if isinstance(value, Phrase)]
    yield from (one.pattern for one in inside) if inside else [text.pattern]
