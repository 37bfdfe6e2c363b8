"""One reader of the live state for each process, any number of browsers behind it.

The reader keeps a `Board` and tells what changes to each `Audience`: one of all who see everything, and one for each
set of queues that somebody who looks is limited to.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ValidationError

from contactcentre import logs
from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.day import midnight
from contactcentre.domain.notation import decode
from contactcentre.domain.routing import Waiting
from contactcentre.domain.site import Site
from contactcentre.live import Live, in_use, signs_of_life, unreachable
from contactcentre.live.errors import LiveError, Resync
from contactcentre.live.records import Change
from contactcentre.store import Store, StoreUnavailable
from contactcentre.web import rows
from contactcentre.web.audience import Audience, Client, Desks, frame
from contactcentre.web.board import Board
from contactcentre.web.limited import Limited

log = logs.get(__name__)

FRAME_SECONDS = 0.05
"""At most so often a frame is made; what happens meanwhile goes into one."""

CATCH_UP = 1.0
"""Seconds for which the answer to a change waits at most for the board to have it."""

UNWATCHED_SECONDS = 1.0
"""... while nobody looks: a busy centre would spend as much on frames for nobody as on some of its calls."""

REST_AFTER = 30.0
"""Seconds after the last look at which reading stops; whoever looks next waits until all is read anew."""

WAKING_SECONDS = 2.0
"""Seconds that one may wait for that; then there is what was known before the rest."""

BLOCK_SECONDS = 1.0
BACK_OFF = (0.5, 1.0, 2.0, 5.0)
RESTING_SECONDS = 30.0
"""Today's numbers, and estimated waits, are read again after so long when nothing happens."""

FRESH_SECONDS = 1.0
"""... and so long after something happened (the recorder needs a moment), and once more after three times as long.
While nobody looks, only every RESTING_SECONDS."""

LISTENERS = 2000

Sight = tuple[frozenset[str] | None, bool]
"""What an audience sees: (the only queues, or None: all; numbers alone)."""

EVERYTHING: Sight = None, False


class TooMany(Exception):
    """So many clients listen that another one would harm them all."""


class Pulse(BaseModel):
    """Says that the connection lives. `live` is false while the live state itself cannot be read."""

    now: float
    live: bool


class News(BaseModel):
    """Somebody at work told others something (`NoticeRow`); nothing: look what is new."""

    now: float
    notice: dict[str, Any] = {}


class Fanout:
    """Runs two threads (greenlets where gevent is patched in): the reader, and one for today's numbers."""

    def __init__(self, live: Live, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._live, self._store, self._clock = live, store, clock
        self._board = Board()
        self._lock = threading.Lock()
        self._cursor = ""  # "" = the live state cannot be read at the moment
        self._audiences: dict[Sight, Audience] = {EVERYTHING: Audience(self._board, None, "")}
        self._desks = Desks(self._board)
        self._dirty = threading.Event()
        self._watched = threading.Event()  # somebody has come who looks
        self._looked_at = time.monotonic() - REST_AFTER  # nobody has yet
        self._awake = threading.Event()  # cleared: nothing is read, for nobody has looked for long
        self._awake.set()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    # for requests

    @property
    def ready(self) -> bool:
        """The board shows the live state as it is."""
        return self._cursor != ""

    def join(self, last_id: str = "", queues: frozenset[str] | None = None, numbers_only: bool = False) -> Client:
        """A new client, its first frames (what it missed since `last_id`, or everything) already in its queue.
        `queues`: the only ones that it sees. `numbers_only`: neither agents nor contacts. Raises TooMany."""
        sight = queues, numbers_only
        with self._one_more():
            if sight not in self._audiences:
                self._audiences[sight] = Audience(self._board, queues, self._cursor, numbers_only)
            client = self._audiences[sight].join()
            if self.ready:
                self._audiences[sight].greet(client, last_id, self._cursor, self._clock())
            else:
                client.frames.put_nowait(self.pulse())
        return client

    def join_desk(self, agent: str) -> Client:
        """A new client that gets this agent's desk, whole, whenever it changes. Raises TooMany."""
        with self._one_more():
            client = self._desks.join(agent)
            if self.ready:
                self._desks.greet(client, self._clock())
            if client.frames.empty():
                client.frames.put_nowait(self.pulse())
        return client

    def leave(self, client: Client) -> None:
        with self._lock:
            self._desks.leave(client)
            for sight, audience in list(self._audiences.items()):
                audience.leave(client)
                if sight != EVERYTHING and not len(audience):
                    del self._audiences[sight]

    def snapshot(self, queues: frozenset[str] | None = None) -> rows.Snapshot | None:
        """The board as it is now (`queues`: as who is limited to them sees it); None while it cannot be read."""
        self._look()
        with self._lock:
            seen = self._board if queues is None else Limited(self._board, queues)
            return seen.snapshot(self._clock()) if self.ready else None

    def desk(self, agent: str, version: int = 0) -> rows.Desk | None:
        """None while the live state cannot be read, and where there is no such agent. `version`: of the agent's record,
        if it was just changed: the board hears of that a moment later, and is waited for (CATCH_UP at most)."""
        self._look()
        until = time.monotonic() + CATCH_UP
        while True:
            with self._lock:
                if not self.ready:
                    return None
                if self._board.version(agent) >= version or time.monotonic() > until:
                    return self._board.desk(agent, self._clock())
            self._watched.set()
            time.sleep(0.01)

    def state(self) -> tuple[Mapping[str, Waiting], Mapping[str, AgentStatus]] | None:
        """Who waits and what agents do, as the board has it; None while it cannot be read."""
        self._look()
        with self._lock:
            return self._board.state() if self.ready else None

    def pulse(self) -> bytes:
        return frame("pulse", Pulse(now=self._clock(), live=self.ready))

    @property
    def stopped(self) -> threading.Event:
        """Set when the process is to end: streams end then."""
        return self._stopping

    @property
    def clients(self) -> int:
        return len(self._desks) + sum(map(len, self._audiences.values()))

    @property
    def cut(self) -> int:
        """Clients cut because they were too slow, of those who see everything."""
        return self._audiences[EVERYTHING].cut

    @property
    def site_name(self) -> str:
        return self._board.name

    @property
    def country(self) -> str:
        return self._board.site.settings.country

    @property
    def timezone(self) -> str:
        return self._board.site.settings.timezone

    # running

    def start(self) -> None:
        for work in (self._follow, self._count):
            thread = threading.Thread(target=work, name=f"fanout{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Ends all streams; the browsers come back to whoever serves next. Takes at most about a second."""
        self._stopping.set()
        self._dirty.set()
        self._watched.set()
        with self._lock:
            for audience in (self._desks, *self._audiences.values()):
                audience.end()
        for thread in self._threads:
            thread.join(timeout=2 * BLOCK_SECONDS + 1)

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        """While a client is let in and greeted. Raises TooMany."""
        self._look()
        with self._lock:
            if self.clients >= LISTENERS:
                raise TooMany(f"{LISTENERS} clients listen already")
            yield
        self._watched.set()
        self._dirty.set()

    def _look(self) -> None:
        """Somebody looks. After a rest all is read anew first."""
        self._looked_at = time.monotonic()
        if not self._awake.is_set():
            self._watched.set()
            self._awake.wait(WAKING_SECONDS)

    def _rest(self) -> None:
        """Until somebody looks."""
        self._awake.clear()
        self._watched.clear()
        if time.monotonic() - self._looked_at > REST_AFTER and not self._stopping.is_set():
            self._watched.wait()
            self._cursor = ""
        else:  # somebody has come meanwhile
            self._awake.set()

    def _tell(self, changed: rows.Change, cursor: str = "", boxes: Collection[str] = ()) -> None:
        for audience in self._audiences.values():
            audience.take(changed, cursor)
        self._desks.show(changed, self._clock(), boxes)

    def _notify(self, text: str) -> None:
        """Somebody told something to agents, or to supervisors, whose pages look what."""
        try:
            told = decode(text)
            news, readers = News(now=self._clock(), notice=told["notice"]), set(told["readers"])
        except (ValueError, KeyError, TypeError) as error:  # another version's
            log.warning("web.notice_not_understood", error=str(error))
            return
        self._desks.tell(readers, frame("notice", news))
        for (_, numbers_only), audience in self._audiences.items():
            if not numbers_only:
                audience.send(frame("notice", News(now=news.now)))

    def _follow(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                # only with a picture: else health checks, which wake nobody, were told for ever that there is none
                if self._cursor and not self.clients and time.monotonic() - self._looked_at > REST_AFTER:
                    self._rest()
                if not self._cursor:
                    self._begin()
                    failures = 0
                began = time.monotonic()
                changes = self._live.changes(self._cursor, BLOCK_SECONDS)
                if changes:
                    self._take(changes)
                    self._watched.clear()
                    pause = FRAME_SECONDS - (time.monotonic() - began)
                    if self.clients:
                        self._stopping.wait(max(0.0, pause))
                    else:
                        self._watched.wait(UNWATCHED_SECONDS + pause - FRAME_SECONDS)
            except Resync:
                self._cursor = ""
            except (LiveError, StoreUnavailable, ValidationError) as error:
                self._lose(error, failures)
                self._stopping.wait(BACK_OFF[min(failures, len(BACK_OFF) - 1)])
                failures += 1
            except Exception:  # a fault of ours must not leave everybody with a page that stands still
                log.exception("web.reader_failed")
                self._lose(RuntimeError("the reader failed"), failures)
                self._stopping.wait(BACK_OFF[-1])

    def _begin(self) -> None:
        """Reads everything anew and shows it to everybody."""
        state = self._live.snapshot()
        version, site = self._store.site()
        with self._lock:
            self._board.load_site(version, site or Site())
            self._board.load(state, self._clock())
            self._cursor = state.cursor
            for audience in self._audiences.values():
                audience.begin(self._cursor, self._clock())
            self._desks.show(None, self._clock())
        self._awake.set()
        self._dirty.set()

    def _take(self, changes: list[Change]) -> None:
        if any(change.kind == "site" for change in changes):
            self._begin()
            return
        with self._lock:
            changed = self._board.apply(changes, self._clock())
            self._cursor = changes[-1].cursor
            self._tell(changed, self._cursor, {change.key for change in changes if change.kind == "box"})
            for change in changes:
                if change.kind == "notice":
                    self._notify(change.value)
        if any(change.kind not in ("agent", "box", "alert") for change in changes):
            self._dirty.set()

    def _lose(self, error: Exception, failures: int) -> None:
        if failures == 0:
            log.error("web.live_lost", error=str(error))
        with self._lock:
            self._cursor = ""
            for audience in (self._desks, *self._audiences.values()):
                audience.send(self.pulse())
        self._awake.set()

    def _count(self) -> None:
        again = 0
        while not self._stopping.is_set():
            happened = self._dirty.wait(RESTING_SECONDS if not again else 3 * FRESH_SECONDS)
            self._dirty.clear()
            if self._stopping.is_set():
                return
            if happened and self.clients:
                self._stopping.wait(FRESH_SECONDS)
            elif happened:
                self._watched.wait(RESTING_SECONDS)
            again = 1 if happened else 0
            if self.ready and self._awake.is_set():
                self._update_estimates()
                self._update_phones()
                self._update_today()

    def _update_estimates(self) -> None:
        try:
            estimates = self._live.estimates()
        except LiveError as error:
            log.warning("web.estimates_not_read", error=str(error))
            return
        with self._lock:
            changed = self._board.load_estimates(estimates, self._clock())
            if self.ready and changed.queues:
                self._tell(changed)

    def _update_phones(self) -> None:
        try:
            signs = signs_of_life(self._live.redis)
        except LiveError as error:
            log.warning("web.phones_not_read", error=str(error))
            return
        with self._lock:
            changed = self._board.load_phones(unreachable(signs), in_use(signs), self._clock())
            if self.ready and (changed.agents or changed.queues):
                self._tell(changed)

    def _update_today(self) -> None:
        site, now = self._board.site, self._clock()
        try:
            stats = self._store.queue_stats(midnight(site.settings.timezone, now), now)
        except StoreUnavailable as error:
            log.warning("web.today_not_read", error=str(error))
            return
        with self._lock:
            changed = self._board.load_today({name: one.counts for name, one in stats.items()}, now)
            if self.ready:
                self._tell(changed)
