"""What a flow asks of others never holds up its caller for longer than the flow allows, nor any other caller at all."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
import pytest
from gevent import socket
from gevent.event import Event as Flag
from gevent.server import StreamServer

from contactcentre.controller.greenlets import Greenlets
from contactcentre.controller.lookups import Lookups, look_up
from contactcentre.domain.flows.actions import Looked, Lookup, LookupFailed
from contactcentre.store import StoreUnavailable

TIMEOUT = 0.5


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    server = StreamServer(("127.0.0.1", 0), lambda connection, _: serve(connection))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.stop(timeout=1)


def ask(url: str, timeout: float = TIMEOUT) -> object:
    return look_up(Lookup("ask", "GET", url, timeout=timeout))


def test_an_endpoint_that_accepts_and_never_answers_is_given_up() -> None:
    with serving(lambda connection: gevent.sleep(60)) as url:
        assert ask(url) == LookupFailed("timeout")


def test_an_endpoint_that_sends_a_byte_now_and_then_for_ever_is_given_up() -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{")
        with suppress(OSError):  # nobody reads any more
            while True:
                gevent.sleep(0.05)
                connection.sendall(b" ")

    with serving(trickle) as url:
        assert ask(url) == LookupFailed("timeout")


def test_others_are_served_while_one_endpoint_hangs() -> None:
    others = Flag()

    def hang(connection: socket.socket) -> None:
        gevent.spawn(others.set)
        gevent.sleep(60)

    with serving(hang) as url:
        asking = gevent.spawn(ask, url)
        assert others.wait(10)
        assert not asking.dead
        assert asking.get() == LookupFailed("timeout")


@contextmanager
def asked_for(answers: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") -> Iterator[tuple[str, list[bytes]]]:
    """A service that keeps the requests' heads."""
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heads.append(connection.recv(65536))
        connection.sendall(answers)
        connection.close()

    with serving(serve) as url:
        yield url, heads


@pytest.fixture
def greenlets() -> Iterator[Greenlets]:
    made = Greenlets(lambda name: None)
    yield made
    made.stop(1.0)


def test_a_named_secret_is_sent_in_its_header_and_read_again_a_minute_later(greenlets: Greenlets) -> None:
    now, secrets = [1000.0], {"http/crm": "first-secret"}
    lookups = Lookups(secrets.get, greenlets, lambda: now[0])
    with asked_for() as (url, heads):
        for header in ("Authorization", "X-Api-Key"):
            assert lookups.look_up(Lookup("ask", "GET", url, timeout=60, secret="crm", header=header)) == Looked(
                200, {}
            )
        secrets["http/crm"] = "second-secret"
        lookups.look_up(Lookup("ask", "GET", url, timeout=60, secret="crm"))
        now[0] += 61
        lookups.look_up(Lookup("ask", "GET", url, timeout=60, secret="crm"))
        assert lookups.look_up(Lookup("ask", "GET", url, timeout=60)) == Looked(200, {})
    sent = [line for head in heads for line in head.split(b"\r\n") if b"secret" in line]
    assert sent == [
        b"Authorization: Bearer first-secret",
        b"X-Api-Key: first-secret",
        b"Authorization: Bearer first-secret",
        b"Authorization: Bearer second-secret",
    ]


def test_without_its_secret_nothing_is_asked_and_one_that_is_known_serves_while_the_store_is_away(
    greenlets: Greenlets,
) -> None:
    now, away = [1000.0], [False]

    def read(name: str) -> str | None:
        if away[0]:
            raise StoreUnavailable("gone")
        return "the-secret" if name == "http/crm" else None

    lookups = Lookups(read, greenlets, lambda: now[0])
    with asked_for() as (url, heads):
        assert lookups.look_up(Lookup("ask", "GET", url, timeout=60, secret="other")) == LookupFailed("no secret")
        assert heads == []
        assert isinstance(lookups.look_up(Lookup("ask", "GET", url, timeout=60, secret="crm")), Looked)
        away[0], now[0] = True, 2000.0
        assert isinstance(lookups.look_up(Lookup("ask", "GET", url, timeout=60, secret="crm")), Looked)


def test_what_is_no_answer_is_a_word_for_the_journal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert ask(f"http://127.0.0.1:{port}/", 60) == LookupFailed("connection refused")
    for answer, word in (
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "status 500"),
        (b"HTTP/1.1 302 No\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "status 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]", "not a JSON object"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", "not JSON"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 70000, "too large"),
    ):
        with asked_for(answer) as (url, _):
            assert ask(url, 60) == LookupFailed(word)


SLOW = """
    from gevent import monkey
    monkey.patch_all()
    import gevent
    from contactcentre.pbx.asterisk.driver import AsteriskPbx

    pbx = AsteriskPbx("node1", "http://pbx.slow.invalid:8088", "user", "secret")
    ended = []
    link = pbx._link
    connect = link._connect

    def connecting():
        try:
            return connect()
        finally:
            ended.append(True)

    link._connect = connecting
    pbx.start(lambda event: None)
    for _ in range(50):
        gevent.sleep(0.01)  # other callers' greenlets
    print("asked", "ended" if ended else "still asking")
"""


def test_a_slow_name_server_holds_up_nobody_but_who_asks(tmp_path: Path) -> None:
    """A name server that never answers, in a mount of the process's own."""
    with socket.socket(type=socket.SOCK_DGRAM) as dumb:
        try:
            dumb.bind(("127.0.0.53", 53))
        except OSError as error:
            pytest.skip(f"no name server can be played: {error}")
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\n")
        (tmp_path / "slow.py").write_text(textwrap.dedent(SLOW))
        inside = f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec {sys.executable} {tmp_path}/slow.py"
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", inside], capture_output=True, text=True, timeout=120, check=False
        )
        if "mount" in done.stderr or "unshare" in done.stderr:
            pytest.skip(f"no mount of its own: {done.stderr}")
        dumb.settimeout(0)
        assert b"slow" in dumb.recv(512), "it was asked"
    assert done.stdout.split("\n")[0] == "asked still asking", done.stderr
