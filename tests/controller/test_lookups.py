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

from contactcentre.controller.lookups import look_up
from contactcentre.domain.flows.actions import Lookup, LookupFailed

TIMEOUT = 0.5


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    server = StreamServer(("127.0.0.1", 0), lambda connection, _: serve(connection))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.stop(timeout=1)


def ask(url: str) -> object:
    return look_up(Lookup("ask", "GET", url, timeout=TIMEOUT))


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
