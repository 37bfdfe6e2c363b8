"""Every list of the API is given out in pages, and every change of a row with a version can name the one it means."""

import time
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from contactcentre.store import Store
from contactcentre.web import openapi, tokens
from contactcentre.web.app import WebServices
from contactcentre.web.windows import Window
from tests.store.calls import answered
from tests.store.test_boxes import left

NO_LISTS = {
    "get_controllers": "those of a node: one or two",
    "get_site_diff": "one text",
    "get_me": "of the own few boxes those in which something waits",
    "get_me_sessions": "one's own few, and the last 20 of what was done",
}
"""Answers with a list in them that are none."""


@pytest.fixture
def headers(store: Store) -> dict[str, str]:
    ada = store.add_user("ada", "hash", "admin", "anna")
    token = tokens.issue(store, ada, "test", list(map(str, tokens.grantable(ada))), 1, "test", time.time())[1]
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def program(app: APIFlask) -> FlaskClient:
    return app.test_client()


def test_every_list_of_the_api_has_pages(app: APIFlask) -> None:
    document = openapi.document(app)
    schemas = document["components"]["schemas"]
    lists = []
    for path, methods in document["paths"].items():
        one = methods.get("get")
        if one is None or "{" in path or "application/json" not in one["responses"]["200"]["content"]:
            continue
        answer = one["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        parts = schemas[answer]["properties"].values()
        if any(part.get("type") == "array" and "$ref" in part["items"] for part in parts):
            lists.append(one["operationId"])
            if one["operationId"] in NO_LISTS:
                continue
            asked = {given["name"] for given in one["parameters"]}
            assert {"cursor", "limit"} <= asked, path
            assert "next" in schemas[answer]["properties"], path
    assert len(lists) > 10


def walk(program: FlaskClient, headers: dict[str, str], path: str, part: str) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = program.get(path, query_string={"limit": 2, "cursor": cursor}, headers=headers).get_json()
        assert len(page[part]) <= 2
        found += page[part]
        if not (cursor := page["next"]):
            return found


def test_pages_hold_each_row_once(
    program: FlaskClient, headers: dict[str, str], store: Store, web: WebServices
) -> None:
    web.fanout._begin()
    now = time.time()
    calls = [answered(now - 100 * n) for n in range(1, 6)]
    store.record([event for call in calls for event in call.events])
    for n in range(5):
        left(store, f"m{n}", now - n, box="anna")
    for n in (1, 3):
        program.post(f"/api/v1/voicemail/m{n}/done", json={}, headers=headers)
    for path, part, key in (
        ("queues", "queues", "name"),
        ("agents", "agents", "name"),
        ("me/colleagues", "agents", "name"),
        ("contacts", "contacts", "id"),
        ("me/contacts", "contacts", "id"),
        ("voicemail", "messages", "id"),
        ("site/versions", "versions", "version"),
    ):
        whole = program.get(f"/api/v1/{path}", headers=headers).get_json()[part]
        assert walk(program, headers, f"/api/v1/{path}", part) == whole, path
        assert len({row[key] for row in whole}) == len(whole), path
    messages = program.get("/api/v1/voicemail", headers=headers).get_json()["messages"]
    assert [row["id"] for row in messages] == ["m4", "m2", "m0", "m1", "m3"]


def test_a_message_that_is_done_between_two_pages_takes_none_with_it(
    program: FlaskClient, headers: dict[str, str], store: Store
) -> None:
    for n in range(4):
        left(store, f"m{n}", time.time() - 10 + n, box="anna")
    first = program.get("/api/v1/voicemail?limit=2", headers=headers).get_json()
    assert [row["id"] for row in first["messages"]] == ["m0", "m1"]
    assert program.post("/api/v1/voicemail/m1/done", json={}, headers=headers).status_code == 200
    rest = program.get(f"/api/v1/voicemail?cursor={first['next']}", headers=headers).get_json()
    assert [row["id"] for row in rest["messages"]] == ["m2", "m3", "m1"]


@pytest.mark.parametrize("path", ["contacts", "customers", "voicemail", "me/contacts", "tokens", "site/versions"])
@pytest.mark.parametrize("cursor", ["nonsense", "9e9_x", "1.000000_" + "-" * 36, "99999999999.000000_x", "done-"])
def test_a_cursor_that_no_page_gave_out_is_refused(
    path: str, cursor: str, program: FlaskClient, headers: dict[str, str]
) -> None:
    answer = program.get(f"/api/v1/{path}", query_string={"cursor": cursor}, headers=headers)
    if path in ("voicemail", "tokens") and ".000000_" in cursor:
        assert answer.status_code == 200, "ids are any text there"
    else:
        assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_value")


def test_a_window_of_what_changes_leaves_nothing_out() -> None:
    rows = ["a", "b", "c", "d"]
    first, after = Window(limit=2).of(rows, str)
    assert (first, after) == (["a", "b"], "b")
    assert Window(limit=2, cursor=after).of(["aa", "c", "d"], str) == (["c", "d"], "")
    assert Window(cursor="d").of(rows, str) == ([], "")


def test_a_step_of_a_message_may_name_the_version_that_it_means(
    program: FlaskClient, headers: dict[str, str], store: Store
) -> None:
    left(store, "m1", time.time(), box="anna")
    read = program.get("/api/v1/voicemail", headers=headers).get_json()["messages"][0]
    claimed = program.post(
        "/api/v1/voicemail/m1/claim", json={}, headers={**headers, "If-Match": f'"{read["version"]}"'}
    )
    assert claimed.status_code == 200, claimed.text
    late = program.post("/api/v1/voicemail/m1/done", json={}, headers={**headers, "If-Match": f'"{read["version"]}"'})
    assert (late.status_code, late.get_json()["code"]) == (412, "changed")
    tag = claimed.headers["ETag"]
    assert program.post("/api/v1/voicemail/m1/done", json={}, headers={**headers, "If-Match": tag}).status_code == 200


def test_a_customer_who_was_changed_meanwhile_is_not_erased(program: FlaskClient, headers: dict[str, str]) -> None:
    made = program.post("/api/v1/customers", json={"numbers": ["+33612407755"]}, headers=headers)
    path = f"/api/v1/customers/{made.get_json()['id']}"
    tag = {"If-Match": made.headers["ETag"]}
    assert program.put(path, json={"name": "Marie"}, headers={**headers, **tag}).status_code == 200
    wish = {"reason": "asked for it", "confirm": True}
    assert program.post(f"{path}/erase", json=wish, headers={**headers, **tag}).status_code == 412
    assert program.get(path, headers=headers).get_json()["name"] == "Marie"


@pytest.mark.parametrize("tag", ['""', 'W/""', "x", '"1", "2"', '"9999999999"'])
def test_a_version_that_is_none_is_refused(tag: str, program: FlaskClient, headers: dict[str, str]) -> None:
    sent = {**headers, "If-Match": tag}
    answer = program.put("/api/v1/customers/+33612407755", json={"name": "Marie"}, headers=sent)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_value")


def test_a_text_that_cannot_be_stored_or_looked_for_is_refused(program: FlaskClient, headers: dict[str, str]) -> None:
    for answer in (
        program.get("/api/v1/audit?subject=a%00b", headers=headers),
        program.get("/api/v1/customers?text=a%00b", headers=headers),
        program.post("/api/v1/recordings/hold", json={"what": "a\0b", "reason": "x"}, headers=headers),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_value")
