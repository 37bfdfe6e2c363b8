"""Controllers without a PBX: the real router, replica and agents' steps of each on one real Redis, run by hand, and
contacts that do what `controller.queueing` makes of a router's messages."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from redis import Redis

from contactcentre.controller.agents import Agents
from contactcentre.controller.contact import Granted, TurnedOut
from contactcentre.controller.offers import SURE
from contactcentre.controller.reconcile import _free_agents
from contactcentre.controller.replica import Replica
from contactcentre.controller.router import Router
from contactcentre.controller.tally import Tally
from contactcentre.domain.agents import AgentState, AgentStatus, Verb
from contactcentre.domain.devices import Device, device_of
from contactcentre.domain.routing import RoutingConfig, Waiting
from contactcentre.domain.site import Queue, Site
from contactcentre.live import Live


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0


class Contact:
    """A caller in a queue, and the agents' phones that ring for them."""

    def __init__(self, node: "Node", waiting: Waiting) -> None:
        self.node, self.waiting, self.id = node, waiting, waiting.contact_id
        self.inbox: list[Any] = []
        self.facts: list[dict[str, Any]] = []
        self.ringing: dict[str, AgentStatus] = {}
        self.talks_with: AgentStatus | None = None
        self.unanswered: list[str] = []
        self.offered = self.gone = False

    # what the router calls

    def post(self, message: Any) -> None:
        self.inbox.append(message)

    def emit(self, kind: object, **data: object) -> None:
        self.facts.append(data)

    # what happens

    def enter(self) -> None:
        self.node.router.enter(self, self.waiting)  # type: ignore[arg-type]

    def take_messages(self) -> None:
        while self.inbox and not self.gone and self.talks_with is None:
            message = self.inbox.pop(0)
            if isinstance(message, Granted):
                self.offered = True
                late = self.node.now() > (message.agent.since + message.agent.deadline) / 2
                if late:
                    self.node.change(message.agent, Verb.RELEASE)
                else:
                    self.ringing[message.agent.name] = message.agent
            elif isinstance(message, TurnedOut) and not self.ringing:
                return self.leave()
            self._take_note()
        return None

    def ring_out(self) -> None:
        """Ends what has rung long enough."""
        for name, status in list(self.ringing.items()):
            if status.deadline <= self.node.now():
                self.miss(name)

    def miss(self, agent: str, counts: bool = True) -> None:
        status = self.ringing.pop(agent)
        queue = self.node.queue(self.waiting.queue)
        self.unanswered.append(agent)
        self.node.change(status, Verb.MISS, misses_allowed=queue.misses_allowed, delay=queue.retry_delay, counts=counts)
        self._take_note()

    def answer(self, agent: str) -> None:
        status = self.ringing.pop(agent)
        if not self.node.change(status, Verb.ACCEPT):  # had run out
            self.node.change(status, Verb.RELEASE)
            return self._take_note()
        self._out_of_the_queue()
        self.talks_with = status
        return None

    def hang_up(self) -> None:
        if self.talks_with is not None:
            wrap_up = self.node.queue(self.waiting.queue).wrap_up
            self.node.change(self.talks_with, Verb.FINISH, wrap_up=wrap_up)
            self.talks_with = None
        else:
            self._out_of_the_queue()
        self.gone = True

    def leave(self) -> None:
        """Turned out."""
        self._out_of_the_queue()
        self.gone = True

    def _out_of_the_queue(self) -> None:
        for status in self.ringing.values():
            self.node.change(status, Verb.RELEASE)
        self.ringing = {}
        self.node.router.leave(self)  # type: ignore[arg-type]
        for message in self.inbox:
            if isinstance(message, Granted):
                self.node.change(message.agent, Verb.RELEASE)
        self.inbox = []

    def _take_note(self) -> None:
        if not self.unanswered and (self.ringing or not self.offered):
            return
        names, self.unanswered = self.unanswered, []
        others = tuple(name for name in self.waiting.tried if name not in names)
        self.waiting = replace(self.waiting, tried=others + tuple(names))
        if self.ringing:
            self.node.router.put(replace(self.waiting, offered=next(iter(self.ringing))))
            return
        self.offered = False
        self.enter()


class Node:
    """One controller. `contacts` outlive it, as calls do."""

    def __init__(self, name: str, live: Live, clock: Clock, site: Site, contacts: dict[str, Contact]) -> None:
        self.name, self.live, self.clock, self.contacts = name, live, clock, contacts
        self.configuration = configuration(site)
        self.site = site
        self.replica = Replica(
            live, name, self.configuration.routing, lambda change, new: self.router.changed(change), lambda: None
        )
        self.agents = Agents(live, self.replica, self.now, lambda: None)
        self.tally = Tally()
        self.router = Router(self)  # type: ignore[arg-type]
        self.replica.load()
        self.router.configure()

    def take_up(self, alive: set[str]) -> None:
        """After a restart: who waits goes on waiting in the same place, who talks goes on talking, and who talked with
        a contact that is not `alive` is free."""
        talking = [status for status in self.replica.agents.values() if status.state is AgentState.TALKING]
        for contact in self.contacts.values():
            contact.node, contact.inbox, contact.ringing, contact.unanswered = self, [], {}, []
            contact.offered = False
            self.agents.release(contact.id, but=contact.talks_with.name if contact.talks_with else "")
            if contact.talks_with is None:
                contact.enter()
            else:
                talks = contact.talks_with  # which may never have been written
                self.agents.found(talks.name, contact.id, talks.queue, talks.token)
        self.router.clear({contact.id for contact in self.contacts.values() if contact.talks_with is None})
        _free_agents(self, talking, alive)  # type: ignore[arg-type]

    def knows(self, contact_id: str) -> bool:
        """See controller.node.Node; here it is taken up before anything else happens."""
        return True

    def turn(self) -> None:
        self.router.turn()
        self.router.tell()

    def now(self) -> float:
        return self.clock.now

    def device(self, agent: str) -> Device:
        return device_of(self.site, agent, "")

    def queue(self, name: str) -> Queue:
        return self.site.queues.get(name) or Queue()

    def configure(self, site: Site) -> None:
        self.site, self.configuration = site, configuration(site)
        self.router.configure()

    def hear(self, most: int = 1000) -> int:
        """Reads so many of the changes that others made; how many there were."""
        (newest, _), *_ = self.live.redis.xrevrange("cc:changes", count=1)
        if newest == self.replica._cursor:
            return 0
        changes = self.live.changes(self.replica._cursor, 0.001, most)
        for change in changes:
            self.replica._cursor = change.cursor
            self.replica._changed(change, self.replica._apply(change))
        return len(changes)

    def change(self, status: AgentStatus, verb: Verb, **args: Any) -> bool:
        sure = verb is Verb.ACCEPT and self.clock.now + SURE < status.deadline
        take = self.agents.soon if verb is Verb.FINISH or sure else self.agents.change  # as conversations do
        return take(status.name, verb, token=status.token, **args)


def configuration(site: Site) -> SimpleNamespace:
    return SimpleNamespace(site=site, routing=RoutingConfig.from_site(site))


def agent_facts(redis: "Redis") -> list[dict[str, Any]]:
    """Every change of an agent that was journalled, in order."""
    return [json.loads(fields["agent"]) for _, fields in redis.xrange("cc:events") if "agent" in fields]
