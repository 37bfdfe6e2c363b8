"""Flows drawn, with today's traffic, and tried out, through the API and their page."""

import time
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from contactcentre.domain.events import Kind
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from tests.store.calls import Call
from tests.web.conftest import SignIn, csrf
from tests.web.sample import site

FLOW = """\
start: welcome
prompts:
  press: {en: "Press 1 for support, 2 for <invoices>."}
nodes:
  welcome:
    type: menu
    prompt: press
    choices: {"1": support, "2": bye}
    on_timeout: bye
    on_invalid: bye
  support: {type: queue, queue: support, on_full: bye}
  bye: {type: hangup}
"""


@pytest.fixture
def admin(web: WebServices, sign_in: SignIn) -> FlaskClient:
    return sign_in("admin")


def asked(browser: FlaskClient, verb: str, status: int = 200, **body: Any) -> Any:
    headers = {"X-CSRFToken": csrf(browser, "/me")}
    answer = browser.post(f"/api/v1/site/flows/{verb}", json={"name": "main", "yaml": FLOW} | body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.get_json()


def test_a_flow_is_drawn_with_the_calls_that_went_along_its_ways_today(admin: FlaskClient, store: Store) -> None:
    now = time.time()
    call = Call(now)
    for second, (node, kind) in enumerate((("welcome", "menu"), ("support", "queue"))):
        call.add(second, Kind.NODE, flow="main", node=node, type=kind)
    store.record(call.ended(9).events)
    drawn = asked(admin, "draw")
    assert (drawn["calls"], drawn["start"]) == (1, "welcome")
    ways = {(one["source"], one["target"]): (one["labels"], one["calls"]) for one in drawn["ways"]}
    assert ways["welcome", "support"] == (["1"], 1)
    assert ways["welcome", "bye"] == (["2", "timeout", "invalid"], 0)
    assert {one["name"]: one["calls"] for one in drawn["nodes"]} == {"welcome": 1, "support": 1, "bye": 0}
    root = ElementTree.fromstring(drawn["svg"])
    assert "1 · 1" in {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert not root.findall(".//{http://www.w3.org/2000/svg}style")  # the content security policy forbids it
    assert asked(admin, "draw", 422, yaml="start: nowhere\nnodes: {}\n")["code"] == "bad_value"
    assert asked(admin, "draw", 404, yaml=None)["code"] == "not_found"


def test_a_flow_is_tried_out_with_keys_at_a_time_of_day(admin: FlaskClient) -> None:
    story = asked(admin, "simulate", digits=["1"], queues=["full"], at="2026-12-25 10:00")
    assert [(one["node"], one["choice"]) for one in story["moments"]] == [
        ("welcome", "1"),
        ("support", "full"),
        ("bye", ""),
    ]
    assert story["moments"][0]["clock"] == "10:00:00"
    assert story["moments"][0]["heard"] == ["Press 1 for support, 2 for <invoices>."]
    assert story["ok"]
    assert asked(admin, "simulate", digits=["hangup"])["ending"] == "the caller hangs up"
    assert "must be a date and time" in asked(admin, "simulate", 422, at="yesterday")["detail"]
    assert "an entry is keys" in asked(admin, "simulate", 422, digits=["x"])["detail"]


def test_the_page_of_a_flow_has_its_data_and_who_leads_to_it(admin: FlaskClient, store: Store) -> None:
    flow = {"start": "bye", "nodes": {"bye": {"type": "hangup"}}}
    whole = site().model_copy(update={"flows": {"main": flow}})
    store.save_site(whole, "test")
    page = admin.get("/admin/site/flows/main").text
    assert "type: hangup" in page
    assert "Nothing uses it" in page
    assert "type: answer" in admin.get("/admin/new/flows").text
    assert "nodes</span> <bdi>1</bdi>" in admin.get("/admin/site/flows").text
