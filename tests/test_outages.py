"""What is said of Redis and PostgreSQL while they are away: once, now and then, and that they are back."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from contactcentre import logs, outages
from contactcentre.live import Away, connect
from contactcentre.live.connection import ask
from contactcentre.outages import Outage
from contactcentre.store import Store, StoreUnavailable
from tests.live.conftest import RedisServer, redis, server
from tests.test_logs import stream

__all__ = ["redis", "server", "stream"]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever other tests have left."""
    for outage in (outages.REDIS, outages.POSTGRESQL):
        monkeypatch.setattr(outage, "on", False)
        monkeypatch.setattr(outage, "_next_line", 0.0)
        monkeypatch.setattr(outage, "_told", False)
    yield
    for outage in (outages.REDIS, outages.POSTGRESQL):
        outage.on = False


def said(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_redis_that_is_away_is_told_of_once_and_once_that_it_is_back(
    stream: io.StringIO, server: RedisServer, redis: "Any"
) -> None:
    logs.configure("info", "json", stream)
    client = connect(server.url)
    ask(client, "PING")
    server.kill()
    for _ in range(20):
        with pytest.raises(Away) as away:
            ask(client, "PING")
        logs.get("router").warning("no routing", error=str(away.value))
        logging.getLogger("journal").warning("journal: %s; events wait", away.value)
        logs.get("other").warning("something else")
    server.start()
    ask(client, "PING")
    logs.get("router").warning("an error of another time", error=str(away.value))
    lines = [line for line in said(stream) if line["event"] != "something else"]
    assert [line["event"] for line in lines] == ["Redis is away", "Redis is back", "an error of another time"]
    assert lines[0]["reason"].startswith("redis is away: ")
    assert (lines[1]["failures"], lines[1]["lines_left_out"]) == (20, 40)
    assert len(said(stream)) == 23


def test_postgresql_that_is_away_is_told_of_once_and_one_that_only_takes_too_long_is_not_away(
    stream: io.StringIO, database_url: str
) -> None:
    logs.configure("info", "json", stream)
    with Store("postgresql://nobody@127.0.0.1:1/none") as nowhere, Store(database_url) as store:
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                nowhere.ping()
        store.ping()
        with pytest.raises(StoreUnavailable):
            sleep(store)
    assert [line["event"] for line in said(stream)] == ["PostgreSQL is away", "PostgreSQL is back"]


def sleep(store: Store) -> None:
    with store._begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 10")
        connection.exec_driver_sql("SELECT pg_sleep(30)")


def test_a_long_outage_is_told_again_now_and_then_and_one_that_flutters_is_not(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("info", "json", stream)
    at = 1000.0
    monkeypatch.setattr("contactcentre.outages.time.monotonic", lambda: at)
    outage = Outage("Redis")
    for _ in range(150):  # a minute and a quarter
        outage.failed("refused")
        at += 0.5
    outage.worked()
    for _ in range(20):
        at += 0.2
        outage.failed("refused")
        outage.worked()
    at += 20
    outage.failed("timeout")
    told = [(line["event"], line.get("failures")) for line in said(stream)]
    assert told == [
        ("Redis is away", None),
        ("Redis is still away", 121),
        ("Redis is back", 150),
        ("Redis is away", None),
    ]
