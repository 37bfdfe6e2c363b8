"""A contact centre in virtual time: the rules of routing and of agents, and nothing else that is real.

Who gets whom is decided by `domain.routing.Round`, what an agent does next by `domain.agents.step`: the very functions
that the controllers run, so what is seen here is what the site would do. The world adds callers, who come, wait, lose
patience and talk, and a list of moments at which something happens. It goes from one to the next; nothing waits.

What is left out: flows, transfers, and the milliseconds that networks take.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from contactcentre.domain.agents import MISSED, AgentState, AgentStatus, Verb, step
from contactcentre.domain.conditions import may_enter, must_leave
from contactcentre.domain.crew import Crew
from contactcentre.domain.estimate import Experience, ahead, estimate
from contactcentre.domain.events import LeftQueue, OfferResult
from contactcentre.domain.metrics import AgentTime, Counts, agent_time, count
from contactcentre.domain.replacing import replace
from contactcentre.domain.routing import Decision, Round, RoutingConfig, Waiting, next_change
from contactcentre.domain.simulation.arrivals import Arrival
from contactcentre.domain.simulation.distributions import stream
from contactcentre.domain.simulation.people import Habits, Roster
from contactcentre.domain.site import Queue, Site

JUST_AFTER = 1e-6
"""Seconds added to a moment that a sum of times has to reach: 0.1 + 0.2 may fall short of 0.3."""


class Visit(NamedTuple):
    """A contact's stay in a queue, as `metrics.count` reads it."""

    entered: float
    reason: str
    waited: float | None
    talk: float = 0.0
    wrap_up: float = 0.0


class Change(NamedTuple):
    """An agent's state from a moment on, as `metrics.agent_time` reads it."""

    at: float
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """What happened in one run, counted from the end of its warm-up."""

    queues: dict[str, Counts]
    agents: dict[str, AgentTime]
    contacts: int  # that came, warm-up included
    moments: int  # at which something happened
    decisions: int  # offers
    estimates: dict[str, list[tuple[float, float]]]  # queue -> (wait estimated on arrival, waited until the offer)


class World:
    """One run. Make it, `run` it once."""

    def __init__(
        self,
        site: Site,
        arrivals: Iterable[Arrival],
        roster: Roster,
        habits: Habits,
        *,
        seed: str,
        until: float,
        warm_up: float = 0.0,
        config: RoutingConfig | None = None,
    ) -> None:
        """Counts what begins between `warm_up` and `until` (seconds). Whoever waits at `until` is still served, by
        those whose roster does not end. `config` saves preparing it again for the same site. Raises ValueError or
        RequirementError where the site is not valid."""
        self.site, self.habits, self.until, self.warm_up = site, habits, until, warm_up
        self.config = config or RoutingConfig.from_site(site)
        self.now = 0.0
        self._may_empty = any(queue.leave_when_empty != "no" for queue in site.queues.values())
        self._agents_moved = False  # since that was looked at
        self._together = any(rules.strategy.together for rules in self.config.rules.values())
        self.agents = {name: AgentStatus(name) for name in roster}
        self.waiting: dict[str, Waiting] = {}
        self._arrivals = iter(arrivals)
        self._random = stream(f"{seed}/agents")
        self._came: dict[str, Arrival] = {}  # those who wait
        self._overflowed: dict[str, dict[str, int]] = {}  # contact -> queue that it overflowed from -> points
        self._ringing: dict[str, list[str]] = {}  # contact -> the agents who ring for it
        self._lengths: Counter[str] = Counter()
        self._unserved = 0  # wait, and nobody rings for them
        self._free = 0  # agents in state available
        self._crew = Crew(self.config)
        self._experience = Experience()
        self._told: dict[str, float] = {}  # contact -> the wait estimated on its arrival, where it was more than none
        self._estimates: dict[str, list[tuple[float, float]]] = {name: [] for name in site.queues}
        self._visits: dict[str, list[Visit]] = {name: [] for name in site.queues}
        self._changes: dict[str, list[Change]] = {name: [Change(0.0, AgentState.LOGGED_OUT, "")] for name in roster}
        self._moments: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._number = 0
        self._contacts = self._decisions = 0
        for name, spells in roster.items():
            for since, till in spells:
                self._at(since, self._log_in, name)
                if till < inf:
                    self._at(till, self._log_out, name)

    def run(self) -> Result:
        self._next_arrival()
        moments, done = self._moments, 0
        while moments:
            self.now, _, do, what = heapq.heappop(moments)
            do(what)
            done += 1
            if moments and moments[0][0] <= self.now:
                continue  # decided once for all that happens in one instant
            if self._agents_moved and self._may_empty:
                self._empty_queues()
            if (self._unserved or self._together) and self._free:
                self._decide()
        return self._result(done)

    def _at(self, moment: float, do: Callable[[Any], None], what: object) -> None:
        self._number += 1  # what was planned first happens first
        heapq.heappush(self._moments, (moment, self._number, do, what))

    # -- contacts -----------------------------------------------------------------------------------------------------

    def _next_arrival(self) -> None:
        arrival = next(self._arrivals, None)
        if arrival is not None:
            self._at(arrival.at, self._arrive, arrival)

    def _arrive(self, arrival: Arrival) -> None:
        self._next_arrival()
        self._contacts += 1
        contact = Waiting(
            contact_id=f"{self._contacts:09}",
            queue=arrival.queue,
            requires=arrival.requires,
            priority=self.site.queues[arrival.queue].priority + arrival.priority,
            group=arrival.group,
            preferred=arrival.preferred,
            excluded=arrival.excluded,
            arrived=self.now,
            entered=self.now,
        )
        if arrival.patience < inf:
            self._at(self.now + arrival.patience, self._lose_patience, contact.contact_id)
        self._enter(contact, arrival)

    def _enter(self, contact: Waiting, arrival: Arrival) -> None:
        """Into its queue, or on to where that leads when it turns the contact away."""
        queue = self.site.queues[contact.queue]
        length = self._lengths[contact.queue]
        if refusal := may_enter(contact, length, self.agents, self.config, self.now, {}):
            self._visit(contact.queue, Visit(self.now, refusal.reason, 0.0))
            self._overflow(contact, arrival, refusal.reason)
            return
        self.waiting[contact.contact_id] = contact
        self._came[contact.contact_id] = arrival
        self._lengths[contact.queue] += 1
        self._unserved += 1
        if queue.max_wait:
            self._at(self.now + queue.max_wait, self._leave_if_it_must, contact.contact_id)
        self._await_change(contact.contact_id)
        self._experience.entered(contact)
        before = ahead(contact, self.waiting.values(), self.config, self.now)
        told = estimate(contact, before, self._crew, self.config, self._experience, self.now)
        if told:
            self._told[contact.contact_id] = told

    def _overflow(self, contact: Waiting, arrival: Arrival, reason: LeftQueue) -> None:
        """To the queue that its own leads to, with its id, its first arrival and the points it takes along. What leads
        elsewhere is left out here."""
        queue = self.site.queues[contact.queue]
        kind, _, target = {str(way): to for way, to in queue.overflow.items()}.get(reason, "").partition(":")
        if kind != "queue" or target not in self.site.queues:
            self._overflowed.pop(contact.contact_id, None)
            return
        taken = self._overflowed.setdefault(contact.contact_id, {})
        if queue.overflow_priority:
            taken[contact.queue] = queue.overflow_priority
        points = sum(value for name, value in taken.items() if name != target)
        priority = self.site.queues[target].priority + arrival.priority + points
        self._enter(replace(contact, queue=target, priority=priority, entered=self.now, offered="", tried=()), arrival)

    def _await_change(self, contact_id: str) -> None:
        """A relax step, or one more phone that may ring: the run decides after every moment."""
        if contact := self.waiting.get(contact_id):
            seen = [replace(contact, offered="") if contact.offered else contact]
            if self._together:
                seen.append(replace(contact, offered="somebody"))
            moment = next_change(seen, self.config, self.now)
            if moment is not None:
                self._at(moment + JUST_AFTER, self._await_change, contact_id)

    def _lose_patience(self, contact_id: str) -> None:
        if contact_id in self.waiting:
            self._leave(contact_id, LeftQueue.ABANDONED)

    def _leave_if_it_must(self, contact_id: str) -> None:
        """It has waited too long, or nobody is there any more."""
        contact = self.waiting.get(contact_id)
        if contact and (refusal := must_leave(contact, self.agents, self.config, self.now, {})):
            self._leave(contact_id, refusal.reason)

    def _empty_queues(self) -> None:
        self._agents_moved = False
        for contact in list(self.waiting.values()):
            if self.site.queues[contact.queue].leave_when_empty != "no":
                self._leave_if_it_must(contact.contact_id)

    def _leave(self, contact_id: str, reason: LeftQueue) -> None:
        """Out of the queue without having been answered."""
        contact, arrival = self.waiting.pop(contact_id), self._came.pop(contact_id)
        self._lengths[contact.queue] -= 1
        self._unserved -= not contact.offered
        self._told.pop(contact_id, None)
        self._experience.left(contact.queue, False, self.now - contact.entered, self.now)
        self._release(contact_id)
        self._visit(contact.queue, Visit(contact.entered, reason, self.now - contact.entered))
        self._overflow(contact, arrival, reason)

    def _visit(self, queue: str, visit: Visit) -> None:
        if visit.entered >= self.warm_up:
            self._visits[queue].append(visit)

    # -- offers -------------------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        # Nobody reads here who was cut and why, and it is half the work.
        round_ = Round(self.waiting.values(), self.agents, self.config, self.now, {}, names_cut=False)
        decisions = round_.decide()
        if self._together:
            decisions += round_.more()
        for decision in decisions:
            self._offer(decision)

    def _offer(self, decision: Decision) -> None:
        self._decisions += 1
        contact, queue = self.waiting[decision.contact_id], self.site.queues[decision.queue]
        token, deadline = str(self._decisions), self.now + queue.ring_seconds
        self._step(
            decision.agent,
            Verb.OFFER,
            contact_id=contact.contact_id,
            queue=contact.queue,
            token=token,
            deadline=deadline,
        )
        self._ringing.setdefault(contact.contact_id, []).append(decision.agent)
        if not contact.offered:
            self.waiting[contact.contact_id] = replace(contact, offered=decision.agent)
            self._unserved -= 1
        result, after = self.habits.fate(self._random, queue.ring_seconds, queue.auto_answer)
        if result is None:
            self._at(self.now + after, self._answer, (decision.agent, token))
        else:
            self._at(self.now + after, self._let_pass, (decision.agent, token, result))

    def _release(self, contact_id: str) -> None:
        """Whoever still rings for it stops, and has missed nothing."""
        for name in self._ringing.pop(contact_id, ()):
            self._step(name, Verb.RELEASE, token=self.agents[name].token)

    def _rings(self, name: str, token: str) -> AgentStatus | None:
        """The agent, if this offer still rings."""
        agent = self.agents[name]
        return agent if agent.state is AgentState.OFFERED and agent.token == token else None

    def _let_pass(self, offer: tuple[str, str, OfferResult]) -> None:
        """The agent did not take it."""
        name, token, result = offer
        agent = self._rings(name, token)
        if agent is None:
            return
        contact, queue = self.waiting[agent.contact_id], self.site.queues[agent.queue]
        others = self._ringing[contact.contact_id]
        others.remove(name)
        tried = (*(one for one in contact.tried if one != name), name)
        self.waiting[contact.contact_id] = replace(contact, offered=others[0] if others else "", tried=tried)
        self._unserved += not others
        own = {OfferResult.REJECTED: queue.reject_delay, OfferResult.BUSY: queue.busy_delay}.get(result)
        left = self._step(
            name,
            Verb.MISS,
            token=token,
            misses_allowed=queue.misses_allowed,
            delay=queue.retry_delay if own is None else own,
            counts=result is not OfferResult.BUSY,
        )
        self._leave_if_it_must(contact.contact_id)  # while a phone rang nobody was sent away
        if left.state is AgentState.PAUSED and left.reason == MISSED:
            self._at(self.now + self.habits.back_after, self._come_back, (name, left.version))
        if left.not_before > self.now:
            self._at(left.not_before, self._look_again, name)

    def _answer(self, offer: tuple[str, str]) -> None:
        name, token = offer
        agent = self._rings(name, token)
        if agent is None:
            return
        self._step(name, Verb.ACCEPT, token=token)
        self._ringing[agent.contact_id].remove(name)
        self._release(agent.contact_id)
        contact = self.waiting.pop(agent.contact_id)
        arrival = self._came.pop(agent.contact_id)
        self._overflowed.pop(agent.contact_id, None)
        self._lengths[contact.queue] -= 1
        # Handling time is talk and wrap-up; the queue's wrap-up is what of it comes after the call.
        wrap_up = min(self.site.queues[contact.queue].wrap_up, arrival.handling)
        talk = arrival.handling - wrap_up
        waited = self.now - contact.entered
        told = self._told.pop(agent.contact_id, None)
        if told is not None and contact.entered >= self.warm_up:
            self._estimates[contact.queue].append((told, agent.since - contact.entered))
        self._experience.left(contact.queue, True, waited, self.now)
        self._visit(contact.queue, Visit(contact.entered, LeftQueue.ANSWERED, waited, talk, wrap_up))
        self._at(self.now + talk, self._hang_up, (name, token, wrap_up))

    def _hang_up(self, call: tuple[str, str, float]) -> None:
        name, token, wrap_up = call
        after = self._step(name, Verb.FINISH, token=token, wrap_up=wrap_up)
        if after.state is AgentState.WRAP_UP:
            self._at(after.deadline, self._end_wrap_up, name)

    # -- agents -------------------------------------------------------------------------------------------------------

    def _end_wrap_up(self, name: str) -> None:
        agent = self.agents[name]
        if agent.state is AgentState.WRAP_UP and agent.deadline <= self.now:
            self._step(name, Verb.EXPIRE)

    def _come_back(self, which: tuple[str, int]) -> None:
        name, version = which
        if self.agents[name].version == version:
            self._step(name, Verb.UNPAUSE)

    def _log_in(self, name: str) -> None:
        agent = self.agents[name]
        if agent.state is AgentState.LOGGED_OUT:
            self._step(name, Verb.LOGIN)
        elif agent.then == "logout":  # still in the last call of the spell before
            self._step(name, Verb.UNPAUSE)

    def _log_out(self, name: str) -> None:
        if self.agents[name].state is not AgentState.LOGGED_OUT:
            self._step(name, Verb.LOGOUT)

    def _look_again(self, name: str) -> None:
        """A delay has passed: the run decides after every moment."""

    def _step(self, name: str, verb: Verb, **args: Any) -> AgentStatus:
        before = self.agents[name]
        after = self.agents[name] = step(before, verb, self.now, **args)
        if after.state is not before.state:
            self._free += (after.state is AgentState.AVAILABLE) - (before.state is AgentState.AVAILABLE)
            self._changes[name].append(Change(self.now, after.state, after.reason))
            self._experience.agent(after)
            self._crew.put(after)
            self._agents_moved = True
        return after

    # -- the end ------------------------------------------------------------------------------------------------------

    def _result(self, moments: int) -> Result:
        for contact in self.waiting.values():  # nobody is left who could serve them
            self._visit(contact.queue, Visit(contact.entered, "", None))
        end, short = max(self.now, self.until), self.site.settings.short_abandon
        queues = {name: count(self._visits[name], end, self._queue(name).service_level, short) for name in self._visits}
        agents = {name: agent_time(changes, self.warm_up, self.until) for name, changes in self._changes.items()}
        return Result(queues, agents, self._contacts, moments, self._decisions, self._estimates)

    def _queue(self, name: str) -> Queue:
        return self.site.queues[name]
