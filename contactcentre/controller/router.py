"""Decides who gets whom, reserves the agent, and hands the reservation to the contact.

Every controller decides over all waiting contacts and all free agents, by the same rules (`domain.routing`), and then
acts only for the contacts that are its own. So queues span nodes with no leader; the atomic reservation in Redis
settles what two replicas saw differently.
"""

import math
import secrets
from collections.abc import Container
from time import perf_counter
from typing import Any

import gevent
import structlog
from gevent.event import Event as Flag

from contactcentre.controller import confirming
from contactcentre.controller.contact import Contact, Granted, TurnedOut
from contactcentre.controller.node import Node
from contactcentre.controller.phones import Phones
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.conditions import Refusal, absences, may_enter, must_leave
from contactcentre.domain.day import given, levels
from contactcentre.domain.events import Kind, LeftQueue
from contactcentre.domain.replacing import replace
from contactcentre.domain.routing import Decision, Round
from contactcentre.live import Change, LiveError, Waiting

log = structlog.get_logger(__name__)

RETRY = 1.0
"""Seconds after which a Redis that was away is tried again."""

IDLE = 30.0
"""Seconds after which the router looks at everything although nothing woke it."""

BRIEFING = 10.0
"""Seconds that what an agent is told before the caller may take; for so long the reservation outlasts the ringing."""

TURNS_REMEMBERED = 5.0
"""Seconds for which it counts that a turn came late."""

GATHER = 0.05
"""Seconds in which what Redis is to be told is gathered, so that much of it travels together."""

EMPTY_EVERY = 0.25
"""Seconds between two looks whether waiting contacts must leave because nobody is there: agents come and go in bursts,
and each look is at all agents of the queues that ask for it."""


class Router:
    def __init__(self, node: Node) -> None:
        self._node = node
        self.phones = Phones(node, self.agents_moved)
        self._wake, self._untold = Flag(), Flag()
        self._woken_at = 0.0  # since when it is to decide; 0 = it is not
        self._delayed = (0.0, 0.0)  # by how much the last turn was, and when it was over (perf_counter)
        self._own: dict[str, Contact] = {}
        self._unwritten: dict[str, Waiting | None] = {}  # waits (None: no longer), and Redis does not know yet
        self._written: set[str] = set()  # lie in Redis, or may
        self._fresh: set[str] = set()  # entered, or ask for something else: why they wait is noted
        self._look_for_empty = False
        self._looked_for_empty = 0.0
        self._held = False
        self._lent: dict[str, dict[str, int]] = {}  # agent -> skills for the day, as they count now
        self._lent_until = math.inf  # when the first of them end (epoch seconds)

    # -- told by others -----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        if not self._woken_at:
            self._woken_at = perf_counter()
        self._wake.set()

    def hold(self) -> None:
        """Nobody is offered to an agent until `go_on`: who of them is free is not known."""
        self._held = True

    def go_on(self) -> None:
        self._held = False
        self.wake()

    @property
    def late(self) -> float:
        """Seconds by which the last decisions came late, for those before them took so long. A Redis that is away
        delays them, too, and is no reason to turn anybody away: only turns that succeed count."""
        delay, at = self._delayed
        return delay if perf_counter() - at < TURNS_REMEMBERED else 0.0

    def agents_moved(self) -> None:
        """An agent, a phone or the site has changed."""
        self._look_for_empty = True
        self.wake()

    def changed(self, change: Change) -> None:
        """The stream brought news of another process."""
        if change.kind == "agent":
            self.phones.device(change.key)
            self.agents_moved()
        elif change.kind == "waiting":
            self.wake()

    def configure(self) -> None:
        """The node has another version of the site."""
        index, routing = self._node.replica.index, self._node.configuration.routing
        if index.config is not routing:
            self._lent = {}  # it knows of none
        index.configure(routing)
        self._lend()
        self.phones.configure()

    def _lend(self) -> None:
        """Skills for the day begin and end to count, of those agents alone whose have changed: to put everything in
        order anew takes, of a thousand agents, longer than anything may here."""
        replica, agents = self._node.replica, self._node.site.agents
        replica.lent = False
        lent = {name: one for name, one in given(replica.agents.values(), self._node.now()).items() if name in agents}
        for name in sorted(lent.keys() | self._lent.keys()):
            if lent.get(name) != self._lent.get(name):
                replica.index.relevel(name, levels(agents[name].skills, lent.get(name, {})))
        self._lent = lent
        self._lent_until = min((replica.agents[name].skills_until for name in lent), default=math.inf)

    # -- contacts of ours ---------------------------------------------------------------------------------------------

    def refusal(self, waiting: Waiting, only_if_somebody_can: bool) -> Refusal | None:
        """Why this contact may not enter its queue; None = it may. `only_if_somebody_can`: nor may it when nobody is
        logged in who could ever serve it."""
        index, node = self._node.replica.index, self._node
        refused = may_enter(
            waiting, index.length(waiting.queue), index.agents, index.config, node.now(), index.reachable
        )
        if refused is None and only_if_somebody_can and not self._anyone_for(waiting):
            return Refusal(LeftQueue.EMPTY, "nobody who could serve it is logged in")
        return refused

    def _anyone_for(self, waiting: Waiting) -> bool:
        index = self._node.replica.index
        terms = index.config.terms(waiting, self._node.now())
        return terms is not None and any(
            name in index.agents and index.agents[name].state is not AgentState.LOGGED_OUT for name in terms.fits
        )

    def enter(self, contact: Contact, waiting: Waiting) -> None:
        """The contact waits from now on. Redis is told when an agent is reserved for it, or else right after: also
        when it was away."""
        if contact.id in self._node.replica.waiting:
            self._written.add(contact.id)
        self._own[contact.id] = contact
        self._fresh.add(contact.id)
        self._look_for_empty = self._look_for_empty or self._leaves_empty(waiting)
        self.put(waiting)

    def put(self, waiting: Waiting) -> None:
        """The record of a contact that waits has changed."""
        self._node.replica.put_waiting(waiting)
        self._unwritten[waiting.contact_id] = waiting
        self.wake()

    def leave(self, contact: Contact) -> None:
        """The contact waits no longer (talks, gone, timed out)."""
        self.forget(contact)
        self._node.replica.drop_waiting(contact.id)
        if contact.id in self._unwritten and contact.id not in self._written:
            del self._unwritten[contact.id]
        else:
            self._unwritten[contact.id] = None
            self.wake()

    def forget(self, contact: Contact) -> None:
        """The contact's greenlet has ended; whether it still waits is for whoever reconciles."""
        self._own.pop(contact.id, None)
        self._fresh.discard(contact.id)

    def clear(self, alive: Container[str]) -> None:
        """Takes out of the order who waits there as ours and is not `alive`: what a killed controller left behind."""
        for contact_id, waiting in self._node.live.waiting().items():
            known = contact_id in alive or contact_id in self._own or contact_id in self._unwritten
            if waiting.node == self._node.name and not known:
                log.warning("waited although the contact is over", contact_id=contact_id)
                self._node.replica.drop_waiting(contact_id)
                self._unwritten[contact_id] = None
                self.wake()

    # -- the loop -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        while True:
            self._wake.wait(self._until_next())
            self._wake.clear()
            began = perf_counter()
            self._woken_at, woken_at = 0.0, self._woken_at or began
            try:
                self.turn(woken_at)
                self._delayed = began - woken_at, perf_counter()
            except LiveError as error:
                log.warning("no routing while live state is away", error=str(error))
                gevent.sleep(RETRY)
                self.wake()

    def keep_telling(self) -> None:
        """Tells Redis what has changed. Nobody waits for it: it comes after the next caller's phone call."""
        while True:
            self._untold.wait()
            gevent.sleep(GATHER)
            self._untold.clear()
            try:
                self.tell()
            except LiveError as error:
                log.warning("live state is away", error=str(error))
                gevent.sleep(RETRY)
                self._untold.set()
                self.wake()

    def turn(self, woken_at: float = 0.0) -> None:
        """Decides and reserves. `woken_at`: since when there is something to decide (perf_counter). Raises
        LiveError."""
        self._node.agents.flush()
        self._expire()
        if self._node.replica.lent or self._lent_until <= self._node.now():
            self._lend()
        self._serve(woken_at or perf_counter())
        self._turn_out()
        if self._unwritten or self._node.agents.untold:
            self._untold.set()

    def tell(self) -> None:
        """Tells Redis what agents did and who waits. Raises LiveError; then it is told later."""
        self._node.agents.tell()
        self.flush()

    def flush(self) -> None:
        """Tells Redis who waits. Raises LiveError; then it is told later."""
        taken, self._unwritten = self._unwritten, {}
        if not taken:
            return
        for contact_id, waiting in taken.items():
            if waiting is None:
                self._written.discard(contact_id)
            else:
                self._written.add(contact_id)
        try:
            self._node.live.put_waiting(taken)
        except BaseException:
            self._written |= taken.keys()
            self._unwritten = taken | self._unwritten
            raise

    def _serve(self, woken_at: float) -> None:
        """Decides, notes why those must wait who have just entered or ask for something else by now, and reserves. All
        is decided before the first reservation: while Redis is asked the picture changes."""
        index, waiting, now = self._node.replica.index, self._node.replica.waiting, self._node.now()
        self._fresh |= index.advance(now) & self._own.keys()  # a delay may be over, a step due
        if self._held or not self._own or (not self._fresh and not index.busy):
            return
        round_ = Round.on(index, now)
        first = [decision for decision in round_.decide() if decision.contact_id in self._own]
        more = [decision for decision in round_.more() if decision.contact_id in self._own]
        self._node.tally.deciding.observe(perf_counter() - woken_at)
        served = {decision.contact_id for decision in first}
        for contact_id in self._fresh - served:
            self._fresh.discard(contact_id)
            if contact_id in waiting and not waiting[contact_id].offered:
                self._own[contact_id].emit(Kind.DECISION, **facts(round_.reason(waiting[contact_id])))
        for decision in first:
            self._reserve(decision, first=True)
        for decision in more:
            self._reserve(decision, first=False)

    def give(self, contact: Contact, agent: str) -> bool:
        """Offers a contact that waits to the agent who asks for it, besides whoever it rings for already. False: it
        does not wait, or the agent is not free. Raises LiveError."""
        waiting = self._node.replica.waiting.get(contact.id)
        if waiting is None or contact.id not in self._own:
            return False
        decision = Decision(contact.id, waiting.queue, agent, "picked up", candidates=(), cut=())
        self._reserve(decision, first=not waiting.offered)
        status = self._node.replica.agents.get(agent)
        return status is not None and status.contact_id == contact.id and status.state is AgentState.OFFERED

    def _reserve(self, decision: Decision, first: bool) -> None:
        """`first`: nobody rings for the contact yet."""
        node, contact = self._node, self._own.get(decision.contact_id)
        waiting, agent = node.replica.waiting.get(decision.contact_id), node.replica.agents.get(decision.agent)
        if contact is None or waiting is None or agent is None or bool(waiting.offered) is first:
            return  # left, or the agent did, while another was reserved
        offered = replace(waiting, offered=decision.agent) if first else waiting
        queue = node.queue(decision.queue)
        deadline = node.now() + queue.ring_seconds + (BRIEFING if queue.announce_to_agent else 0.0)
        deadline += confirming.SECONDS if node.device(decision.agent).key else 0.0
        enters = self._unwritten.get(contact.id) == waiting
        began = perf_counter()
        try:
            status = node.agents.reserve(
                agent, contact.id, decision.queue, secrets.token_hex(8), deadline, waiting=offered, enters=enters
            )
        except LiveError:
            self._written.add(contact.id)
            self._unwritten.setdefault(contact.id, waiting)  # may lie there as offered
            raise
        node.tally.reserving.observe(perf_counter() - began)
        if status is None:  # another node was faster, or the agent moved: decide again
            node.replica.put_agent(node.live.agent(decision.agent))
            if node.replica.waiting.get(contact.id) is waiting:
                self._unwritten[contact.id] = waiting  # should Redis have lost it, the next reservation enters it
            self.wake()
            return
        self._written.add(contact.id)
        self._look_for_empty = True
        if node.replica.waiting.get(contact.id) is waiting and contact.id in self._own:
            if self._unwritten.get(contact.id) == waiting:
                del self._unwritten[contact.id]
            self._fresh.discard(contact.id)
            node.replica.put_waiting(offered)
            contact.post(Granted(status, decision))
            return
        # while we asked Redis the caller left, perhaps to wait in another queue, or somebody else did not answer
        node.agents.change(status.name, Verb.RELEASE, token=status.token)
        self._unwritten.setdefault(contact.id, node.replica.waiting.get(contact.id))
        self.wake()

    def _turn_out(self) -> None:
        """Tells those of ours who must leave because nobody is there any more."""
        now = self._node.now()
        if not self._look_for_empty or self._looked_for_empty + EMPTY_EVERY > now:
            return
        self._look_for_empty, self._looked_for_empty = False, now
        index = self._node.replica.index
        found: dict[tuple[int, tuple[str, ...]], Refusal | None] = {}  # contacts who ask for the same leave together
        for contact_id, contact in self._own.items():
            waiting = index.waiting.get(contact_id)
            if waiting is None or waiting.offered or not self._leaves_empty(waiting):
                continue
            kind = (id(index.config.terms(waiting, now)), waiting.excluded)
            if kind not in found:
                found[kind] = must_leave(waiting, index.agents, index.config, now, index.reachable, max_wait=0)
            if (refused := found[kind]) is not None:
                contact.post(TurnedOut(refused))

    def _leaves_empty(self, waiting: Waiting) -> bool:
        queue = self._node.replica.index.config.queues.get(waiting.queue)
        return queue is not None and bool(absences(queue.leave_when_empty, False))

    def _expire(self) -> None:
        node = self._node
        for status in node.replica.overdue(node.now()):
            if status.state is AgentState.OFFERED and not node.knows(status.contact_id):
                node.replica.remind(status, node.now() + RETRY)
                continue
            queue = self._node.queue(status.queue)
            self._node.agents.change(
                status.name, Verb.EXPIRE, misses_allowed=queue.misses_allowed, delay=queue.retry_delay
            )

    def _until_next(self) -> float:
        """Seconds until time alone changes something: a deadline, the end of a delay, a relaxation step."""
        now = self._node.now()
        due = [now + IDLE, self._lent_until]
        if self._look_for_empty:
            due.append(self._looked_for_empty + EMPTY_EVERY)
        if (moment := self._node.replica.next_moment()) is not None:
            due.append(moment)
        return max(0.005, min(due) - now)


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
