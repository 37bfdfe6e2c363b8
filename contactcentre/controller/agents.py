"""Steps of agents: written at once where Redis answers, remembered and written in their order where it does not.

So no agent stays "talking" because Redis was away when the talk ended. A step whose time has passed is no error: who
holds an offer's token may take the step, and only once (`domain.agents`).

A conversation's beginning and end are written some moments later (`soon`), those of many agents together; its end
together with the agent's next offer, so the next caller's phone call is one round trip away and not two.
"""

from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import structlog
from gevent.event import Event as Flag
from gevent.lock import BoundedSemaphore

from contactcentre.controller.replica import Replica
from contactcentre.domain.agents import AgentState, AgentStatus, NotAllowed, Verb, step
from contactcentre.domain.routing import Waiting
from contactcentre.live import Away, Live, LiveError, Malformed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Step:
    agent: str
    verb: Verb
    at: float
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Soon:
    seen: AgentStatus  # as Redis has the agent
    after: AgentStatus
    taken: _Step


class Agents:
    def __init__(self, live: Live, replica: Replica, now: Callable[[], float], changed: Callable[[], None]) -> None:
        """`changed` is told that a step was taken."""
        self._live, self._replica, self._now, self._changed = live, replica, now, changed
        self._late: deque[_Step] = deque()  # not known to be written, oldest first
        self._flushing = BoundedSemaphore()
        self._soon: dict[str, _Soon] = {}  # not written yet
        self._told: dict[str, Flag] = {}  # agents about whom Redis is being told, and when it has been

    def __len__(self) -> int:
        """Steps that Redis does not have yet."""
        return len(self._late) + len(self._soon)

    def change(self, agent: str, verb: Verb, **args: Any) -> bool:
        """One step of domain.agents, now or, while Redis is away, later. False: it makes no sense (any more)."""
        taken = _Step(agent, verb, self._now(), args)
        if self._is_late(agent):
            return self._take_later(taken)
        try:
            self._settle(agent)
            return self._take(taken)
        except LiveError as error:
            log.warning("agent step waits for live state", agent=agent, verb=verb.value, error=str(error))
            return self._take_later(taken)

    def soon(self, agent: str, verb: Verb, **args: Any) -> bool:
        """The same step without waiting for Redis: our own picture has it at once, Redis with the agent's next offer or
        in `tell`. For steps that nobody else can make impossible meanwhile."""
        seen = self._replica.agents.get(agent)
        if seen is None or not seen.version or agent in self._soon or agent in self._told or self._is_late(agent):
            return self.change(agent, verb, **args)
        taken = _Step(agent, verb, self._now(), args)
        try:
            after = step(seen, verb, taken.at, **args)
        except NotAllowed:  # perhaps only in our picture
            return self.change(agent, verb, **args)
        self._soon[agent] = _Soon(seen, after, taken)
        self._replica.put_agent(after)
        self._changed()
        return True

    def found(self, agent: str, contact_id: str, queue: str, token: str) -> None:
        """The PBX has the agent in a conversation with this contact, for which `token` was reserved: so it is, whatever
        was written. Without waiting for Redis where that can be."""
        seen = self._replica.agents.get(agent)
        if seen is None or seen.state is not AgentState.TALKING or seen.token != token:
            self.soon(agent, Verb.FOUND, contact_id=contact_id, queue=queue, token=token)

    @property
    def untold(self) -> bool:
        """Something is to be told soon."""
        return bool(self._soon)

    def tell(self) -> None:
        """Writes what was to be written soon. Raises LiveError; then it is written later."""
        soon, self._soon = self._soon, {}
        self._write(soon)

    def current(self, agent: str) -> AgentStatus:
        """The agent as Redis has them once it knows of all our steps; our own picture has them so, too, after this. For
        whoever asks for this very agent, and is to be refused only if that one is not free. Raises LiveError."""
        self._settle(agent)
        if self._is_late(agent):
            self.flush()
        status = self._live.agent(agent)
        if self._replica.put_agent(status):
            self._changed()
        return status

    def _settle(self, agent: str) -> None:
        """Redis knows of all steps of the agent after this. Raises LiveError."""
        while (told := self._told.get(agent)) is not None:
            told.wait()
        if agent in self._soon:
            self._write({agent: self._soon.pop(agent)})

    def _write(self, soon: dict[str, _Soon]) -> None:
        if not soon:
            return
        told = Flag()
        self._told |= dict.fromkeys(soon, told)
        try:
            written = self._live.steps([(one.seen, one.after, one.taken.at) for one in soon.values()])
        except BaseException:
            self._late.extend(_lasting(one.taken, one.after) for one in soon.values())
            raise
        else:  # whom somebody else has changed meanwhile takes the step anew
            lost = [one for one, done in zip(soon.values(), written, strict=True) if not done]
            self._late.extend(_lasting(one.taken, one.after) for one in lost)
        finally:
            for agent in soon:
                del self._told[agent]
            told.set()
        self.flush()

    def _is_late(self, agent: str) -> bool:
        return any(late.agent == agent for late in self._late)

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
        ahead = self._soon.get(expected.name)
        if expected.name in self._told or (ahead is not None and ahead.after.version != expected.version):
            return None
        now, soon = self._now(), self._soon.pop(expected.name, None)
        try:
            status = self._live.reserve(
                expected,
                contact_id,
                queue,
                token,
                deadline,
                now,
                waiting=waiting,
                enters=enters,
                instead_of=soon.seen if soon is not None else None,
            )
        except LiveError:
            self._late.extend([soon.taken] if soon is not None else [])
            self._late.append(_Step(expected.name, Verb.RELEASE, now, {"token": token}))
            raise
        if status is not None:
            self._replica.put_agent(status)
        elif soon is not None:
            self._late.append(soon.taken)
            self.flush()
        return status

    def dial(self, agent: str, contact_id: str, queue: str, token: str, deadline: float) -> None:
        """Reserves the agent for a call of their own. Raises NotAllowed, LiveError; what may have been written all the
        same is then taken back."""
        self.current(agent)
        now, args = self._now(), {"contact_id": contact_id, "queue": queue, "token": token, "deadline": deadline}
        try:
            status = self._live.change(agent, Verb.DIAL, now, **args)
        except LiveError:
            self._late.append(_Step(agent, Verb.RELEASE, now, {"token": token}))
            raise
        self._replica.put_agent(status)
        self._changed()

    def release(self, contact_id: str, but: Container[str] = ()) -> None:
        """Frees, without wrap-up, everyone but the agents `but` who rings for this contact or talks with it."""
        for status in list(self._replica.agents.values()):
            if status.contact_id != contact_id or status.name in but:
                continue
            if status.state is AgentState.OFFERED:
                self.change(status.name, Verb.RELEASE, token=status.token)
            elif status.state is AgentState.TALKING:
                self.change(status.name, Verb.FINISH, token=status.token, wrap_up=0.0)

    def flush(self) -> None:
        """Writes what waits. Raises LiveError."""
        with self._flushing:  # Redis is asked meanwhile, and others want the same step written
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
            if status is None:
                self._must_be_known(seen)
                status = self._live.change(taken.agent, *rest, **taken.args)
        except NotAllowed as refusal:
            log.info("agent step refused", agent=taken.agent, verb=taken.verb.value, why=str(refusal))
            return False
        except Malformed as error:
            log.error("agent's record cannot be read", agent=taken.agent, error=str(error))
            return False
        self._replica.put_agent(status)
        self._changed()
        return True

    def _must_be_known(self, seen: AgentStatus | None) -> None:
        """Raises Away when Redis has never heard of somebody whom we know: it has lost its data. What it says then
        is not so, and our own picture, which will be written back, must not follow it."""
        if seen is not None and seen.version and not self._live.agent(seen.name).version:
            raise Away(f"redis knows nothing of agent {seen.name} any more")

    def _take_later(self, taken: _Step) -> bool:
        """Until Redis is back, what must come of the step stands in our own picture."""
        known = self._replica.agents.get(taken.agent, AgentStatus(taken.agent))
        try:
            after = step(known, taken.verb, taken.at, **taken.args)
        except NotAllowed as refusal:
            log.info("agent step refused", agent=taken.agent, verb=taken.verb.value, why=str(refusal))
            return False
        self._replica.put_agent(after)
        self._late.append(_lasting(taken, after))
        self._changed()  # whoever hears it flushes
        return True


def _lasting(taken: _Step, after: AgentStatus) -> _Step:
    """As it is taken later: whoever has accepted talks, also if somebody else has ended the offer meanwhile."""
    if taken.verb is not Verb.ACCEPT:
        return taken
    known = {"contact_id": after.contact_id, "queue": after.queue, "token": after.token}
    return _Step(taken.agent, Verb.FOUND, taken.at, known)
