"""Which of a node's controllers is active, and which stand by for it."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from redis import Redis

from contactcentre.live.commands import Commands
from contactcentre.live.connection import PREFIX, ask
from contactcentre.live.errors import CommandFailed
from contactcentre.live.leases import Held, look

TAKES_AT_MOST = 15.0
"""Seconds that a handover may take."""
LIVES = 4
"""Seconds after its last sign that a stand-by counts as gone."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A controller that would take over. Says so every second."""

    node: str
    id: str
    pid: int
    host: str
    since: float
    """Epoch seconds."""
    ready: bool
    """It is warm: it could take over at once."""


def lease_name(node: str) -> str:
    """Of the lease whose holder is the node's active controller."""
    return f"node:{node}"


def active(redis: "Redis", node: str) -> Held | None:
    """The lease of the node's active controller; None, or without a holder: there is none. Raises Away or Refused."""
    return look(redis, f"{PREFIX}lease:{lease_name(node)}")


def say_standing_by(redis: "Redis", one: Standby) -> None:
    """Raises Away or Refused."""
    ask(redis, "SET", _key(one), json.dumps(asdict(one)), "EX", LIVES)


def say_no_longer(redis: "Redis", one: Standby) -> None:
    """Raises Away or Refused."""
    ask(redis, "DEL", _key(one))


def standbys(redis: "Redis", node: str = "*") -> list[Standby]:
    """Those of this node, or all, the longest first. Raises Away or Refused."""
    return sorted(_read(redis, node), key=lambda one: (one.node, one.since))


def hand_over(redis: "Redis", node: str, to: str = "") -> dict[str, Any]:
    """Asks the node's active controller to give the node to a stand-by (see `chosen`), and waits until that one has
    taken up everything. Answers its sign of life, with `from`, `gap` (seconds in which nobody acted) and `contacts`
    (how many were taken up). Raises CommandFailed with a stable code, NoReply when nobody is active, Away, Refused."""
    asked = Commands(redis).send(node, "handover", {"to": to})
    deadline = time.monotonic() + TAKES_AT_MOST
    while time.monotonic() < deadline:
        signs = json.loads(ask(redis, "GET", f"{PREFIX}node:{node}") or "{}")
        if signs.get("id") == asked["to"] and signs["linked"]:
            return {**signs, **signs["took_over"]}
        time.sleep(0.05)
    at = active(redis, node)
    who = at.holder if at is not None and at.holder else "nobody"
    raise CommandFailed("not_taken", f"{asked['to']} did not take over within {TAKES_AT_MOST:g} s; active is {who}")


def chosen(among: Sequence[Standby], id: str = "") -> Standby:
    """The one that is meant by its id or the beginning of it; without, the one there is. Raises CommandFailed where it
    could not take over at once."""
    meant = [one for one in among if one.id.startswith(id)]
    ready = [one for one in meant if one.ready]
    if not meant:
        text = f"no stand-by has the id {id[:20]!r}" if id and among else "no controller stands by"
        raise CommandFailed("no_standby", text)
    if not ready:
        raise CommandFailed("not_ready", f"the stand-by {meant[0].id} is not ready yet")
    if len(ready) > 1:
        raise CommandFailed("several", f"several stand by: {', '.join(one.id for one in ready)}; say which")
    return ready[0]


def _read(redis: "Redis", node: str) -> Iterator[Standby]:
    keys, cursor = [], 0
    while True:
        cursor, found = ask(redis, "SCAN", cursor, "MATCH", f"{PREFIX}standby:{node}:*", "COUNT", 1000)
        keys += found
        if int(cursor) == 0:
            break
    for text in ask(redis, "MGET", *keys) if keys else []:
        try:
            yield Standby(**json.loads(text or ""))
        except (ValueError, TypeError):  # gone meanwhile, or another version's
            continue


def _key(one: Standby) -> str:
    return f"{PREFIX}standby:{one.node}:{one.id}"
