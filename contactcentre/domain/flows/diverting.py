"""Ways that no flow has drawn: those out of a queue that the queue itself has (`overflow`, `keys`), where the flow's
node has none of its own, and those on which an agent sends the caller.

Such a way leads to a *place* `QUEUE/WAY` (`support/full`, `support/1`), where a node stands that nobody wrote: a stay
in another queue, a message, a transfer, a request to be called back. The walker goes on from there as from any node.
What fails after a key press leads back to where the caller waited; after an overflow it ends the call. Where an agent
sends the caller is the place `to/DESTINATION` (`to/agent:bert`).
"""

from collections.abc import Iterator

from contactcentre.domain.flows.leaving import CallbackNode, QueueNode, TransferNode, VoicemailNode
from contactcentre.domain.flows.node import END, SENT, Edge, Node, Scene
from contactcentre.domain.flows.spoken import Item
from contactcentre.domain.site import Queue, Site

LEAVE_MESSAGE = "leave-message"
"""The prompt before a message to which a queue itself leads."""

_DONE = frozenset({"answered", "recorded", "done", "requested"})


def edges(site: Site | None, node: Node) -> Iterator[Edge]:
    """The ways out that the site's queue adds to a node that waits in it."""
    queue = site.queues.get(_waits_in(node)) if site is not None else None
    if queue is None:
        return
    own = {edge.label for edge in node.edges()}
    for label, way in _ways(queue):
        refused = isinstance(node, TransferNode) and way in queue.overflow and "failed" in own
        if label not in own and not refused:
            yield Edge(label, f"{_waits_in(node)}/{way}", way not in ("full", "empty"), silent=False)


def onward(scene: Scene, node: Node, label: str) -> str:
    """Where a way leads for which the node has no target: a place, a node, or END."""
    pressed = label.startswith("key ")
    queue = scene.site.queues.get(_waits_in(node))
    way = dict(_ways(queue)).get(label, "") if queue is not None else ""
    if way:
        scene.back = scene.node if pressed else scene.back
        return f"{_waits_in(node)}/{way}"
    if pressed:  # a way that was taken away while the caller waited
        return scene.node
    back, scene.back = scene.back, ""
    return END if label in _DONE else back


def place(destination: str) -> str:
    """Where an agent sends a caller."""
    return f"{SENT}/{destination}"


def node_at(site: Site, place: str) -> Node | None:
    """The node that stands at a place; None where the site's queue has no such way (any more)."""
    name, _, way = place.partition("/")
    queue = site.queues.get(name)
    if ":" in way:
        leads = way if name == SENT else ""
    else:
        ways = {f"{key}": to for key, to in (*queue.overflow.items(), *queue.keys.items())} if queue else {}
        leads = ways.get(way, "")
    kind, _, target = leads.partition(":")
    match kind:
        case "queue":
            return QueueNode(type="queue", queue=target)
        case "voicemail":
            return VoicemailNode(type="voicemail", box=target, prompt=(Item(prompt=LEAVE_MESSAGE),))
        case "callback":
            return CallbackNode(type="callback", queue=name)
        case "flow" | "agent" | "number" | "did":
            return TransferNode(type="transfer", to=leads)
        case _:
            return None


def _ways(queue: Queue) -> Iterator[tuple[str, str]]:
    """(label, way)"""
    for way in queue.overflow:
        yield way, way
    for key in queue.keys:
        yield f"key {key}", key


def _waits_in(node: Node) -> str:
    """The queue in which a caller at this node waits; "" = none."""
    match node:
        case QueueNode():
            return node.queue
        case TransferNode(kind="queue"):
            return node.target
        case _:
            return ""
