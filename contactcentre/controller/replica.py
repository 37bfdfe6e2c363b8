"""This controller's own picture of who is free and who waits, kept up to date from the stream of changes in Redis.

Decisions are made on it without a round trip; the compare-and-set of the reservation catches what it has not seen yet.
"""

import time
from collections.abc import Callable, Mapping
from heapq import heappop, heappush

import gevent
import structlog

from contactcentre.controller.estimates import Estimates
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.index import Index
from contactcentre.domain.routing import RoutingConfig
from contactcentre.domain.voicemail import BoxCount
from contactcentre.live import Change, Live, LiveError, Waiting

log = structlog.get_logger(__name__)

GATHER = 0.05
"""Seconds between two reads of the stream, so that a busy one is read in batches. What this node did it knows."""

RETRY = 1.0
"""Seconds after which a Redis that was away is tried again."""

GRACE = 3.0
"""Seconds after an offer's deadline before another than its owner ends it: the owner's own clock goes first."""

BLOCK = 5.0
"""Seconds that one read of the stream may wait for the next change."""


class Replica:
    def __init__(
        self,
        live: Live,
        node: str,
        config: RoutingConfig,
        changed: Callable[[Change, bool], None],
        lost: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`changed` is told every change, and whether it was new. `lost`: Redis had lost its data; agents and waiting
        contacts of `node` are written back already, the rest is the caller's."""
        self.index = Index(config)
        self.estimates = Estimates(self.index, now)
        self.boxes: dict[str, BoxCount] = {}
        self.lent = False
        """Somebody has other skills for the day than when this was last set to False."""
        self._deadlines: list[tuple[float, str]] = []  # heap: when which agent's offer or wrap-up must be over
        self._live = live
        self._node = node
        self._changed = changed
        self._lost = lost
        self._generation = ""
        self._cursor = ""

    @property
    def agents(self) -> Mapping[str, AgentStatus]:
        return self.index.agents

    @property
    def waiting(self) -> Mapping[str, Waiting]:
        return self.index.waiting

    def load(self) -> None:
        """Takes the whole picture anew, and tells what has changed since the last one. Raises LiveError."""
        snapshot = self._live.snapshot()
        first = not self._generation
        if not first and self._generation != snapshot.generation:
            self._write_back()
            snapshot = self._live.snapshot()
        self._generation = snapshot.generation
        self._cursor = snapshot.cursor
        known = dict(self.agents)
        for name in known.keys() - snapshot.agents.keys():
            self.index.drop_agent(name)
        for status in snapshot.agents.values():
            self.set_agent(status)
        theirs = {key: waiting for key, waiting in snapshot.waiting.items() if first or waiting.node != self._node}
        for key in [key for key, waiting in self.waiting.items() if waiting.node != self._node]:
            if key not in theirs:
                self.drop_waiting(key)
        for waiting in theirs.values():
            self.put_waiting(waiting)
        if not first:
            for status in snapshot.agents.values():
                if known.get(status.name) != status:
                    self._changed(Change(self._cursor, "agent", status.name, status), True)
        self.boxes = dict(snapshot.boxes)
        if not first:
            self._changed(Change(self._cursor, "box", "", None), True)
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
        known = self.agents.get(status.name)
        if known == status:
            return
        if known is None or (known.skills, known.skills_until) != (status.skills, status.skills_until):
            self.lent = self.lent or known is not None or status.skills != ""
        self.index.put_agent(status)
        self.estimates.agent(status)
        if status.deadline:
            heappush(self._deadlines, (over(status), status.name))

    def overdue(self, now: float) -> list[AgentStatus]:
        """The agents whose offer or wrap-up should be over. Each is told once."""
        found = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, name = heappop(self._deadlines)
            status = self.agents.get(name)
            if status is not None and status.deadline and over(status) <= now:
                found.append(status)
        return found

    def remind(self, status: AgentStatus, at: float) -> None:
        """That one is told again at this time (epoch seconds)."""
        heappush(self._deadlines, (at, status.name))

    def next_moment(self) -> float | None:
        """When time alone may change something (epoch seconds); None = never."""
        moments = [moment for moment, _ in self._deadlines[:1]]
        if (moment := self.index.next_moment()) is not None:
            moments.append(moment)
        return min(moments, default=None)

    def put_waiting(self, waiting: Waiting) -> None:
        known = self.waiting.get(waiting.contact_id)
        if known == waiting:
            return
        if known is None or known.entered != waiting.entered:
            self.drop_waiting(waiting.contact_id)
            self.estimates.entered(waiting)
        self.index.put(waiting)

    def drop_waiting(self, contact_id: str) -> None:
        known = self.waiting.get(contact_id)
        if known is not None:
            self.estimates.left(known, answered=contact_id in self.index.talks)
            self.index.drop(contact_id)

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
                    self.drop_waiting(change.key)
                    return True
            case BoxCount() as count:
                self.boxes[change.key] = count
            case None if change.kind == "box":
                self.boxes.pop(change.key, None)
            case None if change.kind == "agent":
                known_agent = change.key in self.agents
                self.index.drop_agent(change.key)
                return known_agent
        return change.kind not in ("agent", "waiting")


def over(status: AgentStatus) -> float:
    """When anybody may end this offer or wrap-up (epoch seconds)."""
    return status.deadline + (GRACE if status.state is AgentState.OFFERED else 0.0)
