"""Numbers over many contacts. The formulas are in `domain.metrics`; here the database only counts for them."""

from collections import defaultdict
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from contactcentre.domain import metrics
from contactcentre.domain.events import LeftQueue
from contactcentre.domain.history import Phase
from contactcentre.domain.metrics import FLOW_OUT, FORMULAS, AgentTime, AgentWork, Counts
from contactcentre.domain.site import Queue, Settings
from contactcentre.store import tables
from contactcentre.store.database import by_name
from contactcentre.store.sites import Sites


@dataclass(frozen=True, slots=True)
class QueueStats:
    """A queue's counts since some time, and the service level by the named formula (fraction, None without
    calls)."""

    queue: str
    counts: Counts
    formula: str  # a key of metrics.FORMULAS
    label: str
    text: str  # the formula in words with its seconds, to be printed beside the number
    threshold: float  # seconds
    short_abandon: float  # seconds
    service_level: float | None

    @property
    def abandon_rate(self) -> float | None:
        return metrics.abandon_rate(self.counts)

    @property
    def asa(self) -> float | None:
        return metrics.asa(self.counts)

    @property
    def aht(self) -> float | None:
        return metrics.aht(self.counts)


@dataclass(frozen=True, slots=True)
class _Change:
    at: float
    state: str
    reason: str


class Statistics(Sites):
    def queue_stats(self, since: float, now: float, formula: str = "") -> dict[str, QueueStats]:
        """Each queue's numbers of the visits that began in [since, now), by its name: all queues of the site,
        and those that only history knows. T is the queue's `service_level`; the formula is the site's unless
        one is named. Raises metrics.UnknownFormula."""
        _, site = self.site()
        settings = site.settings if site else Settings()
        name = formula or settings.service_level_formula
        queues = dict(site.queues) if site else {}
        limits = {queue: configured.service_level for queue, configured in queues.items()}
        counted = self.count_visits(since, now, limits, settings.short_abandon)
        stats = {}
        for queue in [*queues, *sorted(counted.keys() - queues.keys())]:
            counts = counted.get(queue, Counts())
            threshold = limits.get(queue, _default_threshold())
            stats[queue] = QueueStats(
                queue=queue,
                counts=counts,
                formula=name,
                service_level=metrics.service_level(name, counts),
                label=FORMULAS[name].label,
                text=FORMULAS[name].explained(threshold, settings.short_abandon),
                threshold=threshold,
                short_abandon=settings.short_abandon,
            )
        return stats

    def count_visits(
        self, since: float, now: float, thresholds: dict[str, float], short_abandon: float
    ) -> dict[str, Counts]:
        """`metrics.count` in the database: by queue, over the visits that began in [since, now)."""
        visit = tables.queue_visit.c
        window = (visit.entered >= since) & (visit.entered < now)
        statement = sa.select(visit.queue, *_counts(now, thresholds, short_abandon)).where(window).group_by(visit.queue)
        with self._begin() as connection:
            return {queue: Counts(*numbers) for queue, *numbers in connection.execute(statement)}

    def count_steps(
        self, queue: str, since: float, until: float, now: float, step: float, threshold: float, short_abandon: float
    ) -> dict[int, Counts]:
        """The same of one queue's visits that began in [since, until), by the number of the step (of `step` seconds,
        from 0 at `since`) in which they began. `now`: until when those who wait still have waited."""
        visit = tables.queue_visit.c
        number = sa.cast(sa.func.floor((sa.func.extract("epoch", visit.entered) - since) / step), sa.Integer)
        counted = _counts(now, {queue: threshold}, short_abandon)
        statement = sa.select(number.label("number"), *counted)
        statement = statement.where(visit.queue == queue, visit.entered >= since, visit.entered < until)
        with self._begin() as connection:
            return {n: Counts(*numbers) for n, *numbers in connection.execute(statement.group_by(sa.text("number")))}

    def agent_work(self, since: float, until: float) -> dict[str, AgentWork]:
        """What each agent did in conversations that began in [since, until), by name; those who did nothing are not
        there."""
        part, segment = tables.participation.c, tables.segment.c

        def lasting(table: Any) -> Any:
            return sa.func.extract("epoch", table.ended - table.started)

        def total(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[float]:
            return sa.func.coalesce(sa.func.sum(lasting(part)).filter(*conditions), 0.0)

        own, talk = part.had_customer, part.kind.in_([Phase.TALK, Phase.CONFERENCE])
        contacts = sa.func.count(sa.distinct(part.contact_id))
        columns = (
            contacts.filter(own),
            contacts.filter(~own),
            total(own, talk),
            total(own, part.kind == Phase.HOLD),
            total(own, part.kind == Phase.CONSULT),
            total(~own),
        )
        done = (part.started >= since) & (part.started < until)
        worked = sa.select(part.agent, *columns).where(done).group_by(part.agent)
        wrapped = (
            sa.select(segment.agent, sa.func.coalesce(sa.func.sum(lasting(segment)), 0.0))
            .where(segment.kind == Phase.WRAP_UP, segment.started >= since, segment.started < until)
            .group_by(segment.agent)
        )
        with self._begin() as connection:
            found = {
                agent: AgentWork(handled, helped, *map(float, spent))
                for agent, handled, helped, *spent in connection.execute(worked)
            }
            for agent, seconds in connection.execute(wrapped):
                found[agent] = replace(found.get(agent, AgentWork()), wrap_up=float(seconds))
        return found

    def agent_times(self, since: float, until: float) -> dict[str, AgentTime]:
        """Each agent's seconds by state, and calls, in [since, until): for occupancy, utilisation and day
        totals."""
        _, site = self.site()
        fact = tables.agent_event.c
        within = sa.select(fact.agent, fact.at, fact.version, fact.state, fact.reason)
        within = within.where(fact.at >= since, fact.at < until)
        known = sa.select(sa.func.unnest(sa.literal(list(site.agents) if site else [], ARRAY(sa.Text))).label("agent"))
        names = sa.union(known, within.with_only_columns(fact.agent)).subquery()
        before = (  # one step into the index for each agent, however long the history
            sa.select(fact.agent, fact.at, fact.version, fact.state, fact.reason)
            .where(fact.agent == names.c.agent, fact.at < since)
            .order_by(fact.at.desc(), fact.version.desc())
            .limit(1)
            .lateral()
        )
        both = sa.union_all(sa.select(before).select_from(names.join(before, sa.true())), within).subquery()
        statement = sa.select(both.c.agent, both.c.at, both.c.state, both.c.reason).order_by(
            both.c.agent, both.c.at, both.c.version
        )
        changes: dict[str, list[_Change]] = defaultdict(list)
        with self._begin() as connection:
            for agent, at, state, reason in connection.execute(statement):
                changes[agent].append(_Change(at, state, reason))
        return {agent: metrics.agent_time(facts, since, until) for agent, facts in changes.items()}


def _counts(now: float, thresholds: dict[str, float], short_abandon: float) -> list[sa.ColumnElement[Any]]:
    """The fields of `Counts` over visits, in their order."""
    visit = tables.queue_visit.c
    limit = by_name(visit.queue, thresholds, _default_threshold())
    gone = visit.waited.is_not(None) & (visit.reason != "")
    answered = gone & (visit.reason == LeftQueue.ANSWERED)
    flow_out = gone & visit.reason.in_(FLOW_OUT)
    abandoned = gone & ~visit.reason.in_([LeftQueue.ANSWERED, *FLOW_OUT])
    in_time = visit.waited <= limit
    waits_for = now - sa.func.extract("epoch", visit.entered)

    def number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.count().filter(condition)

    def total(column: sa.ColumnElement[float], condition: sa.ColumnElement[bool]) -> sa.ColumnElement[float]:
        return sa.func.coalesce(sa.func.sum(column).filter(condition), 0.0)

    columns: dict[str, sa.ColumnElement[Any]] = {
        "answered": number(answered),
        "answered_in_time": number(answered & in_time),
        "abandoned": number(abandoned),
        "abandoned_in_time": number(abandoned & in_time),
        "abandoned_short": number(abandoned & (visit.waited < short_abandon)),
        "flow_out": number(flow_out),
        "waiting": number(~gone),
        "waiting_in_time": number(~gone & (waits_for <= limit)),
        "wait_answered": total(visit.waited, answered),
        "wait_longest": sa.func.coalesce(sa.func.max(visit.waited).filter(gone), 0.0),
        "talk": total(visit.talk, gone),
        "wrap_up": total(visit.wrap_up, gone),
    }
    return [columns[field.name].label(field.name) for field in fields(Counts)]


def _default_threshold() -> float:
    return float(Queue.model_fields["service_level"].default)
