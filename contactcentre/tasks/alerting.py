"""Looks at every queue's rules, once in the whole centre, and says what has become of them.

It runs as a thread beside the recorder: that process is always there, also where no page is open, it is no call's and
no job's, and of several recorders one holds the lock. What Redis knows is watched also while PostgreSQL is away.
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

from redis import Redis
from redis.exceptions import LockError, RedisError

from contactcentre import logs
from contactcentre.domain.agents import AgentState
from contactcentre.domain.alerts import LEAST_OFFERED, Alarm, AlertFact, step
from contactcentre.domain.day import given, midnight, on_the_day
from contactcentre.domain.ids import uuid7
from contactcentre.domain.members import members_of
from contactcentre.domain.site import Site
from contactcentre.live import Live, LiveError, Malformed
from contactcentre.live.alerts import Alerts, read_alarm
from contactcentre.live.connection import PREFIX
from contactcentre.store import Store, StoreUnavailable

LOOK_SECONDS = 2.0
"""How often the rules are looked at."""
HISTORY_SECONDS = 10.0
"""How often those of history's numbers are counted anew."""
LOCK_SECONDS = 10

log = logs.get(__name__)

Values = dict[tuple[str, str], float]
"""(queue, measure) -> its number; one that cannot be told is not among them."""


class Alerter:
    def __init__(
        self, store: Store, redis: "Redis", prefix: str = PREFIX, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._live, self._alerts = store, Live(redis, prefix), Alerts(redis, prefix)
        self._lock = redis.lock(f"{prefix}alerts:watch", timeout=LOCK_SECONDS, thread_local=False)
        self._clock = clock
        self._site = Site()
        self._history: Values = {}
        self._counted_at = float("-inf")
        self._failing = False

    def run(self, over: threading.Event) -> None:
        """Until `over`."""
        while not over.wait(LOOK_SECONDS):
            try:
                if self._mine():
                    self.look()
                self._failing = False
            except (LiveError, RedisError) as error:
                if not self._failing:
                    log.warning("alerts cannot be watched now", error=str(error))
                self._failing = True
            except Exception:  # a fault of ours in here must not end the watch
                log.exception("alerts could not be looked at")
        with contextlib.suppress(LockError, RedisError):
            self._lock.release()

    def look(self) -> None:
        """Once at every rule. Raises LiveError."""
        now = self._clock()
        with contextlib.suppress(StoreUnavailable):
            self._site = self._store.site()[1] or Site()
        texts = self._alerts.texts()
        rules = {(queue, name) for queue, of in self._site.queues.items() for name in of.alerts}
        if not rules and not texts:
            return
        values, known = self._measured(now), dict[tuple[str, str], tuple[str, Alarm | None]]()
        for key, text in texts.items():
            queue, _, name = key.partition("/")
            try:
                known[queue, name] = text, read_alarm(text)
            except Malformed:
                known[queue, name] = text, None
        for queue, name in sorted(rules | known.keys()):
            self._step(queue, name, *known.get((queue, name), ("", None)), values, now)

    def _step(self, queue: str, name: str, text: str, before: Alarm | None, values: Values, now: float) -> None:
        of = self._site.queues.get(queue)
        rule = of.alerts.get(name) if of else None
        value = values.get((queue, rule.when)) if rule else None
        after, became = step(rule, queue, name, before, value, now, uuid7)
        if after == before and not (text and before is None):
            return
        alarm = after or before
        fact = AlertFact.of(alarm, became, now) if became and alarm else None
        if self._alerts.swap(f"{queue}/{name}", text, after, fact) and fact:
            log.warning("alert", queue=queue, alert=name, became=became, value=fact.value)

    def _measured(self, now: float) -> Values:
        state, found = self._live.snapshot(), Values()
        site = on_the_day(self._site, given(state.agents.values(), now))
        waiting = Counter(one.queue for one in state.waiting.values())
        oldest: dict[str, float] = {}
        for one in state.waiting.values():
            oldest[one.queue] = min(oldest.get(one.queue, now), one.entered)
        free = {name for name, status in state.agents.items() if status.state is AgentState.AVAILABLE}
        for queue, of in site.queues.items():
            if of.alerts:
                found[queue, "waiting"] = waiting[queue]
                found[queue, "longest_wait"] = max(0.0, now - oldest.get(queue, now))
                found[queue, "available"] = len(members_of(site, queue) & free)
        return found | self._of_history(now)

    def _of_history(self, now: float) -> Values:
        asked = {(queue, one.when) for queue, of in self._site.queues.items() for one in of.alerts.values()}
        levels = {queue for queue, when in asked if when == "service_level"}
        rows = {queue for queue, when in asked if when == "abandoned"}
        if now - self._counted_at < HISTORY_SECONDS or not (levels or rows):
            return self._history if levels or rows else {}
        self._history, self._counted_at = {}, now
        since = midnight(self._site.settings.timezone, now)
        with contextlib.suppress(StoreUnavailable):
            stats = self._store.queue_stats(since, now) if levels else {}
            for queue in levels & stats.keys():
                level = stats[queue].service_level
                if level is not None and stats[queue].counts.offered >= LEAST_OFFERED:
                    self._history[queue, "service_level"] = 100 * level
            if rows:
                for queue, number in self._store.abandoned_in_a_row(rows, since).items():
                    self._history[queue, "abandoned"] = number
        return self._history

    def _mine(self) -> bool:
        if self._lock.owned():
            return bool(self._lock.reacquire())
        return bool(self._lock.acquire(blocking=False))
