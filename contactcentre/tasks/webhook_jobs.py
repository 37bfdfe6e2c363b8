"""The Celery tasks that speak to other people's servers: webhooks' messages, and who calls."""

import contextlib
import threading
import time

from celery import shared_task
from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from contactcentre.archive import KeySource, Signing
from contactcentre.domain.webhooks import Delivery, Webhook
from contactcentre.live import LiveError, connect
from contactcentre.outgoing import Reach
from contactcentre.outgoing.webhook import Sent, send
from contactcentre.store import StoreUnavailable
from contactcentre.tasks.app import DELIVER, LOOK_UP, deliver_soon, look_up_soon
from contactcentre.tasks.jobs import log, workshop
from contactcentre.tasks.lookups import Lookups
from contactcentre.tasks.webhooks import ROUND_SECONDS, Round, tidy

LOCK = "cc:webhooks:round"
LOOKING = "cc:lookups:round"
LOCK_SECONDS = 20
"""A round whose worker was killed holds up the next one for so long."""


@shared_task(name=DELIVER)  # type: ignore[untyped-decorator]
def deliver() -> None:
    """One round; nothing where another one runs, which sees what this one would. Asking too often is harmless."""
    store, settings = workshop.store, workshop.settings
    reach = Reach.of(settings.http_allow.split())

    def sending(hook: Webhook, secret: bytes, one: Delivery, at: float, data: dict[str, object]) -> Sent:
        return send(hook.url, secret, one.message, one.kind, at, data, reach)

    redis = connect(workshop.redis_url, connections=2)
    try:
        lock = redis.lock(LOCK, timeout=LOCK_SECONDS, thread_local=False)
        # what came while the lock was being given back is seen by the last look
        while store.due_webhooks(time.time()) and lock.acquire(blocking=False):
            kept = Kept(lock, time.monotonic() + ROUND_SECONDS)
            try:
                tidy(store, time.time())
                Round(store, Signing(store, KeySource.of(settings)), sending).run(kept)
            finally:
                kept.give_back()
            if kept.over:
                deliver_soon()
                return
    except (StoreUnavailable, RedisError) as error:
        log.warning("webhooks wait", error=str(error))
    finally:
        redis.close()


@shared_task(name=LOOK_UP)  # type: ignore[untyped-decorator]
def look_up() -> None:
    """One round of questions who calls; nothing where another one runs."""
    store, settings = workshop.store, workshop.settings
    redis = connect(workshop.redis_url, connections=2)
    try:
        signing, reach = Signing(store, KeySource.of(settings)), Reach.of(settings.http_allow.split())
        lookups, lock = Lookups(store, redis, signing, reach), redis.lock(LOOKING, LOCK_SECONDS, thread_local=False)
        while lookups.waiting and lock.acquire(blocking=False):
            kept = Kept(lock, time.monotonic() + ROUND_SECONDS)
            try:
                lookups.run(kept)
            finally:
                kept.give_back()
            if kept.over:
                look_up_soon()
                return
    except (StoreUnavailable, LiveError, RedisError) as error:
        log.warning("who calls was not looked up", error=str(error))
    finally:
        redis.close()


class Kept:
    """A lock that is renewed while somebody asks for it, from any thread; False when it was lost, or the time is over
    (`until`, of the monotonic clock)."""

    def __init__(self, lock: Lock, until: float) -> None:
        self._lock, self._until, self._mine = lock, until, True
        self._one, self._renew_at = threading.Lock(), 0.0

    def __call__(self) -> bool:
        with self._one:
            if self._mine and time.monotonic() >= self._renew_at:
                try:
                    self._lock.reacquire()
                except (LockError, RedisError):
                    self._mine = False
                self._renew_at = time.monotonic() + LOCK_SECONDS / 5
            return self._mine and not self.over

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._until

    def give_back(self) -> None:
        with contextlib.suppress(LockError, RedisError):
            self._lock.release()
