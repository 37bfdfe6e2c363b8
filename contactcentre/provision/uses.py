"""Who uses whom in a site: what a flow leads to, who needs a queue, which agents serve it."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any

from contactcentre.domain import requirements
from contactcentre.domain.site import Queue, Site

_REFERENCES = {"queue": "queue", "hours": "hours", "flow": "flow"}
"""Keys of a flow's node whose value is a name -> kind of what is named."""


def users_of(site: Site, kind: str, name: str) -> list[str]:
    """Dotted paths of everything that needs the trunk, queue, skill, agent, flow, hours or music; sorted."""
    return sorted({where for used_kind, used, where in _uses(site) if (used_kind, used) == (kind, name)})


def skills_in(expression: str) -> frozenset[str]:
    """The skills that an expression names; none when it is no expression."""
    try:
        return requirements.parse(expression).skills
    except ValueError:
        return frozenset()


def fallback_queue(site: Site, number: str) -> str | None:
    """The queue that the PBX itself puts callers of a DID into when no controller is there."""
    did = site.dids[number]
    if did.fallback_queue is not None:
        return did.fallback_queue
    return next((name for kind, name in _along(site, did.flow) if kind == "queue" and name in site.queues), None)


def destinations(name: str, queue: Queue) -> Iterator[tuple[str, str]]:
    """(where, destination) of everything that a queue itself leads to."""
    for field, leads in (("overflow", queue.overflow), ("keys", queue.keys)):
        for way, destination in leads.items():
            yield f"queues.{name}.{field}.{way}", destination


def flow_uses(site: Site, flow: str) -> Iterator[tuple[str, str, str]]:
    """(where, kind, name) of everything that a flow's nodes name."""
    for name, node in _nodes(site.flows[flow]).items():
        for field, kind, used in _node_uses(node):
            yield f"flows.{flow}.nodes.{name}.{field}", kind, used


def _uses(site: Site) -> Iterator[tuple[str, str, str]]:
    """(kind, name, where it is used)."""
    for number, did in site.dids.items():
        where = f"dids.{number}"
        yield "flow", did.flow, f"{where}.flow"
        yield "trunk", did.trunk or "", f"{where}.trunk"
        yield "queue", did.fallback_queue or "", f"{where}.fallback_queue"
    yield "trunk", site.settings.outbound_trunk or "", "settings.outbound_trunk"
    yield "music", site.settings.line_music, "settings.line_music"
    for name, queue in site.queues.items():
        where = f"queues.{name}"
        yield "music", queue.music, f"{where}.music"
        for skill in skills_in(queue.requires):
            yield "skill", skill, f"{where}.requires"
        for index, step in enumerate(queue.relax):
            for skill in skills_in(step.requires or ""):
                yield "skill", skill, f"{where}.relax.{index}.requires"
            for agent in step.agents:
                yield "agent", agent, f"{where}.relax.{index}.agents"
        for agent in queue.agents:
            yield "agent", agent, f"{where}.agents"
        for place, destination in destinations(name, queue):
            kind, _, target = destination.partition(":")
            yield kind, target, place
    for name, holder in site.agents.items():
        for skill in holder.skills:
            yield "skill", skill, f"agents.{name}.skills"
        yield "agent", holder.mentor or "", f"agents.{name}.mentor"
    for flow in site.flows:
        for where, kind, used in flow_uses(site, flow):
            yield kind, used, where


def _nodes(flow: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    nodes = flow.get("nodes")
    if not isinstance(nodes, Mapping):
        return {}
    return {str(name): node for name, node in nodes.items() if isinstance(node, Mapping)}


def _node_uses(node: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(field, kind, name)."""
    for field, kind in _REFERENCES.items():
        if isinstance(node.get(field), str):
            yield field, kind, node[field]
    if isinstance(node.get("requires"), str):
        for skill in sorted(skills_in(node["requires"])):
            yield "requires", "skill", skill
    if isinstance(node.get("skills"), Mapping):
        for skill in node["skills"]:
            yield f"skills.{skill}", "skill", str(skill)
    for field in ("prefer", "exclude"):
        named = node.get(field)
        for agent in named if isinstance(named, list | tuple) else ():
            yield field, "agent", str(agent)
    if isinstance(node.get("to"), str) and ":" in node["to"]:
        kind, _, name = node["to"].partition(":")
        yield "to", kind, name


def _along(site: Site, flow_name: str) -> Iterator[tuple[str, str]]:
    """What a caller may come to, nearest first; the order does not depend on the order of a mapping's
    keys."""
    waiting: deque[tuple[str, str]] = deque([(flow_name, str(site.flows.get(flow_name, {}).get("start", "")))])
    seen: set[tuple[str, str]] = set()
    by_flow: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    while waiting:
        place = waiting.popleft()
        flow, node_name = place
        if flow not in by_flow:
            by_flow[flow] = _nodes(site.flows.get(flow, {}))
        node = by_flow[flow].get(node_name)
        if node is None or place in seen:
            continue
        seen.add(place)
        for _, kind, name in _node_uses(node):
            yield kind, name
            if kind == "flow":
                waiting.append((name, str(site.flows.get(name, {}).get("start", ""))))
        waiting.extend((flow, target) for target in _texts(node))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a node: the targets are among them, and a text that is no node's name leads nowhere."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from _texts(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
