"""How contacts ended, over the API and on the contact's page."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.live import Live
from contactcentre.store import Store
from tests.store.calls import Call, answered
from tests.waiting import eventually
from tests.web import populate
from tests.web.conftest import SignIn, csrf

Asks = Callable[..., tuple[int, dict[str, Any]]]
CALLER = "+33612407755"


@pytest.fixture
def anna(sign_in: SignIn, store: Store) -> FlaskClient:
    browser = sign_in("agent")
    store.change_user("a-agent", agent="anna")
    return browser


def asks(browser: FlaskClient) -> Asks:
    def ask(method: str, path: str, etag: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"X-CSRFToken": csrf(browser, "/me")} | ({"If-Match": etag} if etag else {})
        json = None if method == "GET" else body
        answer = browser.open(f"/api/v1{path}", method=method, json=json, headers=headers)
        return answer.status_code, {**answer.get_json(), "etag": answer.headers.get("ETag", "")}

    return ask


def talks(live: Live, agent: str = "anna", queue: str = "support") -> str:
    live.change(agent, Verb.LOGIN, time.time() - 100)
    return populate.talk(live, agent, queue, time.time() - 30, CALLER, "Marie Dubois")


def test_an_agent_sees_the_script_while_it_rings_and_writes_from_the_first_word_on(
    anna: FlaskClient, live: Live
) -> None:
    ask = asks(anna)
    live.change("anna", Verb.LOGIN, time.time() - 100)
    contact = populate.ring(live, "anna", "support", time.time(), CALLER, "")
    status, sheet = ask("GET", f"/me/contacts/{contact}")
    assert (status, sheet["queue"], [one["name"] for one in sheet["script"]]) == (
        *(200, "support"),
        ["order", "product", "bought"],
    )
    assert [(one["code"], one["final"], one["callback"]) for one in sheet["dispositions"]] == [
        ("solved", True, False),
        ("passed_on", False, False),
        ("again", False, True),
    ]
    assert ask("PUT", f"/me/contacts/{contact}", note="early")[0] == 409
    live.change("anna", Verb.ACCEPT, time.time(), token="t")
    status, sheet = ask("PUT", f"/me/contacts/{contact}", note="Cable?", answers={"order": "A-17"})
    assert (status, sheet["note"], sheet["answers"]["order"]) == (
        *(200, "Cable?"),
        {"label": "Order number", "value": "A-17"},
    )
    assert ask("PUT", f"/me/contacts/{contact}", done=True, disposition="solved")[0] == 409, "anna talks still"
    assert ask("GET", f"/me/contacts/{contact}")[1]["disposition"] == "", "and nothing was half done"


def test_wrap_up_ends_by_saying_how_it_ended_and_not_before_where_the_queue_wants_that(
    anna: FlaskClient, live: Live, web: Any
) -> None:
    ask, contact = asks(anna), talks(live)
    live.change("anna", Verb.FINISH, time.time(), token="t", wrap_up=60)
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    for step in ("unpause", "pause"):
        status, problem = ask("POST", f"/me/{step}")
        assert (status, problem["code"], problem["detail"]) == (409, "result_missing", "Still missing: how it ended.")
    assert ask("PUT", f"/me/contacts/{contact}", done=True)[1]["code"] == "result_missing"
    assert live.agent("anna").state is AgentState.WRAP_UP
    assert ask("POST", "/me/extend", seconds=30)[0] == 200
    assert ask("PUT", f"/me/contacts/{contact}", disposition="solved", done=True)[0] == 200
    assert live.agent("anna").state is AgentState.AVAILABLE
    assert ask("PUT", f"/me/contacts/{contact}", note="more", done=True)[0] == 404, (
        "what the journal does not have yet is nobody's any more"
    )


def test_who_may_end_work_at_any_time_may_also_be_ended_by_the_timer(anna: FlaskClient, live: Live, web: Any) -> None:
    ask = asks(anna)
    talks(live)
    live.change("anna", Verb.FINISH, time.time(), token="t", wrap_up=60)
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    assert ask("POST", "/me/logout")[0] == 200
    assert live.agent("anna").state is AgentState.LOGGED_OUT


def test_an_agent_says_it_afterwards_of_own_contacts_and_of_no_other(anna: FlaskClient, store: Store) -> None:
    ask, now = asks(anna), time.time()
    own = Call(now - 900, caller=CALLER).queued(1).offered(2, "anna").talked(5, 60, "anna").ended(65)
    others = answered(now - 800)
    old = Call(now - 8 * 86400).queued(1).offered(2, "anna").talked(5, 60, "anna").ended(65)
    store.record([event for call in (own, others, old) for event in call.events])
    for call in (others, old):
        assert ask("GET", f"/me/contacts/{call.id}")[0] == ask("PUT", f"/me/contacts/{call.id}", note="x")[0] == 404
    assert ask("GET", "/me/contacts/nonsense")[0] == 404
    assert ask("PUT", f"/me/contacts/{own.id}", disposition="passed_on")[1]["said_by"] == "anna"
    (listed,) = ask("GET", "/me/contacts")[1]["contacts"]
    assert (listed["id"], listed["queue"], listed["disposition"]) == (own.id, "support", "Passed on")
    assert store.audit_entries(action="contact.result") == [], "it is a fact of the contact already"
    assert store.contact(own.id).disposition == "passed_on"


def test_a_promised_call_back_is_the_agents_until_it_is_made(anna: FlaskClient, store: Store) -> None:
    ask, now = asks(anna), time.time()
    call = Call(now - 900, caller=CALLER).queued(1).offered(2, "anna").talked(5, 60, "anna").ended(65)
    store.record(call.events)
    put = f"/me/contacts/{call.id}"
    status, problem = ask("PUT", put, disposition="again", number=CALLER)
    assert (status, "when to call back" in problem["detail"]) == (422, True)
    assert ask("PUT", put, disposition="again", number="+33 6 12 40 77 55", callback_at=now + 3600)[0] == 200
    (promise,) = ask("GET", "/me/callbacks")[1]["callbacks"]
    assert (promise["contact"], promise["number"], promise["label"]) == (call.id, CALLER, "Call back")
    assert ask("POST", f"/me/callbacks/{call.id}")[1]["called_at"] >= now
    assert ask("GET", "/me/callbacks")[1]["callbacks"] == []
    assert ask("POST", f"/me/callbacks/{call.id}")[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"disposition": "burnt"},
        {"note": "x" * 4001},
        {"note": "a\x00b"},
        {"answers": {"colour": "red"}},
        {"answers": {"product": "Fridge"}},
        {"answers": {"bought": "2026-13-01"}},
        {"colour": "red"},
    ],
)
def test_what_the_queue_does_not_take_is_refused_by_name_and_nothing_is_kept(
    anna: FlaskClient, live: Live, body: dict[str, Any]
) -> None:
    ask, contact = asks(anna), talks(live)
    status, problem = ask("PUT", f"/me/contacts/{contact}", **{"note": "kept?", **body})
    assert (status, problem["code"]) == (422, "bad_value")
    assert next(iter(body)) in str(problem)
    assert ask("GET", f"/me/contacts/{contact}")[1]["note"] == ""


def test_a_supervisor_says_it_for_others_with_a_line_in_the_audit_log(sign_in: SignIn, store: Store) -> None:
    ask, call = asks(sign_in("supervisor")), answered(time.time() - 900)
    store.record(call.events)
    path = f"/contacts/{call.id}/result"
    status, sheet = ask("GET", path)
    assert (status, sheet["agent"], sheet["etag"]) == (200, "bob", '"0"')
    status, sheet = ask("PUT", path, '"0"', disposition="solved", note="His cable.")
    assert (status, sheet["agent"], sheet["said_by"], sheet["etag"]) == (200, "bob", "a-supervisor", '"1"')
    (entry,) = store.audit_entries(action="contact.result")
    assert (entry.actor, entry.subject) == ("a-supervisor", call.id)
    assert entry.detail == {"queue": "support", "disposition": "solved"}, "what was noted is in no log"
    assert ask("PUT", path, '"1"', disposition="solved")[1]["etag"] == '"1"'
    assert len(store.audit_entries(action="contact.result")) == 1, "nothing new was said"
    assert ask("PUT", f"{path}?queue=billing", note="x")[0] == 422


def test_of_two_who_change_the_same_the_second_reads_it_again(sign_in: SignIn, store: Store) -> None:
    ask, call = asks(sign_in("supervisor")), answered(time.time() - 900)
    store.record(call.events)
    path = f"/contacts/{call.id}/result"
    assert ask("PUT", path, '"0"', note="one")[0] == 200
    status, problem = ask("PUT", path, '"0"', note="two")
    assert (status, problem["code"]) == (412, "changed")
    assert ask("PUT", path, "W/x", note="two")[0] == 422
    assert ask("PUT", path, "*", note="three")[1]["note"] == "three"


def test_an_account_that_is_limited_says_it_for_its_own_queues(sign_in: SignIn, store: Store) -> None:
    ask = asks(sign_in("supervisor"))
    call = answered(time.time() - 900).queued(95, "billing").offered(96, "dev", "billing")
    store.record(call.talked(97, 5, "dev", "billing").events)
    store.change_user("a-supervisor", queues=("support",))
    path = f"/contacts/{call.id}/result"
    assert ask("GET", path)[1]["queue"] == "support"
    assert ask("PUT", f"{path}?queue=billing", note="x")[0] == 422
    assert ask("PUT", path, disposition="solved")[0] == 200
    counts = f"/dispositions?since={time.time() - 60:.0f}"
    assert [(one["label"], one["number"]) for one in ask("GET", counts)[1]["dispositions"]] == [("Solved", 1)]
    store.change_user("a-supervisor", queues=("billing",))
    assert ask("GET", counts)[1]["dispositions"] == []


def test_a_contacts_page_tells_the_result_and_takes_one(sign_in: SignIn, store: Store) -> None:
    browser, call = sign_in("supervisor"), answered(time.time() - 900)
    store.record(call.events)
    hostile = "<script>alert(1)</script>"
    token = csrf(browser, f"/contacts/{call.id}")
    form = {"csrf_token": token, "queue": "support", "version": "0", "disposition": "passed_on", "note": hostile}
    assert browser.post(f"/contacts/{call.id}/result", data=form).status_code == 303
    text = browser.get(f"/contacts/{call.id}").text
    assert "<strong><bdi>Passed on</bdi></strong>" in text
    assert "bob: Passed on (support)" in text, "in the timeline"
    assert "a-supervisor wrote down (support)" in text
    assert hostile not in text
    assert "&lt;script&gt;" in text
    late = browser.post(f"/contacts/{call.id}/result", data={**form, "note": "late"})
    assert (late.status_code, "Read it again" in late.text) == (412, True)
    reader = sign_in("auditor")
    assert "Change it" not in reader.get(f"/contacts/{call.id}").text
    assert (
        reader.post(f"/contacts/{call.id}/result", data={**form, "csrf_token": csrf(reader, "/me")}).status_code == 403
    )
    assert "Passed on" in browser.get("/contacts?disposition=passed_on").text
    assert "No contact matches this." in browser.get("/contacts?disposition=solved").text
    assert "No contact matches this." in browser.get("/contacts?disposition=-").text
    assert [one["id"] for one in browser.get("/api/v1/contacts?disposition=passed_on").get_json()["contacts"]] == [
        call.id
    ]
