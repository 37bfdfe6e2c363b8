"""Takes facts from the Redis stream, writes them to PostgreSQL, and acknowledges after the commit.

Killed at any moment it loses nothing (what was not acknowledged is delivered again) and doubles nothing (a
fact's key is in the database already). Either side may go away for as long as it likes: facts wait in the
stream.
"""

import os
import time
from collections.abc import Callable, Sequence

from redis import Redis

from contactcentre import logs
from contactcentre.domain.alerts import AlertFact
from contactcentre.domain.events import Event, Kind
from contactcentre.live import AgentFact, JournalReader, LiveError
from contactcentre.live.connection import PREFIX, ask
from contactcentre.processes import stay
from contactcentre.store import Recorded, Store, StoreUnavailable
from contactcentre.tasks.counting import BoxTeller
from contactcentre.watch.systemd import READY, STOPPING, SignsOfLife, notify

BATCH = 500
"""Entries of the stream that are read, and written in one transaction, at a time."""
BLOCK_SECONDS = 1.0
GATHER_SECONDS = 0.8
"""Pause when all was read: a contact is derived anew whenever facts of it were written, so the facts of a whole call
that come in few transactions cost least."""
BEAT_SECONDS = 1.0
"""How often the recorder says how far it is."""
LATE_SECONDS = 10.0
"""A lag that is worth a warning in the log."""
DRAIN_SECONDS = 10.0
"""On SIGTERM: how long it goes on writing what is in the stream already."""
STOP_SECONDS = 0.1
"""How soon `stop` is seen in a pause."""
GROUP = "recorder"

log = logs.get(__name__)

Entry = tuple[str, Event | AgentFact | AlertFact]


class Recorder:
    """`run` until `stop`. After the commit `recorded` is called with the ids of recordings that have ended, perhaps
    more than once for each, `begun` with contacts that have arrived, `alerted` with alerts that were raised or are
    over, and `sending` when webhooks are to be told something; `boxes` counts messages in boxes."""

    def __init__(
        self,
        store: Store,
        redis: "Redis",
        consumer: str,
        recorded: Callable[[str], None] = lambda recording: None,
        prefix: str = PREFIX,
        boxes: BoxTeller | None = None,
        sending: Callable[[], None] = lambda: None,
        begun: Callable[[list[str]], None] = lambda contacts: None,
        alerted: Callable[[str, str], None] = lambda alert, state: None,
    ) -> None:
        self._store, self._redis, self._recorded = store, redis, recorded
        self._boxes, self._sending, self._begun, self._alerted = boxes, sending, begun, alerted
        self._messages = 0  # of webhooks, in the database and not announced
        self._reader = JournalReader(redis, GROUP, consumer, prefix)
        self._key, self._stream = f"{prefix}recorder", f"{prefix}events"
        self._stopping = False
        self._drain_until = 0.0
        self._batch: list[Entry] = []  # read, and not yet acknowledged
        self._committed = False  # is `_batch` in the database
        self._backoff = Backoff()
        self._beat_at = 0.0
        self._late = False
        self.lag, self.backlog = 0.0, 0
        """How old the oldest fact is that is not in the database (seconds), and how many entries wait; as it was told
        last, at `told`."""
        self.told = 0.0
        self.written = self.rejected = 0
        self.last_id = ""

    @property
    def refused(self) -> int:
        """Facts that could not be understood."""
        return self._reader.refused

    def stop(self) -> None:
        """Ends `run` when the stream is empty, or soon. May be called from a signal handler."""
        self._drain_until = time.monotonic() + DRAIN_SECONDS
        self._stopping = True  # no threading.Event: its lock may be held by whom the signal interrupts

    def run(self) -> None:
        stay()
        log.info("recording", consumer=GROUP, batch=BATCH)
        notify(READY)
        alive = SignsOfLife()
        while not (self._stopping and (self._backoff.failing or time.monotonic() > self._drain_until)):
            alive()
            try:
                found = self.step(0.0 if self._stopping else BLOCK_SECONDS)
            except (LiveError, StoreUnavailable) as error:
                pause = self._backoff.failed()
                log.warning("cannot record now", error=str(error), again_in=round(pause, 1), held=len(self._batch))
                self._pause(pause)
                continue
            if self._backoff.worked():
                log.info("recording again")
            if self._stopping and not found:
                break
            if found and not self._reader.more:
                self._pause(GATHER_SECONDS)
        notify(STOPPING)
        log.info("stopped", written=self.written, rejected=self.rejected, last_id=self.last_id)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, STOP_SECONDS))

    def step(self, block: float = BLOCK_SECONDS) -> int:
        """Reads, writes and acknowledges one batch; returns its size. Raises LiveError, StoreUnavailable;
        then the batch is kept and the next step goes on with it."""
        self._beat()
        if not self._batch:
            self._batch, self._committed = list(self._reader.read(BATCH, block)), False
        size = len(self._batch)
        if size:
            self._take_batch()
        if self._boxes is not None:
            self._boxes.look()
        return size

    def _take_batch(self) -> None:
        if not self._committed:
            self._write(self._batch)
            self._committed = True
            self._hand_over()
        self._reader.ack([entry_id for entry_id, _ in self._batch])
        self.last_id = self._batch[-1][0]
        self._batch = []

    def _write(self, batch: Sequence[Entry]) -> None:
        """A fact that makes the store fail in a way nobody thought of is put aside, and the others are
        written."""
        facts = [fact for _, fact in batch]
        try:
            done = self._store.record(
                [fact for fact in facts if isinstance(fact, Event)],
                [fact for fact in facts if isinstance(fact, AgentFact)],
                [fact for fact in facts if isinstance(fact, AlertFact)],
            )
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(batch) == 1:
                log.exception("a fact makes the store fail")
                self._store.reject(facts[0].to_json(), error)
                done = Recorded(rejected=1)
            else:
                half = len(batch) // 2
                self._write(batch[:half])
                self._write(batch[half:])
                return
        self.written += done.written
        self.rejected += done.rejected
        self._messages += done.messages
        if done.rejected:
            log.error("facts could not be stored; see `contactcentre db rejected`", number=done.rejected)

    def _hand_over(self) -> None:
        if self._boxes is not None:
            self._boxes.wrote(fact for _, fact in self._batch if isinstance(fact, Event))
        for _, fact in self._batch:
            if isinstance(fact, Event) and fact.kind is Kind.RECORDING_ENDED:
                try:
                    self._recorded(str(fact.data.get("recording", "")))
                except Exception as error:  # the worker's own look around finds it later
                    log.warning(
                        "a recording was not handed to the worker yet", contact_id=fact.contact_id, error=str(error)
                    )

        for _, fact in self._batch:
            if isinstance(fact, AlertFact) and fact.state in ("raised", "cleared"):
                try:
                    self._alerted(fact.id, fact.state)
                except Exception as error:
                    log.warning("an alert was not handed to the worker", alert=fact.id, error=str(error))
        if begun := [one.contact_id for _, one in self._batch if isinstance(one, Event) and one.kind is Kind.ARRIVED]:
            try:
                self._begun(begun)
            except Exception as error:
                log.warning("who calls is not looked up now", error=str(error))
        if self._messages:
            self._messages = 0
            try:
                self._sending()
            except Exception as error:  # so does the worker
                log.warning("webhooks were not announced to the worker yet", error=str(error))

    def _beat(self) -> None:
        if (passed := time.monotonic()) - self._beat_at < BEAT_SECONDS:
            return
        now, self._beat_at = time.time(), passed
        backlog, oldest = self._reader.backlog(), ask(self._redis, "XRANGE", self._stream, "-", "+", "COUNT", 1)
        lag = max(0.0, now - int(oldest[0][0].split("-")[0]) / 1000) if oldest else 0.0
        self.told, self.lag, self.backlog = now, lag, backlog
        state: dict[str, str | float] = {
            "at": now,
            "lag": round(lag, 3),
            "backlog": backlog,
            "last_id": self.last_id,
            "pid": os.getpid(),
            "written": self.written,
            "rejected": self.rejected,
            "refused": self.refused,
        }
        ask(self._redis, "HSET", self._key, *(item for pair in state.items() for item in pair))
        if (lag > LATE_SECONDS) is not self._late:
            self._late = not self._late
            say = log.warning if self._late else log.info
            say(
                "the history is behind" if self._late else "the history has caught up",
                seconds=round(lag, 1),
                backlog=backlog,
            )


class Backoff:
    """Seconds to wait after failures in a row: 0.1, 0.2, 0.4 ... 5."""

    def __init__(self, first: float = 0.1, most: float = 5.0) -> None:
        self._first, self._most = first, most
        self._next = first

    @property
    def failing(self) -> bool:
        return self._next > self._first

    def failed(self) -> float:
        pause = self._next
        self._next = min(self._most, self._next * 2)
        return pause

    def worked(self) -> bool:
        """True when it had failed before."""
        failing, self._next = self.failing, self._first
        return failing
