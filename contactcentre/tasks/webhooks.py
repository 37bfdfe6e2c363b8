"""Delivers webhooks' messages from the outbox: at least once, those of one subject in order, each webhook on its own.

One round runs at a time in all workers together. In it every webhook has a thread of its own, and while one hangs the
round goes on looking for what others are to be told. A message leaves the outbox after it was taken, so a worker that
is killed has lost nothing: the next one sends it again, with the same id.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from random import random

from contactcentre import logs
from contactcentre.archive import BadKeys, LostKey, Signing
from contactcentre.domain.webhooks import GIVEN_UP_AFTER, LETTERS_KEPT, MOST, Delivery, Webhook, next_try, rest
from contactcentre.outgoing.webhook import Sent
from contactcentre.store import NoSuchWebhook, Store

ROUND_SECONDS = 60.0
"""After so long a round begins nothing new; the next one goes on."""
LOOK_SECONDS = 0.25
"""How often a round that waits for one webhook looks whether others are to be told something."""
AT_ONCE = 8
"""Messages of different subjects that a webhook which takes them is sent at the same time."""

Send = Callable[[Webhook, bytes, Delivery, float, dict[str, object]], Sent]

log = logs.get(__name__)


class Round:
    """`send` does one request; `go_on` says whether new ones may begin."""

    def __init__(
        self,
        store: Store,
        signing: Signing,
        send: Send,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random,
    ) -> None:
        self._store, self._signing, self._send = store, signing, send
        self._clock, self._chance = clock, chance

    def run(self, go_on: Callable[[], bool]) -> None:
        """Until nothing is due and nothing runs. Raises StoreUnavailable; what runs then is finished first."""
        running: dict[str, Future[None]] = {}
        with (
            ThreadPoolExecutor(MOST, "webhook") as hooks,
            ThreadPoolExecutor(MOST * 2, "message") as self._messages,
        ):
            while True:
                for name in self._store.due_webhooks(self._clock()) if go_on() else ():
                    if name not in running:
                        running[name] = hooks.submit(self._serve, name, go_on)
                if not running:
                    return
                done, _ = wait(running.values(), LOOK_SECONDS, FIRST_COMPLETED)
                running = {name: one for name, one in running.items() if one not in done}
                for one in done:
                    one.result()

    def _serve(self, name: str, go_on: Callable[[], bool]) -> None:
        """All that it can be sent now; one that failed last is asked with one message."""
        try:
            while go_on():
                hook = self._store.webhook(name, counted=False)
                due = self._store.due_deliveries(name, self._clock(), 1 if hook.failures else AT_ONCE)
                if not due:
                    return
                secret = self._signing.read(name)
                sent = [self._messages.submit(self._deliver, hook, secret, one) for one in due]
                wait(sent)
                for one in sent:
                    one.result()
        except NoSuchWebhook:
            return  # removed meanwhile
        except (BadKeys, LostKey) as error:
            self._note(hook, due[0], Sent(str(error), troubled=True))

    def _deliver(self, hook: Webhook, secret: bytes, one: Delivery) -> None:
        found = self._store.content(one)
        if found is None:
            self._store.drop_delivery(one)
            return
        self._note(hook, one, self._send(hook, secret, one, *found))

    def _note(self, hook: Webhook, one: Delivery, sent: Sent) -> None:
        now = self._clock()
        if not sent.error:
            self._store.took(one, now)
            return
        later, pause = next_try(one.tries + 1, one.made_at, now, self._chance()), ""
        failing = now - (hook.failing_since or now)
        if sent.gone:
            pause = "it answered 410: it wants no more messages"
        elif failing >= GIVEN_UP_AFTER:
            pause = f"it has taken nothing for {round(failing / 3600)} hours: {sent.error}"
        until = now + rest(hook.failures + 1, self._chance()) if sent.troubled else None
        self._store.refused(one, now, sent.error, later, until, pause)
        say = log.error if later is None or pause else log.info
        again = None if later is None else round(later - now)
        say("webhook failed", webhook=hook.name, message=one.message, error=sent.error, again_in=again, paused=pause)


def tidy(store: Store, now: float) -> None:
    """What waits too long for a webhook that is paused or off becomes a dead letter; old ones go."""
    store.give_up(now - GIVEN_UP_AFTER, now - LETTERS_KEPT)
