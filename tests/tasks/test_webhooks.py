"""Webhooks are told what was committed: in order, at least once, each on its own, and never at anybody's cost."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from redis import Redis

from contactcentre.archive import KeySource, Signing
from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.notation import decode
from contactcentre.domain.webhooks import GIVEN_UP_AFTER, ORDERED_TRIES, Delivery, Webhook, secret_of, signed
from contactcentre.embedded import Services
from contactcentre.live import AgentFact
from contactcentre.outgoing import Reach
from contactcentre.outgoing.webhook import Sent, send
from contactcentre.settings import Settings
from contactcentre.store import Store, StoreUnavailable
from contactcentre.tasks import jobs, webhook_jobs
from contactcentre.tasks.app import connect_broker
from contactcentre.tasks.recorder import Recorder
from contactcentre.tasks.watched import WatchedWorker
from contactcentre.tasks.webhooks import Round, tidy
from tests.outgoing.servers import Answer, Request, Server, serving
from tests.store.calls import DAY, answered, recorded_call
from tests.tasks.test_recorder import append, awaited, stream

__all__ = ["stream"]

LOOPBACK = Reach.of(["127.0.0.0/8"])


class House:
    """The outbox of a store and what delivers it; the clock is the test's."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store, self.signing = store, Signing(store, KeySource(directory / "keys"))
        self.now = time.time() + 3600  # all that is recorded meanwhile is due by then
        self.secrets: dict[str, str] = {}

    def add(self, name: str, url: str, *kinds: str, queues: tuple[str, ...] = ()) -> None:
        self.store.add_webhook(Webhook(name, url, kinds or ("contact.arrived", "contact.ended"), queues), "test", DAY)
        self.secrets[name] = self.signing.make(name)

    def run(self, seconds_later: float = 0.0, reach: Reach = LOOPBACK) -> None:
        self.now += seconds_later
        self.round(reach).run(lambda: True)

    def round(self, reach: Reach = LOOPBACK) -> Round:
        def sending(hook: Webhook, secret: bytes, one: Delivery, at: float, data: dict[str, object]) -> Sent:
            return send(hook.url, secret, one.message, one.kind, at, data, reach)

        return Round(self.store, self.signing, sending, lambda: self.now, lambda: 0.5)


@pytest.fixture
def house(store: Store, tmp_path: Path) -> House:
    return House(store, tmp_path)


def bodies(server: Server) -> list[dict[str, Any]]:
    return [decode(one.body) for one in server.got]


def types(server: Server) -> list[str]:
    return [one["type"] for one in bodies(server)]


def test_what_was_committed_is_told_once_signed_and_in_order(house: House, store: Store) -> None:
    call = answered()
    with serving() as server:
        house.add(
            "crm", server.url, "contact.arrived", "queue.entered", "offer.failed", "talk.started", "contact.ended"
        )
        assert store.record(call.events).messages == 5
        assert store.record(call.events).messages == 0, "recorded twice, told once"
        house.run()
        house.run()
    assert types(server) == ["contact.arrived", "queue.entered", "offer.failed", "talk.started", "contact.ended"]
    first, last = bodies(server)[0], bodies(server)[-1]
    assert (first["version"], first["timestamp"], first["data"]["seq"]) == (1, "2026-11-23T00:00:00.000Z", 1)
    assert last["data"]["fact"] == {"outcome": "answered", "by": "caller", "cause": 16}
    assert (last["data"]["contact_id"], last["data"]["contact"]["agent"]) == (call.id, "bob")
    for one in server.got:
        at = float(one.headers["webhook-timestamp"])
        right = signed(secret_of(house.secrets["crm"]), one.headers["webhook-id"], at, one.body)
        assert one.headers["webhook-signature"] == right["webhook-signature"]
    hook = store.webhook("crm")
    assert (hook.delivered, hook.waiting, hook.letters, hook.state) == (5, 0, 0, "on")


def test_each_is_told_the_kinds_it_asked_for_of_its_queues(house: House, store: Store) -> None:
    abandoned = answered(DAY).events[:4]
    billing = recorded_call("r1", queue="billing")
    stored = {"recording": "r1", "path": "x.wav", "seconds": 3, "sha256": "", "file_sha256": "", "bytes": 1}
    billing.events.append(Event(billing.id, AFTERWARDS, DAY + 9, Kind.RECORDING_STORED, {**stored, "channels": 2}))
    fact = AgentFact("bob", 3, DAY, AgentState.AVAILABLE, AgentState.PAUSED, "lunch")
    with serving() as all_of_it, serving() as some, serving() as agents:
        house.add("all", all_of_it.url, "contact.ended:abandoned", "queue.entered")
        house.add("billing", some.url, "contact.arrived", "contact.ended", "recording.stored", queues=("billing",))
        house.add("agents", agents.url, "agent.state")
        store.record([*abandoned, *billing.events], [fact])
        house.run()
    assert types(all_of_it) == ["queue.entered", "queue.entered"], "nobody has abandoned"
    assert types(some) == ["contact.ended", "recording.stored"], "it arrived in no queue"
    (told,) = bodies(agents)
    assert (told["type"], told["data"]["agent"], told["data"]["state"], told["data"]["reason"]) == (
        *("agent.state", "bob"),
        *("paused", "lunch"),
    )


def test_what_fails_is_tried_again_later_and_later_and_is_a_dead_letter_after_a_day(house: House, store: Store) -> None:
    store_call = answered()
    with serving(lambda _: (500, {}, b"oh")) as server:
        house.add("crm", server.url, "contact.ended")
        store.record(store_call.events)
        house.run()
        hook = store.webhook("crm")
        assert (hook.state, hook.error, hook.waiting, len(server.got)) == ("failing", "status 500", 1, 1)
        house.run()
        assert len(server.got) == 1, "not before its time"
        house.run(6)
        assert len(server.got) == 2
        for _ in range(20):
            house.run(3 * 3600)
    hook = store.webhook("crm")
    (letter,) = store.letters("crm")
    assert hook.failed == letter.tries == len(server.got)
    assert (hook.waiting, hook.letters, letter.error, letter.tries > 7) == (0, 1, "status 500", True)
    assert hook.state == "paused"
    assert "taken nothing for" in hook.paused_why
    assert {one.headers["webhook-id"] for one in server.got} == {letter.message}

    with serving() as server:
        store.change_webhook(hook, replace(hook, url=server.url), "sue", DAY)
        assert store.resend("crm", [letter.message], "sue", house.now) == 1
        house.run()
    assert [one.headers["webhook-id"] for one in server.got] == [letter.message]
    assert store.webhook("crm").letters == 0
    assert [one.action for one in store.audit_entries(actor="sue", limit=2)] == ["webhook.resend", "webhook.change"]


def test_a_contacts_later_messages_wait_for_the_earlier_one_but_not_for_ever(house: House, store: Store) -> None:
    one, other = answered(DAY), answered(DAY + 1)
    refused = [True]

    def answer(request: Request) -> Answer:
        told = decode(request.body)
        bad = told["data"]["contact_id"] == one.id and told["type"] == "contact.arrived" and refused[0]
        return 400 if bad else 200, {}, b""

    with serving(answer) as server:
        house.add("crm", server.url)
        store.record([*one.events, *other.events])
        house.run()
        told = [(told["data"]["contact_id"], told["type"]) for told in bodies(server)]
        assert sorted(told[:2]) == sorted([(one.id, "contact.arrived"), (other.id, "contact.arrived")])
        assert told[2:] == [(other.id, "contact.ended")], "the other contact does not wait"
        for _ in range(ORDERED_TRIES - 1):
            house.run(3600)
        assert types(server)[-1] == "contact.ended"
        refused[0] = False
        house.run(6 * 3600)
    assert types(server)[-1] == "contact.arrived"
    assert store.webhook("crm").waiting == 0


def test_one_that_hangs_delays_no_other(house: House, store: Store) -> None:
    over, told = threading.Event(), threading.Event()

    def hang(_: Request) -> Answer:
        over.wait()
        return 200, {}, b""

    def tell(request: Request) -> Answer:
        if decode(request.body)["type"] == "contact.ended":
            told.set()
        return 200, {}, b""

    with serving(hang) as hanging, serving(tell) as server:
        house.add("a", hanging.url, "contact.arrived")
        house.add("b", server.url, "contact.ended")
        call = answered()
        store.record(call.events[:1])
        thread = threading.Thread(target=house.run)
        thread.start()
        assert awaited(lambda: hanging.got)
        store.record(call.events)  # while the first one hangs
        assert told.wait(60)
        assert store.webhook("a").delivered == 0, "it still hangs"
        over.set()
        thread.join(60)
        assert not thread.is_alive()


def test_410_ends_it_and_a_redirect_to_this_machine_is_a_failure(house: House, store: Store) -> None:
    with (
        serving() as inside,
        serving(lambda _: (410, {}, b"")) as gone,
        serving(lambda _: (307, {"Location": inside.url}, b"")) as redirecting,
    ):
        house.add("gone", gone.url, "contact.ended")
        house.add("redirecting", redirecting.url, "contact.ended")
        store.record(answered().events)
        house.run()
        assert inside.got == []
        house.add("inside", inside.url.replace("127.0.0.1", "localhost"), "contact.ended")
        store.record(answered(DAY + 1).events)
        house.run()
        assert store.webhook("inside").delivered == 1, "the settings name it"
        store.record(answered(DAY + 2).events)
        house.run(reach=Reach())
    assert len(inside.got) == 1
    assert "CONTACTCENTRE_HTTP_ALLOW" in store.webhook("inside").error
    assert store.webhook("redirecting").failures > 0
    hook = store.webhook("gone")
    assert (hook.state, "410" in hook.paused_why) == ("paused", True)


def test_switched_off_nothing_is_sent_and_what_waits_too_long_is_kept_as_a_dead_letter(
    house: House, store: Store
) -> None:
    with serving() as server:
        house.add("crm", server.url, "contact.ended")
        store.record(answered().events)
        hook = store.webhook("crm")
        off = store.change_webhook(hook, replace(hook, enabled=False), "sue", DAY)
        assert store.record(answered(DAY + 1).events).messages == 0
        house.run()
        assert (server.got, store.webhook("crm").waiting) == ([], 1)
        tidy(store, time.time() + GIVEN_UP_AFTER + 1)
        assert (store.webhook("crm").waiting, store.webhook("crm").letters) == (0, 1)
        store.change_webhook(off, replace(off, enabled=True), "sue", DAY)
        store.remove_webhook("crm", "sue")
    assert store.webhooks() == []


def test_the_secret_is_sealed_where_there_is_a_master_key(house: House, store: Store, tmp_path: Path) -> None:
    source = KeySource(tmp_path / "keys")
    source.add("one")
    with serving() as server:
        house.add("crm", server.url, "contact.ended")
        text = house.secrets["crm"]
        with store._begin() as connection:
            kept = connection.execute(sa.text("SELECT wrapped FROM recording_key")).scalars().all()
        assert store.secrets("webhook/") == {}
        assert all(secret_of(text) not in bytes(one) for one in kept)
        source.add("two")
        store.record(answered().events)
        house.run()
        (tmp_path / "keys").unlink()
        store.record(answered(DAY + 1).events)
        house.run()
    assert len(server.got) == 1
    hook = store.webhook("crm")
    assert (hook.failures, "master key 'one'" in hook.error, hook.waiting) == (1, True, 1)


def test_postgresql_going_away_in_the_middle_costs_a_repetition_and_nothing_else(
    house: House, store: Store, database_url: str
) -> None:
    lost = [True]

    def answer(_: Request) -> Answer:
        if lost.pop() if lost else False:
            with store._begin() as connection:
                name = connection.scalar(sa.text("SELECT current_database()"))
            connection_less(database_url, str(name))
        return 200, {}, b""

    with serving(answer) as server:
        house.add("crm", server.url, "contact.ended")
        store.record(answered().events)
        with pytest.raises(StoreUnavailable):
            house.run()
        connection_less(database_url, "", back=True)
        house.run()
    assert len({one.headers["webhook-id"] for one in server.got}) == 1
    assert (len(server.got), store.webhook("crm").delivered) == (2, 1)


def connection_less(url: str, name: str, back: bool = False) -> None:
    """Nobody gets a connection to the database any more, until `back`; those there are, are ended."""
    parts = sa.make_url(url)
    engine = sa.create_engine(parts.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        quoted = f'"{parts.database}"'
        connection.execute(sa.text(f"ALTER DATABASE {quoted} ALLOW_CONNECTIONS {back}"))
        if not back:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(sa.text(ended), {"name": parts.database})
    engine.dispose()


KILLED = """
import sys, time
from pathlib import Path
from contactcentre.archive import KeySource, Signing
from contactcentre.outgoing import Reach
from contactcentre.outgoing.webhook import send
from contactcentre.store import Store
from contactcentre.tasks.webhooks import Round

url, keys = sys.argv[1:]
store = Store(url)
reach = Reach.of(["127.0.0.0/8"])
sending = lambda hook, secret, one, at, data: send(hook.url, secret, one.message, one.kind, at, data, reach)
Round(store, Signing(store, KeySource(Path(keys))), sending).run(lambda: True)
"""


def test_a_worker_killed_in_the_middle_of_a_delivery_has_it_delivered_again_with_the_same_id(
    house: House, store: Store, database_url: str, tmp_path: Path
) -> None:
    killed, process = threading.Event(), list[subprocess.Popen[bytes]]()

    def answer(_: Request) -> Answer:
        if not killed.is_set():
            process[0].send_signal(signal.SIGKILL)
            process[0].wait()
            killed.set()
        return 200, {}, b""

    with serving(answer) as server:
        house.add("crm", server.url, "contact.ended")
        store.record(answered().events)
        arguments = [sys.executable, "-c", KILLED, database_url, str(tmp_path / "keys")]
        process.append(subprocess.Popen(arguments))
        assert killed.wait(120)
        assert store.webhook("crm").waiting == 1
        house.run()
    assert len({one.headers["webhook-id"] for one in server.got}) == 1
    assert (len(server.got), store.webhook("crm").waiting) == (2, 0)


Opened = Callable[[str], None]


@pytest.fixture
def workshop(settings: Settings, services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """What the task finds, with the database of this URL."""
    shop = jobs.Workshop()
    monkeypatch.setattr(webhook_jobs, "workshop", shop)
    connect_broker(services.celery_url)
    allowing = settings.model_copy(update={"http_allow": "127.0.0.0/8"})
    yield lambda url: shop.open(allowing, url, services.redis_url)
    shop.store.close()


def test_the_task_delivers_once_however_many_of_it_run(
    workshop: Opened, house: House, store: Store, redis: "Redis", settings: Settings, database_url: str
) -> None:
    workshop(database_url)
    house.signing = Signing(store, KeySource.of(settings))
    with serving() as server:
        house.add("crm", server.url, "contact.ended")
        store.record(answered().events)
        with redis.lock(webhook_jobs.LOCK, timeout=60):
            webhook_jobs.deliver()
            assert server.got == [], "another one runs"
        webhook_jobs.deliver()
        webhook_jobs.deliver()
    assert len(server.got) == 1


def test_the_task_waits_for_postgresql(
    workshop: Opened, redis: "Redis", capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    workshop("postgresql+psycopg://127.0.0.1:1/nowhere")
    webhook_jobs.deliver()  # it says so in the log, and beat asks again
    # where a test before it has set the log up, it is there
    assert "webhooks wait" in capsys.readouterr().out + caplog.text


def test_the_recorder_announces_after_the_commit_and_is_held_up_by_nothing(
    house: House, store: Store, stream: "Redis"
) -> None:
    announced: list[int] = []

    def announce() -> None:
        announced.append(store.webhook("crm").waiting)
        raise ConnectionError("no broker")

    house.add("crm", "https://crm.example.com/", "contact.ended")
    recorder = Recorder(store, stream, "test", sending=announce)
    append(stream, *answered().events)
    assert recorder.step(0) > 0
    assert announced == [1]
    assert stream.xlen("cc:events") == 0


def test_prometheus_is_told_what_each_webhook_took_what_it_did_not_and_what_waits(
    house: House, store: Store, redis: "Redis"
) -> None:
    with serving(lambda one: (204 if one.path.endswith("/crm") else 410, {}, b"")) as server:
        house.add("crm", f"{server.url}/crm", "contact.arrived", "contact.ended")
        house.add("shop", f"{server.url}/shop", "contact.ended")
        store.record(answered().events)
        house.run()
        store.record(answered(DAY + 60).events)
        house.run()
    store.give_up(house.now + 1, 0.0)
    store.resend("shop", [store.letters("shop")[-1].message], "sue", house.now)
    told = {
        (sample.name.removeprefix("contactcentre_webhook_"), sample.labels["webhook"]): sample.value
        for family in WatchedWorker(redis, store).collect()
        for sample in family.samples
        if "webhook" in sample.labels
    }
    assert told == {
        **{(f"{name}", "crm"): 0 for name in ("failed_tries_total", "waiting", "letters", "paused")},
        **{(f"{name}", "shop"): 1 for name in ("failed_tries_total", "waiting", "letters", "paused")},
        ("delivered_total", "crm"): 4,
        ("delivered_total", "shop"): 0,
    }
