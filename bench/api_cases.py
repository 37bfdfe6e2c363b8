"""Requests to the whole API as its description says they are, and as it says they are not, made at random by
schemathesis; and what is wrong with an answer. `fuzz_api` and the tests send them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from apiflask import APIFlask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contactcentre.web import openapi

NOT_SENT = {
    *("post_webhooks_name_test", "post_prompts_language_name_speak"),  # they leave this machine, or take long
    *("delete_tokens_id",),  # who asks would have to make a new token each time
}
"""Operations that are left out, each with tests of its own."""

AWAY = frozenset({503, 504})
"""What nobody can do without controllers, and without what provisions."""

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass(frozen=True)
class Asker:
    """Somebody who asks: in whose name, how, and what the role may."""

    name: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    may: frozenset[str]
    """Rules of the API that the role table opens to them."""


@dataclass
class Found:
    """How many answers there were, and what was wrong: a line of words -> an example."""

    answers: Counter[int] = field(default_factory=Counter)
    asked: int = 0
    faults: dict[str, str] = field(default_factory=dict)


def ask(
    app: APIFlask, askers: Iterable[Asker], known: Mapping[str, Mapping[str, Any]], number: int, each: int = 1
) -> Found:
    """Every operation, by everybody: `each` requests that fit the description, as many that do not, and as many about
    things that are there (`known`: path -> its parameters). Of who may not, one. `number` is the seed."""
    found = Found()
    described = schemathesis.openapi.from_dict(openapi.document(app))
    for result in described.get_all_operations():
        operation = result.ok()
        said = operation.definition.raw
        good = [
            content
            for status, answer in said["responses"].items()
            if status < "3"
            for content in answer.get("content", ())
        ]
        if said["operationId"] in NOT_SENT or "text/event-stream" in good:  # streams do not end
            continue
        for asker in askers:
            allowed = operation.path in asker.may
            ways: list[tuple[GenerationMode, Any]] = [(GenerationMode.POSITIVE, None)]
            if allowed:
                ways.append((GenerationMode.NEGATIVE, None))
                if operation.path in known:
                    ways.append((GenerationMode.POSITIVE, known[operation.path]))
            for mode, path in ways:
                _some(app, operation, asker, allowed, mode, path, number, each if allowed else 1, found)
    return found


def _some(
    app: APIFlask,
    operation: Any,
    asker: Asker,
    allowed: bool,
    mode: GenerationMode,
    path: Any,
    number: int,
    most: int,
    found: Found,
) -> None:
    @seed(number)
    @settings(
        max_examples=most,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=path))
    def one(case: Any) -> None:
        case.headers = {name: value for name, value in (case.headers or {}).items() if _sendable(name, value)}
        answer = case.call(app=app, headers=dict(asker.headers), cookies=dict(asker.cookies))
        found.asked += 1
        found.answers[answer.status_code] += 1
        for fault in _faults(case, answer, allowed):
            what = f"{operation.method.upper()} {operation.path} by {asker.name}: {fault}"
            found.faults.setdefault(what, f"{case.as_curl_command()[:600]} -> {answer.text[:600]}")

    try:
        one()
    except (schemathesis.errors.SchemathesisError, Unsatisfiable):
        if mode is GenerationMode.POSITIVE:
            raise  # there is always one that fits; one that does not there need not be


def _sendable(name: str, value: Any) -> bool:
    """Idempotency keys are tried where they belong; who asks says so itself."""
    return name.lower() not in ("idempotency-key", "authorization", "cookie") and isinstance(value, str)


def _faults(case: Any, answer: Any, allowed: bool) -> Iterable[str]:
    status = answer.status_code
    code = answer.json().get("code", "") if "problem+json" in answer.headers.get("content-type", [""])[0] else ""
    if status >= 500 and status not in AWAY:
        yield f"{status} {code}"
        return
    if not allowed:
        if (status, code) != (403, "forbidden") and not (status in (404, 405) and not _routed(case)):
            yield f"{status} {code}, and the role table forbids it"
        return
    if code == "forbidden" and case.operation.path != "/api/v1/tokens":
        yield "forbidden, and the role table allows it"
    try:
        case.validate_response(answer, checks=CHECKS)
    except schemathesis.errors.SchemathesisError as wrong:
        yield _words(wrong)
    except AssertionError as wrong:
        yield _words(wrong)
    except BaseExceptionGroup as several:
        yield from map(_words, several.exceptions)


def _words(wrong: BaseException) -> str:
    return re.sub(r"\s+", " ", str(wrong)).partition("Reproduce with")[0][:300]


def _routed(case: Any) -> bool:
    """Whether the path leads to the operation: what is empty or has a slash in it leads elsewhere."""
    return all(
        str(part) and not re.search(r"[/\\]|^\.+$|%2f", str(part), re.I) for part in case.path_parameters.values()
    )
