"""Customers over the API and on their pages."""

import time
from typing import Any

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.domain.results import Wish
from contactcentre.live import Live
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.store.calls import Call, answered, recorded_call
from tests.web import populate
from tests.web.conftest import SignIn, csrf
from tests.web.sample import site
from tests.web.test_contacts import HOSTILE, stored
from tests.web.test_results import Asks, asks

MARIE, ANA = "+33612407755", "+33142968100"


@pytest.fixture
def ask(sign_in: SignIn) -> Asks:
    """A supervisor's."""
    return asks(sign_in("supervisor"))


def test_a_customer_is_added_found_read_and_changed(ask: Asks, store: Store) -> None:
    status, made = ask("POST", "/customers", numbers=["+33 6 12 40 77 55"], name="Marie", fields={"account": "17"})
    assert (status, made["numbers"], made["etag"]) == (201, [MARIE], '"1"')
    for path in (f"/customers/{made['id']}", f"/customers/{MARIE}", "/customers/0033612407755"):
        assert ask("GET", path)[1] == made
    assert [one["id"] for one in ask("GET", "/customers?text=mari")[1]["customers"]] == [made["id"]]
    path = f"/customers/{made['id']}"
    status, after = ask("PUT", path, made["etag"], tags=["Gold"], fields={"account": ""})
    assert (status, after["tags"], after["fields"], after["name"], after["etag"]) == (200, ["gold"], {}, "Marie", '"2"')
    assert ask("PUT", path, made["etag"], name="late")[1]["code"] == "changed"
    assert ask("PUT", path, name="any")[0] == 428
    status, problem = ask("POST", "/customers", numbers=[MARIE])
    assert (status, problem["code"], problem["holder"]) == (409, "number_taken", made["id"])
    assert [one.action for one in store.audit_entries(subject=made["id"])] == ["customer.change", "customer.add"]
    assert "Marie" not in str(store.audit_entries(subject=made["id"]))


def test_who_calls_from_a_number_of_which_nothing_is_known_is_a_customer_once_somebody_writes(ask: Asks) -> None:
    status, nobody = ask("GET", f"/customers/{MARIE}")
    assert (status, nobody["id"], nobody["numbers"], nobody["etag"]) == (200, "", [MARIE], '"0"')
    status, made = ask("PUT", f"/customers/{MARIE}", '"0"', notes="Rang twice")
    assert (status, made["notes"], made["numbers"]) == (200, "Rang twice", [MARIE])
    assert ask("GET", "/customers/3949")[0] == ask("GET", "/customers/nobody")[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"numbers": ["3949"]},
        {"numbers": []},
        {"fields": {"colour": "red"}},
        {"tags": ["<b>"]},
        {"name": "a\x00"},
        {"x": 1},
    ],
)
def test_what_is_not_acceptable_is_refused_by_name(ask: Asks, body: dict[str, Any]) -> None:
    status, problem = ask("POST", "/customers", **{"numbers": [MARIE], **body})
    assert (status, problem["code"], next(iter(body)) in str(problem)) == (422, "bad_value", True)
    assert ask("GET", "/customers")[1]["customers"] == []


def test_two_become_one_and_their_contacts_are_one_history(ask: Asks, store: Store) -> None:
    now = time.time()
    calls = [
        answered(now - 900, caller=MARIE),
        answered(now - 600, caller=ANA),
        answered(now - 300, caller="+4930551207"),
    ]
    store.record([event for call in calls for event in call.events])
    one = ask("POST", "/customers", numbers=[MARIE], name="Marie")[1]
    two = ask("POST", "/customers", numbers=[ANA], notes="Rude")[1]
    merged = ask("POST", f"/customers/{one['id']}/merge", other=ANA)[1]
    assert (merged["numbers"], merged["name"], merged["notes"]) == ([MARIE, ANA], "Marie", "Rude")
    assert ask("GET", f"/customers/{two['id']}")[1]["id"] == one["id"]
    past = ask("GET", f"/customers/{one['id']}/contacts?limit=1")[1]
    more = ask("GET", f"/customers/{one['id']}/contacts?cursor={past['next']}")[1]
    assert [contact["id"] for contact in (*past["contacts"], *more["contacts"])] == [calls[1].id, calls[0].id]
    assert ask("POST", f"/customers/{one['id']}/merge", other=MARIE)[0] == 422
    assert ask("POST", f"/customers/{one['id']}/merge", other="+4930551207")[0] == 422


def test_everything_of_a_customer_is_handed_out_and_erased_with_recordings_unless_one_is_held(
    sign_in: SignIn, store: Store, settings: Settings
) -> None:
    admin = asks(sign_in("admin"))
    call = recorded_call("rec-1", at=time.time() - 60, caller="+33612407755", caller_name="Marie")
    (settings.recordings_dir / "rec-1.wav").write_bytes(b"sound")
    store.record([*call.events, stored(call, "rec-1.wav")])
    rules, wish = site().queues["support"], Wish("solved", "Marie called", {"order": "A-17"})
    store.say(store.result(call.id, "support", "alice"), rules, wish, "alice", time.time())
    made = admin("POST", "/customers", numbers=[MARIE], name="Marie")[1]
    path = f"/customers/{made['id']}"

    status, everything = admin("GET", f"{path}/export")
    (contact,) = everything["contacts"]
    assert (status, everything["customer"]["name"], contact["contact"]["id"]) == (200, "Marie", call.id)
    assert (contact["notes"][0]["note"], contact["said"][0]["code"], contact["recordings"][0]["id"]) == (
        *("Marie called", "solved"),
        "rec-1",
    )
    store.hold(["rec-1"], "sue", "court")
    status, refused = admin("POST", f"{path}/erase", reason="asked", confirm=True)
    assert (status, "on legal hold: rec-1" in refused["detail"]) == (409, True)
    store.release(["rec-1"], "sue", "over")
    status, shown = admin("POST", f"{path}/erase", reason="asked")
    assert (status, shown["contacts"], shown["recordings"], shown["done"]) == (200, 1, ["rec-1"], False)
    assert store.contact(call.id).caller == MARIE
    assert admin("POST", f"{path}/erase", reason="asked", confirm=True)[1]["done"]
    assert admin("GET", path)[0] == 404
    assert (store.contact(call.id).caller, store.contact(call.id).disposition) == ("", "solved")
    assert not (settings.recordings_dir / "rec-1.wav").exists()
    assert store.notes(call.id) == []
    done = [one.action for one in store.audit_entries(actor="a-admin") if one.action.startswith(("customer", "rec"))]
    assert done == ["customer.erase", "recording.delete", "customer.export", "customer.add"]


def test_whose_call_goes_on_is_not_erased(sign_in: SignIn, store: Store) -> None:
    admin = asks(sign_in("admin"))
    store.record(Call(time.time() - 9, caller=MARIE).queued(1).events)
    status, refused = admin("POST", f"/customers/{MARIE}/erase", reason="asked", confirm=True)
    assert (status, "end the call first" in refused["detail"]) == (409, True)


def test_an_agent_sees_who_calls_before_the_answer_and_writes_it_down(
    sign_in: SignIn, store: Store, live: Live
) -> None:
    browser = sign_in("agent")
    store.change_user("a-agent", agent="anna")
    ask, now = asks(browser), time.time()
    past = answered(now - 900, caller=MARIE)
    store.record(past.events)
    store.say(
        store.result(past.id, "support", "bob"), site().queues["support"], Wish("solved", "The cable"), "bob", now - 800
    )
    live.change("anna", Verb.LOGIN, now - 100)
    contact = populate.ring(live, "anna", "support", now, MARIE, "")
    path = f"/me/contacts/{contact}/customer"
    status, seen = ask("GET", path)
    assert (status, seen["customer"]["id"], seen["customer"]["numbers"]) == (200, "", [MARIE])
    assert [(one["disposition"], one["note"], one["agent"]) for one in seen["contacts"]] == [
        ("Solved", "The cable", "bob")
    ]
    assert seen["fields"] == [{"name": "account", "label": "Account number", "value": ""}]
    status, after = ask("PUT", path, seen["etag"], name="Marie", fields={"account": "17"})
    assert (status, after["customer"]["name"], after["fields"][0]["value"]) == (200, "Marie", "17")
    assert store.audit_entries(action="customer.add")[0].actor == "a-agent"
    assert ask("GET", f"/me/contacts/{past.id}/customer")[0] == 404, "somebody else's contact"
    assert ask("GET", f"/customers/{MARIE}")[0] == 403
    hidden = populate.wait(live, "support", now, "")
    assert ask("GET", f"/me/contacts/{hidden}/customer")[0] == 404


def test_an_account_that_is_limited_sees_customers_of_its_queues_and_what_they_called_these_for(
    ask: Asks, store: Store
) -> None:
    now = time.time()
    calls = [
        answered(now - 900, caller=MARIE),
        Call(now - 600, caller=MARIE).queued(1, "billing").abandoned(9, "billing"),
    ]
    calls.append(Call(now - 300, caller=ANA).queued(1, "billing").abandoned(9, "billing"))
    store.record([event for call in calls for event in call.events])
    marie = ask("POST", "/customers", numbers=[MARIE], name="Marie")[1]
    ana = ask("POST", "/customers", numbers=[ANA], name="Ana")[1]
    store.change_user("a-supervisor", queues=("support",))
    assert [one["name"] for one in ask("GET", "/customers")[1]["customers"]] == ["Marie"]
    for path in (f"/customers/{ana['id']}", f"/customers/{ANA}", f"/customers/{ana['id']}/contacts"):
        assert ask("GET", path)[0] == 404
        assert ask("PUT", path, '"1"', name="x")[0] in (404, 405)
    seen = ask("GET", f"/customers/{marie['id']}/contacts")[1]["contacts"]
    assert [contact["id"] for contact in seen] == [calls[0].id]
    for verb in ("merge", "erase"):
        assert ask("POST", f"/customers/{marie['id']}/{verb}", reason="x", other=ANA)[0] == 403
    assert ask("GET", f"/customers/{marie['id']}/export")[0] == 403
    status, problem = ask("POST", "/customers", numbers=[ANA])
    assert (status, "holder" in problem) == (409, False)


def test_the_pages_find_show_change_merge_hand_out_and_erase(sign_in: SignIn, store: Store) -> None:
    browser = sign_in("admin")
    call = answered(time.time() - 900, caller=MARIE, caller_name=HOSTILE)
    store.record(call.events)
    assert f"/customers/{MARIE}" in browser.get(f"/contacts/{call.id}").text
    token = csrf(browser, f"/customers/{MARIE}")
    form = {
        "csrf_token": token,
        "version": "",
        "name": HOSTILE,
        "numbers": f"{MARIE}\n+33 1 42 96 81 00",
        "tags": "a, b",
    }
    saved = browser.post(f"/customers/{MARIE}", data={**form, "field-account": "17", "notes": HOSTILE})
    assert saved.status_code == 303
    made = store.customers().customers[0]
    assert (made.numbers, made.tags, dict(made.fields)) == ((MARIE, ANA), ("a", "b"), {"account": "17"})
    for path in ("/customers", saved.location, f"/contacts/{call.id}", "/customers?text=script"):
        text = browser.get(path).text
        assert "&lt;script&gt;" in text, path
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    assert browser.get(f"/customers/{ANA}").location == f"/customers/{made.id}"
    late = browser.post(saved.location, data={**form, "version": "7", "name": "typed by me"})
    assert (late.status_code, "Read it again" in late.text, "typed by me" in late.text) == (412, True, True)
    bad = browser.post(saved.location, data={**form, "version": "1", "numbers": "3949"})
    assert (bad.status_code, "is no telephone number" in bad.text, "3949" in bad.text) == (422, True, True)
    other = browser.post("/customers/+4930551207", data={**form, "numbers": "+4930551207", "name": "B"})
    merged = browser.post(f"{saved.location}/merge", data={"csrf_token": token, "other": "+4930551207"})
    assert (merged.location, browser.get(other.location).location) == (saved.location, saved.location)
    handed = browser.get(f"{saved.location}/export")
    assert "attachment" in handed.headers["Content-Disposition"]
    assert handed.get_json()["contacts"][0]["contact"]["id"] == call.id
    erase = {"csrf_token": token, "reason": "asked"}
    assert "notes and answers: 1." in browser.post(f"{saved.location}/erase", data=erase).text
    assert store.customers().customers
    assert browser.post(f"{saved.location}/erase", data={**erase, "confirm": "yes"}).status_code == 303
    assert store.customers().customers == ()
    assert "Erase, because" not in sign_in("supervisor").get(f"/customers/{MARIE}").text
