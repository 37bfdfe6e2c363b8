"""A flow as a graph: what can be reached, what goes round in circles, and a Mermaid text of it."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from contactcentre.domain.flows import diverting
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.flows.node import Node
from contactcentre.domain.site import Site

Vertex = TypeVar("Vertex")


def reachable(start: Vertex, onward: Callable[[Vertex], Iterable[Vertex]]) -> set[Vertex]:
    """`start` and everything that can be come to from it."""
    seen, todo = {start}, [start]
    while todo:
        for target in onward(todo.pop()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def circles(ways: Mapping[Vertex, list[Vertex]]) -> list[list[Vertex]]:
    """One shortest circle for each group of vertices that can all come back to one another, in the order of
    `ways`."""
    found: list[list[Vertex]] = []
    done: set[Vertex] = set()
    for start in ways:
        if start in done:
            continue
        circle = _circle(start, ways)
        if circle:
            found.append(circle)
            onward = reachable(start, ways.__getitem__)
            done |= {vertex for vertex in onward if start in reachable(vertex, ways.__getitem__)}
    return found


def _circle(start: Vertex, ways: Mapping[Vertex, list[Vertex]]) -> list[Vertex]:
    """The shortest way from `start` back to it (without repeating it at the end), [] when there is none."""
    came: dict[Vertex, Vertex] = {}
    ring = [start]
    while ring:
        following: list[Vertex] = []
        for vertex in ring:
            for target in ways[vertex]:
                if target == start:
                    path = [vertex]
                    while path[-1] != start:
                        path.append(came[path[-1]])
                    return path[::-1]
                if target not in came:
                    came[target] = vertex
                    following.append(target)
        ring = following
    return []


def with_places(flow: Flow, site: Site | None) -> Flow:
    """For a picture: the flow and, as nodes, the places to which the site's queues themselves lead from it."""
    nodes = dict(flow.nodes)
    todo = list(nodes.values())
    while todo and site is not None:
        for edge in diverting.edges(site, todo.pop(0)):
            there = diverting.node_at(site, edge.target)
            if there is not None and edge.target not in nodes:
                nodes[edge.target] = there
                todo.append(there)
    return flow.model_copy(update={"nodes": nodes})


def arrows(flow: Flow, site: Site | None = None) -> dict[tuple[str, str], list[str]]:
    """(from, to) -> the labels of the ways between them; "next" says nothing and is left out."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, node in flow.nodes.items():
        for edge in (*node.edges(), *diverting.edges(site, node)):
            labels = found.setdefault((name, edge.target), [])
            if edge.label not in ("next", *labels):
                labels.append(edge.label)
    return found


def summary(node: Node) -> str:
    """What a node is about, in a few words."""
    for field in ("queue", "hours", "to", "condition", "box", "var", "text", "number", "digits", "language", "url"):
        value = getattr(node, field, None)
        if isinstance(value, str) and value:
            return value if len(value) <= 28 else f"{value[:27]}…"
    return ""


def mermaid(flow: Flow, site: Site | None = None) -> str:
    """The flow as a Mermaid flowchart, with a site also the ways that its queues have themselves."""
    flow = with_places(flow, site)
    ids = {name: f"n{place}" for place, name in enumerate(flow.nodes)}
    lines = ["flowchart TD"]
    for name, node in flow.nodes.items():
        about = summary(node)
        text = _quoted(f"{name}\n{node.type}{f': {about}' if about else ''}")
        shape = {"menu": "{{%s}}", "condition": "{%s}", "hours": "{%s}", "hangup": "([%s])", "queue": "[[%s]]"}
        lines.append(f"    {ids[name]}{shape.get(node.type, '[%s]') % text}")
    lines.insert(1, f"    begin((start)) --> {ids[flow.start]}")
    for (source, target), labels in arrows(flow, site).items():
        label = f"|{_quoted(', '.join(labels))}|" if labels else ""
        lines.append(f"    {ids[source]} -->{label} {ids[target]}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A Mermaid text; quotes and signs that would end it are written as entities."""
    for sign, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"), ("\n", "<br/>")):
        text = text.replace(sign, entity)
    return f'"{text}"'
