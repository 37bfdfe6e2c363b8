"""What people at work tell each other, over the API."""

import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.store import Store
from contactcentre.store.notices import KEPT_SECONDS
from contactcentre.web.app import WebServices
from tests.waiting import eventually
from tests.web.conftest import SignIn, csrf


def say(browser: FlaskClient, path: str = "/api/v1/notices", **body: Any) -> tuple[int, dict[str, Any]]:
    answer = browser.post(path, json=body, headers={"X-CSRFToken": csrf(browser, "/me")})
    return answer.status_code, answer.get_json()


def texts(browser: FlaskClient, path: str = "/api/v1/me/notices") -> list[tuple[str, bool]]:
    return [(one["text"], one["new"]) for one in browser.get(path).get_json()["notices"]]


@pytest.fixture
def desk(sign_in: SignIn, store: Store) -> FlaskClient:
    """Anna's."""
    browser = sign_in("agent")
    store.change_user("a-agent", agent="anna")
    return browser


def test_a_broadcast_reaches_a_queues_agents_until_they_have_read_it(
    sign_in: SignIn, desk: FlaskClient, store: Store
) -> None:
    browser = sign_in("supervisor")
    status, made = say(browser, to="queue:support", text="  The line is\tdown.\nSay so.\x07 ")
    assert (status, made["text"], made["readers"], made["read"]) == (200, "The line is down.\nSay so.", 6, 0)
    assert say(browser, to="queue:billing", text="Not for anna.")[1]["unread"] == ["ben", "dev", "elif"]
    assert texts(desk) == [("The line is down.\nSay so.", True)]
    status, after = say(desk, f"/api/v1/me/notices/{made['id']}/read")
    assert (status, after["new"]) == (200, 0)
    assert say(desk, f"/api/v1/me/notices/{made['id']}/read")[0] == 404
    assert browser.get("/api/v1/notices").get_json()["notices"][1]["unread"] == ["ben", "chloe", "dev", "elif", "farid"]
    assert store.audit_entries(action="notice.send", limit=2)[1].detail == {"id": made["id"], "readers": 6}


def test_an_agent_writes_to_a_colleague_and_to_the_supervisors(
    sign_in: SignIn, desk: FlaskClient, store: Store
) -> None:
    browser = sign_in("supervisor")
    assert say(desk, "/api/v1/me/notices", to="agent:ben", text="Lunch?")[0] == 200
    status, made = say(desk, "/api/v1/me/notices", to="supervisors", text="The caller shouts.")
    assert status == 200
    assert texts(browser, "/api/v1/notices") == [("The caller shouts.", True)], "colleagues are among themselves"
    status, after = say(browser, f"/api/v1/notices/{made['id']}/read")
    assert (status, after["new"]) == (200, 0)
    mine = desk.get("/api/v1/me/notices").get_json()["notices"]
    assert [(one["to"], one["mine"], one["read"]) for one in mine] == [("supervisors", True, 1), ("agent:ben", True, 0)]
    store.change_user("a-agent", agent="ben")
    assert texts(desk) == [("Lunch?", True)]
    assert say(desk, f"/api/v1/me/notices/{made['id']}/read")[0] == 404, "it was not told to ben"


@pytest.mark.parametrize("to", ["everybody", "queue:none", "agent:nobody", "agent:", "supervisors"])
def test_an_audience_that_is_not_there_is_named(to: str, sign_in: SignIn) -> None:
    status, problem = say(sign_in("supervisor"), to=to, text="x")
    assert (status, problem["code"]) == (422, "bad_value")


def test_an_agent_tells_neither_queues_nor_oneself_nor_nothing(desk: FlaskClient) -> None:
    for body in ({"to": "all", "text": "x"}, {"to": "queue:support", "text": "x"}, {"to": "agent:anna", "text": "x"}):
        assert say(desk, "/api/v1/me/notices", **body)[0] == 422
    assert say(desk, "/api/v1/me/notices", to="agent:ben", text=" \n ")[1]["detail"].endswith("it says nothing")


def test_who_is_limited_to_queues_tells_their_agents_alone_and_reads_what_these_say(
    sign_in: SignIn, desk: FlaskClient, store: Store
) -> None:
    store.send_notice("ada", "", "all", "Of somebody else.", ["dev"], time.time())
    say(desk, "/api/v1/me/notices", to="supervisors", text="From anna, who is of support.")
    browser = sign_in("supervisor")
    store.change_user("a-supervisor", queues=("billing",))
    assert texts(browser, "/api/v1/notices") == []
    assert say(browser, to="all", text="x")[1]["unread"] == ["ben", "dev", "elif"]
    assert say(browser, to="queue:support", text="x")[0] == 422
    assert say(browser, to="agent:anna", text="x")[0] == 422
    assert texts(browser, "/api/v1/notices") == [("x", False)]


def test_what_is_too_old_is_gone(store: Store, desk: FlaskClient) -> None:
    old = time.time() - KEPT_SECONDS - 60
    store.send_notice("sue", "", "all", "Old.", ["anna"], old)
    assert texts(desk) == []
    store.send_notice("sue", "", "all", "New.", ["anna"], time.time())
    assert [one.text for one in store.notices(old, "anna")] == ["New."]


def test_an_open_desk_hears_it_at_once_and_a_colleagues_does_not(
    sign_in: SignIn, desk: FlaskClient, web: WebServices
) -> None:
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    anna, ben, board = web.fanout.join_desk("anna"), web.fanout.join_desk("ben"), web.fanout.join()
    say(sign_in("supervisor"), to="agent:anna", text="Room 4.")
    eventually(lambda: b"event: notice" in _more(anna))
    eventually(lambda: b"event: notice" in _more(board))
    assert b"Room 4." in _heard[anna]
    assert b"Room 4." not in _heard[board], "supervisors read what they may"
    assert b"event: notice" not in (ben.next(0.0) or b"")
    shown = next(line for line in _heard[anna].decode().splitlines() if "Room 4." in line)
    assert json.loads(shown.removeprefix("data: "))["notice"]["new"] is True


_heard: dict[Any, bytes] = {}


def _more(client: Any) -> bytes:
    _heard[client] = _heard.get(client, b"") + (client.next(0.2) or b"")
    return _heard[client]


def test_the_list_is_given_out_in_pages(store: Store, desk: FlaskClient) -> None:
    for n in range(5):
        store.send_notice("sue", "", "all", f"n{n}", ["anna"], time.time() - 5 + n)
    found, cursor = [], ""
    for _ in range(3):
        page = desk.get("/api/v1/me/notices", query_string={"limit": 2, "cursor": cursor}).get_json()
        found += [one["text"] for one in page["notices"]]
        cursor = page["next"]
    assert (found, cursor) == (["n4", "n3", "n2", "n1", "n0"], "")
    assert desk.get("/api/v1/me/notices?cursor=x;y").status_code == 422
