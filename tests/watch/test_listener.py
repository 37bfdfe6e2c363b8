"""Health and numbers, as a monitoring system asks for them."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import pytest
import urllib3
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from contactcentre.settings import Settings
from contactcentre.watch import listener as listening
from contactcentre.watch.listener import CONNECTIONS, Listener
from tests.waiting import eventually


class Seven:
    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("seven", "A number.", 7.0)


@pytest.fixture
def start(tmp_path: Path, unused_port: int) -> Iterator[Callable[..., Callable[[str], Any]]]:
    """Starts a listener with these parts; what it gives asks it."""
    started = []
    pool = urllib3.PoolManager(retries=False)

    def start(**parts: bool) -> Callable[[str], Any]:
        settings = Settings(state_dir=tmp_path, watch_port=unused_port)
        listener = Listener(settings, "controller", lambda: parts, ("pbx", "redis"), Seven())
        listener.start()
        started.append(listener)
        eventually(lambda: listener._server is not None, "it listens")
        return lambda path: pool.request("GET", f"http://127.0.0.1:{unused_port}{path}", timeout=10)

    yield start
    for listener in started:
        listener.stop()
    pool.clear()


def test_a_process_that_has_all_it_needs_is_ready(start: Callable[..., Callable[[str], Any]]) -> None:
    answer = start(pbx=True, redis=True, postgresql=True)("/readyz")

    assert answer.status == 200
    assert answer.json() == {"status": "ok", "parts": {"pbx": True, "redis": True, "postgresql": True}}


def test_a_process_that_can_work_without_what_is_away_says_so_and_is_ready(
    start: Callable[..., Callable[[str], Any]],
) -> None:
    answer = start(pbx=True, redis=True, postgresql=False)("/readyz")

    assert (answer.status, answer.json()["status"]) == (200, "degraded")


def test_a_process_without_what_it_needs_is_not_ready_but_lives(start: Callable[..., Callable[[str], Any]]) -> None:
    ask = start(pbx=False, redis=True, postgresql=True)

    answer = ask("/readyz")
    assert (answer.status, answer.json()["parts"]["pbx"]) == (503, False)
    assert ask("/healthz").status == 200


def test_numbers_are_told_in_prometheus_own_words(start: Callable[..., Callable[[str], Any]]) -> None:
    families = {one.name: one for one in text_string_to_metric_families(start()("/metrics").data.decode())}

    assert families["seven"].samples[0].value == 7
    assert "process_open_fds" in families


def test_another_path_is_refused(start: Callable[..., Callable[[str], Any]]) -> None:
    assert start()("/etc/passwd").status == 404


def test_clients_that_say_nothing_take_the_place_of_so_many_and_no_more_and_only_for_a_while(
    start: Callable[..., Callable[[str], Any]], unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening._Handler, "timeout", 1.0)
    ask = start()
    silent = [socket.create_connection(("127.0.0.1", unused_port), 10) for _ in range(CONNECTIONS)]
    try:
        with closing(socket.create_connection(("127.0.0.1", unused_port), 10)) as one_more:
            one_more.settimeout(10)
            assert one_more.recv(1) == b"", "one more is closed at once, and holds nothing"

        def served() -> bool:
            try:
                return bool(ask("/healthz").status == 200)
            except urllib3.exceptions.HTTPError:
                return False

        eventually(served, "those who say nothing are closed, and others are served")
    finally:
        for each in silent:
            each.close()


def test_who_finds_the_port_taken_works_on_and_gets_it_when_it_is_free(
    tmp_path: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "TAKEN_AGAIN", 0.05)
    listener = Listener(Settings(state_dir=tmp_path, watch_port=unused_port), "controller", lambda: {"a": True}, ())
    with closing(socket.create_server(("127.0.0.1", unused_port))):
        listener.start()
        gevent.sleep(0)
        assert listener._server is None
    try:
        eventually(lambda: listener._server is not None, "it listens")
        with closing(socket.create_connection(("127.0.0.1", unused_port), 10)) as client:
            client.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            said = client.makefile("rb").read()
        assert json.loads(said.rpartition(b"\r\n\r\n")[2])["status"] == "ok"
    finally:
        listener.stop()


def test_each_process_of_a_box_has_a_port_of_its_own(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, watch_port=9000)
    ports = [Listener(settings, name, dict, ())._address[1] for name in listening.PLACES]

    assert ports == [9000, 9001, 9002, 9003]
