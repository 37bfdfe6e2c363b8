"""From a site file, or a document of the store or API, to a checked `Site`; all problems at once."""

import difflib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contactcentre.domain import spelling as words
from contactcentre.domain.flows.check import Knows
from contactcentre.domain.site import Site
from contactcentre.provision.check import check
from contactcentre.provision.document import Document, read
from contactcentre.provision.problems import Lines, Problem, SiteError, dotted, placed, shown

_IN_WORDS = {
    words.NAME: "a name: lower case letters, digits, _ and -, beginning with a letter, at most 40",
    words.ENDPOINT: "letters, digits, '_', '.' and '-', beginning with a letter or digit, at most 40",
    words.NUMBER: "digits, * and #, with + only in front, at most 32",
    words.TEXT: "a text of one line without control characters",
    words.PERSON: "a person's name of one line without control characters and ; \\ \" < > $",
    words.HOST: "a host name or an IP address",
    words.SOURCE: "a host name, an IP address or a network like 192.0.2.0/24",
    words.USERNAME: "letters, digits and _ . + @ -",
    words.CODEC: "a codec's name like alaw",
    words.CALLER_ID: "digits, with + only in front",
    words.LANGUAGE: "a language like en or pt_BR",
    words.EXPRESSION: "an expression over skills like: lang_fr >= 50 and billing",
    words.PROMPT: "a prompt's name: letters, digits, _ - . /",
    words.DIRECTORY: "an absolute path of letters, digits, _ - . /",
    words.WORD: "one word of letters, digits, _ / + -",
    words.CLOCK: "a time from 00:00 to 23:59",
    words.CLOSING: "a time from 00:00 to 24:00",
    words.DATE: "a date like 2026-12-25",
    words.DAYS: "days like mon-fri or mon,wed",
    words.COUNTRY: "a country's two capital letters",
    words.ADDRESS: "an address like https://crm.example.com/?phone={caller}",
    words.KEY: "one key: 0-9, * or #",
    words.KEY_CODE: "two to five keys (0-9, * and #), the first of them * or #",
    words.DESTINATION: "a destination: queue:NAME, flow:NAME, voicemail:BOX, agent:NAME, number:N or callback",
}

# What stands in for a missing value so that the rules that span objects can be checked all the same.
_STAND_IN: dict[str, Any] = {
    "host": "missing.invalid",
    "flow": "missing",
    "after": 0,
    "requires": "",
    "days": "mon",
    "open": "00:00",
    "close": "24:00",
    "directory": "/missing",
}


def load(path: Path, knows: Knows | None = None) -> Site:
    """Reads and checks a site file. Raises SiteError with every problem, each with its line; OSError is one
    of them."""
    site, problems, lines = inspect(path, knows)
    if problems or site is None:
        raise SiteError(sorted((placed(p, lines) if not p.file else p for p in problems), key=_by_line))
    return site


def inspect(path: Path, knows: Knows | None = None) -> tuple[Site | None, list[Problem], Lines]:
    """Like `load`, but returns what it found: the site (None when it has no meaning), its problems, and the
    lines."""
    text, missing = _text(path, str(path), "")
    if missing:
        return None, [missing], {}
    document = read(text, str(path), typed=lambda where: bool(where) and where[0] == "flows")
    if document.data is None:
        # taken for a site, it would take everything off the PBX
        empty = Problem("", "empty", "is empty; a site without anything is written {}", str(path), 1)
        return None, document.problems or [empty], document.lines
    if not isinstance(document.data, dict):
        document.problems.append(Problem("", "type", "a site must be a mapping of sections", str(path), 1))
        return None, document.problems, document.lines
    _read_flows(document, path)
    site, problems = validate(document.data, knows)
    unread = tuple(problem.where for problem in document.problems if problem.where.startswith("flows."))
    problems = [problem for problem in problems if not any(_within(problem.where, flow) for flow in unread)]
    return site, [*document.problems, *problems], document.lines


def parse(data: Mapping[str, Any]) -> Site:
    """A document of the store, the API or a change, checked. Raises SiteError."""
    site, problems = validate(data)
    if problems or site is None:
        raise SiteError(problems)
    return site


def validate(data: Mapping[str, Any], knows: Knows | None = None) -> tuple[Site | None, list[Problem]]:
    """The site and everything wrong with it. Where a value has the wrong form the rest is checked as if it
    were right."""
    try:
        site = Site.model_validate(data)
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors(include_url=False)]
        repaired = _repaired(data, error)
        broken = tuple(problem.where for problem in problems)
        if repaired is None:
            return None, problems
        more = [p for p in check(repaired, knows) if not any(_within(p.where, where) for where in broken)]
        return None, [*problems, *more]
    return site, check(site, knows)


def _text(path: Path, name: str, where: str) -> tuple[str, Problem | None]:
    try:
        return path.read_text(encoding="utf-8"), None
    except UnicodeDecodeError:
        return "", Problem(where, "encoding", "is not UTF-8", name)
    except OSError as error:
        return "", Problem(where, "file", f"cannot read {name}: {error.strerror or error}")


def _read_flows(document: Document, path: Path) -> None:
    """A flow that is a text names a file beside the site file."""
    flows = document.data.get("flows")
    if not isinstance(flows, dict):
        return
    for name, value in flows.items():
        if not isinstance(value, str):
            continue
        where = f"flows.{name}"
        file = path.parent / value
        text, missing = _text(file, str(file), where)
        flows[name] = {}
        if missing:
            document.problems.append(placed(missing, document.lines))
            continue
        flow = read(text, str(file), prefix=("flows", name), typed=lambda where: True)
        document.lines.update(flow.lines)
        document.problems.extend(flow.problems)
        flows[name] = flow.data if isinstance(flow.data, dict) else {}


def _problem(details: ErrorDetails) -> Problem:
    loc = tuple(part for part in details["loc"] if part != "[key]")
    where, value, kind = dotted(loc), details["input"], details["type"]
    context = details.get("ctx", {})
    if kind == "extra_forbidden":
        known = list(_fields(loc[:-1]))
        near = difflib.get_close_matches(str(loc[-1]), known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return Problem(where, "unknown-key", f"unknown key; {hint}")
    if kind == "missing":
        return Problem(where, "missing", "is missing")
    if kind == "string_pattern_mismatch":
        return Problem(where, "form", f"{shown(value)} is not {_IN_WORDS[context['pattern']]}")
    if kind in ("model_type", "dict_type"):
        return Problem(where, "type", f"{shown(value)} must be a mapping")
    if kind in ("tuple_type", "list_type"):
        return Problem(where, "type", f"{shown(value)} must be a list, like [a, b]")
    return Problem(where, "value", f"{shown(value)}: {details['msg'][:1].lower()}{details['msg'][1:]}")


def _fields(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that the model knows at a place in the document."""
    kind: Any = Site
    for part in loc:
        if _is_model(kind):
            kind = kind.model_fields[part].annotation
        else:
            inside = [one for one in typing.get_args(kind) if one is not Ellipsis]
            kind = inside[-1] if inside else None  # a mapping's values, a list's items
    return tuple(kind.model_fields) if _is_model(kind) else ()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _repaired(data: Mapping[str, Any], error: ValidationError) -> Site | None:
    """The site without its badly formed values, or None when nothing sensible is left."""
    repaired = _copy(data)
    details = sorted(error.errors(include_url=False), key=lambda d: len(d["loc"]), reverse=True)
    for one in details:
        path = [part for part in one["loc"] if part != "[key]"]
        if not path:
            return None
        holder: Any = repaired
        try:
            for part in path[:-1]:
                holder = holder[part]
            if one["type"] == "missing":
                holder[path[-1]] = _STAND_IN[str(path[-1])]
            elif isinstance(holder, list):
                holder[int(path[-1])] = _DROPPED
            else:
                holder.pop(path[-1], None)
                if path[-1] in _STAND_IN and len(path) > 2:
                    holder[path[-1]] = _STAND_IN[str(path[-1])]
        except (KeyError, IndexError, TypeError):
            return None
    try:
        return Site.model_validate(_without_dropped(repaired))
    except ValidationError:
        return None


_DROPPED = object()


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _without_dropped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_dropped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_dropped(item) for item in value if item is not _DROPPED]
    return value


def _within(where: str, broken: str) -> bool:
    return where == broken or where.startswith(f"{broken}.") or broken.startswith(f"{where}.")


def _by_line(problem: Problem) -> tuple[str, int, str]:
    return problem.file, problem.line, problem.where
