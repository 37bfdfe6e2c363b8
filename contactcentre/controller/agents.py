"""Steps of agents: written at once where Redis answers, remembered and written in their order where it does not.

So no agent stays "talking" because Redis was away when the talk ended. A step whose time has passed is no error: who
holds an offer's token may take the step, and only once (`domain.agents`).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from contactcentre.controller.replica import Replica
from contactcentre.domain.agents import AgentState, AgentStatus, NotAllowed, Verb, step
from contactcentre.domain.routing import Waiting
from contactcentre.live import Live, LiveError, Malformed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Step:
    agent: str
    verb: Verb
    at: float
    args: dict[str, Any]


class Agents:
    def __init__(self, live: Live, replica: Replica, now: Callable[[], float], changed: Callable[[], None]) -> None:
        """`changed` is told that a step was taken."""
        self._live, self._replica, self._now, self._changed = live, replica, now, changed
        self._late: deque[_Step] = deque()  # not known to be written, oldest first

    def __len__(self) -> int:
        """Steps that Redis does not have yet."""
        return len(self._late)

    def change(self, agent: str, verb: Verb, **args: Any) -> bool:
        """One step of domain.agents, now or, while Redis is away, later. False: it makes no sense (any more)."""
        taken = _Step(agent, verb, self._now(), args)
        if any(late.agent == agent for late in self._late):
            return self._take_later(taken)
        try:
            return self._take(taken)
        except LiveError as error:
            log.warning("agent step waits for live state", agent=agent, verb=verb.value, error=str(error))
            return self._take_later(taken)

    def reserve(
        self,
        expected: AgentStatus,
        contact_id: str,
        queue: str,
        token: str,
        deadline: float,
        waiting: Waiting | None,
        enters: bool = False,
    ) -> AgentStatus | None:
        """See Live.reserve. Raises LiveError; the offer is then taken back should it have been written after all."""
        now = self._now()
        try:
            status = self._live.reserve(
                expected, contact_id, queue, token, deadline, now, waiting=waiting, enters=enters
            )
        except LiveError:
            self._late.append(_Step(expected.name, Verb.RELEASE, now, {"token": token}))
            raise
        if status is not None:
            self._replica.put_agent(status)
        return status

    def release(self, contact_id: str, but: str = "") -> None:
        """Frees, without wrap-up, everyone but the agent `but` who rings for this contact or talks with it."""
        for status in list(self._replica.agents.values()):
            if status.contact_id != contact_id or status.name == but:
                continue
            if status.state is AgentState.OFFERED:
                self.change(status.name, Verb.RELEASE, token=status.token)
            elif status.state is AgentState.TALKING:
                self.change(status.name, Verb.FINISH, token=status.token, wrap_up=0.0)

    def flush(self) -> None:
        """Writes what waits. Raises LiveError."""
        while self._late:
            late = self._late[0]
            if not self._take(late):
                self._replica.set_agent(self._live.agent(late.agent))
            self._late.popleft()

    def _take(self, taken: _Step) -> bool:
        """Raises LiveError."""
        try:
            seen, rest = self._replica.agents.get(taken.agent), (taken.verb, taken.at)
            status = self._live.step(seen, *rest, **taken.args) if seen is not None else None
            status = status or self._live.change(taken.agent, *rest, **taken.args)
        except NotAllowed as refusal:
            log.info("agent step refused", agent=taken.agent, verb=taken.verb.value, why=str(refusal))
            return False
        except Malformed as error:
            log.error("agent's record cannot be read", agent=taken.agent, error=str(error))
            return False
        self._replica.put_agent(status)
        self._changed()
        return True

    def _take_later(self, taken: _Step) -> bool:
        """Until Redis is back, what must come of the step stands in our own picture."""
        known = self._replica.agents.get(taken.agent, AgentStatus(taken.agent))
        try:
            self._replica.put_agent(step(known, taken.verb, taken.at, **taken.args))
        except NotAllowed as refusal:
            log.info("agent step refused", agent=taken.agent, verb=taken.verb.value, why=str(refusal))
            return False
        self._late.append(taken)
        self._changed()  # whoever hears it flushes
        return True
