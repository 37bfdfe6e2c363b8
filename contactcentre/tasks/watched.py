"""What the recorder and a worker tell of themselves to whoever watches them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from celery.worker import state
from prometheus_client.core import Metric
from redis import Redis

from contactcentre.domain.webhooks import Webhook
from contactcentre.live import LiveError
from contactcentre.live.connection import ask, is_there
from contactcentre.store import Store, StoreUnavailable
from contactcentre.tasks.app import app
from contactcentre.tasks.recorder import BEAT_SECONDS, Recorder
from contactcentre.watch.families import counter, counters, gauge, gauges

STILL = 3 * BEAT_SECONDS
"""A recorder that has not looked for longer is held up, and the lag grows since."""


def parts(store: Store, redis: "Redis") -> Mapping[str, bool]:
    """What both depend on, and whether it is there now."""
    return {"redis": is_there(redis), "postgresql": store.is_there()}


class WatchedRecorder:
    def __init__(self, recorder: Recorder, store: Store) -> None:
        self._recorder, self._store = recorder, store

    def collect(self) -> Iterator[Metric]:
        recorder = self._recorder
        silent = max(0.0, time.time() - recorder.told)
        lag = recorder.lag + (silent if silent > STILL else 0.0)
        yield gauge("recorder_lag_seconds", "How old the oldest fact is that history does not have.", lag)
        yield gauge("recorder_backlog_entries", "Entries of the journal that wait for the recorder.", recorder.backlog)
        yield counter("recorder_facts_written", "Facts written into history.", recorder.written)
        says = "Facts that could not be stored, see `contactcentre db rejected`."
        yield counter("recorder_facts_rejected", says, recorder.rejected)
        yield counter("recorder_facts_refused", "Facts that could not be understood.", recorder.refused)
        try:
            pending, first = self._store.pending_recordings()
        except StoreUnavailable:
            return  # better none than a wrong one
        yield gauge("recordings_pending", "Recordings that ended and are not stored yet.", pending)
        oldest = 0.0 if first is None else max(0.0, time.time() - first)
        yield gauge("recordings_oldest_pending_seconds", "Since when the first of them waits.", oldest)


class WatchedWorker:
    def __init__(self, redis: "Redis", store: Store) -> None:
        self._redis, self._store = redis, store

    def collect(self) -> Iterator[Metric]:
        counted: Mapping[Any, int] = state.total_count
        tasks = {str(name).removeprefix("contactcentre."): number for name, number in counted.items()}
        yield counters("worker_tasks", "Tasks that this worker accepted.", "task", tasks)
        yield gauge("worker_tasks_running", "Tasks that run now.", len(state.active_requests))
        # better none than a wrong one
        with suppress(LiveError):
            waiting = int(ask(self._redis, "LLEN", app.conf.task_default_queue))
            yield gauge("worker_tasks_waiting", "Tasks that wait for any worker.", waiting)
        with suppress(StoreUnavailable):
            yield from _webhooks(self._store.webhooks())


def _webhooks(hooks: Sequence[Webhook]) -> Iterator[Metric]:
    """Of all workers together, for what was delivered is counted in the database."""

    def each(number: str) -> dict[str, int]:
        return {one.name: getattr(one, number) for one in hooks}

    yield counters("webhook_delivered", "Messages that a webhook took.", "webhook", each("delivered"))
    yield counters("webhook_failed_tries", "Times that it did not take one.", "webhook", each("failed"))
    yield gauges("webhook_waiting", "Messages that are to be sent to it.", "webhook", each("waiting"))
    yield gauges("webhook_letters", "Messages that it never took, not sent again.", "webhook", each("letters"))
    paused = {one.name: one.state == "paused" for one in hooks}
    yield gauges("webhook_paused", "1: nothing is sent until somebody switches it on again.", "webhook", paused)
