"""A contact that waits: the record that routing decides on, and that every node can read."""

import math
from dataclasses import dataclass, fields

from contactcentre.domain.notation import decode, encode


@dataclass(frozen=True)
class Waiting:
    """One contact waiting in a queue."""

    contact_id: str
    queue: str
    node: str = ""  # its owner: only this node's controller acts on it
    requires: str = ""  # the contact's own requirement, on top of the queue's; "" = none
    priority: int = 0  # points: of the queue and of the flow
    arrived: float = 0.0  # the contact's first arrival: its place in the order
    entered: float = 0.0  # this queue: relax steps and max_wait count from here
    excluded: tuple[str, ...] = ()  # agents it must not be offered to
    offered: str = ""  # agent reserved for it now; "" = it waits for one
    caller: str = ""  # shown on pages
    tried: tuple[str, ...] = ()  # agents who were offered it and did not answer, the last one last: they come last
    preferred: tuple[str, ...] = ()  # agents who have it for themselves at first, such as the one it talked with last
    prefer_for: float | None = None  # seconds in the queue that they have it; None: as the queue says
    group: str = ""  # of contacts, such as "gold": the queue may grant it points

    def to_json(self) -> str:
        return encode(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Waiting":
        """Raises ValueError, TypeError or KeyError when the text is no such record. Unknown keys are ignored."""
        raw = decode(text)
        known = {key: raw[key] for key in _WAITING_FIELDS if key in raw}
        for names in ("excluded", "tried", "preferred"):
            known[names] = tuple(str(name) for name in known.get(names, ()))
        made = cls(**known)
        texts = (made.contact_id, made.queue, made.node, made.requires, made.group, made.offered, made.caller)
        numbers = (made.priority, made.arrived, made.entered, 0.0 if made.prefer_for is None else made.prefer_for)
        if not all(isinstance(v, str) for v in texts) or not all(isinstance(v, (int, float)) for v in numbers):
            raise ValueError("a field has a wrong type")
        if not all(math.isfinite(v) for v in numbers):
            raise ValueError("a number is not finite")
        return made


_WAITING_FIELDS = tuple(f.name for f in fields(Waiting))
