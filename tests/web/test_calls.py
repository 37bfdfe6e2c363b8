"""What is asked of calls over the API: a real controller, on a PBX in memory, does it."""

import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.domain.agents import Verb as AgentVerb
from contactcentre.domain.events import Kind
from contactcentre.domain.verbs import Verb
from contactcentre.live import ContactNow, NoReply, NoSuchCall, calls
from contactcentre.live.calls import VERBS
from contactcentre.store import Store
from contactcentre.web.api.calls import Wish
from contactcentre.web.app import WebServices
from tests.controller.people import calls as calls_in
from tests.controller.people import comes, rings, talks
from tests.controller.test_verbs import hears
from tests.controller.world import World
from tests.waiting import eventually
from tests.web.conftest import SignIn, csrf


@pytest.fixture
def browser(sign_in: SignIn, world: World) -> FlaskClient:
    return sign_in("supervisor")


def ask(browser: FlaskClient, id: str, verb: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = browser.post(f"/api/v1/calls/{id}/{verb}", json=body, headers={"X-CSRFToken": csrf(browser, "/me")})
    return answer.status_code, answer.get_json()


def refused(browser: FlaskClient, id: str, verb: str, **body: Any) -> tuple[int, str]:
    status, problem = ask(browser, id, verb, **body)
    assert problem["detail"] or problem["errors"], "it says what is the matter"
    return status, problem["code"]


def end(world: World) -> None:
    world.peace()
    world.check()


def test_a_supervisor_holds_a_call_and_sees_who_hears_whom(
    browser: FlaskClient, world: World, web: WebServices, store: Store
) -> None:
    caller, leg = talks(world)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    status, told = ask(browser, leg.endpoint, "hold")
    assert (status, told["state"], told["contact"]) == (200, "held", contact)
    assert [(party["role"], party["agent"], party["place"]) for party in told["parties"]] == [
        ("caller", "", "music"),
        ("agent", leg.endpoint, "together"),
    ]
    assert hears(caller) == "music"
    assert comes(world, caller, Kind.TALK_HELD).data["by"] == "supervisor"
    assert refused(browser, contact, "hold") == (409, "held_already")
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    (row,) = browser.get("/api/v1/calls").get_json()["calls"]
    assert (row["id"], row["agent"], row["talk"]["state"], row["talk"]["recording"]) == (
        contact,
        leg.endpoint,
        "held",
        "running",
    )
    assert time.time() - 30 < row["talk"]["since"] <= time.time()
    assert ask(browser, contact[:18], "resume")[1]["state"] == "talking"
    noted = [(e.actor, e.action, e.subject, e.detail) for e in store.audit_entries(subject=contact)]
    assert noted == [
        ("a-supervisor", "call.resume", contact, {}),
        ("a-supervisor", "call.hold", contact, {"outcome": "held_already"}),
        ("a-supervisor", "call.hold", contact, {}),
    ]
    end(world)


def test_a_consult_over_the_api_from_asking_to_the_conference_and_the_end(browser: FlaskClient, world: World) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    assert ask(browser, leg.endpoint, "consult", to=f"agent:{other}")[1]["state"] == "asking"
    assert refused(browser, leg.endpoint, "complete") == (409, "not_answered")
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.CONSULT_ANSWERED)
    assert ask(browser, leg.endpoint, "toggle")[1]["state"] == "toggled"
    _, told = ask(browser, leg.endpoint, "conference")
    assert (told["state"], len(told["parties"])) == ("conference", 3)
    assert ask(browser, other, "mute", party="customer")[1]["parties"][0]["muted"] is True
    assert ask(browser, other, "kick", party=other)[1]["state"] == "talking"
    assert ask(browser, leg.endpoint, "record", action="pause")[1]["recording"] == "paused"
    assert ask(browser, leg.endpoint, "hangup")[1]["state"] == "over"
    eventually(lambda: not world.live.contacts())
    end(world)


def test_who_is_parked_is_retrieved_by_the_slot(browser: FlaskClient, world: World) -> None:
    caller, leg = talks(world)
    told = ask(browser, leg.endpoint, "park", slot="7")[1]
    assert (told["state"], told["slot"]) == ("parked", "7")
    eventually(lambda: [one.state for one in world.live.contacts().values()] == ["parked"])
    assert ask(browser, "7", "retrieve", agent=leg.endpoint)[0] == 200
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.RETRIEVED)
    end(world)


def test_keys_sent_to_the_customer_are_counted_and_not_told_in_the_audit_log(
    browser: FlaskClient, world: World, store: Store
) -> None:
    caller, leg = talks(world)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    assert ask(browser, contact, "dtmf", digits="4111")[0] == 200
    (entry,) = store.audit_entries(subject=contact)
    assert entry.detail == {"digits": "4 keys"}
    assert leg.endpoint
    end(world)


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("hold", {"to": "agent:bert"}, "to: hold does not take it"),
        ("transfer", {}, "to: transfer needs it"),
        ("retrieve", {"agent": ""}, "agent: retrieve needs it"),
        ("kick", {}, "party: kick needs it"),
    ],
)
def test_what_does_not_belong_to_a_verb_is_named(
    verb: str, body: dict[str, str], said: str, sign_in: SignIn, store: Store
) -> None:
    browser = sign_in("admin")
    before = len(store.audit_entries(action=f"call.{verb}"))
    status, problem = ask(browser, "anna", verb, **body)
    assert (status, problem["code"]) == (422, "bad_value")
    assert problem["detail"].startswith(said)
    assert len(store.audit_entries(action=f"call.{verb}")) == before, "nobody was asked"


@pytest.mark.parametrize(
    "body", [{"digits": "1;2"}, {"digits": 5}, {"action": "erase"}, {"whatever": 1}, {"to": "x" * 90}, ["to"], "to"]
)
def test_a_body_that_does_not_fit_is_refused_before_anybody_is_asked(body: Any, sign_in: SignIn) -> None:
    browser = sign_in("admin")
    answer = browser.post("/api/v1/calls/anna/dtmf", json=body, headers={"X-CSRFToken": csrf(browser, "/me")})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_value")


def test_what_is_not_there_is_not_found(sign_in: SignIn) -> None:
    browser = sign_in("admin")
    assert refused(browser, "nobody", "hold") == (404, "not_found")
    assert refused(browser, "%00%1b", "hold") == (404, "not_found")
    assert refused(browser, "anna", "explode") == (404, "not_found")


def test_a_controller_that_is_away_is_said_and_audited(
    sign_in: SignIn, web: WebServices, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "ANSWER_SECONDS", 0.2)
    contact = ContactNow("0190-c1", "node9", "talking", agent="anna")
    web.live.put_contact(contact)
    browser = sign_in("supervisor")
    assert refused(browser, "anna", "hold") == (504, "no_reply")
    (entry,) = store.audit_entries(subject="0190-c1")
    assert entry.detail == {"outcome": "no answer"}
    with pytest.raises(NoReply):
        calls.ask(web.live, contact, "hold", {})


def test_without_the_pages_token_nothing_is_done(sign_in: SignIn) -> None:
    answer = sign_in("supervisor").post("/api/v1/calls/anna/hangup", json={})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "form_expired")


def test_too_many_in_a_minute_are_refused(sign_in: SignIn) -> None:
    browser = sign_in("supervisor")
    token = {"X-CSRFToken": csrf(browser, "/me")}
    answers = {browser.post("/api/v1/calls/anna/hold", json={}, headers=token).status_code for _ in range(121)}
    assert answers == {404, 429}


def test_a_name_that_fits_two_calls_says_which(web: WebServices) -> None:
    for id in ("0190-c1", "0190-c2"):
        web.live.put_contact(ContactNow(id, "node1", "talking", agent="anna"))
    with pytest.raises(NoSuchCall, match="several calls fit: 0190-c1, 0190-c2"):
        calls.find(web.live, "anna")
    assert calls.find(web.live, "0190-c2").contact_id == "0190-c2"


def test_all_verbs_of_a_conversation_can_be_asked_for_and_the_api_takes_what_they_need() -> None:
    assert {verb.value for verb in Verb} < set(VERBS)
    taken = {name for takes in VERBS.values() for name in takes}
    assert taken == set(Wish.model_fields)


def test_who_waits_is_moved_over_the_api_and_refusals_have_names(browser: FlaskClient, world: World) -> None:
    for agent in ("anna", "bert"):
        world.live.change(agent, AgentVerb.PAUSE, time.time(), reason="x")
    caller = calls_in(world, "7")
    comes(world, caller, Kind.QUEUED)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    eventually(lambda: contact in world.live.waiting())
    assert refused(browser, contact, "front") == (409, "first_already")
    status, told = ask(browser, contact, "priority", priority=0)
    assert (status, told["state"], told["priority"]) == (200, "waiting", 0)
    assert refused(browser, contact, "priority", priority=5000) == (422, "bad_value")
    status, told = ask(browser, contact, "move", to="queue:told")
    assert (status, told["state"]) == (200, "sent")
    eventually(lambda: [one.queue for one in world.live.waiting().values()] == ["told"])
    end(world)
