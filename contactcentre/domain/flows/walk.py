"""The walker: goes through a flow with one caller. Pure; it is told the time and the results, and asks for
actions.

`actions` shows the loop around it. After each step `take_notes()` gives the facts to journal, and `save()`
the state from which `Walker.restore` goes on, in this process or another.
"""

from collections.abc import Mapping
from typing import Any

from contactcentre.domain.events import Kind, LeftQueue
from contactcentre.domain.flows import diverting, template
from contactcentre.domain.flows.actions import (
    Action,
    Begin,
    Digits,
    Done,
    Hangup,
    Left,
    Play,
    Recorded,
    Result,
    Resume,
    Scalar,
    Sent,
    Transferred,
)
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.flows.node import Again, Go, Jump, Node, Note, Scene, UnknownName, WalkError
from contactcentre.domain.flows.talking import CollectNode
from contactcentre.domain.site import Site

STUCK_AFTER = 100
"""Nodes in a row without any waiting, after which a walk is taken to turn in circles."""


class FlowStuck(WalkError):
    """The flow went through more than STUCK_AFTER nodes without waiting for anything."""

    def __init__(self, flow: str, nodes: tuple[str, ...]) -> None:
        super().__init__(f"flow {flow} goes round without waiting: {' -> '.join(nodes)}")
        self.flow, self.nodes = flow, nodes


class Walker:
    """One caller's way through `flow` and those it transfers to. `variables` begin with caller, caller_name
    and did."""

    def __init__(
        self,
        flow: Flow,
        site: Site,
        variables: Mapping[str, Scalar] | None = None,
        *,
        language: str = "",
        flows: Mapping[str, Flow] | None = None,
    ) -> None:
        """`language`: what the DID says; a flow's own wins. `flows`: parsed ones, by name, that need not be
        parsed again; others are parsed from the site when a transfer leads there."""
        self.flow = flow
        self._flows = {flow.name: flow, **(flows or {})}
        spoken = flow.language or language or site.settings.language
        known = {
            name: template.clean(value) if isinstance(value, str) else value
            for name, value in (variables or {}).items()
        }
        self._scene = Scene(site, flow.name, flow.start, flow.prompts, known, spoken)
        self._at: Node = flow.nodes[flow.start]
        self._action: Action | None = None
        self._idle = 0
        self._recent: list[str] = []

    @property
    def node(self) -> str:
        """The node where the caller is."""
        return self._scene.node

    @property
    def site(self) -> Site:
        """Where names are looked up. Another version of it counts from the next step on; the flow stays as it was
        when the walk began."""
        return self._scene.site

    @site.setter
    def site(self, site: Site) -> None:
        self._scene.site = site

    @property
    def language(self) -> str:
        return self._scene.language

    @property
    def variables(self) -> Mapping[str, Scalar]:
        return dict(self._scene.variables)

    def step(self, result: Result, at: float) -> Action:
        """The next thing to do, after `result` came of the last one. `at`: now, in epoch seconds.

        Begin starts, Resume repeats the action that was under way when `save` was called. Raises FlowStuck,
        UnknownName (both WalkError), FlowError when a flow that a transfer leads to cannot be read, TypeError
        for a result that belongs to another action.
        """
        self._scene.at = at
        match result:
            case Begin():
                return self._arrive(self._scene.node)
            case Resume():
                self._action = self._again() if self._action is None else self._action
                return self._action
        if isinstance(self._action, Hangup):
            return self._action
        if self._action is None:
            raise TypeError("the first step takes Begin or Resume")
        if _waited(self._action, result):
            self._idle, self._recent = 0, []
        if isinstance(result, Sent):
            home = self._scene.back if self._scene.is_sent and self._scene.back else self._scene.node
            self._scene.back = diverting.place(f"queue:{result.back}") if result.back else home
            self._scene.served = True
            return self._arrive(diverting.place(result.to))
        way = self._at.judge(self._scene, result)
        if isinstance(way, Again):
            self._scene.tries += 1
            self._scene.failure = way.failure
            self._action = self._again()
            return self._action
        return self._leave(way)

    def take_notes(self) -> list[Note]:
        """What happened since the last call, in order: flow.node, flow.chose, flow.set,
        contact.transferred."""
        notes, self._scene.notes = self._scene.notes, []
        return notes

    def save(self) -> dict[str, Any]:
        """The state as JSON can hold it."""
        scene = self._scene
        return {
            "flow": scene.flow,
            "node": scene.node,
            "variables": dict(scene.variables),
            "language": scene.language,
            "skills": dict(scene.skills),
            "priority": scene.priority,
            "asked": sorted({*scene.secrets, *scene.lost}),  # not what was answered
            "overflowed": dict(scene.overflowed),
            "served": scene.served,
            "group": scene.group,
            "preferred": list(scene.preferred),
            "excluded": list(scene.excluded),
            "back": scene.back,
            "tries": scene.tries,
            "failure": scene.failure,
            "turned_away": scene.turned_away,
            "idle": self._idle,
            "cause": self._action.cause if isinstance(self._action, Hangup) else 0,  # not 0 = the walk is over
        }

    @classmethod
    def restore(cls, saved: Mapping[str, Any], site: Site, flows: Mapping[str, Flow] | None = None) -> "Walker":
        """Goes on where `save` was called; the first step is Resume.

        A node that is gone from the flow meanwhile sends the caller to the flow's start. What was sensitive is not
        saved: a node that needs it sends the caller back to the one that asks for it. Raises UnknownName when the flow
        itself is gone, FlowError when it cannot be read any more.
        """
        known = dict(flows or {})
        flow = _flow(str(saved["flow"]), site, known)
        walker = cls(flow, site, saved["variables"], flows=known)
        scene = walker._scene
        scene.language = str(saved["language"])
        scene.skills, scene.priority = dict(saved["skills"]), int(saved["priority"])
        scene.turned_away = bool(saved["turned_away"])
        # what follows is not in what earlier versions have saved
        scene.overflowed, scene.group = dict(saved.get("overflowed", {})), str(saved.get("group", ""))
        scene.served = bool(saved.get("served", False))
        scene.preferred, scene.excluded = tuple(saved.get("preferred", ())), tuple(saved.get("excluded", ()))
        if saved.get("back", "") in flow.nodes or diverting.node_at(site, str(saved.get("back", ""))):
            scene.back = str(saved["back"])
        scene.lost = frozenset(saved.get("asked", ())) & _asked_in(flow).keys()
        walker._idle = int(saved["idle"])
        there = flow.nodes.get(saved["node"]) or diverting.node_at(site, str(saved["node"]))
        if there is not None:
            walker._at = there
            scene.node, scene.tries, scene.failure = saved["node"], int(saved["tries"]), str(saved["failure"])
        if saved["cause"]:
            walker._action = Hangup(int(saved["cause"]), scene.turned_away)
        return walker

    def _arrive(self, name: str) -> Action:
        """Goes on from node to node until one asks for something."""
        scene = self._scene
        while True:
            self._idle += 1
            self._recent.append(name)
            if self._idle > STUCK_AFTER:
                raise FlowStuck(scene.flow, tuple(self._recent[-8:]))
            name = self._asks_again(name)
            self._at = node = self._there(name)
            scene.node, scene.tries, scene.failure = name, 0, ""
            scene.notes.append((Kind.NODE, {"flow": scene.flow, "node": name, "type": node.type}))
            done = node.act(scene)
            if isinstance(done, Jump):
                name = self._jump(done)
            elif isinstance(done, Go):
                target = self._follow(done)
                if not target:
                    return self._end()
                name = target
            else:
                self._action = done
                return done

    def _leave(self, way: Go) -> Action:
        target = self._follow(way)
        return self._arrive(target) if target else self._end()

    def _follow(self, way: Go) -> str:
        if way.label != "next":
            self._scene.notes.append((Kind.CHOSE, {"node": self._scene.node, "choice": way.label}))
        for edge in self._at.edges():
            if edge.label == way.label:
                return edge.target
        return diverting.onward(self._scene, self._at, way.label)

    def _jump(self, jump: Jump) -> str:
        sent = self._scene.is_sent
        self.flow = _flow(jump.flow, self._scene.site, self._flows)
        self._scene.flow, self._scene.prompts, self._scene.back = self.flow.name, self.flow.prompts, ""
        self._scene.language = self.flow.language or self._scene.language
        self._scene.forget()
        if not sent:
            self._scene.notes.append((Kind.TRANSFERRED, {"to": jump.to, "by": "", "how": "flow"}))
        return self.flow.start

    def _again(self) -> Action:
        """The action of the node where the caller is already. A node that never waits is only met here when a
        saved state was made by another version: it is then gone through anew."""
        if (asking := self._asks_again(self._scene.node)) != self._scene.node:
            return self._arrive(asking)
        done = self._at.act(self._scene)
        return self._arrive(self._scene.node) if isinstance(done, Go | Jump) else done

    def _end(self) -> Action:
        self._action = Hangup(turned_away=self._scene.turned_away)
        return self._action

    def _asks_again(self, name: str) -> str:
        """The node `name`, or the one that asks for what it needs and a restart has lost."""
        if not self._scene.lost or name not in self.flow.nodes:
            return name
        lost = sorted(self.flow.nodes[name].secrets_read() & self._scene.lost)
        return _asked_in(self.flow)[lost[0]] if lost else name

    def _there(self, name: str) -> Node:
        node = self.flow.nodes.get(name) or diverting.node_at(self._scene.site, name)
        if node is None:
            raise UnknownName("way out of a queue", name)
        return node


def _flow(name: str, site: Site, known: dict[str, Flow]) -> Flow:
    if name not in known:
        if name not in site.flows:
            raise UnknownName("flow", name)
        known[name] = Flow.parse(name, site.flows[name])
    return known[name]


def _asked_in(flow: Flow) -> dict[str, str]:
    """The sensitive variables of a flow, and the first node that asks for each."""
    asking = [(node.var, name) for name, node in flow.nodes.items() if isinstance(node, CollectNode) and node.sensitive]
    return dict(reversed(asking))


def _waited(action: Action, result: Result) -> bool:
    """Time passed, or the caller did something. What fails at once does not count, so that a broken prompt
    directory or a refused connection cannot make a loop spin."""
    match result:
        case Done(ok):
            return ok and isinstance(action, Play)
        case Left(reason):
            return reason in (LeftQueue.ANSWERED, LeftQueue.TIMEOUT, LeftQueue.KEY)
        case Recorded(ok=ok):
            return ok
        case _:
            return isinstance(result, Digits | Transferred | Sent)
