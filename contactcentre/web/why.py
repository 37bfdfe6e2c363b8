"""Why a contact got its agent or waits for one, and why an agent gets no calls: one answer for the API, the pages and
the command line, of history, the live state and the rules."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import Field, SkipValidation

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.contacts import ContactHistory
from contactcentre.domain.day import given, midnight, on_the_day
from contactcentre.domain.explain import Look
from contactcentre.domain.routing import RoutingConfig, Waiting
from contactcentre.domain.sentences import phrase
from contactcentre.domain.shift import FACTS, Shift, shift
from contactcentre.domain.site import Settings, Site
from contactcentre.domain.standing import Readiness, Standing
from contactcentre.domain.story import InForce, Line, asked_later, tell
from contactcentre.domain.telling import lasting
from contactcentre.live import Live, LiveError, Signs, in_use, signs_of_life, unreachable
from contactcentre.provision.change import found
from contactcentre.store import NoSuchContact, Store
from contactcentre.web.rows import Row

SHARED_SECONDS = 1.0
"""Who asks within so many seconds of another shares one look: a look costs a decision over everybody."""

LOOK_BACK = 7 * 86400.0
"""Seconds in which an agent's last offers are looked for."""

OFFERS = 10
OTHERS = 200
"""Offers to an agent, and to others, that are looked at."""

NOBODY_ROUTES = phrase(
    "No controller with a link to its PBX is alive: nobody is routed until one is (`contactcentre up`)."
)


State = tuple[Mapping[str, Waiting], Mapping[str, AgentStatus]]
"""Who waits, and what agents do."""

Given = Mapping[str, Mapping[str, int]]
"""See `domain.day.given`."""


class WhyContact(Row):
    """Times are epoch seconds UTC, durations seconds."""

    contact: str
    at: float = Field(description="when it was asked")
    steps: tuple[Line, ...] = Field(description="what was decided, in the order of time")
    now: Standing | None = Field(description="what routing finds at this moment; null: it does not wait")
    remarks: tuple[SkipValidation[str], ...] = Field(description="what keeps routing from it besides the rules")

    @property
    def now_lines(self) -> tuple[str, ...]:
        return (*(self.now.lines if self.now else ()), *self.remarks)


class WhyAgent(Row):
    """Times are epoch seconds UTC, durations seconds."""

    agent: str
    at: float = Field(description="when it was asked")
    now: Readiness
    remarks: tuple[SkipValidation[str], ...] = Field(description="what keeps routing from everybody")
    shift: Shift = Field(description="today's time and the last offers, from history")

    @property
    def now_lines(self) -> tuple[str, ...]:
        return (*self.now.lines, *self.remarks)


@dataclass(frozen=True)
class _Taken:
    """The live state at one moment, and the looks at it, by whose phones count."""

    at: float
    site: Site | None
    config: RoutingConfig
    waiting: Mapping[str, Waiting]
    agents: Mapping[str, AgentStatus]
    signs: Mapping[str, Signs]
    looks: dict[str, Look]

    def _for(self, since: float) -> str:
        return f" ({lasting(self.at - since)})" if since else ""

    def look(self, node: str = "") -> Look:
        """As the controller of `node` sees it: by the phones that it can ring. "" = by those that any can ring."""
        if node not in self.looks:
            own, settings = self.signs.get(node), self.site.settings if self.site else Settings()
            signs = {node: own} if own else {} if node else self.signs
            busy = {} if settings.offer_while_in_use else in_use(signs)
            words = {
                one: phrase("The phone is in a call of its own%(since)s.", since=self._for(since))
                for one, since in busy.items()
            }
            away = phrase("The phone is not registered or does not answer")
            words |= {
                one: phrase("%(away)s%(since)s: no calls until it does.", away=away, since=self._for(since))
                for one, since in unreachable(signs).items()
            }
            phones = dict.fromkeys(words, False)
            self.looks[node] = Look(self.waiting.values(), self.agents, self.config, self.at, phones, words)
        return self.looks[node]


class Whys:
    """Answers. Methods raise LiveError and StoreUnavailable."""

    def __init__(
        self, store: Store, live: Live, clock: Callable[[], float], replica: Callable[[], State | None] = lambda: None
    ) -> None:
        """`replica`: who waits and what agents do, where that is followed already; None = Redis is asked."""
        self._store, self._live, self._clock, self._replica = store, live, clock, replica
        self._lock = threading.Lock()
        self._taken: _Taken | None = None
        self._config: tuple[int, Given, RoutingConfig] = -1, {}, RoutingConfig({}, {})
        # of a version of the site and skills for the day: making it costs more than a look

    def contact(self, beginning: str) -> WhyContact:
        """Of a contact, by its id or the beginning of it. Without the live state, what history tells is told. Raises
        NoSuchContact, AmbiguousContact."""
        now, ended = self._clock(), None
        steps: tuple[Line, ...] = ()
        try:
            history = self._store.history(beginning)
            id, ended = history.contact.id, history.contact.ended
            steps = tuple(tell(history, self._store.events(id), self._versions(history), now))
        except NoSuchContact:  # the recorder may be behind
            if (waits := self._waits(beginning)) is None:
                raise
            id = waits
        standing, remarks = self.standing(id) if ended is None else (None, ())
        return WhyContact(contact=id, at=now, steps=steps, now=standing, remarks=remarks)

    def asked_later(self, history: ContactHistory) -> list[Line]:
        """What its queues asked for later than on entering."""
        return asked_later(history, self._versions(history), self._clock())

    def _versions(self, history: ContactHistory) -> list[InForce]:
        if not history.visits:
            return []
        return self._store.sites_in_force(history.contact.arrived, history.contact.ended or self._clock())

    def standing(self, contact_id: str) -> tuple[Standing | None, tuple[str, ...]]:
        """(what routing finds now, what else keeps it from the contact), if it waits."""
        try:
            with self._lock:
                taken = self._take()
                if contact_id not in taken.waiting or taken.site is None:
                    return None, ()
                # its own controller decides on it, by the phones that this one can ring
                node = taken.waiting[contact_id].node
                return taken.look(node).contact(contact_id), _without_a_controller(node, taken.signs)
        except LiveError as error:
            return None, (phrase("What routing finds now cannot be told: %(error)s.", error=error),)

    def agent(self, name: str) -> WhyAgent:
        """Raises provision.change.NotThere."""
        with self._lock:
            taken = self._take()
            found(taken.site or Site(), "agent", name)
            now = taken.look().agent(name)
        assert now is not None
        assert taken.site is not None
        alive = any(one.linked for one in taken.signs.values())
        past = self._shift(name, [one.queue for one in now.queues], midnight(taken.site.settings.timezone, taken.at))
        return WhyAgent(agent=name, at=taken.at, now=now, remarks=() if alive else (NOBODY_ROUTES,), shift=past)

    def _shift(self, name: str, queues: list[str], since: float) -> Shift:
        store, now = self._store, self._clock()
        own = store.facts(store.contacts_offered(name, now - LOOK_BACK, most=OFFERS), FACTS)
        offered = [event.at for events in own.values() for event in events if event.data.get("agent") == name]
        last = max(offered, default=since)
        elsewhere = store.contacts_offered_to_others(name, queues, last, most=OTHERS)
        return shift(
            name,
            store.agent_changes(name, min(since, last), now),
            own,
            store.facts([id for id in elsewhere if id not in own], FACTS),
            since=since,
            now=now,
            kept=OFFERS,
            more=len(elsewhere) == OTHERS,
        )

    def _waits(self, beginning: str) -> str | None:
        """The one waiting contact whose id begins so (at least 4 characters, as in the history)."""
        wanted = beginning.strip().lower()
        try:
            with self._lock:
                waiting = self._take().waiting
        except LiveError:
            return None
        fitting = [id for id in waiting if len(wanted) >= 4 and id.startswith(wanted)]
        return fitting[0] if len(fitting) == 1 else None

    def _take(self) -> _Taken:
        now, taken = self._clock(), self._taken
        if taken is None or not 0 <= now - taken.at < SHARED_SECONDS:
            version, site = self._store.site()
            signs = signs_of_life(self._live.redis)
            waiting, agents = self._replica() or (self._live.waiting(), self._live.agents())
            lent = given(agents.values(), now)
            if (version, lent) != self._config[:2]:
                self._config = version, lent, RoutingConfig.from_site(on_the_day(site or Site(), lent))
            taken = self._taken = _Taken(now, site, self._config[2], waiting, agents, signs, {})
        return taken


def _without_a_controller(node: str, signs: Mapping[str, Signs]) -> tuple[str, ...]:
    own = signs.get(node)
    if own is None:
        return (
            phrase(
                "But no controller of %(node)s is alive: nobody is offered this contact until it starts again.",
                node=node,
            ),
        )
    if not own.linked:
        return (
            phrase(
                "But the controller of %(node)s has no link to its PBX: it comes back to this contact when it has.",
                node=node,
            ),
        )
    return ()
