"""What leaves the house goes to whom it may, ends when it must, and trusts nobody."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from contactcentre.outgoing import ANYWHERE, Answer, Failed, Forbidden, Reach, ask
from tests.outgoing.servers import Request, accept, self_signed, serving

LOOPBACK = Reach.of(["127.0.0.0/8"])


@contextmanager
def dumb(first: bytes = b"", then: bytes = b"") -> Iterator[str]:
    """A server that takes connections, sends `first`, and then `then` again and again."""
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                client, _ = listening.accept()
                with client:
                    client.sendall(first)
                    while then and not over.wait(0.02):
                        client.sendall(then)
                    over.wait()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}/"
        over.set()


def test_an_answer_is_told_and_only_its_beginning_read() -> None:
    with serving(lambda request: (200, {}, request.body * 3)) as server:
        assert ask(server.url, LOOPBACK, body=b"0123456789", most=15) == Answer(200, b"0123456789012345")
        ask(server.url + "?a=1", LOOPBACK, body=b"x", headers={"X-One": "1"})
    assert [one.path for one in server.got] == ["/hook", "/hook?a=1"]
    assert server.got[1].headers["x-one"] == "1"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" "),
    ],
    ids=["silent", "headers", "body"],
)
def test_a_server_that_hangs_or_dribbles_is_given_up_at_the_deadline(scheme: str, first: bytes, then: bytes) -> None:
    if scheme == "https":
        first, then = b"", b""  # it never gets beyond its greeting
    with dumb(first, then) as where, pytest.raises(Failed, match="timeout"):
        ask(f"{scheme}://{where}", LOOPBACK, whole=0.3)


def test_a_name_server_that_does_not_answer_is_given_up() -> None:
    over = threading.Event()

    def resolve(host: str, port: int) -> list[tuple[Any, ...]]:
        over.wait()
        return []

    with pytest.raises(Failed, match="name server"):
        ask("https://example.org/", LOOPBACK, connect=0.2, resolve=resolve)
    over.set()


def test_a_redirect_is_not_followed() -> None:
    with serving() as inside, serving(lambda _: (302, {"Location": inside.url}, b"")) as server:
        assert ask(server.url, LOOPBACK).status == 302
    assert inside.got == []


def test_a_certificate_that_nobody_has_signed_is_refused(tmp_path: Path) -> None:
    with serving(context=self_signed(tmp_path)) as server, pytest.raises(Failed, match="certificate: self-signed"):
        ask(server.url, LOOPBACK)
    assert server.got == []


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Failed, match="refused"):
        ask(f"http://127.0.0.1:{port}/", LOOPBACK)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]"])
def test_what_leads_to_this_machine_is_not_connected_to_however_it_is_written(host: str) -> None:
    with serving() as server:
        port = server.url.rpartition(":")[2].partition("/")[0]
        with pytest.raises(Forbidden, match="CONTACTCENTRE_HTTP_ALLOW"):
            ask(f"http://{host}:{port}/", Reach())
    assert server.got == []


def test_a_name_is_asked_once_and_the_address_that_was_looked_at_is_the_one_connected_to() -> None:
    """DNS rebinding: a name that is public when it is looked at, and inside when it is used."""
    with serving() as server:
        port = int(server.url.rpartition(":")[2].partition("/")[0])
        answers = [socket.getaddrinfo("192.0.2.1", port, type=socket.SOCK_STREAM)]

        def resolve(host: str, port: int) -> list[tuple[Any, ...]]:
            return answers.pop() if answers else socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

        public = Reach.of(["192.0.2.0/24"])
        with pytest.raises(Failed) as failed:
            ask(f"http://changing.example:{port}/", public, connect=0.2, resolve=resolve)
        assert not isinstance(failed.value, Forbidden), "it was gone for"
        with pytest.raises(Forbidden):
            ask(f"http://changing.example:{port}/", public, resolve=resolve)
    assert server.got == []


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_only_public_addresses_are_reached_unless_settings_name_more(address: str, allowed: bool) -> None:
    if allowed:
        Reach().check(address, encrypted=True)
        with pytest.raises(Forbidden, match="https"):
            Reach().check(address, encrypted=False)
    else:
        with pytest.raises(Forbidden):
            Reach().check(address, encrypted=True)
    ANYWHERE.check(address, encrypted=False)


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "https://", "https://me:pass@example.org/", "http://[::1/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(Failed, match="not a URL"):
        ask(url, ANYWHERE)


def test_what_a_server_answers_that_is_no_http_is_a_failure() -> None:
    with dumb(b"hello\r\n\r\n") as where, pytest.raises(Failed, match="no answer"):
        ask(f"http://{where}", LOOPBACK)


def test_the_test_servers_take_what_they_are_sent() -> None:
    assert accept(Request("/", {}, b""))[0] == 204
