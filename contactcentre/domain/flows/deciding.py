"""Nodes that decide or find out something without talking: hours, condition, set, lookup."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from contactcentre.domain import hours as opening_hours
from contactcentre.domain.flows import expressions, template
from contactcentre.domain.flows.actions import Action, Looked, Lookup, LookupFailed, Result, Scalar
from contactcentre.domain.flows.node import (
    Edge,
    Go,
    Language,
    Named,
    Node,
    Scene,
    Template,
    UnknownName,
    Variable,
)
from contactcentre.domain.hours import Opening
from contactcentre.domain.site import Hours
from contactcentre.domain.spelling import Level, Name

Finite = Annotated[float, Field(allow_inf_nan=False)]


def _sound(hours: Name | Hours) -> Name | Hours:
    if isinstance(hours, Hours):
        for field, value, rule in opening_hours.problems(hours):
            raise ValueError(f"{field} {value!r} {rule}")
    return hours


class HoursNode(Node):
    """Branches by opening hours: the name of the site's, or hours written out here. Without `holiday` a
    holiday is closed."""

    type: Literal["hours"]
    hours: Annotated[Name | Hours, AfterValidator(_sound)]
    open: Name
    closed: Name
    holiday: Name | None = None

    def edges(self) -> tuple[Edge, ...]:
        branches = {"open": self.open, "closed": self.closed, "holiday": self.holiday or self.closed}
        written = {"holiday": "holiday" if self.holiday else "closed"}
        return tuple(Edge(way, to, patient=False, field=written.get(way, way)) for way, to in branches.items())

    def act(self, scene: Scene) -> Go:
        if isinstance(self.hours, Hours):
            hours = self.hours
        elif self.hours in scene.site.hours:
            hours = scene.site.hours[self.hours]
        else:
            raise UnknownName("hours", self.hours)
        now = opening_hours.opening(hours, scene.at)
        scene.turned_away = now is not Opening.OPEN
        return Go(now.value)


def _expression(text: str) -> str:
    expressions.parse(text)
    return text


class ConditionNode(Node):
    """Branches by an expression over variables (see `expressions`)."""

    type: Literal["condition"]
    condition: Annotated[str, AfterValidator(_expression), Field(alias="if")]
    then: Name
    otherwise: Annotated[Name, Field(alias="else")]

    def edges(self) -> tuple[Edge, ...]:
        return (
            Edge("then", self.then, patient=False, field="then"),
            Edge("else", self.otherwise, patient=False, field="else"),
        )

    def secrets_read(self) -> frozenset[str]:
        return expressions.parse(self.condition).names

    def act(self, scene: Scene) -> Go:
        return Go("then" if expressions.parse(self.condition).holds(scene.read_all()) else "else")


class SetNode(Node):
    """Sets variables, and for every queue from here on: the language spoken, levels of skills that the agent must
    have, the priority, the contact's group, the agents it prefers and those it must not get."""

    type: Literal["set"]
    vars: dict[Variable, Template | bool | int | Finite] = Field(default_factory=dict)
    language: Language | None = None
    skills: dict[Name, Level] = Field(default_factory=dict)  # name -> least level; 0 takes the demand back
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None  # added to the queue's own
    group: Named | Literal[""] | None = None  # "" = none any more
    prefer: Annotated[tuple[Named, ...], Field(max_length=20)] | None = None
    exclude: Annotated[tuple[Named, ...], Field(max_length=20)] | None = None
    next: Name

    def edges(self) -> tuple[Edge, ...]:
        return (Edge("next", self.next, patient=False, field="next"),)

    def act(self, scene: Scene) -> Go:
        for name, value in self.vars.items():
            scene.set(name, scene.fill(value) if isinstance(value, str) else value)
        if self.language is not None:
            scene.language = self.language
        for skill, level in self.skills.items():
            scene.skills[skill] = level
        scene.skills = {skill: level for skill, level in scene.skills.items() if level}
        if self.priority is not None:
            scene.priority = self.priority
        if self.group is not None:
            scene.group = scene.name(self.group)
        if self.prefer is not None:
            scene.preferred = scene.agents(self.prefer)
        if self.exclude is not None:
            scene.excluded = scene.agents(self.exclude)
        return Go("next")


def _url(text: str) -> str:
    template.names(text)
    fixed = text.partition("{{")[0]
    match = re.match(r"https?://([^/?#]+)([/?#]|$)", fixed)
    if not match or ("{{" in text and not match[2]):
        raise ValueError("must begin with http:// or https:// and a host that contains no variable")
    if "@" in match[1]:
        raise ValueError("must not contain a user or password")
    if re.search(r"[\s\x00-\x1f\x7f]", re.sub(r"\{\{.*?\}\}", "", text)):
        raise ValueError("must not contain spaces or control characters")
    try:
        host, _ = urlsplit(fixed).hostname, urlsplit(fixed).port
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from error
    if not host:
        raise ValueError("has no host")
    return text


def _strings(value: Any) -> Any:
    return {name: str(path) for name, path in value.items()} if isinstance(value, dict) else value


Path = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=200)]


HEADER = r"^(?i:authorization|x-[a-z0-9-]{1,60})$"
"""A header that a secret may be in; none that means something to HTTP itself."""


class LookupNode(Node):
    """Asks a web service. `fields` puts parts of the JSON object that comes back into variables; a part that
    is not there, or is no text, number or truth value, takes the variable away."""

    type: Literal["lookup"]
    url: Annotated[str, AfterValidator(_url), StringConstraints(max_length=template.MAX_TEXT)]
    method: Literal["GET", "POST"] = "GET"
    body: dict[str, Template | bool | int | Finite] | None = None  # sent as JSON; POST only
    timeout: Annotated[float, Field(ge=0.1, le=30)] = 3  # seconds for the whole request
    max_bytes: Annotated[int, Field(ge=100, le=1_000_000)] = 65536
    fields: Annotated[dict[Variable, Path], BeforeValidator(_strings)] = Field(
        default_factory=dict
    )  # variable -> path.in.the.answer
    secret: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] | None = None  # `http/NAME`
    header: Annotated[str, StringConstraints(pattern=HEADER)] = "Authorization"  # that has the secret
    next: Name
    on_failed: Name

    def edges(self) -> tuple[Edge, ...]:
        # Both can come at once (a refused connection): no way out of a lookup counts as waiting.
        return (
            Edge("ok", self.next, patient=False, field="next"),
            Edge("failed", self.on_failed, patient=False, field="on_failed"),
        )

    def secrets_read(self) -> frozenset[str]:
        texts = [value for value in (self.body or {}).values() if isinstance(value, str)]
        return frozenset().union(*map(template.names, texts))

    def act(self, scene: Scene) -> Action:
        body: dict[str, Scalar] | None = None
        if self.method == "POST":
            variables = scene.read_all()
            body = {
                key: template.fill(value, variables) if isinstance(value, str) else value
                for key, value in (self.body or {}).items()
            }
        url = template.fill(self.url, scene.read(), template.url_quoted, template.MAX_URL)
        return Lookup(scene.node, self.method, url, body, self.timeout, self.max_bytes, self.secret or "", self.header)

    def judge(self, scene: Scene, result: Result) -> Go:
        if isinstance(result, LookupFailed):
            return Go("failed")
        if not isinstance(result, Looked):
            raise TypeError(f"a lookup takes Looked or LookupFailed, not {result}")
        for name, path in self.fields.items():
            scene.set(name, _dig(result.values, path))
        return Go("ok")


LARGEST = 2**53
"""Greater whole numbers are kept as text: JSON's readers do not agree on them."""


def _dig(values: Any, path: str) -> Scalar | None:
    for key in path.split("."):
        if isinstance(values, Mapping):
            values = values.get(key)
        elif isinstance(values, list) and key.isdecimal() and len(key) < 6 and int(key) < len(values):
            values = values[int(key)]
        else:
            return None
    if isinstance(values, float) and not math.isfinite(values):
        return None
    if isinstance(values, int) and abs(values) > LARGEST:
        return str(values)
    return values if isinstance(values, str | int | float | bool) else None
