"""Where a contact was, by what was journalled of it.

A contact's record in Redis is some milliseconds old, or lost with Redis; a fact is in the journal before anything else
happens. So a controller that takes up another one's contacts lets the facts correct the records.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contactcentre.domain.conversation import Conversation, after
from contactcentre.domain.events import TO_THE_FLOW, Direction, Event, Kind, LeftQueue, Outcome
from contactcentre.domain.flows.calling import CALLING
from contactcentre.domain.recorded import Recorded, is_message
from contactcentre.domain.recorded import after as recorded_after
from contactcentre.domain.replacing import replace
from contactcentre.live import ContactNow
from contactcentre.live.calls import DIALLING

MESSAGE_LIMIT = 600.0
"""Seconds after which a message is given up of which only the beginning is known."""

_BEGINS = {Kind.OFFERED, Kind.ACCEPTED, Kind.TALK_STARTED, Kind.LEG_STARTED, Kind.LEG_ANSWERED}
_ENDS = {Kind.REFUSED, Kind.TALK_ENDED, Kind.LEG_ENDED}
_ONCE = _BEGINS | _ENDS
_ON_IN_THE_FLOW = frozenset({LeftQueue.ANSWERED, *TO_THE_FLOW})
"""Ways out of a queue after which the flow goes on."""


@dataclass(slots=True)
class Told:
    """`complete`: every fact is known, from the arrival on."""

    seq: int = 0
    complete: bool = False
    ended: bool = False
    arrived: Event | None = None
    once: set[tuple[Kind, str]] = field(default_factory=set)
    """(kind, leg) of the facts that a leg has but once."""
    node: Mapping[str, Any] = field(default_factory=dict)  # flow and node where it was
    variables: dict[str, Any] = field(default_factory=dict)  # that the flow has set
    asked: set[str] = field(default_factory=set)  # variables that are secret: nobody knows them any more
    queue: Event | None = None  # entered and not left
    left: Mapping[str, str] = field(default_factory=dict)  # how it left its queue, and the flow has not gone on since
    moved: str = ""  # where a supervisor has sent it while it waited
    offers: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # leg -> made, and neither accepted nor failed
    talk: Conversation = field(default_factory=Conversation)
    last: str = ""  # the agent who talked last
    outbound: bool = False  # an agent called the customer
    recorded: Recorded = field(default_factory=Recorded)
    undecided: bool = False  # a conversation has begun, and no fact tells yet whether it is recorded
    message: Event | None = None  # begun and not ended
    target: str = ""  # leg to the outside that has not ended
    callback: Mapping[str, Any] = field(default_factory=dict)  # what was asked for last

    @property
    def open_legs(self) -> set[str]:
        """Legs that have begun and not ended."""
        begun, ended = ({leg for it, leg in self.once if it is kind} for kind in (Kind.LEG_STARTED, Kind.LEG_ENDED))
        return begun - ended

    @property
    def unended(self) -> Mapping[str, str]:
        """Recording, agent and queue of a talk that has ended without it."""
        now = self.recorded
        if self.talk.state != "over" or not now.recording or now.whole:
            return {}
        return {"recording": now.recording, "agent": now.agent, "queue": now.queue}


def told(events: Iterable[Event]) -> Told:
    """The facts of one contact, in any order, each once or more often."""
    story = {event.seq: event for event in events if event.seq > 0}
    known = Told(seq=max(story, default=0))
    known.complete = known.seq > 0 and len(story) == known.seq
    for _, event in sorted(story.items()):
        _take(known, event)
    return known


def _take(known: Told, event: Event) -> None:
    data = event.data
    if event.kind in _ONCE:
        known.once.add((event.kind, str(data.get("leg", ""))))
    match event.kind:
        case Kind.ARRIVED:
            known.arrived = event
            known.outbound = data.get("direction") == Direction.OUTBOUND
        case Kind.ENDED:
            known.ended = True
        case Kind.NODE:
            known.node, known.left = {"flow": data["flow"], "node": data["node"]}, {}
        case Kind.TRANSFERRED if data.get("how") == "moved":
            known.moved = str(data["to"])
        case Kind.CHOSE | Kind.TRANSFERRED:
            known.left = {}
        case Kind.SET if data.get("secret"):
            known.asked.add(str(data["name"]))
            known.variables.pop(str(data["name"]), None)
        case Kind.SET:
            known.variables[str(data["name"])] = data["value"]
        case Kind.QUEUED:
            known.queue, known.left, known.moved = event, {}, ""
        case Kind.UNQUEUED:
            known.queue = None
            known.left = {"reason": str(data["reason"]), "key": str(data.get("key", "")), "queue": str(data["queue"])}
        case Kind.OFFERED:
            known.offers[str(data["leg"])] = data
        case Kind.REFUSED:
            known.offers.pop(str(data["leg"]), None)
        case Kind.TALK_STARTED:
            offer = known.offers.pop(str(data["leg"]), {})
            data = {"token": offer.get("token", ""), **data}
            known.last = str(data["agent"])
            if known.talk.state == "over":
                known.talk, known.undecided = Conversation(), True
        case Kind.RECORDING_STARTED if is_message(data):
            known.message = event
        case Kind.RECORDING_STARTED:
            known.undecided = False
        case Kind.RECORDING_ENDED | Kind.RECORDING_FAILED:
            known.undecided = False
            if known.message is not None and data.get("recording") == known.message.data.get("recording"):
                known.message = None
        case Kind.CALLBACK_REQUESTED:
            known.callback = data
        case Kind.LEG_STARTED if data.get("role") == "target":
            known.target = str(data["leg"])
        case Kind.LEG_ENDED if data.get("leg") == known.target:
            known.target = ""
    known.talk = after(known.talk, event.kind, data, event.at)
    known.recorded = recorded_after(known.recorded, event.kind, data)


def _way_on(left: Mapping[str, str], moved: str) -> Mapping[str, Any]:
    """Of who has left a queue: what to do next, as its record would say."""
    if left["reason"] == LeftQueue.TRANSFERRED and moved:
        return {"sent": {"to": moved, "back": left["queue"]}}
    if left["reason"] in _ON_IN_THE_FLOW and (left["reason"] != LeftQueue.KEY or left["key"]):
        return {"left": {"reason": left["reason"], "key": left["key"]}}
    return {}


def record(arrived: Event) -> ContactNow:
    """Of a contact that has none, or lost it."""
    known = {
        name: str(arrived.data.get(name, "")) for name in ("node", "flow", "caller", "caller_name", "did", "channel")
    }
    outbound = arrived.data.get("direction") == Direction.OUTBOUND
    return ContactNow(
        contact_id=arrived.contact_id,
        node=known["node"],
        state="ivr",
        since=arrived.at,
        arrived=arrived.at - float(arrived.data.get("waited", 0.0)),
        flow=CALLING.name if outbound else known["flow"],
        detail={"direction": Direction.OUTBOUND.value} if outbound else {},
        channels={"caller": known["channel"]},
        caller=known["caller"],
        caller_name=known["caller_name"],
        did=known["did"],
    )


def corrected(now: ContactNow, known: Told) -> ContactNow:
    """The record as the facts say it should be; where not all are known, it is believed."""
    if not known.complete:
        return replace(now, seq=max(now.seq, known.seq))
    caller = {"caller": now.channels["caller"]}
    detail = {
        **now.detail,
        "recorded": known.recorded.save(),
        "answered": (Kind.LEG_ANSWERED, caller["caller"]) in known.once or now.detail.get("answered"),
    }
    flow_state = dict(now.flow_state)
    if any(flow_state.get(name) != value for name, value in known.node.items()):
        variables = {**flow_state.get("variables", {}), **known.variables}
        flow_state |= {**known.node, "variables": variables, "tries": 0, "failure": "", "cause": 0}
        flow_state["asked"] = sorted({*flow_state.get("asked", ()), *known.asked})
    queue, state, agent, channels = "", "ivr", "", caller
    detail["offers"] = {leg: {name: offer[name] for name in ("agent", "token")} for leg, offer in known.offers.items()}
    if known.last and detail.get("outcome", Outcome.SELF_SERVED) == Outcome.SELF_SERVED:
        detail["outcome"] = Outcome.ANSWERED.value  # of a talk that ended in this moment the record does not know yet
    if known.left and known.talk.state == "over":  # else who was served would wait in the queue again
        detail |= _way_on(known.left, known.moved)
    if known.callback:
        detail |= {"callback": dict(known.callback)}
    if known.outbound:
        queue = str(known.arrived.data.get("queue", "")) if known.arrived is not None else ""
        detail["called"] = (Kind.LEG_STARTED, caller["caller"]) in known.once
    if known.queue is not None:
        queue, state = str(known.queue.data["queue"]), "queue"
        detail["entered"] = known.queue.at
    if known.talk.state != "over":
        owner, others = known.talk.agent, [leg for leg in known.talk.parties if leg != known.talk.owner]
        state, agent = "parked" if known.talk.slot else "talking", owner.agent if owner is not None else ""
        channels = caller | ({"agent": owner.leg} if owner is not None else {})
        others += sorted(known.open_legs - {caller["caller"], owner.leg if owner is not None else "", *others})
        channels |= {f"party-{number}": leg for number, leg in enumerate(others, 1)}
        detail["talk"] = {**known.talk.save(), "last": known.last}
        if not known.undecided:
            detail["to_record"] = ""
        elif now.channels.get("agent") != known.talk.owner:  # the record is older than the conversation
            detail.pop("to_record", None)
    elif known.offers:
        legs = {f"agent-{number}": leg for number, leg in enumerate(known.offers, 1)}
        state, channels = "ringing", caller | legs
        agent = str(next(iter(known.offers.values()))["agent"])
    elif known.message is not None:
        state = "voicemail"
        until = known.message.at + MESSAGE_LIMIT
        detail = {
            "until": until,
            **detail,
            "recording": known.message.data["recording"],
            "box": known.message.data["queue"],
        }
    elif known.outbound and not known.last:
        state, agent = DIALLING, str(known.arrived.data.get("agent", "")) if known.arrived is not None else ""
        channels = {**caller, **dict(zip(["agent"], sorted(known.open_legs - {caller["caller"]}), strict=False))}
        detail["offers"] = now.detail.get("offers", {})  # who is reserved is told by the record alone
    elif known.target:
        state, channels = (
            "transferred" if now.state == "transferred" else "transfer",
            {**caller, "target": known.target},
        )
    return replace(
        now,
        seq=max(now.seq, known.seq),
        state=state,
        flow_state=flow_state,
        queue=queue,
        agent=agent,
        channels=channels,
        detail=detail,
    )
