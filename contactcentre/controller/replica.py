"""This controller's own picture of who is free and who waits, kept up to date from the stream of changes in Redis.

Decisions are made on it without a round trip; the compare-and-set of the reservation catches what it has not seen yet.
"""

from collections.abc import Callable

import gevent
import structlog

from contactcentre.domain.agents import AgentStatus
from contactcentre.live import Change, Live, LiveError, Waiting

log = structlog.get_logger(__name__)

BLOCK = 5.0
"""Seconds that one read of the stream may wait for the next change."""


class Replica:
    def __init__(self, live: Live, node: str, changed: Callable[[Change], None], lost: Callable[[], None]) -> None:
        """`changed` is told every change. `lost`: Redis had lost its data; agents and waiting contacts of `node` are
        written back already, the rest is the caller's."""
        self.agents: dict[str, AgentStatus] = {}
        self.waiting: dict[str, Waiting] = {}
        self._live = live
        self._node = node
        self._changed = changed
        self._lost = lost
        self._generation = ""
        self._cursor = ""

    def load(self) -> None:
        """Takes the whole picture anew. Raises LiveError."""
        snapshot = self._live.snapshot()
        if self._generation not in ("", snapshot.generation):
            self._write_back()
            snapshot = self._live.snapshot()
        self._generation = snapshot.generation
        self.agents = dict(snapshot.agents)
        self.waiting = dict(snapshot.waiting)
        self._cursor = snapshot.cursor

    def _write_back(self) -> None:
        log.error("Redis had lost its data: writing back what this node knows", agents=len(self.agents))
        for status in self.agents.values():
            self._live.restore(status)
        for waiting in self.waiting.values():
            if waiting.node == self._node:
                self._live.enter(waiting)
        self._lost()

    def follow(self) -> None:
        """Applies changes for ever; after a failure it takes the whole picture anew."""
        while True:
            try:
                if not self._cursor:
                    self.load()
                for change in self._live.changes(self._cursor, BLOCK, skip=("contact",)):
                    self._cursor = change.cursor
                    self._apply(change)
                    self._changed(change)
            except LiveError as error:
                log.warning("live state is away", error=str(error))
                self._cursor = ""
                gevent.sleep(1.0)

    def put_agent(self, status: AgentStatus) -> None:
        """Applies what we know first-hand, unless the stream was faster."""
        known = self.agents.get(status.name)
        if known is None or known.version < status.version:
            self.agents[status.name] = status

    def put_waiting(self, waiting: Waiting) -> None:
        self.waiting[waiting.contact_id] = waiting

    def drop_waiting(self, contact_id: str) -> None:
        self.waiting.pop(contact_id, None)

    def _apply(self, change: Change) -> None:
        match change.value:
            case AgentStatus() as status:
                self.put_agent(status)
            case Waiting() as waiting:
                self.put_waiting(waiting)
            case None if change.kind == "waiting":
                self.drop_waiting(change.key)
            case None if change.kind == "agent":
                self.agents.pop(change.key, None)
