"""Nodes that give the caller out of the flow's hands: queue, voicemail, callback, transfer, hangup."""

import re
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from contactcentre.domain import requirements
from contactcentre.domain.events import LeftQueue
from contactcentre.domain.flows.actions import (
    Action,
    Callback,
    Enqueue,
    Hangup,
    Left,
    Recorded,
    Result,
    Transfer,
    TransferFailed,
    Voicemail,
)
from contactcentre.domain.flows.node import (
    Edge,
    Go,
    Jump,
    Keys,
    Named,
    Node,
    Scene,
    Template,
    UnknownName,
    Wait,
    ways,
)
from contactcentre.domain.flows.spoken import Item, Items, speech
from contactcentre.domain.spelling import Key, Name, Seconds, keyed

CAUSES = {
    "normal": 16,
    "busy": 17,
    "no_answer": 19,
    "rejected": 21,
    "unallocated": 1,
    "out_of_order": 27,
    "congestion": 34,
}
"""Words for Q.850 causes (ITU-T Q.850, table 1)."""


def _requirement(text: str) -> str:
    requirements.parse(text)
    return text


class QueueNode(Node):
    """Waits for an agent. `next`: after the conversation, if the caller is still there. Where it has no `on_...`, the
    queue's own `overflow` and `keys` lead on (see `diverting`). With neither for `empty` the caller waits even when
    nobody is logged in."""

    type: Literal["queue"]
    queue: Name
    requires: Annotated[str, AfterValidator(_requirement)] = ""  # narrows what the queue asks for
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0  # added to the queue's and to what `set` gave
    group: Named | None = None  # instead of the one that `set` gave
    prefer: Annotated[tuple[Named, ...], Field(max_length=20)] = ()  # before those that `set` gave
    exclude: Annotated[tuple[Named, ...], Field(max_length=20)] = ()  # and those that `set` gave
    prefer_last_agent: bool = False  # the agent whom this caller talked with last is preferred too
    max_wait: Seconds | None = None  # instead of the queue's own; 0 = for ever
    on_timeout: Name | None = None
    on_full: Name | None = None
    on_empty: Name | None = None
    on_key: Annotated[dict[Key, Name], BeforeValidator(keyed)] = Field(default_factory=dict)
    next: Name | None = None

    @property
    def ends(self) -> bool:
        return True

    def edges(self) -> tuple[Edge, ...]:
        # Full and empty are known at once: a way back from there would turn without a pause. A caller in a queue
        # has asked for something: a circle through it is no circle of a dead line.
        return ways(
            Edge("answered", self.next or "", silent=False, field="next"),
            Edge("timeout", self.on_timeout or "", silent=False, field="on_timeout"),
            Edge("full", self.on_full or "", patient=False, silent=False, field="on_full"),
            Edge("empty", self.on_empty or "", patient=False, silent=False, field="on_empty"),
            *(Edge(f"key {key}", to, silent=False, field=f"on_key.{key}") for key, to in self.on_key.items()),
        )

    def act(self, scene: Scene) -> Action:
        usual = _enqueue(scene, self.queue, self.on_empty is not None)
        return replace(
            usual,
            requires=self.requires,
            priority=usual.priority + self.priority,
            max_wait=self.max_wait,
            keys=_merged(self.on_key, usual.keys),
            group=usual.group if self.group is None else scene.name(self.group),
            preferred=_unique(scene.agents(self.prefer), usual.preferred),
            excluded=_unique(scene.agents(self.exclude), usual.excluded),
            last_agent=self.prefer_last_agent,
        )

    def judge(self, scene: Scene, result: Result) -> Go:
        return Go(_left(scene, result, self.queue))


def _enqueue(scene: Scene, queue: str, has_way: bool) -> Enqueue:
    """A stay as the scene and the queue say. `has_way`: the node has one for when nobody is there."""
    known = scene.site.queues.get(queue)
    return Enqueue(
        queue,
        skills=MappingProxyType(dict(scene.skills)),
        priority=_points(scene, queue),
        leave_when_empty=has_way or (known is not None and "empty" in known.overflow),
        keys="".join(known.keys) if known is not None else "",
        language=scene.language,
        group=scene.group,
        preferred=scene.preferred,
        excluded=scene.excluded,
    )


def _points(scene: Scene, queue: str) -> int:
    """What the flow adds to the queue's own priority: its own, and for each other queue that let the contact overflow
    its points, once; and what this queue gives to those who have talked with an agent already."""
    known = scene.site.queues.get(queue)
    served = known.transfer_priority if known is not None and scene.served else 0
    return scene.priority + served + sum(points for other, points in scene.overflowed.items() if other != queue)


def _merged(own: Iterable[str], keys: str) -> str:
    return "".join(_unique(tuple(own), tuple(keys)))


def _unique(first: tuple[str, ...], then: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + then))


def _left(scene: Scene, result: Result, queue: str) -> str:
    if not isinstance(result, Left):
        raise TypeError(f"a queue takes Left, not {result}")
    scene.turned_away = result.reason in (LeftQueue.FULL, LeftQueue.EMPTY, LeftQueue.TIMEOUT)
    points = scene.site.queues[queue].overflow_priority if queue in scene.site.queues else 0
    if scene.turned_away and points:
        scene.overflowed[queue] = points
    return f"key {result.key}" if result.reason == LeftQueue.KEY else str(result.reason)


REVIEW, REVIEW_LAST = "message-review", "message-review-last"
"""The prompts that tell the keys to keep a message, to hear it, and to say it again; the last time only two of them."""


class VoicemailNode(Node):
    """Takes a message. Without `on_failed` a recording that fails ends the call."""

    type: Literal["voicemail"]
    box: Name
    prompt: Items = ()
    max_seconds: Annotated[float, Field(ge=1, le=3600)] = 120
    max_silence: Wait = 5
    terminators: Keys = "#"
    beep: bool = True
    review: bool | None = None  # the caller may hear it, and say it again; None = as the box's queue says
    next: Name | None = None
    on_failed: Name | None = None

    @property
    def ends(self) -> bool:
        return self.next is None

    def edges(self) -> tuple[Edge, ...]:
        return ways(
            ("recorded", self.next, "next"),
            Edge("failed", self.on_failed or "", patient=False, field="on_failed"),
        )

    def act(self, scene: Scene) -> Action:
        spoken = speech(self.prompt, scene)
        queue = scene.site.queues.get(self.box)
        review = self.review if self.review is not None else queue is not None and queue.review_messages
        return Voicemail(
            self.box, spoken, scene.language, self.max_seconds, self.max_silence, self.terminators, self.beep, review
        )

    def judge(self, scene: Scene, result: Result) -> Go:
        if not isinstance(result, Recorded):
            raise TypeError(f"a voicemail takes Recorded, not {result}")
        scene.turned_away = scene.turned_away and not result.ok
        return Go("recorded" if result.ok else "failed")


CALLBACK_NOTED = "callback-noted"
"""The prompt that says so, where a flow names no other."""


def callable_number(text: str) -> str:
    """The number that can be called, as it is dialled; "" where the text is none (withheld, a name)."""
    number = re.sub(r"[ ()./-]", "", text)
    return number if re.fullmatch(r"\+?[0-9]{3,20}", number) else ""


class CallbackNode(Node):
    """Notes that agents of a queue are to call the caller back. Asks nothing: the number is the caller's, or one that a
    node before has asked for."""

    type: Literal["callback"]
    queue: Name
    number: Template = "{{ caller }}"
    prompt: Items = (Item(prompt=CALLBACK_NOTED),)
    next: Name | None = None
    on_failed: Name | None = None  # there is no number that could be called

    @property
    def ends(self) -> bool:
        return self.next is None

    def edges(self) -> tuple[Edge, ...]:
        return ways(
            Edge("requested", self.next or "", patient=False, silent=False, field="next"),
            Edge("failed", self.on_failed or "", patient=False, silent=False, field="on_failed"),
        )

    def act(self, scene: Scene) -> Action | Go:
        number = callable_number(scene.fill(self.number))
        if not number:
            return Go("failed")
        skills, points = MappingProxyType(dict(scene.skills)), _points(scene, self.queue)
        return Callback(self.queue, number, speech(self.prompt, scene), scene.language, skills, points)

    def judge(self, scene: Scene, result: Result) -> Go:
        scene.turned_away = False
        return Go("requested")


_TARGETS = {
    "agent": r"[a-z][a-z0-9_-]{0,39}",
    "queue": r"[a-z][a-z0-9_-]{0,39}",
    "flow": r"[a-z][a-z0-9_-]{0,39}",
    "did": r"\+?[0-9*#]{1,32}",
    "number": r"\+?[0-9]{1,32}",
}


def _destination(text: str) -> str:
    kind, _, target = text.partition(":")
    if kind not in _TARGETS or not re.fullmatch(_TARGETS[kind], target):
        raise ValueError("must be agent:NAME, queue:NAME, flow:NAME, did:NUMBER or number:NUMBER, without variables")
    return text


class TransferNode(Node):
    """Connects elsewhere for good. `on_failed`: an agent or number that does not answer, a queue that turns
    away."""

    type: Literal["transfer"]
    to: Annotated[str, AfterValidator(_destination)]
    ring_seconds: Annotated[float, Field(ge=3, le=300)] = 30
    next: Name | None = None  # after the conversation, if the caller is still there
    on_failed: Name | None = None

    @property
    def kind(self) -> str:
        return self.to.partition(":")[0]

    @property
    def target(self) -> str:
        return self.to.partition(":")[2]

    @property
    def ends(self) -> bool:
        return True

    def edges(self) -> tuple[Edge, ...]:
        return ways(
            Edge("done", self.next or "", silent=False, field="next"),
            Edge("failed", self.on_failed or "", patient=False, silent=False, field="on_failed"),
        )

    def act(self, scene: Scene) -> Action | Jump:
        match self.kind:
            case "flow":
                return Jump(self.target, self.to)
            case "did":
                if self.target not in scene.site.dids:
                    raise UnknownName("DID", self.target)
                return Jump(scene.site.dids[self.target].flow, self.to)
            case "queue":
                return _enqueue(scene, self.target, self.on_failed is not None)
            case kind:
                return Transfer(kind, self.target, self.ring_seconds, scene.language, scene.is_sent, scene.home)

    def judge(self, scene: Scene, result: Result) -> Go:
        if self.kind == "queue":
            left = _left(scene, result, self.target)
            if left == LeftQueue.ANSWERED:
                return Go("done")
            return Go("failed" if self.on_failed is not None and not left.startswith("key ") else left)
        failed = isinstance(result, TransferFailed)
        scene.turned_away = failed
        return Go("failed" if failed else "done")


def _cause(value: Any) -> Any:
    if isinstance(value, str):
        if value not in CAUSES:
            raise ValueError(f"is no cause: one of {', '.join(CAUSES)}, or a Q.850 number from 1 to 127")
        return CAUSES[value]
    return value


class HangupNode(Node):
    """Ends the call with a Q.850 cause, by word or number."""

    type: Literal["hangup"]
    cause: Annotated[int, BeforeValidator(_cause), Field(ge=1, le=127)] = 16

    def edges(self) -> tuple[Edge, ...]:
        return ()

    def act(self, scene: Scene) -> Action:
        return Hangup(self.cause, scene.turned_away)
