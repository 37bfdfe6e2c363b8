"""What of a contact is being recorded, and why it may be silent: follows from its facts alone, as a conversation does.

A recording is of the customer's line. One that a queue or an agent began ends with the conversation; one that the flow
began goes on through queues and conversations until the flow stops it or the contact ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from contactcentre.domain.events import Kind
from contactcentre.domain.replacing import replace

FLOW, QUEUE = "flow", "queue"
"""Who begins a recording, or pauses it; else whoever asked: agent, phone, supervisor or program."""

CUSTOMER = "customer"

SENSITIVE = "sensitive"
"""The reason of a pause while the customer keys in what is to be in no recording."""


@dataclass(frozen=True)
class Recorded:
    recording: str = ""  # "" = nothing is
    by: str = ""  # who began it
    paused: str = ""  # who paused it, or SENSITIVE; "" = it is not silent
    told: tuple[str, ...] = ()  # who has heard that they are recorded: CUSTOMER, an agent, a number outside
    agent: str = ""  # who talked with the customer last
    queue: str = ""  # of that conversation

    @property
    def whole(self) -> bool:
        """It does not end with the conversation."""
        return bool(self.recording) and self.by == FLOW

    @property
    def state(self) -> str:
        """running | paused; "" = nothing is recorded."""
        return "" if not self.recording else "paused" if self.paused else "running"

    def save(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return dict(vars(self))

    @classmethod
    def restore(cls, saved: Mapping[str, Any]) -> Self:
        """What `save` gave, also another version's."""
        known = {field.name: saved[field.name] for field in fields(cls) if field.name in saved}
        return cls(**{**known, "told": tuple(known.get("told", ()))})


def is_message(data: Mapping[str, Any]) -> bool:
    """The data of RECORDING_STARTED: a caller leaves a message."""
    return not data.get("agent") and not data.get("by")


def after(now: Recorded, kind: Kind, data: Mapping[str, Any]) -> Recorded:
    """What is recorded after a fact; those that are no recording's change nothing."""
    match kind:
        case Kind.TALK_STARTED:
            return replace(now, agent=str(data["agent"]), queue=str(data["queue"]))
        case Kind.RECORDING_ANNOUNCED if data["to"] not in now.told:
            return replace(now, told=(*now.told, str(data["to"])))
        case Kind.RECORDING_STARTED if not is_message(data):
            return replace(now, recording=str(data["recording"]), by=str(data.get("by") or QUEUE), paused="")
        case Kind.RECORDING_PAUSED if data.get("recording") == now.recording:
            return replace(now, paused=str(data.get("reason") or data.get("by") or "agent"))
        case Kind.RECORDING_RESUMED if data.get("recording") == now.recording:
            return replace(now, paused="")
        case Kind.RECORDING_ENDED | Kind.RECORDING_FAILED if data.get("recording") == now.recording:
            return replace(now, recording="", by="", paused="")
    return now
