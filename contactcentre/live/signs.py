"""What each controller says of itself every two seconds: that it lives, and whose phone it cannot ring."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
    unreachable: frozenset[str] = frozenset()
    """Agents whose phone it cannot ring: not registered, or it does not answer."""

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
                unreachable=frozenset(str(name) for name in raw.get("unreachable", ())),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"signs of life: {error!r}") from error


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


def unreachable(signs: Mapping[str, Signs]) -> frozenset[str]:
    """Agents whose phone no controller can ring; nobody when none can tell."""
    linked = [one.unreachable for one in signs.values() if one.linked]
    return frozenset.intersection(*linked) if linked else frozenset()
