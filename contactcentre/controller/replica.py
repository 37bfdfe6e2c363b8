"""This controller's own picture of who is free and who waits, kept up to date from the stream of changes in Redis.

Decisions are made on it without a round trip; the compare-and-set of the reservation catches what it has not seen yet.
"""

from collections.abc import Callable

import gevent
import structlog

from contactcentre.domain.agents import AgentStatus
from contactcentre.live import Change, Live, LiveError, Waiting

log = structlog.get_logger(__name__)

GATHER = 0.003
"""Seconds between two reads of the stream, so that a busy one is read in batches."""

RETRY = 1.0
"""Seconds after which a Redis that was away is tried again."""

BLOCK = 5.0
"""Seconds that one read of the stream may wait for the next change."""


class Replica:
    def __init__(
        self, live: Live, node: str, changed: Callable[[Change, bool], None], lost: Callable[[], None]
    ) -> None:
        """`changed` is told every change, and whether it was new. `lost`: Redis had lost its data; agents and waiting
        contacts of `node` are written back already, the rest is the caller's."""
        self.agents: dict[str, AgentStatus] = {}
        self.timed: dict[str, AgentStatus] = {}  # those of the agents whom time alone changes: a deadline, a delay
        self.waiting: dict[str, Waiting] = {}
        self._live = live
        self._node = node
        self._changed = changed
        self._lost = lost
        self._generation = ""
        self._cursor = ""

    def load(self) -> None:
        """Takes the whole picture anew, and tells what has changed since the last one. Raises LiveError."""
        snapshot = self._live.snapshot()
        first = not self._generation
        if not first and self._generation != snapshot.generation:
            self._write_back()
            snapshot = self._live.snapshot()
        self._generation = snapshot.generation
        known, self.agents, self.timed = self.agents, {}, {}
        for status in snapshot.agents.values():
            self.put_agent(status)
        others = {key: waiting for key, waiting in snapshot.waiting.items() if first or waiting.node != self._node}
        self.waiting = others | {key: waiting for key, waiting in self.waiting.items() if waiting.node == self._node}
        self._cursor = snapshot.cursor
        if not first:
            for status in snapshot.agents.values():
                if known.get(status.name) != status:
                    self._changed(Change(self._cursor, "agent", status.name, status), True)
        if snapshot.site:
            self._changed(Change(self._cursor, "site", "", snapshot.site), True)

    def _write_back(self) -> None:
        log.error("Redis had lost its data: writing back what this node knows", agents=len(self.agents))
        for status in list(self.agents.values()):
            self._live.restore(status)
        for waiting in list(self.waiting.values()):
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
                    self._changed(change, self._apply(change))
                gevent.sleep(GATHER)
            except LiveError as error:
                log.warning("live state is away", error=str(error))
                self._cursor = ""
                gevent.sleep(RETRY)

    def put_agent(self, status: AgentStatus) -> bool:
        """Applies what we know first-hand; False when this or something newer was known."""
        known = self.agents.get(status.name)
        if known is not None and known.version >= status.version:
            return False
        self.set_agent(status)
        return True

    def set_agent(self, status: AgentStatus) -> None:
        """What Redis says now, whatever was known."""
        self.agents[status.name] = status
        if status.deadline or status.not_before > status.since:
            self.timed[status.name] = status
        else:
            self.timed.pop(status.name, None)

    def put_waiting(self, waiting: Waiting) -> None:
        self.waiting[waiting.contact_id] = waiting

    def drop_waiting(self, contact_id: str) -> None:
        self.waiting.pop(contact_id, None)

    def _apply(self, change: Change) -> bool:
        """False for what was known: our own doing comes back in the stream, too. Who waits here is known first-hand:
        the stream, a moment late, would take back what has been reserved since."""
        match change.value:
            case AgentStatus() as status:
                return self.put_agent(status)
            case Waiting() as waiting if waiting.node != self._node:
                known = self.waiting.get(waiting.contact_id)
                self.put_waiting(waiting)
                return known != waiting
            case None if change.kind == "waiting" and change.key in self.waiting:
                if self.waiting[change.key].node != self._node:
                    del self.waiting[change.key]
                    return True
            case None if change.kind == "agent":
                self.timed.pop(change.key, None)
                return self.agents.pop(change.key, None) is not None
        return change.kind not in ("agent", "waiting")
