"""Decides who gets whom, reserves the agent, and hands the reservation to the contact.

Every controller decides over all waiting contacts and all free agents, by the same rules (`domain.routing`), and then
acts only for the contacts that are its own. So queues span nodes with no leader; the atomic reservation in Redis
settles what two replicas saw differently.
"""

import secrets
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

import gevent
import structlog
from gevent.event import Event as Flag

from contactcentre.controller.contact import Contact, Granted
from contactcentre.controller.node import Node
from contactcentre.domain.agents import AgentState, AgentStatus, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.routing import Decision, Round, next_change
from contactcentre.live import Change, LiveError, Waiting

log = structlog.get_logger(__name__)

GRACE = 3.0
"""Seconds after an offer's deadline before another than its owner ends it: the owner's own clock goes first."""

RETRY = 1.0
"""Seconds after which a Redis that was away is tried again."""

IDLE = 30.0
"""Seconds after which the router looks at everything although nothing woke it."""


class Router:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._wake = Flag()
        self._own: dict[str, Contact] = {}
        self._unwritten: dict[str, Waiting | None] = {}  # waits (None: no longer), and Redis does not know yet
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
        self._write(contact.id, waiting)
        self._node.replica.put_waiting(waiting)
        self._own[contact.id] = contact
        self._fresh.add(contact.id)
        self._wake.set()

    def leave(self, contact: Contact) -> None:
        """The contact waits no longer (offered, gone, timed out)."""
        self.forget(contact)
        self._node.replica.drop_waiting(contact.id)
        self._write(contact.id, None)

    def _write(self, contact_id: str, waiting: Waiting | None) -> None:
        """In Redis, now or when it is back. None: the contact waits no longer."""
        self._unwritten.pop(contact_id, None)
        try:
            self._tell(contact_id, waiting)
        except LiveError as error:
            log.warning("the queue is not written yet", contact=contact_id, error=str(error))
            self._unwritten[contact_id] = waiting
            self._wake.set()

    def _tell(self, contact_id: str, waiting: Waiting | None) -> None:
        if waiting is None:
            self._node.live.leave(contact_id)
        else:
            self._node.live.enter(waiting)

    def clear(self, alive: Container[str]) -> None:
        """Takes out of the order who waits there as ours and is not `alive`: what a killed controller left behind."""
        for contact_id, waiting in self._node.live.waiting().items():
            if waiting.node == self._node.name and contact_id not in alive and contact_id not in self._own:
                log.warning("waited although the contact is over", contact=contact_id)
                self._node.replica.drop_waiting(contact_id)
                self._node.live.leave(contact_id)

    def forget(self, contact: Contact) -> None:
        """The contact's greenlet has ended; whether it still waits is for whoever reconciles."""
        self._own.pop(contact.id, None)
        self._fresh.discard(contact.id)

    def position(self, waiting: Waiting) -> int:
        """Place in its queue, 1 = next."""
        claims = self._node.configuration.routing.claims(waiting.queue)
        others = (other for other in self._node.replica.waiting.values() if other.queue == waiting.queue)
        own = claims.place(waiting)
        return 1 + sum(1 for other in others if claims.place(other) < own)

    def length(self, queue: str) -> int:
        return sum(1 for other in self._node.replica.waiting.values() if other.queue == queue)

    # -- the loop -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        while True:
            self._wake.wait(self._until_next())
            self._wake.clear()
            try:
                self._flush()
                self._expire()
                self._serve()
            except LiveError as error:
                log.warning("no routing while live state is away", error=str(error))
                gevent.sleep(RETRY)
                self._wake.set()

    def _flush(self) -> None:
        """Writes what could not be written while Redis was away."""
        self._node.agents.flush()
        for contact_id, waiting in list(self._unwritten.items()):
            self._tell(contact_id, waiting)
            if contact_id in self._unwritten and self._unwritten[contact_id] is waiting:
                del self._unwritten[contact_id]

    def _serve(self) -> None:
        node = self._node
        if not any(not w.offered for key in self._own if (w := node.replica.waiting.get(key)) is not None):
            return  # nobody of ours waits for an agent: most of the time, where there are enough agents
        fresh = list(self._fresh)
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
            self._fresh.discard(contact_id)
            contact, waiting = self._own.get(contact_id), node.replica.waiting.get(contact_id)
            if contact is not None and waiting is not None and not waiting.offered:
                contact.emit(Kind.DECISION, **facts(everybody.reason(waiting)))

    def _reserve(self, contact: Contact, decision: Decision) -> None:
        node = self._node
        waiting, agent = node.replica.waiting.get(contact.id), node.replica.agents.get(decision.agent)
        if waiting is None or waiting.offered or agent is None:  # left, or the agent did, while another was reserved
            return
        offered = replace(waiting, offered=decision.agent)
        deadline = node.now() + node.queue(decision.queue).ring_seconds
        try:
            status = node.agents.reserve(
                agent, contact.id, decision.queue, secrets.token_hex(8), deadline, waiting=offered
            )
        except LiveError:
            self._unwritten.setdefault(contact.id, waiting)  # may lie there as offered
            raise
        if status is None:  # another node was faster, or the agent moved, or the caller has gone: decide again
            node.replica.put_agent(node.live.agent(decision.agent))
            self._wake.set()
        elif node.replica.waiting.get(contact.id) is waiting and contact.id in self._own:
            node.replica.put_waiting(offered)
            contact.post(Granted(status, decision))
        else:  # while we asked Redis the caller left, perhaps to wait in another queue
            node.agents.change(status.name, Verb.RELEASE, token=status.token)
            if contact.id in self._own:
                self._write(contact.id, node.replica.waiting[contact.id])
            self._wake.set()

    def anyone_for(self, waiting: Waiting) -> bool:
        """Is anybody logged in who could ever serve this contact."""
        terms = self._node.configuration.routing.terms(waiting, self._node.now())
        agents = self._node.replica.agents
        return terms is not None and any(
            name in agents and agents[name].state is not AgentState.LOGGED_OUT for name in terms.fits
        )

    def _expire(self) -> None:
        now = self._node.now()
        for status in list(self._node.replica.timed.values()):
            if 0 < _due(status) <= now:
                queue = self._node.queue(status.queue)
                self._node.agents.change(
                    status.name, Verb.EXPIRE, misses_allowed=queue.misses_allowed, delay=queue.retry_delay
                )

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
