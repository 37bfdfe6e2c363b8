"""What a controller tells of itself to whoever watches it. Read when asked: calls pay nothing for it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, Metric

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import OfferResult, Outcome
from contactcentre.live.connection import is_there
from contactcentre.pbx import timing
from contactcentre.store import Store
from contactcentre.watch.families import counter, counters, family, gauge, gauges, single

if TYPE_CHECKING:
    from contactcentre.controller.service import Controller

ESSENTIAL = ("pbx", "lease", "standing_by", "redis")
"""Without these no call is served, or could be; without PostgreSQL all are, and history waits."""

STATES = ("ivr", "queue", "ringing", "talking", "parked", "voicemail", "transfer", "transferred", "suspended")
"""Of contacts. Those named here are told also when there is none."""


class Watched:
    def __init__(self, controller: "Controller", store: Store) -> None:
        self._controller, self._store = controller, store

    def parts(self) -> Mapping[str, bool]:
        """What it depends on, and whether it is there now."""
        controller, tenure = self._controller, self._controller.tenure
        active = {"pbx": controller.linked, "lease": not tenure.lost}
        own = active if controller.active else {"standing_by": tenure.is_warm}
        return {**own, "redis": is_there(controller.node.live.redis), "postgresql": self._store.is_there()}

    def collect(self) -> Iterator[Metric]:
        yield gauge(
            "active", "Whether this is the node's active controller; 0 = it stands by.", self._controller.active
        )
        yield from self._link()
        yield from self._calls()
        yield from self._routing()
        if self._controller.active:
            yield from self._journal()

    def _link(self) -> Iterator[Metric]:
        controller = self._controller
        yield gauge("pbx_linked", "Whether the link to the PBX is there.", controller.linked)
        yield counter("pbx_link_losses", "Times that the link to the PBX was lost.", controller.node.tally.link_losses)
        says = "How long each verb of the PBX took."
        yield family("pbx_verb_seconds", says, timing.seconds, "verb")
        failed = CounterMetricFamily(
            "contactcentre_pbx_verb_failures", "Verbs that the PBX refused or did not answer.", labels=["verb", "error"]
        )
        for (verb, error), number in sorted(timing.failures.items()):
            failed.add_metric([verb, error], number)
        yield failed
        yield gauge("pbx_events_waiting", "Events of the PBX that wait to be taken.", len(controller.reception))
        yield gauge("greenlets", "Greenlets of the controller.", len(controller.node.greenlets))
        yield gauge("site_version", "The version of the site it works with.", controller.node.configuration.version)

    def _calls(self) -> Iterator[Metric]:
        node = self._controller.node
        contacts = node.contacts.values()
        states = Counter("suspended" if contact.parked else contact.now.state for contact in contacts)
        yield gauges("contacts", "Contacts of this node.", "state", dict.fromkeys(STATES, 0) | states)
        outcomes = dict.fromkeys(Outcome, 0) | node.tally.ended
        yield counters("contacts_ended", "Contacts of this node that ended.", "outcome", outcomes)
        says = "The share of new calls that are let in; below 1 some are turned away, for calls are late."
        yield gauge("admitting", says, self._controller.admission.share)
        yield counters("facts", "Facts that were journalled.", "kind", node.tally.facts)

    def _routing(self) -> Iterator[Metric]:
        node, now = self._controller.node, self._controller.node.now()
        waiting, since = Counter(dict.fromkeys(node.site.queues, 0)), dict.fromkeys(node.site.queues, now)
        for one in list(node.replica.waiting.values()):
            if one.node == node.name:
                waiting[one.queue] += 1
                since[one.queue] = min(since.get(one.queue, now), one.entered)
        yield gauges("queue_waiting", "Contacts of this node that wait.", "queue", waiting)
        longest = {queue: max(0.0, now - entered) for queue, entered in since.items()}
        yield gauges("queue_longest_wait_seconds", "Since when the first of them waits.", "queue", longest)
        known = node.replica.agents
        agents = Counter(known[one].state if one in known else AgentState.LOGGED_OUT for one in node.site.agents)
        says = "Agents of the site, as every node sees them."
        yield gauges("agents", says, "state", dict.fromkeys(AgentState, 0) | agents)
        phones = len(node.router.phones.not_free)
        yield gauge("phones_not_free", "Agents whose phone is not there, or in a call of its own.", phones)
        results = dict.fromkeys(("accepted", *OfferResult), 0) | node.tally.offers
        yield counters("offers", "Offers that ended.", "result", results)
        says = "From the need of a decision (a caller came, an agent became free) to the decision."
        yield single("decision_seconds", says, node.tally.deciding)
        says = "One agent's reservation in Redis."
        yield single("reservation_seconds", says, node.tally.reserving)

    def _journal(self) -> Iterator[Metric]:
        journal = self._controller.node.journal
        yield gauge("journal_unsent_bytes", "Facts that Redis does not have yet.", journal.unsent)
        yield gauge("journal_unrecorded_bytes", "Facts that history does not have yet.", journal.unrecorded)
        yield counter("journal_lost", "Facts lost: neither Redis nor the disk took them.", journal.lost)
        yield counter("journal_resent", "Times that Redis had lost facts, which were sent again.", journal.resent)
