"""Decides who gets whom, reserves the agent, and hands the reservation to the contact.

Every controller decides over all waiting contacts and all free agents, by the same rules (`domain.routing`), and then
acts only for the contacts that are its own. So queues span nodes with no leader; the atomic reservation in Redis
settles what two replicas saw differently.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from gevent.event import Event as Flag

from contactcentre.controller.contact import Contact, Granted
from contactcentre.controller.node import Node
from contactcentre.domain.agents import AgentState, AgentStatus, NotAllowed, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.routing import Decision, Round, next_change, order
from contactcentre.live import Change, LiveError, Waiting

log = structlog.get_logger(__name__)

GRACE = 3.0
"""Seconds after an offer's deadline before another than its owner ends it: the owner's own clock goes first."""

IDLE = 30.0
"""Seconds after which the router looks at everything although nothing woke it."""


class Router:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._wake = Flag()
        self._own: dict[str, Contact] = {}
        self._unwritten: dict[str, Waiting] = {}  # waits, and Redis does not know yet
        self._fresh: set[str] = set()  # entered since the last decision: why they wait is noted once
        self.reachable: dict[str, bool] = {}  # endpoint -> registered

    # -- told by others -----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        self._wake.set()

    def changed(self, change: Change) -> None:
        """The stream brought news of another process."""
        if change.kind in ("agent", "waiting"):
            self._wake.set()

    def enter(self, contact: Contact, waiting: Waiting) -> None:
        """The contact waits from now on, also while Redis is away: then it is told later."""
        try:
            self._node.live.enter(waiting)
        except LiveError as error:
            log.warning("the queue is not written yet", contact=contact.id, error=str(error))
            self._unwritten[contact.id] = waiting
        self._node.replica.put_waiting(waiting)
        self._own[contact.id] = contact
        self._fresh.add(contact.id)
        self._wake.set()

    def leave(self, contact: Contact) -> None:
        """The contact waits no longer (offered, gone, timed out)."""
        self._unwritten.pop(contact.id, None)
        self._own.pop(contact.id, None)
        self._node.replica.drop_waiting(contact.id)
        try:
            self._node.live.leave(contact.id)
        except LiveError as error:
            log.warning("could not leave the queue", contact=contact.id, error=str(error))

    def forget(self, contact: Contact) -> None:
        """The contact's greenlet has ended; whether it still waits is for whoever reconciles."""
        self._own.pop(contact.id, None)

    def position(self, waiting: Waiting) -> int:
        """Place in its queue, 1 = next."""
        key = order(waiting)
        return 1 + sum(
            1 for other in self._node.replica.waiting.values() if other.queue == waiting.queue and order(other) < key
        )

    def length(self, queue: str) -> int:
        return sum(1 for other in self._node.replica.waiting.values() if other.queue == queue)

    # -- agents -------------------------------------------------------------------------------------------------------

    def change(self, agent: str, verb: Verb, **args: Any) -> AgentStatus | None:
        """One step of an agent. None when the step makes no sense any more (somebody was faster) or Redis is away."""
        try:
            status = self._node.live.change(agent, verb, self._node.now(), **args)
        except NotAllowed as refusal:
            log.info("agent step refused", agent=agent, verb=verb.value, why=str(refusal))
            return None
        except LiveError as error:
            log.warning("agent step not written", agent=agent, verb=verb.value, error=str(error))
            return None
        self._node.replica.put_agent(status)
        self._wake.set()
        return status

    # -- the loop -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        while True:
            self._wake.wait(self._until_next())
            self._wake.clear()
            try:
                for waiting in list(self._unwritten.values()):
                    self._node.live.enter(waiting)
                    self._unwritten.pop(waiting.contact_id, None)
                    self._node.replica.put_waiting(waiting)
                self._expire()
                self._serve()
            except LiveError as error:
                log.warning("no routing while live state is away", error=str(error))
                self._wake.wait(1.0)

    def _serve(self) -> None:
        node = self._node
        if not any(not w.offered for key in self._own if (w := node.replica.waiting.get(key)) is not None):
            return  # nobody of ours waits for an agent: most of the time, where there are enough agents
        fresh, self._fresh = self._fresh, set()
        everybody = Round(
            node.replica.waiting.values(),
            node.replica.agents,
            node.configuration.routing,
            node.now(),
            self.reachable_agents(),
        )
        for decision in everybody.decide():
            contact = self._own.get(decision.contact_id)
            if contact is not None:
                self._reserve(contact, decision)
        for contact_id in fresh:
            contact, waiting = self._own.get(contact_id), node.replica.waiting.get(contact_id)
            if contact is not None and waiting is not None and not waiting.offered:
                contact.emit(Kind.DECISION, **facts(everybody.reason(waiting)))

    def _reserve(self, contact: Contact, decision: Decision) -> None:
        node = self._node
        now = node.now()
        queue = node.queue(decision.queue)
        token = secrets.token_hex(8)
        waiting = node.replica.waiting.get(contact.id)
        if waiting is None:  # left while another one was reserved
            return
        offered = replace(waiting, offered=decision.agent)
        status = node.live.reserve(
            node.replica.agents[decision.agent],
            contact.id,
            decision.queue,
            token,
            now + queue.ring_seconds,
            now,
            waiting=offered,
        )
        if status is None:  # another node was faster, or the agent moved, or the caller has gone: decide again
            self._refresh(decision.agent)
            return
        node.replica.put_agent(status)
        if contact.id not in self._own:  # the caller left while we asked Redis
            self.change(status.name, Verb.RELEASE, token=status.token)
            return
        node.replica.put_waiting(offered)
        contact.post(Granted(status, decision))

    def anyone_for(self, waiting: Waiting) -> bool:
        """Is anybody logged in who could ever serve this contact."""
        terms = self._node.configuration.routing.terms(waiting, self._node.now())
        agents = self._node.replica.agents
        return terms is not None and any(
            name in agents and agents[name].state is not AgentState.LOGGED_OUT for name in terms.fits
        )

    def _refresh(self, agent: str) -> None:
        self._node.replica.put_agent(self._node.live.agent(agent))
        self._wake.set()

    def _expire(self) -> None:
        now = self._node.now()
        for status in list(self._node.replica.timed.values()):
            if 0 < _due(status) <= now:
                queue = self._node.queue(status.queue)
                self.change(status.name, Verb.EXPIRE, misses_allowed=queue.misses_allowed, delay=queue.retry_delay)

    def _until_next(self) -> float:
        """Seconds until time alone changes something: a deadline, the end of a delay, a relaxation step."""
        now = self._node.now()
        due = [now + IDLE]
        for status in self._node.replica.timed.values():
            if (deadline := _due(status)) > 0:
                due.append(deadline)
            if status.not_before > now:
                due.append(status.not_before)
        moment = next_change(self._node.replica.waiting.values(), self._node.configuration.routing, now)
        if moment is not None:
            due.append(moment)
        return max(0.005, min(due) - now)

    def reachable_agents(self) -> Mapping[str, bool]:
        """The agents whose endpoint cannot ring, each with False; all others count as reachable."""
        endpoints = self._node.configuration.agent_of_endpoint
        return {agent: False for endpoint, agent in endpoints.items() if not self.reachable.get(endpoint, True)}


def _due(status: AgentStatus) -> float:
    if not status.deadline:
        return 0.0
    return status.deadline + (GRACE if status.state is AgentState.OFFERED else 0.0)


def facts(decision: Decision) -> dict[str, Any]:
    """A decision as the data of its event."""
    return {
        "queue": decision.queue,
        "agent": decision.agent,
        "rule": str(decision.rule),
        "requirement": decision.requirement,
        "candidates": [list(candidate) for candidate in decision.candidates],
        "cut": [list(cut) for cut in decision.cut],
        "fitting": decision.fitting,
        "left_out": decision.left_out,
    }
