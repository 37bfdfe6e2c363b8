"""Facts of whole calls, as a controller writes them."""

from typing import Any

from contactcentre.domain.events import Event, Kind
from contactcentre.domain.ids import uuid7

DAY = 1_795_392_000.0
"""2026-11-23 00:00 UTC."""


class Call:
    """Builds one contact's facts: each `add` is one event, so many seconds `after` the arrival."""

    def __init__(self, at: float = DAY, contact_id: str = "", **facts: Any) -> None:
        self.at, self.id = at, contact_id or uuid7(at)
        self.events: list[Event] = []
        known = {"node": "node1", "channel": "ch", "did": "100", "caller": "+33142", "caller_name": "", "flow": "main"}
        self.add(0, Kind.ARRIVED, **{**known, "language": "", **facts})

    def add(self, after: float, kind: Kind, /, **data: Any) -> "Call":
        self.events.append(Event(self.id, len(self.events) + 1, self.at + after, kind, data))
        return self

    def queued(self, seconds: float, queue: str = "support") -> "Call":
        return self.add(seconds, Kind.QUEUED, queue=queue, requirement="lang_fr >= 50", priority=0)

    def offered(self, seconds: float, agent: str = "alice", queue: str = "support") -> "Call":
        decided = {"candidates": [[agent, 80]], "cut": [["bob", "lang_fr is 10, asked for 50"]]}
        self.add(seconds, Kind.DECISION, queue=queue, agent=agent, rule="longest idle", **decided)
        self.add(seconds, Kind.OFFERED, queue=queue, agent=agent, token="t", deadline=self.at + 60, leg=f"{agent}-leg")
        return self.add(seconds, Kind.LEG_STARTED, leg=f"{agent}-leg", role="agent", endpoint=agent, agent=agent)

    def missed(self, seconds: float, agent: str = "alice") -> "Call":
        self.add(seconds, Kind.LEG_ENDED, leg=f"{agent}-leg", cause=19)
        return self.add(seconds, Kind.REFUSED, agent=agent, token="t", leg=f"{agent}-leg", result="missed")

    def talked(self, seconds: float, talk: float, agent: str = "alice", queue: str = "support") -> "Call":
        leg = {"leg": f"{agent}-leg"}
        self.add(seconds, Kind.LEG_ANSWERED, **leg).add(seconds, Kind.ACCEPTED, agent=agent, token="t", **leg)
        self.add(seconds, Kind.UNQUEUED, queue=queue, reason="answered", waited=seconds)
        self.add(seconds, Kind.TALK_STARTED, agent=agent, queue=queue, **leg)
        self.add(seconds + talk, Kind.TALK_ENDED, agent=agent, queue=queue, **leg)
        return self.add(seconds + talk, Kind.LEG_ENDED, cause=16, **leg)

    def wrapped(self, seconds: float, lasting: float, agent: str = "alice", queue: str = "support") -> "Call":
        self.add(seconds, Kind.WRAP_UP_STARTED, agent=agent, queue=queue, seconds=15)
        return self.add(seconds + lasting, Kind.WRAP_UP_ENDED, agent=agent, queue=queue)

    def abandoned(self, seconds: float, queue: str = "support") -> "Call":
        self.add(seconds, Kind.UNQUEUED, queue=queue, reason="abandoned", waited=seconds)
        return self.ended(seconds, "abandoned")

    def ended(self, seconds: float, outcome: str = "answered") -> "Call":
        return self.add(seconds, Kind.ENDED, outcome=outcome, by="caller", cause=16)


def answered(at: float = DAY, **facts: Any) -> Call:
    """Rings alice for 5 s in vain, waits, rings bob: 20 s after its arrival at the queue (second 10) they
    talk for 60 s."""
    call = Call(at, **facts).add(0, Kind.ANSWERED).add(0, Kind.NODE, flow="main", node="welcome", type="answer")
    call.queued(10).offered(12).missed(17).offered(20, "bob").talked(30, 60, "bob")
    return call.ended(90).wrapped(90, 12, "bob")


def recorded_call(recording: str, at: float = DAY, queue: str = "support", **facts: Any) -> Call:
    """Talks at once for 3 s; the recording's right side began 0.5 s after the left one."""
    call = Call(at, **facts).queued(0, queue).offered(0, queue=queue)
    call.add(1, Kind.RECORDING_STARTED, recording=recording, agent="alice", queue=queue).talked(1, 3, queue=queue)
    files = {"left": f"{recording}-left", "right": f"{recording}-right"}
    data = {"recording": recording, "agent": "alice", "queue": queue, "files": files}
    return call.add(4, Kind.RECORDING_ENDED, offsets={"left": 0.0, "right": 0.5}, **data).ended(4)
