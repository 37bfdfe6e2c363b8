"""The whole way of a fact, from `append` to its row in PostgreSQL, while Redis is killed and loses its data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from gevent import spawn
from redis import Redis

from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.ids import uuid7
from contactcentre.live import Journal, Live, LiveError
from contactcentre.store import Store
from contactcentre.tasks.recorder import Recorder
from tests.live.conftest import RedisServer

AT = 1_795_000_000.0


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as made:
        made.migrate()
        yield made


def select(database_url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return connection.execute(query).fetchall()


def test_every_event_has_exactly_one_row_though_redis_dies_and_comes_back_empty(
    server: RedisServer, redis: "Redis", store: Store, database_url: str, tmp_path: Path
) -> None:
    journal = Journal(redis, tmp_path / "spool")
    recorder = Recorder(store, redis, "me")
    contacts = [uuid7(AT + n) for n in range(10)]
    recording, sending = spawn(recorder.run), spawn(journal.run)
    for seq in range(1, 121):
        for one in contacts:
            journal.append(Event(one, seq, AT + seq, Kind.NODE, {"flow": "main", "node": f"n{seq}", "type": "play"}))
        if seq == 40:
            server.kill()
        if seq == 80:
            server.start()
        if seq == 100:
            server.lose_data()
        sending.join(0.005)
    journal.close()
    sending.get(timeout=60)
    journal.flush()
    recorder.stop()
    recording.get(timeout=60)
    while recorder.step(0.05):
        pass
    journal.flush()
    assert journal.unrecorded == 0, "what is recorded is given back"
    rows = select(database_url, "SELECT contact_id, count(*), max(seq) FROM event GROUP BY 1")
    assert sorted((str(row[0]), row[1], row[2]) for row in rows) == sorted((one, 120, 120) for one in contacts)
    journal.release()


def test_every_change_of_an_agent_has_exactly_one_row(
    server: RedisServer, redis: "Redis", store: Store, database_url: str
) -> None:
    live, recorder = Live(redis), Recorder(store, redis, "me")
    live.change("zoe", Verb.LOGIN, AT)
    for second in range(1, 11):
        live.change("zoe", Verb.PAUSE, AT + second, reason="lunch")
        live.change("zoe", Verb.UNPAUSE, AT + second)
    while recorder.step(0.05):
        pass
    states = select(database_url, "SELECT state FROM agent_event WHERE agent = 'zoe' ORDER BY version")
    assert [row[0] for row in states] == ["available", *["paused", "available"] * 10]
    server.kill()
    with pytest.raises(LiveError):
        recorder.step()
