"""What every node of a flow is, and what it sees of the call (`Scene`).

A node type is one class: its fields are what can be written, `edges` where it can lead, `act` what it does on
arrival, `judge` what it makes of the result. All of it is pure; the walker (`walk`) only goes from node to
node.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints

from contactcentre.domain.events import Kind
from contactcentre.domain.flows import template
from contactcentre.domain.flows.actions import Action, Result, Scalar
from contactcentre.domain.site import Model, Site
from contactcentre.domain.spelling import NAME, Name

END = ""
"""The target of a way that ends the call."""

RESERVED = frozenset({"date", "time", "weekday", "language"})
"""Variables that the walker keeps itself: the moment by the site's clock, and the language spoken."""


def _template(text: str) -> str:
    template.names(text)
    return text


Template = Annotated[str, StringConstraints(max_length=template.MAX_TEXT), AfterValidator(_template)]
"""A text in which `{{ name }}` stands for a variable."""


def _free(name: str) -> str:
    if name in RESERVED:
        raise ValueError("is kept by the flow itself and cannot be set")
    return name


Variable = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"), AfterValidator(_free)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}([_-][A-Za-z]{2,4})?$")]
Keys = Annotated[str, StringConstraints(pattern=r"^[0-9*#]*$", max_length=12)]
Wait = Annotated[float, Field(ge=0.5, le=120)]


def _named(text: str) -> str:
    if "{{" not in text and not re.fullmatch(NAME, text):
        raise ValueError("must be a name: a-z, 0-9, _ and -, first a letter, at most 40; or a variable: {{ name }}")
    return text


Named = Annotated[Template, AfterValidator(_named)]
"""A name of the site, or variables that give one."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One way out of a node."""

    label: str
    target: str  # a node, or END
    patient: bool = True  # time passed, or the caller did something, before this way was taken
    silent: bool = True  # a caller who does nothing at all can be led this way
    field: str = ""  # where it is written


@dataclass(frozen=True, slots=True)
class Go:
    """Take the way with this label."""

    label: str


@dataclass(frozen=True, slots=True)
class Again:
    """Ask the caller once more; `failure` (timeout, invalid) says why."""

    failure: str


@dataclass(frozen=True, slots=True)
class Jump:
    """Go on at the start of another flow."""

    flow: str
    to: str  # what was written: flow:NAME or did:NUMBER


Note = tuple[Kind, dict[str, Any]]


class WalkError(Exception):
    """The walk cannot go on. `contactcentre flow check` with the site would have told."""


class UnknownName(WalkError):
    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"the site has no {kind} {name}")
        self.kind, self.name = kind, name


SENT = "to"
"""Begins the names of the places where agents send callers: `to/agent:bert`."""


@dataclass(slots=True)
class Scene:
    """The call as a node sees it. `at` is the time of the step (epoch seconds)."""

    site: Site
    flow: str
    node: str
    prompts: Mapping[str, Mapping[str, str]]  # the flow's own texts: prompt -> language -> text
    variables: dict[str, Scalar]
    language: str
    skills: dict[str, int] = field(default_factory=dict)
    priority: int = 0
    overflowed: dict[str, int] = field(default_factory=dict)  # queue left without an answer -> points it gives along
    served: bool = False  # an agent who talked with the caller has sent them on
    group: str = ""  # of contacts
    preferred: tuple[str, ...] = ()  # agents
    excluded: tuple[str, ...] = ()
    back: str = ""  # where to go on when what the caller chose with a queue's key comes to nothing
    tries: int = 0  # entries that failed at this node
    failure: str = ""  # why the last one did
    turned_away: bool = False
    at: float = 0.0
    notes: list[Note] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)  # keyed in; never saved, never told, never spoken
    lost: frozenset[str] = frozenset()  # such as were known before a restart

    @property
    def is_sent(self) -> bool:
        """The caller is where an agent has sent them (see `diverting`)."""
        return self.node.startswith(f"{SENT}/") and ":" in self.node

    @property
    def home(self) -> str:
        """The queue into which a caller comes back whom an agent has sent on; "" = none."""
        name = self.back.removeprefix(f"{SENT}/queue:")
        return name if self.is_sent and name != self.back else ""

    def read(self) -> dict[str, Scalar]:
        """All variables, with the moment by the site's clock."""
        local = self.now()
        return {
            **self.variables,
            "language": self.language,
            "date": local.strftime("%Y-%m-%d"),
            "time": local.strftime("%H:%M"),
            "weekday": ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[local.weekday()],
        }

    def read_all(self) -> dict[str, Scalar]:
        """With what is secret: for conditions, and for what is sent to a web service."""
        return {**self.read(), **self.secrets}

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, ZoneInfo(self.site.settings.timezone))

    def fill(self, text: str) -> str:
        return template.fill(text, self.read())

    def agents(self, named: Iterable[str]) -> tuple[str, ...]:
        """The agents that these names and variables mean; what is no agent of the site is left out."""
        found = (self.fill(text).strip() for text in named)
        return tuple(dict.fromkeys(name for name in found if name in self.site.agents))

    def name(self, named: str) -> str:
        """The name that this name or variable means; "" where it is no name."""
        found = self.fill(named).strip()
        return found if re.fullmatch(NAME, found) else ""

    def set(self, name: str, value: Scalar | None) -> None:
        """None takes the variable away."""
        self.forget(name)
        if value is None:
            self.variables.pop(name, None)
        else:
            self.variables[name] = template.clean(value) if isinstance(value, str) else value
        self.notes.append((Kind.SET, {"name": name, "value": "" if value is None else self.variables[name]}))

    def hide(self, name: str, value: str) -> None:
        """Sets what is sensitive: it is kept in memory only, and the fact does not say what it is."""
        self.forget(name)
        self.variables.pop(name, None)
        self.secrets[name] = value
        self.notes.append((Kind.SET, {"name": name, "value": "", "secret": True}))

    def forget(self, *names: str) -> None:
        """Secrets; without names all."""
        for name in names or tuple(self.secrets):
            self.secrets.pop(name, None)
        self.lost = self.lost - set(names) if names else frozenset()


class Node(Model):
    """The base of all node types."""

    type: str
    note: str = ""  # for people who read the flow

    def edges(self) -> tuple[Edge, ...]:
        """Every way out; a label occurs once. A node without any ends the call."""
        raise NotImplementedError

    @property
    def ends(self) -> bool:
        """The call can come to its end here."""
        return not self.edges()

    def secrets_read(self) -> frozenset[str]:
        """The variables of which it may read what is sensitive, too."""
        return frozenset()

    def act(self, scene: Scene) -> Action | Go | Jump:
        """What to do on arrival, and again after a restart or for another try: it must depend on `scene`
        alone."""
        raise NotImplementedError

    def judge(self, scene: Scene, result: Result) -> Go | Again:
        """What the result of the action leads to. Only nodes whose `act` gives an action need it."""
        raise NotImplementedError


def ways(*edges: tuple[str, Name | None, str] | Edge) -> tuple[Edge, ...]:
    """Edges from (label, target, field) or ready ones; those without a target are left out."""
    made = (edge if isinstance(edge, Edge) else Edge(edge[0], edge[1] or END, field=edge[2]) for edge in edges)
    return tuple(edge for edge in made if edge.target)
