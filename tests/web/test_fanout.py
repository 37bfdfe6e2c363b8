"""The reader of the live state and the browsers behind it."""

import json
import threading
import time
from collections.abc import Callable

import pytest
from redis import Redis

from contactcentre.domain.agents import Verb
from contactcentre.domain.routing import Waiting
from contactcentre.live import ContactNow, Estimate, Live
from contactcentre.live.connection import ask
from contactcentre.live.errors import Away
from contactcentre.store import Store
from contactcentre.web import fanout as fanout_module
from contactcentre.web.app import WebServices
from contactcentre.web.audience import QUEUED_FRAMES, Client
from contactcentre.web.fanout import EVERYTHING, Fanout, midnight
from tests.store.calls import Call, answered
from tests.waiting import eventually
from tests.web.sample import site


@pytest.fixture
def fanout(web: WebServices) -> Fanout:
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    return web.fanout


def read(text: bytes) -> list[tuple[str, str, dict]]:  # type: ignore[type-arg]
    """(id, event, body) of each event."""
    found = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


class Reader:
    """What one browser knows."""

    def __init__(self, fanout: Fanout, last_id: str = "", queues: frozenset[str] | None = None) -> None:
        self.fanout, self.client = fanout, fanout.join(last_id, queues)
        self.last_id = last_id
        self.events: list[str] = []
        self.agents: dict[str, dict] = {}  # type: ignore[type-arg]
        self.contacts: dict[str, dict] = {}  # type: ignore[type-arg]
        self.queues: dict[str, dict] = {}  # type: ignore[type-arg]

    def read(self) -> None:
        """All that has happened until now."""
        if self.fanout.ready:
            last = Live(self.fanout._live.redis).snapshot().cursor
            eventually(lambda: self.fanout._cursor == last)
        with self.fanout._lock:
            self.take(0)

    def take(self, seconds: float) -> None:
        while text := self.client.next(seconds):
            for id, event, body in read(text):
                self.events.append(event)
                self.last_id = id or self.last_id
                for kind in ("agents", "contacts", "queues"):
                    there = getattr(self, kind)
                    if event == "snapshot":
                        there.clear()
                    for key, row in body.get(kind, {}).items():
                        there.pop(key, None) if row is None else there.__setitem__(key, row)

    def wait(self, condition: Callable[[], object]) -> None:
        """Reads until it has come true."""
        deadline = time.monotonic() + 60
        self.take(0.05)
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            self.take(0.05)


def test_while_nobody_looks_nothing_is_read_and_who_comes_sees_what_is_now(
    web: WebServices, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout_module, "REST_AFTER", 0.1)
    web.fanout.start()
    eventually(lambda: not web.fanout._awake.is_set())
    live.change("anna", Verb.LOGIN, time.time())
    assert web.fanout.ready
    board = web.fanout.snapshot()
    assert board is not None
    assert board.agents["anna"].state == "available"
    eventually(lambda: not web.fanout._awake.is_set())
    live.change("anna", Verb.PAUSE, time.time(), reason="lunch")
    reader = Reader(web.fanout)
    reader.read()
    assert reader.agents["anna"]["state"] == "paused"
    live.change("anna", Verb.UNPAUSE, time.time())
    reader.wait(lambda: reader.agents["anna"]["state"] == "available")


def test_what_was_lost_is_read_anew_although_nobody_looks_so_that_health_checks_see_it(
    web: WebServices, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Semaphore(0)
    away = True

    def snapshot() -> object:
        asked.release()
        if away:
            raise Away("redis is away: test")
        return Live.snapshot(live)

    monkeypatch.setattr(fanout_module, "REST_AFTER", 0.1)
    monkeypatch.setattr(fanout_module, "BACK_OFF", (0.05,))
    monkeypatch.setattr(web.fanout._live, "snapshot", snapshot)
    web.fanout.start()
    for _ in range(5):  # longer than it takes to rest
        assert asked.acquire(timeout=60), "it is tried again and again"
    assert not web.fanout.ready
    away = False
    eventually(lambda: web.fanout.ready)


def test_a_new_client_gets_everything_and_then_each_change(fanout: Fanout, live: Live) -> None:
    reader = Reader(fanout)
    reader.read()
    assert reader.events[0] == "snapshot"
    assert set(reader.agents) == set(site().agents)
    assert reader.agents["anna"]["state"] == "logged_out"
    live.change("anna", Verb.LOGIN, time.time())
    live.enter(Waiting("c1", "support", entered=time.time(), arrived=time.time(), caller="+331"))
    reader.read()
    assert reader.agents["anna"]["state"] == "available"
    assert reader.queues["support"]["agents"]["available"] == 1
    assert reader.queues["support"]["waiting"] == 1
    assert reader.queues["billing"]["waiting"] == 0
    live.leave("c1")
    reader.read()
    assert reader.queues["support"]["waiting"] == 0
    assert reader.queues["support"]["oldest"] is None
    assert "c1" not in reader.contacts


def test_who_comes_back_gets_what_was_missed_and_no_snapshot(fanout: Fanout, live: Live) -> None:
    reader = Reader(fanout)
    reader.read()
    live.change("anna", Verb.LOGIN, time.time())
    reader.read()
    fanout.leave(reader.client)
    live.change("ben", Verb.LOGIN, time.time())
    live.change("anna", Verb.PAUSE, time.time(), reason="lunch")
    other = Reader(fanout)
    other.wait(lambda: other.agents["anna"]["state"] == "paused")
    back = Reader(fanout, reader.last_id)
    back.read()
    assert "snapshot" not in back.events
    assert back.agents["ben"]["state"] == "available"
    assert back.agents["anna"]["reason"] == "lunch"
    assert set(back.agents) == {"anna", "ben"}, "only what changed"


@pytest.mark.parametrize("last_id", ["1-0", "99999999999999-0", "garbage", "١-٠", "1-0\n", "-"])
def test_who_was_away_too_long_or_sends_nonsense_gets_everything(fanout: Fanout, last_id: str) -> None:
    reader = Reader(fanout, last_id)
    reader.read()
    assert reader.events[0] == "snapshot"


def test_a_client_that_does_not_read_is_cut_and_the_others_lose_nothing(fanout: Fanout, live: Live) -> None:
    slow, fast = fanout.join(), Reader(fanout)
    before = fanout.clients
    with fanout._lock:
        for n in range(QUEUED_FRAMES):
            fanout._audiences[EVERYTHING].send(f"id: 1-{n}\nevent: pulse\ndata: {{}}\n\n".encode())
            if n % 50 == 0:
                fast.take(0)
    assert fanout.cut == 1
    assert fanout.clients == before - 1
    assert slow.next(0) is None
    live.change("anna", Verb.LOGIN, time.time())
    fast.wait(lambda: fast.agents["anna"]["state"] == "available")


def test_when_redis_goes_the_clients_are_told_and_when_it_is_back_they_get_everything(
    fanout: Fanout, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(fanout)
    reader.read()
    real = live.changes
    away = threading.Event()
    away.set()

    def changes(*args: object) -> object:
        if away.is_set():
            raise Away("redis is away: test")
        return real(*args)  # type: ignore[arg-type]

    def snapshot() -> object:
        if away.is_set():
            raise Away("redis is away: test")
        return Live.snapshot(live)

    monkeypatch.setattr(live, "changes", changes)
    monkeypatch.setattr(live, "snapshot", snapshot)
    eventually(lambda: not fanout.ready)
    assert fanout.snapshot() is None
    reader.read()
    assert reader.events[-1] == "pulse"
    away.clear()
    eventually(lambda: fanout.ready)
    reader.read()
    assert "snapshot" in reader.events[1:]


def test_after_redis_lost_its_data_the_clients_get_everything_anew(fanout: Fanout, live: Live, redis: "Redis") -> None:
    live.change("anna", Verb.LOGIN, time.time())
    reader = Reader(fanout)
    reader.wait(lambda: reader.agents["anna"]["state"] == "available")
    redis.flushall()
    ask(redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # what a restart does to connections
    live.change("ben", Verb.LOGIN, time.time())
    reader.wait(lambda: reader.agents["anna"]["state"] == "logged_out")
    assert reader.agents["ben"]["state"] == "available"


def test_a_new_site_reaches_the_clients(fanout: Fanout, live: Live, store: Store) -> None:
    reader = Reader(fanout)
    reader.read()
    changed = site().model_copy(update={"queues": {"support": site().queues["support"]}})
    live.publish_site(store.save_site(changed, "test"))
    reader.wait(lambda: set(reader.queues) == {"support"})


def test_todays_numbers_follow_the_history(fanout: Fanout, live: Live, store: Store) -> None:
    now = time.time()
    day = midnight("Europe/Paris", now)
    reader = Reader(fanout)
    reader.read()
    reader.queues.clear()
    store.record([*answered(day).events, *Call(day).queued(1).abandoned(61).events])
    live.put_contact(ContactNow("c1", "node1", "talking"))
    reader.wait(lambda: reader.queues.get("support", {}).get("today", {}).get("offered") == 2)
    today = reader.queues["support"]["today"]
    assert (today["answered"], today["abandoned"], today["service_level"]) == (1, 1, 0.5)
    assert reader.queues["support"]["formula"] == "answered within 20 s ÷ offered"


def test_an_offers_token_and_a_contacts_inner_state_never_leave_the_server(fanout: Fanout, live: Live) -> None:
    now, client = time.time(), fanout.join()
    live.change("anna", Verb.LOGIN, now)
    live.enter(Waiting("c1", "support", entered=now, arrived=now))
    flow, channels = {"pin": "secret-pin"}, {"caller": "secret-channel"}
    live.put_contact(ContactNow("c1", "node1", "queue", flow_state=flow, channels=channels))
    live.reserve(live.agent("anna"), "c1", "support", "secret-token", now + 20, now)
    sent = b""
    while b'"state":"offered"' not in sent:
        text = client.next(60)
        assert text
        sent += text
    assert b"secret" not in sent
    snapshot = fanout.snapshot()
    assert snapshot is not None
    assert "secret" not in snapshot.model_dump_json()


def test_the_day_begins_at_midnight_where_the_site_is() -> None:
    noon = 1_795_435_200.0  # 2026-11-23 12:00 UTC
    assert noon - midnight("UTC", noon) == 12 * 3600
    assert noon - midnight("Europe/Paris", noon) == 13 * 3600
    assert noon - midnight("America/New_York", noon) == 7 * 3600
    assert midnight("no/such", noon) == midnight("UTC", noon)
    change = 1_774_785_600.0  # 2026-03-29 12:00 UTC, the night of that day had 23 hours
    assert change - midnight("Europe/Paris", change) == 13 * 3600


def test_a_cut_client_ends_at_once_whatever_is_in_its_queue() -> None:
    client = Client()
    client.frames.put_nowait(b"old")
    client.ended = True
    assert client.next(0) is None


def test_nobody_looks_and_the_numbers_of_the_day_rest_but_who_comes_gets_them_at_once(
    fanout: Fanout, live: Live, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    stats = store.queue_stats
    monkeypatch.setattr(fanout._store, "queue_stats", lambda *when: asked.append(time.time()) or stats(*when))
    live.put_contact(ContactNow("c1", "node1", "talking"))
    eventually(lambda: (snapshot := fanout.snapshot()) is not None and "c1" in snapshot.contacts)
    before = len(asked)
    reader = Reader(fanout)
    reader.read()
    assert "c1" in reader.contacts
    eventually(lambda: len(asked) > before)


def test_estimated_waits_reach_who_looks(fanout: Fanout, live: Live) -> None:
    live.publish_estimates({"support": Estimate(time.time(), 120.0, 57, 3.0, 40.0)})
    reader = Reader(fanout)
    reader.wait(lambda: (reader.queues.get("support", {}).get("estimate") or {}).get("seconds") == 120)
