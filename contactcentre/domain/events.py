"""Facts about a contact. Everything that reports, dashboards and webhooks say is derived from these events.

An event is `(contact_id, seq, at, kind, data)`: `seq` counts from 1 without gaps within its contact and is given by
the contact's owner (one greenlet of one controller), so a reader can tell a missing event from a late one, and writing
the same event twice is harmless. Only `AFTERWARDS` stands outside that order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contactcentre.domain.notation import decode, encode, encode_line


class Kind(StrEnum):
    """What happened. The comment names the keys of `data`; every key is always there, `""` where nothing is known."""

    # node, channel, did, caller (the customer's number), caller_name, flow, language, waited (s, with the PBX),
    # direction (see Direction); of one that an agent began, also agent, queue, about (an earlier contact's id, or "")
    ARRIVED = "contact.arrived"
    ANSWERED = "contact.answered"  # (the caller's leg was answered by us)
    ENDED = "contact.ended"  # outcome (see Outcome), by (caller|agent|system), cause (Q.850 number or 0)
    NODE = "flow.node"  # flow, node, type
    CHOSE = "flow.chose"  # node, choice (a menu's digit, `timeout`, `invalid`, a condition's branch, a lookup's result)
    SET = "flow.set"  # name, value
    QUEUED = "queue.entered"  # queue, requirement (text), priority
    ANNOUNCED = "queue.announced"  # queue, position, estimate (seconds still to wait; "" = not said)
    REORDERED = "queue.reordered"  # queue, priority (points, from now on), by (supervisor|program)
    UNQUEUED = "queue.left"  # queue, reason (see LeftQueue), key (or ""), waited (seconds), rule (words, or "")
    DECISION = "routing.decision"  # queue, agent ("" = nobody), rule, candidates [..], cut [[agent, rule], ..]
    OFFERED = "offer.made"  # queue, agent, token, deadline, leg
    RINGING = "offer.ringing"  # agent, token, leg
    ACCEPTED = "offer.accepted"  # agent, token, leg
    REFUSED = "offer.failed"  # agent, token, leg, result (see OfferResult)
    LEG_STARTED = "leg.started"  # leg (channel id), role (caller|agent|target), endpoint, agent
    LEG_ANSWERED = "leg.answered"  # leg
    LEG_ENDED = "leg.ended"  # leg, cause
    TALK_STARTED = "talk.started"  # agent, queue, leg
    TALK_ENDED = "talk.ended"  # agent, queue, leg
    TALK_HELD = "talk.held"  # agent, by (agent|phone|supervisor|program|window): the customer hears music
    TALK_RESUMED = "talk.resumed"  # agent, by, held (seconds)
    CONSULT_STARTED = "consult.started"  # agent, to (agent:NAME, number:N), leg (of whom is asked)
    CONSULT_ANSWERED = "consult.answered"  # agent, to, leg
    CONSULT_TOGGLED = "consult.toggled"  # agent, leg, customer (true: the customer is heard, leg hears music)
    CONSULT_ENDED = "consult.ended"  # agent, to, leg, result (see ConsultResult)
    PARTY_JOINED = "party.joined"  # leg, role (agent|target), agent: somebody more talks with the customer
    PARTY_LEFT = "party.left"  # leg, agent
    REJOINED = "party.rejoined"  # leg, agent, instead_of (the leg before): the same agent at another phone or window
    MUTED = "party.muted"  # leg, agent
    UNMUTED = "party.unmuted"  # leg, agent
    PARKED = "contact.parked"  # slot, by (agent), until (epoch seconds)
    RETRIEVED = "contact.retrieved"  # slot, by (agent; "" = nobody did in time), parked (seconds)
    RECORDING_ANNOUNCED = "recording.announced"  # prompt, to (customer, an agent, a number)
    RECORDING_STARTED = "recording.started"  # recording (id), agent, queue, by (queue|flow|agent|..; "" = a message)
    RECORDING_PAUSED = "recording.paused"  # recording, by, reason (sensitive, or "")
    RECORDING_RESUMED = "recording.resumed"  # recording, by
    RECORDING_ENDED = "recording.ended"  # recording, agent, queue, files {left, right} (names on the PBX), offsets
    RECORDING_STORED = (
        "recording.stored"  # recording, path, seconds, sha256 (of the sound), file_sha256, bytes, channels
    )
    RECORDING_FAILED = "recording.failed"  # recording, error
    RECORDING_DELETED = "recording.deleted"  # recording, reason (retention, request)
    VOICEMAIL = "voicemail.left"  # recording, box, seconds
    CALLBACK_REQUESTED = "callback.requested"  # queue, number, requirement (text), priority, language
    TRANSFERRED = (
        # to (queue:NAME, flow:NAME, agent:NAME, did:N, number:N), by (agent, or ""), how (blind, consult, flow;
        # moved: out of a queue, by a supervisor)
        "contact.transferred"
    )
    SUPERVISED = "supervision.started"  # supervisor, agent, mode (listen|whisper|barge), leg
    SUPERVISION_CHANGED = "supervision.changed"  # supervisor, agent, mode
    SUPERVISION_ENDED = "supervision.ended"  # supervisor, agent, reason
    WRAP_UP_STARTED = "wrap_up.started"  # agent, queue, seconds (allowed)
    WRAP_UP_ENDED = "wrap_up.ended"  # agent, queue
    # agent (of the contact), queue, code ("" = taken back), label, by (who said it), callback_at (epoch seconds a call
    # back was promised for; 0 = none), number
    DISPOSITION = "contact.disposition"
    CALLED_BACK = "callback.done"  # agent, queue, by: the promise was kept


AFTERWARDS = 0
"""`seq` of a fact that not the contact's owner adds, perhaps long after the contact's end: a worker, that a recording
was stored, failed or was deleted, once for each; a person, how it ended (SAID). It has no place in the order."""

SAID = frozenset({Kind.DISPOSITION, Kind.CALLED_BACK})
"""Facts that people add. Their `data` has an `id` (UUIDv7) of its own, so writing one twice is harmless."""


class Direction(StrEnum):
    """Who began it."""

    INBOUND = "inbound"  # the customer called
    OUTBOUND = "outbound"  # an agent called the customer


class Outcome(StrEnum):
    """How a contact ended; exactly one for each."""

    ANSWERED = "answered"  # talked with an agent (or an external party) and ended
    ABANDONED = "abandoned"  # the caller hung up while waiting in a queue or while an agent rang
    SELF_SERVED = "self_served"  # the flow came to its end, or the caller hung up in it before any queue
    VOICEMAIL = "voicemail"  # left a message
    CALLBACK = "callback"  # asked to be called back
    TRANSFERRED = "transferred"  # went out of our hands to a number or to the PBX's own dialplan
    REJECTED = "rejected"  # turned away: closed, full, unknown DID
    OVERLOAD = "overload"  # turned away: more calls came than the controller could serve in time
    NOT_REACHED = "not_reached"  # an agent called, and the customer's phone, or the agent's own, was not answered
    LOST = "lost"  # our fault: an error, or a call that vanished while we were away


class LeftQueue(StrEnum):
    ANSWERED = "answered"
    ABANDONED = "abandoned"
    TIMEOUT = "timeout"
    KEY = "key"
    FULL = "full"
    EMPTY = "empty"
    TRANSFERRED = "transferred"
    LOST = "lost"


TO_THE_FLOW = (LeftQueue.TIMEOUT, LeftQueue.KEY, LeftQueue.FULL, LeftQueue.EMPTY)
"""Ways out of a queue, with no agent, after which the flow goes on."""


class ConsultResult(StrEnum):
    """How it ended that an agent asked somebody else, the customer hearing music."""

    TRANSFERRED = "transferred"  # who was asked has the customer now
    CONFERENCE = "conference"  # all three talk
    CANCELLED = "cancelled"  # by the agent
    BUSY = "busy"
    MISSED = "missed"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    LEFT = "left"  # who was asked hung up
    CUSTOMER_GONE = "customer_gone"
    AGENT_GONE = "agent_gone"  # before anybody answered


class OfferResult(StrEnum):
    """Why an offer came to nothing. Each has one defined effect on the agent (domain.agents)."""

    MISSED = "missed"
    BUSY = "busy"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    CALLER_GONE = "caller_gone"
    EXPIRED = "expired"
    ANSWERED_ELSEWHERE = "answered_elsewhere"


@dataclass(frozen=True)
class Event:
    contact_id: str
    seq: int
    at: float
    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return encode(self)

    def to_line(self) -> bytes:
        """The same, with a line feed at its end."""
        return encode_line(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Event":
        """Raises ValueError (also for an unknown kind) or KeyError when the text is no event."""
        raw = decode(text)
        return cls(str(raw["contact_id"]), int(raw["seq"]), float(raw["at"]), Kind(raw["kind"]), raw["data"])
