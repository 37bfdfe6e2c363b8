"""What each controller says of itself every two seconds: that it lives, and whose phone it cannot ring."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contactcentre.live.connection import PREFIX, ask

if TYPE_CHECKING:
    from redis import Redis


@dataclass(frozen=True, slots=True)
class Signs:
    """The last sign of life of one controller; Redis forgets it ten seconds after the controller fell silent."""

    node: str
    at: float
    """Epoch seconds."""
    linked: bool
    """Whether it has its link to the PBX. Without, nothing is known of phones."""
    contacts: int = 0
    """Contacts it conducts at the moment."""
    site: int = 0
    """The version of the site it works with."""
    unreachable: Mapping[str, float] = field(default_factory=dict)
    """Agents whose phone it cannot ring, not registered or not answering, and since when it knows (epoch seconds)."""
    in_use: Mapping[str, float] = field(default_factory=dict)
    """Agents whose phone is in a call of their own, and since when."""
    id: str = ""
    pid: int = 0
    host: str = ""
    active: float = 0.0
    """Since when it is the node's active controller (epoch seconds)."""

    @classmethod
    def from_json(cls, text: str | bytes) -> "Signs":
        """Raises ValueError when it cannot be understood."""
        try:
            raw: dict[str, Any] = json.loads(text)
            return cls(
                node=str(raw["node"]),
                at=float(raw["at"]),
                linked=bool(raw["linked"]),
                contacts=int(raw.get("contacts", 0)),
                site=int(raw.get("site", 0)),
                unreachable=_moments(raw.get("unreachable", {})),
                in_use=_moments(raw.get("in_use", {})),
                id=str(raw.get("id", "")),
                pid=int(raw.get("pid", 0)),
                host=str(raw.get("host", "")),
                active=float(raw.get("active", 0.0)),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"signs of life: {error!r}") from error


def _moments(raw: Any) -> dict[str, float]:
    """Agent -> since when; of a controller that says only who, since ever."""
    return {str(name): float(raw[name] if isinstance(raw, dict) else 0.0) for name in raw}


def signs_of_life(redis: "Redis", prefix: str = PREFIX) -> dict[str, Signs]:
    """Node -> what its controller said last, of all controllers that live. Raises Away or Refused."""
    keys, cursor = [], 0
    while True:
        cursor, found = ask(redis, "SCAN", cursor, "MATCH", f"{prefix}node:*", "COUNT", 1000)
        keys += found
        if int(cursor) == 0:
            break
    texts = ask(redis, "MGET", *keys) if keys else []
    known = {}
    for text in texts:
        try:
            one = Signs.from_json(text or "")
        except ValueError:
            continue
        known[one.node] = one
    return known


def unreachable(signs: Mapping[str, Signs]) -> dict[str, float]:
    """Agents whose phone no controller can ring, and since when; nobody when none can tell."""
    linked = [one.unreachable for one in signs.values() if one.linked]
    names = set.intersection(*(set(one) for one in linked)) if linked else set()
    return {name: max(one[name] for one in linked) for name in names}


def in_use(signs: Mapping[str, Signs]) -> dict[str, float]:
    """Agents whose phone is in a call of their own at some node, and since when."""
    return {name: since for one in signs.values() if one.linked for name, since in one.in_use.items()}
