"""The live page's numbers: a replica of the live state, joined with the site and today's history. No I/O, no clock.

Counting is done here and nowhere else: the pages and the API show these rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.alerts import Alarm
from contactcentre.domain.day import given, on_the_day
from contactcentre.domain.devices import device_of
from contactcentre.domain.events import Direction
from contactcentre.domain.members import members_of
from contactcentre.domain.metrics import FORMULAS, Counts, Formula, service_level
from contactcentre.domain.numbers import canonical
from contactcentre.domain.recorded import Recorded
from contactcentre.domain.routing import Waiting
from contactcentre.domain.screen_pop import address
from contactcentre.domain.site import Settings, Site
from contactcentre.domain.voicemail import BoxCount, boxes_of
from contactcentre.live.calls import under_way
from contactcentre.live.listens import LISTENERS
from contactcentre.live.records import Change, ContactNow, Estimate, Snapshot
from contactcentre.web import rows
from contactcentre.web.numbers import readable

R = TypeVar("R", bound=rows.Row)


class Board:
    def __init__(self) -> None:
        self._site = Site()
        self._version = 0
        self._agents: dict[str, AgentStatus] = {}
        self._waiting: dict[str, Waiting] = {}
        self._contacts: dict[str, ContactNow] = {}
        self._members: dict[str, frozenset[str]] = {}
        self._lent: dict[str, dict[str, int]] = {}  # agent -> skills for the day
        self._today: Mapping[str, Counts] = {}
        self._today_at: float | None = None
        self._estimates: Mapping[str, Estimate] = {}
        self._phones: dict[str, tuple[str, float]] = {}  # agent -> (away | in_use, since when)
        self._boxes: dict[str, BoxCount] = {}
        self._alerts: dict[str, Alarm] = {}
        self.queues: dict[str, rows.QueueRow] = {}
        self.agents: dict[str, rows.AgentRow] = {}
        self.contacts: dict[str, rows.ContactRow] = {}
        self.totals = rows.Totals()

    def load(self, state: Snapshot, now: float) -> None:
        """Forgets what was and takes a snapshot of the live state, read at `now`."""
        self._agents, self._waiting, self._contacts = dict(state.agents), dict(state.waiting), dict(state.contacts)
        self._boxes, self._alerts = dict(state.boxes), dict(state.alerts)
        self._lend(now)
        self._count_everything()

    def load_site(self, version: int, site: Site) -> None:
        self._site, self._version = site, version
        self._join()
        self._count_everything()

    def load_today(self, queues: Mapping[str, Counts], at: float) -> rows.Change:
        """Takes today's counts of each queue, read at `at`; returns what changed by them."""
        touched = set(self._today) | set(queues)
        self._today, self._today_at = queues, at
        return self._recount(at, (), (), touched, today_at=at)

    def load_estimates(self, queues: Mapping[str, Estimate], now: float) -> rows.Change:
        """Takes the estimated wait of each queue's next caller; returns what changed by them."""
        touched = set(self._estimates) | set(queues)
        self._estimates = queues
        return self._recount(now, (), (), touched)

    def load_phones(self, away: Mapping[str, float], in_use: Mapping[str, float], now: float) -> rows.Change:
        """Takes whose phone cannot be called or is in a call of its own, and since when; returns what changed."""
        phones = {name: ("in_use", since) for name, since in in_use.items()}
        phones |= {name: ("away", since) for name, since in away.items()}
        touched = {name for name in phones | self._phones if phones.get(name) != self._phones.get(name)}
        self._phones = phones
        lent, queues = self._lend(now)
        return self._recount(now, touched | lent, (), queues)

    def apply(self, changes: Iterable[Change], now: float) -> rows.Change:
        """Takes changes of the live state in their order; returns what they change on the board."""
        agents: set[str] = set()
        contacts: set[str] = set()
        queues: set[str] = set()
        for change in changes:
            match change.kind:
                case "agent":
                    agents.add(change.key)
                    _put(self._agents, change.key, change.value)
                case "waiting":
                    contacts.add(change.key)
                    queues |= {w.queue for w in (self._waiting.get(change.key), change.value) if w is not None}
                    _put(self._waiting, change.key, change.value)
                case "contact":
                    contacts.add(change.key)
                    _put(self._contacts, change.key, change.value)
                case "box":
                    (queues if change.key in self._site.queues else agents).add(change.key)
                    _put(self._boxes, change.key, change.value)
                case "alert":
                    queues.add(change.key.partition("/")[0])
                    _put(self._alerts, change.key, change.value)
        lent, lacking = self._lend(now) if agents else (set(), set())
        agents, queues = agents | lent, queues | lacking
        agents |= {name for name, status in self._agents.items() if status.contact_id in contacts}
        queues |= {queue for queue, members in self._members.items() if not members.isdisjoint(agents)}
        return self._recount(now, agents, contacts, queues)

    def snapshot(self, now: float) -> rows.Snapshot:
        return rows.Snapshot(
            now=now,
            site=rows.SiteFacts(
                name=self.name,
                timezone=self._site.settings.timezone,
                version=self._version,
                pause_reasons=tuple(self._site.settings.pause_reasons),
                service_level=self._formula.text.replace("{T}", "the queue's limit").replace(
                    "{S}", f"{self._site.settings.short_abandon:g} s"
                ),
            ),
            queues=dict(self.queues),
            agents=dict(self.agents),
            contacts=dict(self.contacts),
            totals=self.totals,
            today_at=self._today_at,
        )

    def desk(self, agent: str, now: float) -> rows.Desk | None:
        """None: the site has no such agent."""
        row, known = self.agents.get(agent), self._site.agents.get(agent)
        if row is None or known is None:
            return None
        contact = self.contacts.get(row.contact_id)
        pop, at = self._screen_pop(row, contact)
        return rows.Desk(
            now=now,
            agent=row,
            contact=contact,
            pause_reasons=tuple(self._site.settings.pause_reasons),
            softphone=known.webrtc,
            screen_pop=pop,
            screen_pop_at=at,
            boxes=tuple(
                rows.BoxRow(box=box, new=count.new, claimed=count.claimed, oldest=count.oldest)
                for box, count in sorted(self._boxes.items())
                if box in self.boxes_of(agent)
            ),
        )

    def boxes_of(self, agent: str) -> frozenset[str]:
        """The boxes of messages that are this agent's business."""
        return boxes_of(self._site, agent)

    def _screen_pop(self, agent: rows.AgentRow, contact: rows.ContactRow | None) -> tuple[str, str]:
        """(the address, when it opens) of the queue's other program."""
        queue = self._site.queues.get(agent.queue)
        if contact is None or queue is None or not queue.screen_pop:
            return "", "click"
        values = {
            "contact": contact.id,
            "caller": canonical(contact.caller, self._site.settings.country),
            "caller_name": contact.caller_name,
            "did": contact.did,
            "queue": agent.queue,
            "agent": agent.name,
        }
        return address(queue.screen_pop, values), queue.screen_pop_at

    def state(self) -> tuple[Mapping[str, Waiting], Mapping[str, AgentStatus]]:
        """What the rows are made of, at one instant."""
        return dict(self._waiting), dict(self._agents)

    def version(self, agent: str) -> int:
        """Of the agent's record, as the board has it."""
        return self._agents[agent].version if agent in self._agents else 0

    def numbers(self, now: float) -> rows.Change:
        """All queues and totals: what a client needs besides missed changes, for today's numbers have no place in the
        stream of changes."""
        return rows.Change(now=now, queues=dict(self.queues), totals=self.totals, today_at=self._today_at)

    @property
    def name(self) -> str:
        return self._site.settings.name or "Contact centre"

    @property
    def site(self) -> Site:
        return self._site

    # skills for the day

    def _lend(self, now: float) -> tuple[set[str], set[str]]:
        """Takes the skills for the day that count at `now`; (agents who have others than before, queues that have other
        agents)."""
        lent, before, members = given(self._agents.values(), now), self._lent, self._members
        if lent == before:
            return set(), set()
        self._lent = lent
        self._join()
        changed = {name for name in lent | before if lent.get(name) != before.get(name)}
        return changed, {queue for queue, names in self._members.items() if names != members.get(queue)}

    def _join(self) -> None:
        today = on_the_day(self._site, self._lent)
        self._members = {name: members_of(today, name) for name in today.queues}

    # counting

    def _count_everything(self) -> None:
        self.queues, self.agents, self.contacts = {}, {}, {}
        agents = set(self._agents) | set(self._site.agents)
        contacts = set(self._contacts) | set(self._waiting)
        queues = set(self._site.queues) | {w.queue for w in self._waiting.values()} | set(self._today)
        self._recount(0.0, agents, contacts, queues)

    def _recount(
        self,
        now: float,
        agents: Iterable[str],
        contacts: Iterable[str],
        queues: Iterable[str],
        today_at: float | None = None,
    ) -> rows.Change:
        totals = self._totals()
        changed = rows.Change(
            now=now,
            contacts=_renewed(self.contacts, {id: self._contact_row(id) for id in contacts}),
            agents=_renewed(self.agents, {name: self._agent_row(name) for name in agents}),
            queues=_renewed(self.queues, {name: self._queue_row(name) for name in queues}),
            totals=totals if totals != self.totals else None,
            today_at=today_at,
        )
        self.totals = totals
        return changed

    def _contact_row(self, id: str) -> rows.ContactRow | None:
        contact, waiting = self._contacts.get(id), self._waiting.get(id)
        if contact is None and waiting is None:
            return None
        row = rows.ContactRow(id=id, state="queue")
        if contact is not None:
            row = rows.ContactRow(
                id=id,
                state=contact.state,
                direction=str(contact.detail.get("direction", Direction.INBOUND.value)),
                since=contact.since,
                arrived=contact.arrived,
                queue=contact.queue,
                agent=contact.agent,
                caller=contact.caller,
                caller_text=self._readable(contact.caller),
                caller_name=contact.caller_name,
                did=contact.did,
                flow=contact.flow,
                node=contact.node,
                talk=_talk(contact),
                listeners=tuple(rows.Listener.model_validate(one) for one in contact.detail.get(LISTENERS, ())),
            )
        if waiting is not None:
            row = row.model_copy(
                update={
                    "queue": waiting.queue,
                    "entered": waiting.entered,
                    "priority": waiting.priority,
                    "offered": waiting.offered,
                    "arrived": row.arrived or waiting.arrived,
                    "since": row.since or waiting.entered,
                    "caller": row.caller or waiting.caller,
                    "caller_text": row.caller_text or self._readable(waiting.caller),
                    "node": row.node or waiting.node,
                }
            )
        return row

    def _agent_row(self, name: str) -> rows.AgentRow | None:
        status, known = self._agents.get(name), self._site.agents.get(name)
        if status is None and known is None:
            return None
        status = status or AgentStatus(name)
        contact = self._contacts.get(status.contact_id)
        phone, phone_since = self._phones.get(name, ("", 0.0))
        return rows.AgentRow(
            name=name,
            full_name=known.full_name if known else "",
            state=status.state,
            since=status.since,
            reason=status.reason,
            contact_id=status.contact_id,
            queue=status.queue,
            caller_text=self._readable(contact.caller) if contact else "",
            deadline=status.deadline,
            then=status.then,
            by=status.by,
            note=status.note,
            skills=self._lent.get(name, {}),
            skills_until=status.skills_until if name in self._lent else 0.0,
            calls=status.calls,
            queues=tuple(queue for queue, members in self._members.items() if name in members),
            messages=self._messages(name),
            device=device_of(self._site, name, status.device).kind,
            phone=phone,
            phone_since=phone_since,
        )

    def _queue_row(self, name: str) -> rows.QueueRow | None:
        known = self._site.queues.get(name)
        waiting = [w.entered for w in self._waiting.values() if w.queue == name]
        if known is None and not waiting and name not in self._today:
            return None
        return rows.QueueRow(
            name=name,
            description=known.description if known else "",
            threshold=known.service_level if known else 0.0,
            waiting=len(waiting),
            oldest=min(waiting, default=None),
            messages=self._messages(name),
            estimate=_estimate_row(self._estimates.get(name)),
            agents=self._counts(self._members.get(name, frozenset())),
            today=self._today_row(self._today.get(name, Counts())),
            formula=self._formula.explained(known.service_level, self._site.settings.short_abandon) if known else "",
            alerts=self._alerts_of(name),
        )

    def _alerts_of(self, queue: str) -> tuple[rows.AlertRow, ...]:
        raised = (one for one in self._alerts.values() if one.queue == queue and one.raised_at)
        return tuple(rows.AlertRow.of(one) for one in sorted(raised, key=lambda one: (one.raised_at, one.name)))

    def totals_of(self, queues: frozenset[str]) -> rows.Totals:
        """Over some queues: who waits and is served there, and who can answer."""
        entered = [w.entered for w in self._waiting.values() if w.queue in queues]
        members = (self._members.get(queue, frozenset()) for queue in queues)
        return rows.Totals(
            waiting=len(entered),
            oldest=min(entered, default=None),
            contacts=sum(row.queue in queues for row in self.contacts.values()),
            agents=self._counts(frozenset().union(*members)),
            today=self._today_row(sum((self._today.get(queue, Counts()) for queue in queues), Counts())),
        )

    def _totals(self) -> rows.Totals:
        return rows.Totals(
            waiting=len(self._waiting),
            oldest=min((w.entered for w in self._waiting.values()), default=None),
            contacts=len(self._contacts),
            agents=self._counts(set(self._agents) | set(self._site.agents)),
            today=self._today_row(sum(self._today.values(), Counts())),
        )

    def _today_row(self, counts: Counts) -> rows.Today:
        return rows.Today(
            offered=counts.offered,
            answered=counts.answered,
            abandoned=counts.abandoned,
            service_level=service_level(self._formula.name, counts),
        )

    def _messages(self, box: str) -> int:
        return self._boxes[box].new if box in self._boxes else 0

    def _readable(self, number: str) -> str:
        return readable(number, self._site.settings.country)

    @property
    def _formula(self) -> Formula:
        return FORMULAS.get(self._site.settings.service_level_formula) or FORMULAS[Settings().service_level_formula]

    def _counts(self, names: Iterable[str]) -> rows.Counts:
        logged_out = AgentStatus("")
        counted = Counter(self._agents.get(name, logged_out).state for name in names)
        return rows.Counts(**{state.value: counted[state] for state in AgentState})


def _estimate_row(estimate: Estimate | None) -> rows.Estimate | None:
    if estimate is None or estimate.seconds is None:
        return None
    return rows.Estimate(seconds=round(estimate.seconds), told=estimate.number, within=round(estimate.p80))


def _talk(contact: ContactNow) -> rows.Talk | None:
    found = under_way(contact)
    if found is None:
        return None
    state, talk = found
    customer = rows.Party(role="caller", place=talk.customer.value, muted=talk.customer_muted)
    others = (
        rows.Party(role=p.role, leg=p.leg, agent=p.agent, to=p.to, place=p.place.value, muted=p.muted)
        for p in talk.parties.values()
    )
    return rows.Talk(
        state=state,
        since=talk.parked_at if talk.slot else talk.held_at,
        held_by=talk.held_by if talk.state == "held" else "",
        until=talk.until,
        slot=talk.slot,
        asked=talk.parties[talk.asked].to if talk.asked else "",
        recording=Recorded.restore(contact.detail.get("recorded", {})).state,
        parties=(customer, *others),
    )


def _put(replica: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        replica.pop(key, None)
    else:
        replica[key] = value


def _renewed(shown: dict[str, R], fresh: Mapping[str, R | None]) -> dict[str, R | None]:
    """Puts fresh rows in the place of those shown; returns the ones that differ."""
    changed = {key: row for key, row in fresh.items() if shown.get(key) != row}
    for key, row in changed.items():
        _put(shown, key, row)
    return changed
