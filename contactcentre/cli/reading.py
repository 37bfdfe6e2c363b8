"""How an option's text becomes a field's value: by the field's type."""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click
from pydantic import BaseModel


@dataclass(frozen=True)
class Reader:
    """`read(typed, now)` makes the new value from what was typed and the value that is there; None = the
    default."""

    read: Callable[[Any, Any], Any]
    metavar: str = "TEXT"
    multiple: bool = False
    flag: bool = False


def readers(model: type[BaseModel]) -> dict[str, Reader]:
    """Field -> how its option is read."""
    return {name: _reader(field.annotation) for name, field in model.model_fields.items()}


def words(typed: str, now: object) -> list[str] | None:
    """`a,b,c`; "" = none."""
    return [word.strip() for word in typed.split(",") if word.strip()]


def pairs(typed: tuple[str, ...], now: Mapping[str, Any] | None) -> dict[str, Any]:
    """`name=value`, several times, on top of what is there; `name=` takes one away."""
    found: dict[str, Any] = dict(now or {})
    for one in typed:
        name, sign, value = one.partition("=")
        if not sign:
            raise click.UsageError(f"{one!r} is not NAME=VALUE (NAME= takes it away)")
        if value.strip():
            found[name.strip()] = value.strip()
        else:
            found.pop(name.strip(), None)
    return found


def steps(typed: tuple[str, ...], now: object) -> list[dict[str, str]]:
    """`30: lang_fr >= 20`, several times; they replace what is there, and "" alone leaves none."""
    found = []
    for one in typed:
        after, sign, requires = one.partition(":")
        if one.strip() and not sign:
            raise click.UsageError(f"{one!r} is not SECONDS: EXPRESSION")
        if sign:
            found.append({"after": after.strip(), "requires": requires.strip()})
    return found


def _reader(annotation: Any) -> Reader:
    kind = typing.get_origin(annotation) or annotation
    inside = typing.get_args(annotation)
    if kind is typing.Annotated:
        return _reader(inside[0])
    if kind in (typing.Union, types.UnionType):
        return _reader(next(one for one in inside if one is not type(None)))
    if kind is bool:
        return Reader(lambda typed, now: typed, flag=True)
    if kind is dict:
        return Reader(pairs, "NAME=VALUE", multiple=True)
    if kind is tuple and isinstance(inside[0], type) and issubclass(inside[0], BaseModel):
        return Reader(steps, "SECONDS:EXPRESSION", multiple=True)
    if kind is tuple:
        return Reader(words, "A,B,..")
    if kind is typing.Literal:
        return Reader(lambda typed, now: typed or None, "|".join(map(str, inside)))
    return Reader(lambda typed, now: typed or None, {int: "NUMBER", float: "NUMBER"}.get(kind, "TEXT"))
