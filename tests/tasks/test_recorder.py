import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from redis import Redis
from redis.exceptions import RedisError

from contactcentre.domain.agents import AgentState
from contactcentre.domain.contacts import fold
from contactcentre.domain.events import Event
from contactcentre.embedded import Services
from contactcentre.embedded.servers import find_redis
from contactcentre.live import AgentFact, Journal, connect
from contactcentre.settings import Settings
from contactcentre.store import Recorded, Store, StoreUnavailable
from contactcentre.tasks.recorder import Backoff, Recorder
from tests.store.calls import DAY, Call, answered, recorded_call

STREAM = "cc:events"


@pytest.fixture
def stream(services: Services, redis: "Redis") -> Iterator["Redis"]:
    with connect(services.redis_url) as client:
        yield client


class OwnRedis:
    """A Redis of the test's own, to be killed; it keeps what it was told, as ours does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.url = f"unix://{directory}/redis.sock"
        self.start()

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", "redis.sock", "--appendonly", "yes", "--appendfsync", "always"]
        log = (self._directory / "redis.log").open("ab")
        self._process = subprocess.Popen(
            ["redis-server", *options], executable=find_redis(), cwd=self._directory, stdout=log, stderr=log
        )
        log.close()
        with connect(self.url) as client:
            assert awaited(lambda: answers(client))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def answers(client: "Redis") -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory(prefix="cc-redis-") as directory:  # a short path: sockets' names are limited
        server = OwnRedis(Path(directory))
        yield server
        server.kill()


def append(redis: "Redis", *events: Event) -> None:
    for event in events:
        redis.xadd(STREAM, {"event": event.to_json()})


def test_what_the_stream_holds_is_in_the_history_and_then_leaves_the_stream(store: Store, stream: "Redis") -> None:
    call = answered()
    append(stream, *call.events)
    stream.xadd(STREAM, {"agent": AgentFact("bob", 1, DAY, AgentState.LOGGED_OUT, AgentState.AVAILABLE).to_json()})
    recorder = Recorder(store, stream, "test")
    assert recorder.step(0) == len(call.events) + 1
    assert store.history(call.id) == fold(call.events)
    assert store.agent_times(DAY, DAY + 10)["bob"].available == 10
    assert stream.xlen(STREAM) == 0


def test_a_batch_that_postgresql_could_not_take_is_neither_lost_nor_acknowledged(store: Store, stream: "Redis") -> None:
    call = answered()
    append(stream, *call.events)

    class Unreachable(Store):
        def record(self, *_: object) -> Recorded:
            raise StoreUnavailable("gone")

    recorder = Recorder(store, stream, "test")
    recorder._store = Unreachable("postgresql:///")
    with pytest.raises(StoreUnavailable):
        recorder.step(0)
    assert stream.xlen(STREAM) == len(call.events)
    recorder._store = store
    assert recorder.step(0) == len(call.events)
    assert store.history(call.id) == fold(call.events)
    assert stream.xlen(STREAM) == 0


def test_facts_that_a_killed_recorder_had_taken_are_written_by_the_next_one(store: Store, stream: "Redis") -> None:
    call = answered()
    append(stream, *call.events)
    dead = Recorder(store, stream, "test")
    dead._reader.read(500, 0)
    assert Recorder(store, stream, "test").step(0) == len(call.events)
    assert store.history(call.id) == fold(call.events)


def test_a_fact_that_breaks_the_store_is_put_aside_and_the_stream_goes_on(
    store: Store, stream: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    before, poison, after = answered(DAY), answered(DAY + 1).events[0], answered(DAY + 2)
    append(stream, *before.events, poison, *after.events)
    healthy = store.record

    def breaks(events: list[Event], *facts: list[Any]) -> Recorded:
        if poison in events:
            raise RuntimeError("nobody thought of this")
        return healthy(events, *facts)

    monkeypatch.setattr(store, "record", breaks)
    recorder = Recorder(store, stream, "test")
    recorder.step(0)
    assert stream.xlen(STREAM) == 0
    assert recorder.rejected == 1
    assert poison.contact_id in store.rejected()[0][1]
    assert [store.history(call.id) for call in (before, after)] == [fold(call.events) for call in (before, after)]


def test_every_recording_that_ended_is_handed_over_after_the_commit(store: Store, stream: "Redis") -> None:
    handed: list[tuple[str, str]] = []
    recorder = Recorder(store, stream, "test", lambda id: handed.append((id, store.recording(id)[1].state)))
    append(stream, *recorded_call("r-1").events)
    recorder.step(0)
    assert handed == [("r-1", "ended")]


def test_it_says_how_far_it_is(store: Store, stream: "Redis") -> None:
    append(stream, *answered().events)
    recorder = Recorder(store, stream, "test")
    recorder.step(0)
    recorder._beat_at = 0
    recorder.step(0)
    told = stream.hgetall("cc:recorder")
    assert (told["backlog"], told["lag"], told["pid"]) == ("0", "0.0", str(os.getpid()))
    assert told["last_id"] == recorder.last_id
    assert time.time() - float(told["at"]) < 5


def test_it_waits_longer_after_each_failure_and_not_at_all_after_a_success() -> None:
    backoff = Backoff(0.1, 0.5)
    assert [backoff.failed() for _ in range(4)] == [0.1, 0.2, 0.4, 0.5]
    assert backoff.worked()
    assert not backoff.failing
    assert backoff.failed() == 0.1


def test_it_goes_on_by_itself_when_redis_or_postgresql_come_back(
    store: Store, database_url: str, own_redis: OwnRedis
) -> None:
    first, second, third = (answered(DAY + n) for n in range(3))
    with connect(own_redis.url) as client, connect(own_redis.url) as writer:
        recorder = Recorder(store, client, "test")
        thread = threading.Thread(target=recorder.run)
        thread.start()
        append(writer, *first.events)
        assert awaited(lambda: written(store, first))
        own_redis.kill()
        assert awaited(lambda: recorder._backoff.failing)
        own_redis.start()
        append(writer, *second.events)
        assert awaited(lambda: written(store, second))
        with store._begin() as connection:
            others = "pid <> pg_backend_pid() AND datname = current_database()"
            connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
        append(writer, *third.events)
        assert awaited(lambda: written(store, third))
        recorder.stop()
        thread.join(20)
        assert not thread.is_alive()
        assert writer.xlen(STREAM) == 0


def written(store: Store, call: Call) -> bool:
    return len(store.events(call.id)) == len(call.events)


@pytest.mark.slow
def test_killed_in_a_loop_while_5000_facts_arrive_it_loses_and_doubles_nothing(
    store: Store, stream: "Redis", settings: Settings, tmp_path: Path
) -> None:
    random = Random(1)
    calls = [answered(DAY + n) for n in range(5000 // len(answered().events) + 1)]
    facts = sorted((event for call in calls for event in call.events), key=lambda event: event.at)
    journal = Journal(stream, tmp_path / "spool.jsonl")
    taken = 0  # kills between reading and acknowledging
    for n in range(0, len(facts), 500):
        with recorder_process(settings) as process:
            for event in facts[n : n + 500]:
                journal.append(event)
            journal.flush()
            # while it writes, or when it has committed and perhaps not yet acknowledged
            written = min(count(store, "event") + random.randint(1, 900), len(facts[: n + 500]))
            if random.random() < 0.5:
                assert awaited(lambda: pending(stream) > 0)
                taken += 1
            else:
                assert awaited(partial(holds, store, written))
            process.send_signal(signal.SIGKILL)
    journal.release()
    assert taken > 2
    with recorder_process(settings) as process:
        assert awaited(lambda: stream.xlen(STREAM) == 0)
        assert awaited(lambda: stream.hget("cc:recorder", "pid") == str(process.pid))
        process.terminate()
        assert process.wait(60) == 0
    assert count(store, "event") == len(facts)
    assert count(store, "rejected_event") == 0
    assert count(store, "contact") == len(calls)
    assert all(store.history(call.id) == fold(call.events) for call in calls)
    assert pending(stream) == 0


@contextmanager
def recorder_process(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-W", "error::ResourceWarning", "-m", "contactcentre", "recorder"]
    environment = {**os.environ, "CONTACTCENTRE_STATE_DIR": str(settings.state_dir)}
    log = settings.state_dir / "recorder.log"
    with log.open("ab") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.kill()


def awaited(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether the condition came true in time; the database sends no event that could be waited for."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def holds(store: Store, events: int) -> bool:
    return count(store, "event") >= events


def pending(stream: "Redis") -> int:
    groups = stream.xinfo_groups(STREAM) if stream.exists(STREAM) else []
    return sum(int(group["pending"]) for group in groups)


def count(store: Store, table: str) -> int:
    with store._begin() as connection:
        return int(connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0)
