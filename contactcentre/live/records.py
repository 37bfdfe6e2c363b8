"""The records that lie in Redis. Unknown keys are ignored, so nodes of two versions can run side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.alerts import Alarm
from contactcentre.domain.notation import decode, encode
from contactcentre.domain.routing import Waiting
from contactcentre.domain.voicemail import BoxCount
from contactcentre.live.errors import Malformed


@dataclass(frozen=True)
class ContactNow:
    """Where one live contact is. Written by its owner, read by pages and by the controller that takes it over."""

    contact_id: str
    node: str
    state: str  # ivr, queue, ringing, talking, voicemail, ending ... (the controller's words)
    since: float = 0.0  # when this state began
    arrived: float = 0.0
    flow: str = ""
    flow_state: Mapping[str, Any] = field(default_factory=dict)  # Walker.save()
    queue: str = ""
    agent: str = ""
    channels: Mapping[str, str] = field(default_factory=dict)  # role -> channel id
    caller: str = ""
    caller_name: str = ""
    did: str = ""
    seq: int = 0  # of the last event journalled
    detail: Mapping[str, Any] = field(default_factory=dict)  # what its controller needs to take it up again

    def to_json(self) -> str:
        return encode(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        raw = _object(text, "contact")
        try:
            known = {f.name for f in fields(cls)}
            made = cls(**{key: value for key, value in raw.items() if key in known})
        except TypeError as error:
            raise Malformed(f"contact record: {error}") from error
        texts = ("contact_id", "node", "state")
        if not all(isinstance(raw[key], str) for key in texts) or not isinstance(raw.get("channels", {}), dict):
            raise Malformed("contact record: a field has a wrong type")
        return made


@dataclass(frozen=True)
class AgentFact:
    """One change of an agent, for history. `(agent, version)` is unique for ever, so writing it twice is harmless."""

    agent: str
    version: int
    at: float
    previous: AgentState
    state: AgentState
    reason: str = ""  # of a pause
    contact_id: str = ""
    queue: str = ""

    @classmethod
    def of(cls, before: AgentStatus, after: AgentStatus, at: float) -> Self:
        """The contact is the one before the step where the step ends it, so the end of a talk still names it."""
        return cls(
            after.name,
            after.version,
            at,
            before.state,
            after.state,
            after.reason,
            after.contact_id or before.contact_id,
            after.queue or before.queue,
        )

    def to_json(self) -> str:
        return encode(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        raw = _object(text, "agent fact")
        try:
            return cls(
                str(raw["agent"]),
                int(raw["version"]),
                float(raw["at"]),
                AgentState(raw["previous"]),
                AgentState(raw["state"]),
                str(raw.get("reason", "")),
                str(raw.get("contact_id", "")),
                str(raw.get("queue", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(f"agent fact: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the next caller of a queue would wait, and how wrong such estimates have been. Seconds."""

    at: float
    seconds: float | None  # None = too little is known
    number: int = 0  # estimates that callers heard in the last hours and that could be checked; 0 = too few
    bias: float = 0.0  # mean of told - actual
    p80: float = 0.0  # four of five were at most so far off

    def to_json(self) -> str:
        return encode(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        raw = _object(text, "estimate")
        try:
            seconds = raw.get("seconds")
            return cls(
                float(raw["at"]),
                None if seconds is None else float(seconds),
                int(raw["number"]),
                float(raw["bias"]),
                float(raw["p80"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(f"estimate: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the live state. `value` is an AgentStatus, Waiting, ContactNow, BoxCount or Alarm (None = gone), a
    site version's number for `site`, a mapping for `stats`."""

    cursor: str
    kind: str  # agent | waiting | contact | box | alert | site | stats
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole live state at one instant; `changes(cursor)` continues exactly after it."""

    cursor: str
    agents: dict[str, AgentStatus]
    waiting: dict[str, Waiting]
    contacts: dict[str, ContactNow]
    site: int = 0  # last published version, 0 = none
    generation: str = ""  # another one than in the last snapshot: Redis lost its data, write back what you know
    boxes: dict[str, BoxCount] = field(default_factory=dict)  # those in which messages wait
    alerts: dict[str, Alarm] = field(default_factory=dict)  # rules that are not well, raised or not yet


def read_agent(text: str | bytes) -> AgentStatus:
    try:
        return AgentStatus.from_json(text)
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"agent record: {error!r}") from error


def read_waiting(text: str | bytes) -> Waiting:
    try:
        return Waiting.from_json(text)
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"waiting record: {error!r}") from error


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        raw = decode(text)
    except ValueError as error:
        raise Malformed(f"{what}: {error}") from error
    if not isinstance(raw, dict):
        raise Malformed(f"{what}: not an object")
    return raw
