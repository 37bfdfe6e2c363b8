"""The description of the API, `/api/v1/openapi.json`: made of the routes, their models and their permissions, so it
says what the code does. Written here and not by APIFlask, whose names of models depend on the order of registration.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from apiflask import APIBlueprint, APIFlask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from contactcentre.web import repeats
from contactcentre.web.permissions import WORDS, permission_of

View = TypeVar("View", bound=Callable[..., Any])
_MEDIA, _CHOICES = "_contactcentre_media", "_contactcentre_choices"

ABOUT = """For programs and for the pages. Times are epoch seconds (UTC), durations seconds. docs/api.rst tells the
conventions: tokens, errors and their codes, versions (`ETag`, `If-Match`), pages of lists, events."""

TAGS = {
    "Live": "queues, agents and contacts as they are now",
    "Own work": "the agent behind the account",
    "Own account": "how one signs in",
    "Calls": "calls that go on",
    "Supervision": "listening to calls, mentors, agents' states and skills for the day",
    "Notices": "what people at work tell each other",
    "Users": "who may sign in, and what was done by whom",
    "Tokens": "API tokens",
    "Contacts": "contacts with their history, and recordings",
    "Results": "how contacts ended",
    "Customers": "who calls",
    "Voicemail": "messages",
    "Recordings": "legal holds and erasure",
    "Events": "every fact as it is recorded",
    "Webhooks": "other programs that are told",
    "Site": "everything provisioned",
    "Why": "why a contact got its agent, and an agent its contacts",
}

SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "an API token (cct_...)"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "contactcentre",
        "description": "by https `__Host-contactcentre`; each change carries `X-CSRFToken`, too",
    },
}

PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "RFC 9457. Programs test `code`.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "does not change"},
        "detail": {"type": "string"},
        "shown": {"type": "string", "description": "for people, where their language is not English"},
        "errors": {"type": "object", "description": "where a body or parameter does not fit: location, field, rules"},
        "reference": {"type": "string", "description": "under which our log tells an unexpected error"},
    },
}

ALWAYS = {
    400: "The request is not understood",
    401: "Neither a session nor a token that can be used",
    403: "The role, the token's scopes or the limit to queues do not include it",
    429: "Too many requests",
    500: "Our fault; `reference` stands in the log",
    503: "A part of the system is away; try again",
}
WITH_BODY = {413: "The body is too large", 415: "The body is not `application/json`", 422: "A value is not acceptable"}
WITH_ID = {404: "There is no such thing, or the account does not see it"}

IF_MATCH = {"name": "If-Match", "in": "header", "schema": {"type": "string"}}
IF_MATCH_ABOUT = "the `ETag` of what was read: 412 if it is another one meanwhile"


IDEMPOTENCY_KEY = {
    "name": repeats.HEADER,
    "in": "header",
    "schema": {"type": "string", "maxLength": repeats.LONGEST},
    "description": "any text of the program's choice: the same request with the same key is done once within 24 hours, "
    "and answered alike; 422 `key_reused` for another request, 409 `in_progress` while the first is being worked at",
}


def answers(*media: str) -> Callable[[View], View]:
    """What the view answers that is no JSON."""
    return _marking(_MEDIA, media)


def choices(**parameters: Iterable[str]) -> Callable[[View], View]:
    """What parts of the path can be."""
    return _marking(_CHOICES, {name: list(map(str, values)) for name, values in parameters.items()})


def _marking(mark: str, value: Any) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        setattr(view, mark, value)
        return view

    return decorate


def install(app: APIFlask) -> None:
    def whole(_: Any) -> dict[str, Any]:
        return document(app)

    app.spec_processor(whole)


def document(app: APIFlask) -> dict[str, Any]:
    """OpenAPI 3.1."""
    routes = list(_routes(app))
    names, schemas = _schemas([view for _, _, view in routes])
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, view in routes:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(app, rule, method, view, names)
    used = {tag for path in paths.values() for operation in path.values() for tag in operation["tags"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": app.title, "version": app.version, "description": " ".join(ABOUT.split())},
        "tags": [{"name": tag, **({"description": TAGS[tag]} if tag in TAGS else {})} for tag in sorted(used)],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {**schemas, "Problem": dict(PROBLEM)}, "securitySchemes": SECURITY},
    }


def _routes(app: APIFlask) -> Iterator[tuple[Rule, str, Any]]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if rule.rule.startswith("/api/v1/") and hasattr(view, "_spec"):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, view


def _operation(app: APIFlask, rule: Rule, method: str, view: Any, names: Mapping[type, str]) -> dict[str, Any]:
    said, permission = view._spec, permission_of(view)
    blueprint = cast(APIBlueprint, app.blueprints[rule.endpoint.rsplit(".", 1)[0]])
    needs = f"Needs `{permission}` ({WORDS[permission]})." if permission else ""
    parameters = [_in_path(name, rule, view) for name in re.findall(r"<(?:\w+:)?(\w+)>", rule.rule)]
    parameters += [one for model, _ in said.get("args") or () for one in _in_query(model)]
    described = {int(status): about for status, about in (said.get("responses") or {}).items()}
    statuses = dict(ALWAYS)
    if rule.arguments:
        statuses |= WITH_ID
    if said.get("args"):
        statuses[422] = WITH_BODY[422]
    if said.get("body"):
        statuses |= WITH_BODY
    statuses |= {status: about for status, about in described.items() if status >= 400}
    if {412, 428} & statuses.keys():
        needed = 428 in statuses
        parameters.append({**IF_MATCH, "description": IF_MATCH_ABOUT + ("; it has to be there" if needed else "")})
    if method == "POST":
        parameters.append(IDEMPOTENCY_KEY)
        statuses = {409: "Not possible now, or the same request is being worked at", **statuses}
        statuses.setdefault(422, WITH_BODY[422])
    operation: dict[str, Any] = {
        "operationId": operation_id(rule, method),
        "tags": [blueprint.tag],
        "summary": said.get("summary"),
        "description": " ".join(filter(None, (said.get("description"), needs))),
        "security": [{"token": [str(permission)]}, {"session": [str(permission)]}],
        "parameters": parameters,
        "responses": {
            **_good(view, described, names),
            **{str(status): _problem(about) for status, about in sorted(statuses.items())},
        },
    }
    if model := said.get("body"):
        body = {"application/json": {"schema": _ref(names[model])}}
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def operation_id(rule: Rule, method: str) -> str:
    """`get_contacts_id_result`: made of what cannot change without the API being another one."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"\1", rule.rule.removeprefix("/api/v1/"))
    return f"{method.lower()}_{re.sub(r'[^a-z0-9]+', '_', path)}"


def _in_path(name: str, rule: Rule, view: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"} if f"<int:{name}>" in rule.rule else {"type": "string"}
    if name in (known := getattr(view, _CHOICES, {})):
        schema["enum"] = known[name]
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(model: type[BaseModel]) -> Iterator[dict[str, Any]]:
    whole = model.model_json_schema()
    for name, schema in whole["properties"].items():
        about = {"description": schema.pop("description")} if "description" in schema else {}
        schema = _inline(schema, whole.get("$defs", {}))
        schema.pop("title", None)
        yield {"name": name, "in": "query", "required": name in whole.get("required", ()), "schema": schema, **about}


def _inline(schema: Any, known: Mapping[str, Any]) -> Any:
    """A parameter's schema, which has none of its own beside it. Left out is how a parameter is null."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inline(known[schema["$ref"].rpartition("/")[2]], known)
        found = {key: _inline(value, known) for key, value in schema.items() if (key, value) != ("default", None)}
        if [one for one in found.get("anyOf", ()) if one == {"type": "null"}]:
            left = [one for one in found.pop("anyOf") if one != {"type": "null"}]
            return {**found, **(left[0] if len(left) == 1 else {"anyOf": left})}
        return found
    return [_inline(one, known) for one in schema] if isinstance(schema, list) else schema


def _good(view: Any, described: Mapping[int, str], names: Mapping[type, str]) -> dict[str, Any]:
    good = {status: about for status, about in described.items() if status < 400}
    if media := getattr(view, _MEDIA, ()):
        content = {one: {"schema": {"type": "string"} if "text" in one else {}} for one in media}
        return {
            str(status): {"description": about, "content": content} for status, about in (good or {200: "It"}).items()
        }
    answer = view._spec.get("response") or {}
    model, status = answer.get("schema"), answer.get("status_code", 200)
    about = good.get(status, "Done" if status == 204 else "As asked")
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {str(status): {"description": about}}
    return {str(status): {"description": about, "content": {"application/json": {"schema": _ref(names[model])}}}}


def _problem(about: str) -> dict[str, Any]:
    return {"description": about, "content": {"application/problem+json": {"schema": _ref("Problem")}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas(views: Iterable[Any]) -> tuple[dict[type, str], dict[str, Any]]:
    """Model -> name, and name -> schema, of all that views take and answer, and what these are made of."""
    asked: dict[tuple[type[BaseModel], str], None] = {}
    for view in views:
        answer = (view._spec.get("response") or {}).get("schema")
        for model, mode in ((view._spec.get("body"), "validation"), (answer, "serialization")):
            if isinstance(model, type) and issubclass(model, BaseModel):
                asked[model, mode] = None
    refs, made = models_json_schema(list(asked), ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    found = made.get("$defs", {})
    named = {old: _name(old) for old in found}
    text = {named[old]: _renamed(schema, named) for old, schema in found.items()}
    names = {model: named[refs[model, mode]["$ref"].rpartition("/")[2]] for model, mode in asked}  # type: ignore[index]
    return names, dict(sorted(text.items()))


def _name(of_pydantic: str) -> str:
    """`Wish`, or where several modules have one, `CallsWish` for pydantic's `contactcentre__web__api__calls__Wish`."""
    *modules, name = of_pydantic.split("__")
    return (modules[-1].title().replace("_", "") if modules else "") + name


def _renamed(schema: Any, named: Mapping[str, str]) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"#/components/schemas/{named[value.rpartition('/')[2]]}" if key == "$ref" else _renamed(value, named)
            for key, value in schema.items()
        }
    return [_renamed(one, named) for one in schema] if isinstance(schema, list) else schema
