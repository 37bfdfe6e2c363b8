"""One reader of the live state for each process, any number of browsers behind it.

The reader keeps a `Board`, turns what changes into one frame of text, and puts the frame into every client's bounded
queue. It never waits for a client: one whose queue is full is cut, and its browser comes back with the id of the last
frame it saw (Last-Event-ID) and gets what it missed, or everything anew when that is too long ago. A frame's id is the
id of the last Redis entry in it, so it means the same in every process.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ValidationError

from contactcentre import logs
from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.routing import Waiting
from contactcentre.domain.site import Site
from contactcentre.live import Live, in_use, signs_of_life, unreachable
from contactcentre.live.errors import LiveError, Resync
from contactcentre.live.records import Change
from contactcentre.store import Store, StoreUnavailable
from contactcentre.web import rows
from contactcentre.web.board import Board

log = logs.get(__name__)

QUEUED_FRAMES = 200
"""Frames a client may be behind before it is cut."""

KEPT_FRAMES = 2000
"""Frames kept for those who come back."""

FRAME_SECONDS = 0.05
"""At most so often a frame is made; what happens meanwhile goes into one."""

UNWATCHED_SECONDS = 1.0
"""... while nobody looks: a busy centre would spend as much on frames for nobody as on some of its calls."""

BLOCK_SECONDS = 1.0
BACK_OFF = (0.5, 1.0, 2.0, 5.0)
RESTING_SECONDS = 30.0
"""Today's numbers, and estimated waits, are read again after so long when nothing happens."""

FRESH_SECONDS = 1.0
"""... and so long after something happened (the recorder needs a moment), and once more after three times as long.
While nobody looks, only every RESTING_SECONDS."""

LISTENERS = 2000


class TooMany(Exception):
    """So many clients listen that another one would harm them all."""


def frame(event: str, body: BaseModel, id: str = "") -> bytes:
    """One server-sent event (WHATWG HTML, section 9.2). JSON holds no raw newline, so one data line is enough."""
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {event}\ndata: {body.model_dump_json()}\n\n".encode()


class Pulse(BaseModel):
    """Says that the connection lives. `live` is false while the live state itself cannot be read."""

    now: float
    live: bool


@dataclass(eq=False)
class Client:
    """One browser's place at the table."""

    frames: "queue.Queue[bytes | None]" = field(default_factory=lambda: queue.Queue(QUEUED_FRAMES + 1))
    ended: bool = False
    agent: str = ""
    """Whose desk it shows; "" = it shows the whole board."""

    def next(self, seconds: float) -> bytes | None:
        """What is there to send, at least one frame; b"" when none came in time; None when the stream ends."""
        try:
            text = self.frames.get(timeout=seconds)
            while text is not None and not self.frames.empty():
                more = self.frames.get_nowait()
                text = None if more is None else text + more
        except queue.Empty:
            text = b""
        return None if self.ended else text


class Fanout:
    """Runs two threads (greenlets where gevent is patched in): the reader, and one for today's numbers."""

    def __init__(self, live: Live, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._live, self._store, self._clock = live, store, clock
        self._board = Board()
        self._lock = threading.Lock()
        self._clients: set[Client] = set()
        self._kept: deque[tuple[str, bytes]] = deque(maxlen=KEPT_FRAMES)
        self._cursor = ""  # "" = the live state cannot be read at the moment
        self._floor = ""  # frames after this id are kept
        self._dirty = threading.Event()
        self._watched = threading.Event()  # somebody has come who looks
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.cut = 0
        """Clients cut because they were too slow."""

    # for requests

    @property
    def ready(self) -> bool:
        """The board shows the live state as it is."""
        return self._cursor != ""

    def join(self, last_id: str = "", agent: str = "") -> Client:
        """A new client, its first frames (what it missed since `last_id`, or everything) already in its queue. With
        `agent` it gets that agent's desk, whole, whenever it changes.

        Raises TooMany."""
        client = Client(agent=agent)
        with self._lock:
            if len(self._clients) >= LISTENERS:
                raise TooMany(f"{LISTENERS} clients listen already")
            for first in self._first_of_desk(agent) if agent else self._first(last_id):
                client.frames.put_nowait(first)
            self._clients.add(client)
        self._watched.set()
        self._dirty.set()
        return client

    def leave(self, client: Client) -> None:
        with self._lock:
            self._clients.discard(client)

    def snapshot(self) -> rows.Snapshot | None:
        """The board as it is now; None while it cannot be read."""
        with self._lock:
            return self._board.snapshot(self._clock()) if self.ready else None

    def desk(self, agent: str) -> rows.Desk | None:
        """None while the live state cannot be read, and where there is no such agent."""
        with self._lock:
            return self._board.desk(agent, self._clock()) if self.ready else None

    def state(self) -> tuple[Mapping[str, Waiting], Mapping[str, AgentStatus]] | None:
        """Who waits and what agents do, as the board has it; None while it cannot be read."""
        with self._lock:
            return self._board.state() if self.ready else None

    def pulse(self) -> bytes:
        return frame("pulse", Pulse(now=self._clock(), live=self.ready))

    @property
    def clients(self) -> int:
        return len(self._clients)

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
            for client in self._clients:
                self._end(client)
            self._clients.clear()
        for thread in self._threads:
            thread.join(timeout=2 * BLOCK_SECONDS + 1)

    def _first(self, last_id: str) -> list[bytes]:
        if not self.ready:
            return [self.pulse()]
        now = self._clock()
        if _order(self._floor) <= _order(last_id) <= _order(self._cursor):
            missed = [text for id, text in self._kept if _order(id) > _order(last_id)]
            if len(missed) < QUEUED_FRAMES // 2:
                return [*missed, frame("change", self._board.numbers(now))]
        return [frame("snapshot", self._board.snapshot(now), self._cursor)]

    def _first_of_desk(self, agent: str) -> list[bytes]:
        desk = self._board.desk(agent, self._clock()) if self.ready else None
        return [self.pulse() if desk is None else frame("desk", desk)]

    def _show(self, text: bytes, changed: rows.Change | None = None) -> None:
        """Shows everybody what changed (None: perhaps everything)."""
        self._send(text, [client for client in self._clients if not client.agent])
        for client in [client for client in self._clients if client.agent]:
            row = self._board.agents.get(client.agent)
            contact = row.contact_id if row is not None else ""
            if changed is not None and client.agent not in changed.agents and contact not in changed.contacts:
                continue
            if (desk := self._board.desk(client.agent, self._clock())) is not None:
                self._send(frame("desk", desk), [client])

    def _send(self, text: bytes, clients: Iterable[Client]) -> None:
        for client in clients:
            if client.frames.qsize() >= QUEUED_FRAMES:
                self._clients.discard(client)
                self._end(client)
                self.cut += 1
            else:
                client.frames.put_nowait(text)

    @staticmethod
    def _end(client: Client) -> None:
        client.ended = True
        client.frames.put_nowait(None)

    def _follow(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                if not self._cursor:
                    self._begin()
                    failures = 0
                began = self._clock()
                changes = self._live.changes(self._cursor, BLOCK_SECONDS)
                if changes:
                    self._take(changes)
                    self._watched.clear()
                    pause = FRAME_SECONDS - (self._clock() - began)
                    if self._clients:
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
            self._board.load(state)
            self._cursor = self._floor = state.cursor
            self._kept.clear()
            self._show(frame("snapshot", self._board.snapshot(self._clock()), self._cursor))
        self._dirty.set()

    def _take(self, changes: list[Change]) -> None:
        if any(change.kind == "site" for change in changes):
            self._begin()
            return
        with self._lock:
            changed = self._board.apply(changes, self._clock())
            self._cursor = changes[-1].cursor
            text = frame("change", changed, self._cursor)
            if len(self._kept) == KEPT_FRAMES:
                self._floor = self._kept[0][0]
            self._kept.append((self._cursor, text))
            self._show(text, changed)
        if any(change.kind not in ("agent", "box") for change in changes):
            self._dirty.set()

    def _lose(self, error: Exception, failures: int) -> None:
        if failures == 0:
            log.error("web.live_lost", error=str(error))
        with self._lock:
            self._cursor = ""
            self._send(self.pulse(), list(self._clients))

    def _count(self) -> None:
        again = 0
        while not self._stopping.is_set():
            happened = self._dirty.wait(RESTING_SECONDS if not again else 3 * FRESH_SECONDS)
            self._dirty.clear()
            if self._stopping.is_set():
                return
            if happened and self._clients:
                self._stopping.wait(FRESH_SECONDS)
            elif happened:
                self._watched.wait(RESTING_SECONDS)
            again = 1 if happened else 0
            if self.ready:
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
                self._show(frame("change", changed), changed)

    def _update_phones(self) -> None:
        try:
            signs = signs_of_life(self._live.redis)
        except LiveError as error:
            log.warning("web.phones_not_read", error=str(error))
            return
        with self._lock:
            changed = self._board.load_phones(unreachable(signs), in_use(signs), self._clock())
            if self.ready and changed.agents:
                self._show(frame("change", changed), changed)

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
                self._show(frame("change", changed), changed)


def midnight(timezone: str, now: float) -> float:
    """When the day that `now` is in began, in a time zone (UTC for an unknown one)."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _order(id: str) -> tuple[int, int]:
    """The place of a Redis stream id, (-1, 0) for what is none."""
    milliseconds, _, number = id.partition("-")
    if not (milliseconds.isdecimal() and number.isdecimal() and len(id) < 50):
        return (-1, 0)
    return int(milliseconds), int(number)
