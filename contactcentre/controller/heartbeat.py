"""What a controller says of itself every two seconds, and once more when it has taken over: `live.signs` reads it."""

import json
import os
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import structlog
from gevent.event import Event as Flag

from contactcentre.controller.node import Node
from contactcentre.controller.tenure import Tenure, now
from contactcentre.live import LiveError
from contactcentre.live.connection import PREFIX, ask
from contactcentre.pbx.events import Phone

log = structlog.get_logger(__name__)

EVERY = 2.0
"""Seconds between two signs of life of a controller, in `cc:node:NAME`; the key lives five times as long."""


class Heartbeat:
    def __init__(self, node: Node, tenure: Tenure, linked: Callable[[], bool]) -> None:
        """`linked`: the PBX is there, and all is known that is on it."""
        self._node, self._tenure, self._linked = node, tenure, linked
        self._wanted = Flag()
        self._started = time.time()
        self._took_over: dict[str, Any] = {}

    def run(self) -> None:
        key = f"{PREFIX}node:{self._node.name}"
        while True:
            try:
                ask(self._node.live.redis, "SET", key, json.dumps(self.signs()), "EX", int(EVERY * 5))
            except LiveError as error:
                log.warning("no sign of life: live state is away", error=str(error))
            self._wanted.wait(EVERY)
            self._wanted.clear()

    def stop(self) -> None:
        """Nobody is to take us for alive. Raises LiveError."""
        ask(self._node.live.redis, "DEL", f"{PREFIX}node:{self._node.name}")

    def taken_up(self, contacts: int) -> None:
        """What the controller before has left is in our hands."""
        came = self._tenure.succession
        if came is not None and came.predecessor:
            how = {"from": came.predecessor, "planned": came.planned, "gap": round(now() - came.began, 3)}
            self._took_over = {**how, "contacts": contacts}
            log.info("taken over", **self._took_over)
        self._wanted.set()

    def signs(self) -> dict[str, Any]:
        node = self._node
        not_free = node.router.phones.not_free.items()
        away = {name: one.since for name, one in not_free if one.phone is Phone.AWAY}
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "node": node.name,
            "id": self._tenure.id,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "active": self._tenure.since,
            "took_over": self._took_over,
            "started": self._started,
            "at": time.time(),
            "linked": self._linked(),
            "contacts": len(node.contacts),
            "reachable": len(node.site.agents) - len(away),
            "unreachable": away,
            "in_use": {name: one.since for name, one in not_free if one.phone is Phone.IN_USE},
            "greenlets": len(node.greenlets),
            "site": node.configuration.version,
            "unsent": node.journal.unsent,
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "rss_kb": usage.ru_maxrss,
        }
