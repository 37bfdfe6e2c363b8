"""Who may connect where the PBX is expected, and who may not."""

import base64
from collections.abc import Iterator
from contextlib import closing

import gevent
import pytest
from gevent import socket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from contactcentre.pbx.asterisk import listener as listening
from contactcentre.pbx.asterisk.listener import Address, Listener
from contactcentre.pbx.errors import LinkDown

USER, SECRET = "pbx", "only-for-tests-of-the-listener"


@pytest.fixture
def listener(unused_port: int) -> Iterator[Listener]:
    made = Listener(Address("127.0.0.1", unused_port), USER, SECRET)
    yield made
    made.close()
    if made._current is not None:
        made._current.close("the test is over")


@pytest.fixture
def waiting(listener: Listener) -> Iterator["gevent.Greenlet[..., object]"]:
    """Somebody waits for the PBX, and the port is open."""
    waiting = gevent.spawn(listener.next)
    with gevent.Timeout(10):
        while listener._socket is None:
            gevent.sleep(0.01)
    yield waiting
    waiting.kill()


def dial(listener: Listener, secret: str = SECRET, protocol: str = "ari", **headers: str) -> ClientConnection:
    known = base64.b64encode(f"{USER}:{secret}".encode()).decode()
    offered = [Subprotocol(protocol)] if protocol else None
    return connect(
        f"ws://{listener._address}/",
        subprotocols=offered,
        additional_headers={"Authorization": f"Basic {known}", **headers},
    )


def test_who_knows_user_and_secret_is_let_in_and_both_hear_each_other(
    listener: Listener, waiting: "gevent.Greenlet[..., object]"
) -> None:
    with dial(listener) as pbx:
        assert pbx.subprotocol == "ari"
        ours = waiting.get(timeout=10)
        pbx.send('{"type": "first"}')
        heard = ours.messages()
        assert next(heard) == b'{"type": "first"}'
        ours.send(b'{"type": "RESTRequest"}')
        assert pbx.recv(timeout=10) == '{"type": "RESTRequest"}'
        ours.close("enough")
        assert not ours.open


@pytest.mark.parametrize(
    ("secret", "protocol", "status"), [("wrong", "ari", 401), ("", "ari", 401), (SECRET, "", 400), (SECRET, "sip", 400)]
)
def test_who_does_not_or_speaks_something_else_is_refused_and_the_next_one_is_let_in(
    listener: Listener,
    waiting: "gevent.Greenlet[..., object]",
    secret: str,
    protocol: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        dial(listener, secret, protocol)
    assert refused.value.response.status_code == status
    assert not waiting.dead
    with dial(listener):
        assert waiting.get(timeout=10).open
    assert SECRET not in caplog.text + repr(listener.__dict__["_address"])


def test_a_second_one_is_refused_while_the_first_is_linked_and_let_in_afterwards(
    listener: Listener, waiting: "gevent.Greenlet[..., object]"
) -> None:
    with dial(listener):
        first = waiting.get(timeout=10)
        with pytest.raises(InvalidStatus) as refused:
            dial(listener)
        assert refused.value.response.status_code == 503
        first.close("enough")
        with dial(listener):
            assert gevent.spawn(listener.next).get(timeout=10).open


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00" * 50, b"\r\n" * 9000])
def test_what_is_no_websocket_ends_that_connection_alone(
    listener: Listener, waiting: "gevent.Greenlet[..., object]", said: bytes
) -> None:
    with closing(socket.create_connection((listener._address.host, listener._address.port))) as stranger:
        stranger.sendall(said)
        stranger.shutdown(socket.SHUT_WR)
        with gevent.Timeout(10):
            while stranger.recv(65_536):
                pass
    assert not waiting.dead
    with dial(listener):
        assert waiting.get(timeout=10).open


def test_who_says_nothing_is_sent_away(
    listener: Listener, waiting: "gevent.Greenlet[..., object]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "REQUEST_DEADLINE", 0.05)
    there = (listener._address.host, listener._address.port)
    with closing(socket.create_connection(there)) as stranger, gevent.Timeout(10):
        assert stranger.recv(1) == b""
    assert not waiting.dead


def test_a_port_that_is_anothers_is_said_to_be_and_can_be_had_when_it_is_free(listener: Listener) -> None:
    other = Listener(listener._address, USER, SECRET)
    held = gevent.spawn(other.next)
    with gevent.Timeout(10):
        while other._socket is None:
            gevent.sleep(0.01)
    with pytest.raises(LinkDown, match=f"cannot listen on {listener._address}: Address already in use"):
        listener.next()
    held.kill()
    other.close()
    ours = gevent.spawn(listener.next)
    with gevent.Timeout(10):
        while listener._socket is None:
            gevent.sleep(0.01)
    with dial(listener):
        assert ours.get(timeout=10).open
