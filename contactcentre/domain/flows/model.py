"""A flow: a graph of named nodes, as a person writes it.

    start: welcome
    language: en                       # spoken until a `set` node changes it; "" = the DID's or the site's
    prompts:                           # texts of this flow's own prompts, by language
      welcome: {en: "Welcome.", fr: "Bienvenue."}
    nodes:
      welcome: {type: play, prompt: welcome, next: bye}
      bye: {type: hangup}

`Flow.parse` tells everything that is wrong at once. A Flow that exists can be walked: every node is well
formed and every target is there. What is unwise rather than unreadable is `check`'s to say.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import Field, ValidationError

from contactcentre.domain.flows.deciding import ConditionNode, HoursNode, LookupNode, SetNode
from contactcentre.domain.flows.leaving import CallbackNode, HangupNode, QueueNode, TransferNode, VoicemailNode
from contactcentre.domain.flows.node import Language, Node, Template
from contactcentre.domain.flows.problems import FlowError, Problem
from contactcentre.domain.flows.spoken import PromptName
from contactcentre.domain.flows.talking import AnswerNode, CollectNode, MenuNode, PlayNode, RecordNode, SayNode
from contactcentre.domain.site import Model
from contactcentre.domain.spelling import Name

NODE_TYPES: dict[str, type[Node]] = {
    "answer": AnswerNode,
    "play": PlayNode,
    "say": SayNode,
    "menu": MenuNode,
    "collect": CollectNode,
    "record": RecordNode,
    "hours": HoursNode,
    "condition": ConditionNode,
    "set": SetNode,
    "lookup": LookupNode,
    "queue": QueueNode,
    "voicemail": VoicemailNode,
    "callback": CallbackNode,
    "transfer": TransferNode,
    "hangup": HangupNode,
}
"""Every node type. A new one is a class (see node.Node) and a line here."""

MAX_NODES = 1000

_TARGET_FIELDS = frozenset({"next", "then", "else", "open", "closed", "holiday"})


class _Outline(Model):
    """The document around the nodes."""

    start: Name
    language: Language | None = None
    description: str = ""
    prompts: dict[PromptName, dict[Language, Template]] = Field(default_factory=dict)
    nodes: Annotated[dict[Name, dict[str, Any]], Field(min_length=1, max_length=MAX_NODES)]


class Flow(Model):
    name: str
    start: str
    language: str = ""
    description: str = ""
    prompts: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    nodes: Mapping[str, Node]

    @classmethod
    def parse(cls, name: str, data: Any) -> "Flow":
        """Raises FlowError with every problem."""
        flow, problems = read(name, data)
        if flow is None:
            raise FlowError(name, problems)
        return flow


def read(name: str, data: Any) -> tuple[Flow | None, list[Problem]]:
    """The flow, or None and every problem."""
    if not isinstance(data, Mapping):
        return None, [Problem("", "", data, "must be a mapping with `start` and `nodes`")]
    problems: list[Problem] = []
    outline: _Outline | None = None
    try:
        outline = _Outline.model_validate(data)
    except ValidationError as error:
        problems += _problems(error, "")
    raw = data.get("nodes")
    written: Mapping[Any, Any] = raw if isinstance(raw, Mapping) else {}
    nodes: dict[str, Node] = {}
    for key, fields in list(written.items())[:MAX_NODES]:
        if isinstance(fields, Mapping):
            node = _node(str(key), fields, problems)
            if node is not None:
                nodes[str(key)] = node
    names = {str(key) for key in written}
    for key, fields in written.items():
        node = nodes.get(str(key))
        targets = {edge.field: edge.target for edge in node.edges()} if node else _targets(fields)
        problems += [
            Problem(str(key), field, target, f"is no node of this flow{_close(target, names)}")
            for field, target in targets.items()
            if target not in names
        ]
    start = data.get("start")
    if isinstance(start, str) and written and start not in names:
        problems.append(Problem("", "start", start, f"is no node of this flow{_close(start, names)}"))
    if problems or outline is None:
        return None, problems
    return (
        Flow(
            name=name,
            start=outline.start,
            language=outline.language or "",
            description=outline.description,
            prompts=outline.prompts,
            nodes=nodes,
        ),
        [],
    )


def _node(name: str, fields: Mapping[Any, Any], problems: list[Problem]) -> Node | None:
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in NODE_TYPES:
        rule = "is required" if kind is None else "is no node type"
        problems.append(Problem(name, "type", kind, f"{rule}: one of {', '.join(NODE_TYPES)}"))
        return None
    try:
        return NODE_TYPES[kind].model_validate(dict(fields))
    except ValidationError as error:
        problems += _problems(error, name, NODE_TYPES[kind])
        return None


def _targets(fields: Any) -> dict[str, str]:
    """Where a node that could not be read seems to lead, so that its bad targets are told with its other
    problems."""
    found: dict[str, str] = {}
    for field, value in fields.items() if isinstance(fields, Mapping) else ():
        if field in ("choices", "on_key") and isinstance(value, Mapping):
            found |= {f"{field}.{key}": target for key, target in value.items() if isinstance(target, str)}
        elif isinstance(value, str) and (field in _TARGET_FIELDS or str(field).startswith("on_")):
            found[str(field)] = value
    return found


def _problems(error: ValidationError, node: str, model: type[Node] | None = None) -> list[Problem]:
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        path = [str(part) for part in detail["loc"]]
        field = ".".join(part for part in path if part != "[key]")
        value: Any = detail["input"]
        match detail["type"]:
            case "missing":
                value, rule = None, "is required"
            case "extra_forbidden":
                value, rule = None, "is not known here"
                if model is not None and len(path) == 1:
                    known = ", ".join(info.alias or key for key, info in model.model_fields.items())
                    rule = f"is no field of this node type: it has {known}"
            case "value_error" | "assertion_error":
                value = None if isinstance(value, Mapping) else value
                rule = str(detail.get("ctx", {}).get("error", detail["msg"]))
            case "string_pattern_mismatch":
                rule = _pattern_rule(str(detail.get("ctx", {}).get("pattern", "")))
            case _:
                rule = (
                    detail["msg"]
                    .replace("Input should", "must")
                    .replace("valid dictionary", "mapping")
                    .replace("valid string", "text")
                )
        problem = Problem(node, field, value, rule)
        if problem not in found:
            found.append(problem)
    return found


def _pattern_rule(pattern: str) -> str:
    named = {
        r"^[a-z][a-z0-9_-]{0,39}$": "must be a name: a-z, 0-9, _ and -, first a letter, at most 40",
        r"^[a-z][a-z0-9_]{0,39}$": "must be a variable's name: a-z, 0-9 and _, first a letter, at most 40",
        r"^[0-9*#]{1,8}$": "must be keys: 1 to 8 of 0-9, * and #",
        r"^[0-9*#]$": "must be one key: 0-9, * or #",
    }
    return named.get(pattern, f"must match {pattern}")


def _close(name: str, names: set[str]) -> str:
    """A hint for a slip of the pen."""
    near = get_close_matches(name, sorted(names), 1)
    return f"; did you mean {near[0]}?" if near else ""
