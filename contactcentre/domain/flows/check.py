"""What is wrong with a flow that can be read: ways that never end, loops that never wait, names that nobody
has.

Errors are what would fail a caller; warnings (`Problem.error` false) what a person should look at.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from contactcentre.domain import hours as opening_hours
from contactcentre.domain import requirements
from contactcentre.domain.flows import diverting, expressions, template
from contactcentre.domain.flows.deciding import ConditionNode, HoursNode, LookupNode, SetNode
from contactcentre.domain.flows.graph import circles, reachable
from contactcentre.domain.flows.leaving import (
    REVIEW,
    REVIEW_LAST,
    CallbackNode,
    QueueNode,
    TransferNode,
    VoicemailNode,
)
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.flows.node import RESERVED, Node
from contactcentre.domain.flows.problems import FlowError, Problem
from contactcentre.domain.flows.spoken import Item, text_of
from contactcentre.domain.flows.talking import CollectNode
from contactcentre.domain.site import Site
from contactcentre.domain.spelling import Name

Knows = Callable[[str, str], bool]
"""Is there a sound file or a text for this prompt in this language?"""

GIVEN = frozenset({"caller", "caller_name", "did"}) | RESERVED
"""Variables that every call has."""


def check(flow: Flow, site: Site | None = None, knows: Knows | None = None) -> list[Problem]:
    """Every problem. Names of queues, hours, skills and other flows are looked up in `site`, prompts that the
    flow gives no text for in `knows`; what is not given is not checked."""
    problems = [*_unreachable(flow), *_endless(flow), *_restless(flow, site), *_silent(flow, site)]
    problems += _variables(flow, site)
    problems += _secrets(flow)
    for name, node in flow.nodes.items():
        problems += _branches(name, node, site)
        if site is not None:
            problems += _names(name, node, site)
    if knows is not None:
        problems += _prompts(flow, site, knows)
    order = {name: place for place, name in enumerate(flow.nodes)}
    return sorted(problems, key=lambda problem: order.get(problem.node, -1))


def _unreachable(flow: Flow) -> Iterator[Problem]:
    found = reachable(flow.start, lambda name: [edge.target for edge in flow.nodes[name].edges()])
    for name in flow.nodes:
        if name not in found:
            yield Problem(name, "", None, "cannot be reached from the start")


def _endless(flow: Flow) -> Iterator[Problem]:
    back: dict[str, list[str]] = {name: [] for name in flow.nodes}
    for name, node in flow.nodes.items():
        for edge in node.edges():
            back[edge.target].append(name)
    ending = [name for name, node in flow.nodes.items() if node.ends]
    found: set[str] = set().union(*(reachable(name, back.__getitem__) for name in ending))
    lost = [name for name in flow.nodes if name not in found]
    if lost:
        others = f" (nor from {', '.join(lost[1:])})" if lost[1:] else ""
        yield Problem(lost[0], "", None, f"no way leads from here to an end of the call{others}")


Place = tuple[str, str]
"""A flow and a node in it."""


def _restless(flow: Flow, site: Site | None) -> Iterator[Problem]:
    """Circles in which nothing takes time, also through other flows of the site."""
    for circle in circles(_ways(flow, site, lambda edge: not edge.patient)):
        if any(_written_in(flow, place) for place in circle):
            first, path = _told(circle, flow)
            yield Problem(first, "", None, f"goes round without waiting for anything: {path}")


def _written_in(flow: Flow, place: Place) -> bool:
    """Not in another flow, nor of the queues alone."""
    return place[0] == flow.name and place[1] in flow.nodes


def _told(circle: list[Place], flow: Flow) -> tuple[str, str]:
    """The first node of `flow` in the circle, and the circle from there on."""
    start = next(index for index, place in enumerate(circle) if _written_in(flow, place))
    turned = circle[start:] + circle[: start + 1]
    return turned[0][1], " -> ".join(node if name == flow.name else f"{name}/{node}" for name, node in turned)


def _silent(flow: Flow, site: Site | None) -> Iterator[Problem]:
    """Circles that a line on which nobody speaks or presses a key would turn in until it is cut."""
    ways = _ways(flow, site, lambda edge: edge.silent)
    restless = {frozenset(circle) for circle in circles(_ways(flow, site, lambda edge: not edge.patient))}
    for circle in circles(ways):
        if frozenset(circle) not in restless and any(_written_in(flow, place) for place in circle):
            first, path = _told(circle, flow)
            yield Problem(first, "", None, f"a caller who does nothing goes round for ever: {path}", error=False)


def _ways(flow: Flow, site: Site | None, taken: Callable[[Any], bool]) -> dict[Place, list[Place]]:
    """The graph of the ways that `taken` chooses; when there is a site, with those that its queues add and the flows
    that transfers lead to."""
    ways: dict[Place, list[Place]] = {}
    todo = [(flow, name, node) for name, node in flow.nodes.items()]
    seen = {flow.name}
    while todo:
        here, name, node = todo.pop(0)
        targets = ways[here.name, name] = [(here.name, edge.target) for edge in node.edges() if taken(edge)]
        for edge in filter(taken, diverting.edges(site, node)):
            targets.append((here.name, edge.target))
            there = diverting.node_at(site, edge.target) if site is not None else None
            if there is not None and targets[-1] not in ways:
                ways[targets[-1]] = []
                todo.append((here, edge.target, there))
        other = _other_flow(node, flow, site)
        if other is not None:
            targets.append((other.name, other.start))
            if other.name not in seen:
                seen.add(other.name)
                todo += [(other, name, node) for name, node in other.nodes.items()]
    return {place: [to for to in targets if to in ways] for place, targets in ways.items()}


def _other_flow(node: Node, flow: Flow, site: Site | None) -> Flow | None:
    """Where a transfer goes on: `flow` itself, or another one of the site that can be read."""
    if not isinstance(node, TransferNode) or node.kind not in ("flow", "did"):
        return None
    name = node.target
    if node.kind == "did":
        name = site.dids[name].flow if site is not None and name in site.dids else ""
    if name == flow.name:
        return flow
    try:
        return Flow.parse(name, site.flows[name]) if site is not None else None
    except (KeyError, FlowError):  # told where it belongs
        return None


def _branches(name: str, node: Node, site: Site | None) -> Iterator[Problem]:
    """Ways out that are needed as things are, and missing."""
    if isinstance(node, QueueNode):
        queue = site.queues.get(node.queue) if site is not None else None
        max_wait = node.max_wait if node.max_wait is not None else queue.max_wait if queue is not None else 0
        leads = queue.overflow if queue is not None else {}
        if max_wait and node.on_timeout is None and "timeout" not in leads:
            yield Problem(name, "on_timeout", None, f"is required: callers wait {max_wait:g} seconds at most")
        if queue is not None and queue.max_length and node.on_full is None and "full" not in leads:
            yield Problem(name, "on_full", None, f"is required: the queue holds {queue.max_length} at most")
    if isinstance(node, CallbackNode) and node.on_failed is None:
        yield Problem(name, "on_failed", None, "is required: a caller may withhold the number")
    if isinstance(node, TransferNode) and node.kind in ("agent", "number") and node.on_failed is None:
        yield Problem(name, "on_failed", None, f"is required: {node.to} may be busy or not answer")


def _names(name: str, node: Node, site: Site) -> Iterator[Problem]:
    def unknown(field: str, value: str, kind: str, known: Iterable[str]) -> Iterator[Problem]:
        if value not in known:
            yield Problem(name, field, value, f"the site has no such {kind}")

    match node:
        case HoursNode():
            if isinstance(node.hours, str):
                yield from unknown("hours", node.hours, "opening hours", site.hours)
                for field, value, rule in (
                    opening_hours.problems(site.hours[node.hours]) if node.hours in site.hours else ()
                ):
                    yield Problem(name, "hours", node.hours, f"cannot be used: {field} {value!r} {rule}")
        case QueueNode():
            yield from unknown("queue", node.queue, "queue", site.queues)
            for skill in sorted(requirements.parse(node.requires).skills):
                yield from unknown("requires", skill, "skill", site.skills)
            yield from _people(name, node, site)
        case CallbackNode():
            yield from unknown("queue", node.queue, "queue", site.queues)
        case VoicemailNode():
            yield from unknown("box", node.box, "queue or agent", {*site.queues, *site.agents})
        case SetNode():
            for skill in node.skills:
                yield from unknown(f"skills.{skill}", skill, "skill", site.skills)
            yield from _people(name, node, site)
        case TransferNode(kind=kind, target=target):
            known: dict[str, tuple[str, Iterable[str]]] = {
                "agent": ("agent", site.agents),
                "queue": ("queue", site.queues),
                "flow": ("flow", site.flows),
                "did": ("DID", site.dids),
            }
            if kind in known:
                yield from unknown("to", target, *known[kind])


def _people(name: str, node: QueueNode | SetNode, site: Site) -> Iterator[Problem]:
    """Agents and the group, where they are named and not taken from variables."""
    for field, named in (("prefer", node.prefer), ("exclude", node.exclude)):
        for agent in named or ():
            if "{{" not in agent and agent not in site.agents:
                yield Problem(name, field, agent, "the site has no such agent")
    group = node.group or ""
    if group and "{{" not in group and not any(group in queue.groups for queue in site.queues.values()):
        yield Problem(name, "group", group, "is a group to which no queue gives points", error=False)


def _variables(flow: Flow, site: Site | None) -> Iterator[Problem]:
    """Variables that are read and that nothing sets: a slip of the pen, most likely."""
    written = set(GIVEN) | _written(flow)
    for name, data in site.flows.items() if site is not None else ():
        if name != flow.name:  # a caller may come from there
            try:
                written |= _written(Flow.parse(name, data))
            except FlowError:
                continue
    for name, node in flow.nodes.items():
        for field, variable in _read(node):
            if variable not in written:
                yield Problem(name, field, variable, "is a variable that nothing sets", error=False)
    for prompt, texts in flow.prompts.items():
        for language, text in texts.items():
            for variable in sorted(template.names(text) - written):
                yield Problem(
                    "", f"prompts.{prompt}.{language}", variable, "is a variable that nothing sets", error=False
                )


def _written(flow: Flow) -> set[str]:
    found: set[str] = set()
    for node in flow.nodes.values():
        match node:
            case SetNode():
                found |= set(node.vars)
            case CollectNode():
                found.add(node.var)
            case LookupNode():
                found |= set(node.fields)
    return found


def _read(node: Node) -> Iterator[tuple[str, str]]:
    if isinstance(node, ConditionNode):
        for variable in sorted(expressions.parse(node.condition).names):
            yield "if", variable
        return
    for field, value in node.model_dump(exclude={"note"}).items():
        for variable in sorted(_slots(value)):
            yield field, variable


def _secrets(flow: Flow) -> Iterator[Problem]:
    """What is sensitive is neither spoken nor copied: it may only be sent to a web service, or be compared."""
    secret = {node.var for node in flow.nodes.values() if isinstance(node, CollectNode) and node.sensitive}
    rule = "is sensitive: it can be used in a lookup's body and in conditions only, elsewhere it is empty"
    for name, node in flow.nodes.items():
        for field, variable in _read(node):
            if variable in secret and (field, type(node)) not in _MAY_READ_SECRETS:
                yield Problem(name, field, variable, rule)
        if isinstance(node, CollectNode) and node.var in secret and not node.sensitive:
            yield Problem(name, "sensitive", False, f"is asked for as sensitive elsewhere: {node.var}")
        if isinstance(node, LookupNode) and node.secrets_read() & secret and not node.url.startswith("https://"):
            yield Problem(name, "url", node.url, "sends what is sensitive without encryption", error=False)
        if isinstance(node, LookupNode) and node.secret and not node.url.startswith("https://"):
            yield Problem(name, "secret", node.secret, "is sent without encryption", error=False)
    for prompt, texts in flow.prompts.items():
        for language, text in texts.items():
            for variable in sorted(template.names(text) & secret):
                yield Problem("", f"prompts.{prompt}.{language}", variable, rule)


_MAY_READ_SECRETS = {("if", ConditionNode), ("body", LookupNode)}


def _slots(value: Any) -> set[str]:
    if isinstance(value, str):
        return set(template.names(value)) if "{{" in value else set()
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return set().union(*map(_slots, parts))


def _prompts(flow: Flow, site: Site | None, knows: Knows) -> Iterator[Problem]:
    told: set[tuple[str, str, str]] = set()
    for name, spoken in _spoken(flow, site):
        for field, prompt, own in _named_prompts(flow.nodes[name]):
            language = own or spoken
            if text_of(flow.prompts.get(prompt, {}), language) or knows(prompt, language):
                continue
            if (name, prompt, language) not in told:
                told.add((name, prompt, language))
                yield Problem(name, field, prompt, f"is a prompt with neither a sound file nor a text in {language}")


def _named_prompts(node: Node) -> Iterator[tuple[str, str, str]]:
    """(field, prompt, its own language or "")."""
    for field in type(node).model_fields:
        value = getattr(node, field)
        for item in value if isinstance(value, tuple) else ():
            if isinstance(item, Item) and item.prompt is not None:
                yield field, item.prompt, item.language or ""
    if isinstance(node, VoicemailNode) and node.review:
        yield from (("review", prompt, "") for prompt in (REVIEW, REVIEW_LAST))


def _spoken(flow: Flow, site: Site | None) -> list[tuple[Name, str]]:
    """Each node with each language in which a caller can come to it, in the order of the nodes."""
    first = {flow.language} if flow.language else _arriving(flow, site)
    todo = [(flow.start, language) for language in first]
    seen = set(todo)
    while todo:
        name, language = todo.pop()
        node = flow.nodes[name]
        after = node.language if isinstance(node, SetNode) and node.language else language
        for edge in node.edges():
            if (edge.target, after) not in seen:
                seen.add((edge.target, after))
                todo.append((edge.target, after))
    return [(name, language) for name in flow.nodes for language in sorted(spoken for at, spoken in seen if at == name)]


def _arriving(flow: Flow, site: Site | None) -> set[str]:
    if site is None:
        return {"en"}
    dids = {did.language or site.settings.language for did in site.dids.values() if did.flow == flow.name}
    return dids or {site.settings.language}
