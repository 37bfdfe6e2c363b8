"""The server as a process: the stream over a real socket, a graceful stop, slow and gone clients."""

import contextlib
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from contactcentre.domain.agents import Verb
from contactcentre.live import ContactNow, Live
from contactcentre.store import Store
from contactcentre.web import accounts
from contactcentre.web.api.stream import SEND_SECONDS
from contactcentre.web.app import WebServices
from contactcentre.web.server import GRACEFUL_SECONDS
from tests.waiting import eventually
from tests.web.conftest import PASSWORD
from tests.web.serving import Server, serving


@pytest.fixture
def server(web: WebServices, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def session(server: Server, store: Store) -> Iterator[requests.Session]:
    store.add_user("sue", accounts.hash_password(PASSWORD), "supervisor")
    with requests.Session() as browser:
        page = browser.get(f"{server.url}/login", timeout=30).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token
        form = {"csrf_token": token[1], "name": "sue", "password": PASSWORD}
        assert browser.post(f"{server.url}/login", form, timeout=30).status_code == 200
        yield browser


class Stream:
    """The live stream as a client reads it."""

    def __init__(self, session: requests.Session, server: Server, last_id: str = "") -> None:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        self._answer = session.get(f"{server.url}/api/v1/live", headers=headers, stream=True, timeout=20)
        assert self._answer.status_code == 200
        assert self._answer.headers["Content-Type"].startswith("text/event-stream")
        self._lines = self._answer.iter_lines(chunk_size=1)
        self.last_id = ""

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()

    def next(self) -> tuple[str, dict]:  # type: ignore[type-arg]
        """The next event; ("", {}) when the server has ended the stream."""
        event, data = "", ""
        for line in self._lines:
            name, _, value = line.decode().partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                data = value
            elif name == "id":
                self.last_id = value
            elif not name and event:
                return event, json.loads(data)
        return "", {}


def test_a_change_reaches_the_browser_and_a_reconnect_gets_what_was_missed(
    server: Server, session: requests.Session, live: Live
) -> None:
    with Stream(session, server) as stream:
        assert stream.next()[0] == "snapshot"
        live.change("anna", Verb.LOGIN, time.time())
        event, body = stream.next()
        while "anna" not in body.get("agents", {}):
            event, body = stream.next()
        assert event == "change"
        assert body["agents"]["anna"]["state"] == "available"
        seen = stream.last_id
    live.change("ben", Verb.LOGIN, time.time())
    eventually(
        lambda: session.get(f"{server.url}/api/v1/agents", timeout=30).json()["agents"][1]["state"] == "available"
    )
    with Stream(session, server, seen) as stream:
        event, body = stream.next()
        assert event == "change"
        assert list(body["agents"]) == ["ben"]


def test_a_stop_ends_the_streams_at_once_and_the_process_with_code_0(server: Server, session: requests.Session) -> None:
    with Stream(session, server) as stream:
        stream.next()
        began = time.monotonic()
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        while stream.next()[0]:
            pass
        assert time.monotonic() - began < GRACEFUL_SECONDS, "so long it waits for what does not end by itself"
        assert server.stop() == 0
    assert "Traceback" not in server.log
    assert "graceful timeout" not in server.log


def test_the_stream_ends_when_the_session_does(server: Server, session: requests.Session, web: WebServices) -> None:
    with Stream(session, server) as stream:
        stream.next()
        web.sessions.close_all("sue")
        while (event := stream.next()[0]) not in ("bye", ""):
            pass
        assert event == "bye"


def connected(port: int, peer: int) -> bool:
    """Whether the end at `port` has not closed its connection on loopback with `peer` (proc(5), /proc/net/tcp)."""
    return f"0100007F:{port:04X} 0100007F:{peer:04X} 01" in Path("/proc/net/tcp").read_text()


@pytest.mark.slow
def test_a_client_that_takes_nothing_is_cut_while_others_go_on(
    server: Server, session: requests.Session, live: Live
) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    with socket.socket() as stuck, Stream(session, server) as stream:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stuck.connect(("127.0.0.1", server.port))
        stuck.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
        longest = 0.0
        n = 0
        while connected(server.port, stuck.getsockname()[1]):
            n += 1
            contact = f"c{n}"
            live.put_contact(ContactNow(contact, "node1", "ivr", caller_name="x" * 20_000))
            sent = time.monotonic()
            body: dict = {}  # type: ignore[type-arg]
            while contact not in body.get("contacts", {}):
                body = stream.next()[1]
            longest = max(longest, time.monotonic() - sent)
            live.drop_contact(contact)
        assert longest < SEND_SECONDS
        stuck.settimeout(60)
        taken = 0
        with contextlib.suppress(ConnectionResetError):
            while data := stuck.recv(65536):
                taken += len(data)
        assert taken < n * 20_000, "it was cut before it got everything"


def test_no_secret_of_the_site_is_needed_to_see_that_it_lives(server: Server) -> None:
    assert requests.get(f"{server.url}/healthz", timeout=30).json()["status"] == "ok"
    ready = requests.get(f"{server.url}/readyz", timeout=30).json()
    assert ready == {"status": "ok", "parts": {"postgresql": True, "redis": True, "live": True}}


def test_no_password_and_no_token_stands_in_the_servers_log(server: Server, session: requests.Session) -> None:
    assert PASSWORD not in server.log
    assert "csrf_token" not in server.log
