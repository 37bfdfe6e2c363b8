"""How models of what is written in a site are read, and what they say of their fields to people."""

import ast
import inspect
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel, ConfigDict


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    for field, text in descriptions(model).items():
        schema["properties"][field]["description"] = text


# Pydantic could find the texts itself (use_attribute_docstrings), but does so while modules are loaded: a quarter of
# the time that a process needs to start, also of one that shows nobody any.
WRITTEN = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_describe)
"""Of a model whose fields are described by the text below them (`descriptions`)."""


@cache
def descriptions(model: type[BaseModel]) -> Mapping[str, str]:
    """Field -> the text below it in the source, of those that have one."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _below_fields(base)
    return found


def _below_fields(model: type[BaseModel]) -> dict[str, str]:
    (source,) = ast.parse(dedent(inspect.getsource(model))).body
    assert isinstance(source, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(source.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }
