"""Who gets whom."""

import json
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Waiting:
    """One contact waiting in a queue."""

    contact_id: str
    queue: str
    node: str = ""  # its owner: only this node's controller acts on it
    requires: str = ""  # the contact's own requirement, on top of the queue's; "" = none
    priority: int = 0
    arrived: float = 0.0  # the contact's first arrival: its place in the order
    entered: float = 0.0  # this queue: relax steps and max_wait count from here
    excluded: tuple[str, ...] = ()  # agents it must not be offered to
    offered: str = ""  # agent reserved for it now; "" = it waits for one
    caller: str = ""  # shown on pages

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Waiting":
        """Raises ValueError, TypeError or KeyError when the text is no such record. Unknown keys are ignored."""
        raw = json.loads(text)
        known = {key: raw[key] for key in _FIELDS if key in raw}
        known["excluded"] = tuple(str(name) for name in known.get("excluded", ()))
        made = cls(**known)
        if (
            not isinstance(made.contact_id, str)
            or not isinstance(made.queue, str)
            or isinstance(made.priority, str)
        ):
            raise ValueError("a field has a wrong type")
        return made


_FIELDS = tuple(f.name for f in fields(Waiting))
