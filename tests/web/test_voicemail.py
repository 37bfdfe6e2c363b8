"""The page of messages."""

import time

from apiflask import APIFlask

from contactcentre.domain.events import Event, Kind
from contactcentre.domain.notation import encode
from contactcentre.domain.voicemail import BoxCount, Step
from contactcentre.live import BoxCounts, Live
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from tests.store.test_boxes import left
from tests.waiting import eventually
from tests.web.conftest import SignIn, post


def test_a_message_is_listed_heard_claimed_and_done(store: Store, sign_in: SignIn, live: Live) -> None:
    left(store, "w1", time.time() - 300, caller="+33144120987", caller_name="Marie <b>")
    browser = sign_in("supervisor")
    text = browser.get("/voicemail").text
    assert "Marie &lt;b&gt;" in text
    assert '/api/v1/voicemail/w1/audio"' in text
    assert ">1 new<" in text
    done = post(browser, "/voicemail", "/voicemail/w1/claim", box="support")
    assert (done.status_code, done.location) == (303, "/voicemail?box=support")
    assert store.message("w1").message.owner == "a-supervisor"
    assert BoxCounts(live.redis).asked() == 1, "who counts what waits is told"
    post(browser, "/voicemail", "/voicemail/w1/done", note="called back")
    assert store.message("w1").message.note == "called back"
    assert "Reopen" in browser.get("/voicemail?state=done").text


def test_what_another_looks_after_is_not_taken(store: Store, sign_in: SignIn) -> None:
    left(store, "w2", time.time() - 300)
    post(sign_in("admin"), "/voicemail", "/voicemail/w2/claim")
    browser = sign_in("supervisor")
    assert "admin looks after it" in browser.get("/voicemail").text
    refused = post(browser, "/voicemail", "/voicemail/w2/done")
    assert refused.status_code == 409
    assert "admin looks after this message" in refused.text


def test_handing_over_needs_a_box_that_is_there(store: Store, sign_in: SignIn) -> None:
    left(store, "w3", time.time() - 300)
    browser = sign_in("supervisor")
    assert post(browser, "/voicemail", "/voicemail/w3/hand_over", to="nowhere").status_code == 422
    assert post(browser, "/voicemail", "/voicemail/w3/juggle").status_code == 404
    assert post(browser, "/voicemail", "/voicemail/w3/hand_over", to="billing").status_code == 303
    assert store.message("w3").message.box == "billing"


def test_an_erased_message_is_gone(store: Store, sign_in: SignIn) -> None:
    call = left(store, "w4", time.time() - 300)
    erased = {"recording": "w4", "reason": "request"}
    store.record([Event(call.id, 0, time.time(), Kind.RECORDING_DELETED, erased)])
    browser = sign_in("supervisor")
    assert "No message matches" in browser.get("/voicemail").text
    assert post(browser, "/voicemail", "/voicemail/w4/claim").status_code == 404


def test_an_agents_account_has_the_boxes_of_the_agent_and_of_the_agents_queues(store: Store, sign_in: SignIn) -> None:
    left(store, "w5", time.time() - 300, box="support", caller="+33155")
    left(store, "w6", time.time() - 200, box="anna", caller="+33166")
    left(store, "w7", time.time() - 100, box="billing", caller="+33177")
    browser = sign_in("agent")
    assert "belongs to no agent" in browser.get("/voicemail").text
    assert browser.get("/api/v1/voicemail").get_json() == {"boxes": [], "messages": [], "next": ""}
    store.change_user("a-agent", agent="anna")
    text = browser.get("/voicemail?box=billing").text + browser.get("/voicemail").text
    assert "+33177" not in text.replace(" ", "")
    assert "/contacts/" not in text
    listed = browser.get("/api/v1/voicemail").get_json()
    assert [one["id"] for one in listed["messages"]] == ["w5", "w6"]
    assert {box["box"]: box["new"] for box in listed["boxes"]} == {"support": 1, "anna": 1}
    assert browser.get("/api/v1/voicemail?box=billing").get_json()["messages"] == []


def test_who_may_hear_all_boxes_can_ask_for_those_of_the_own_agent(store: Store, sign_in: SignIn) -> None:
    left(store, "o1", time.time() - 300, box="support", caller="+33612407755")
    left(store, "o2", time.time() - 100, box="dev")
    store.take_step("o1", Step.CLAIM, "anna", time.time())
    browser = sign_in("supervisor")
    assert browser.get("/api/v1/voicemail?own=true").get_json() == {"boxes": [], "messages": [], "next": ""}
    store.change_user("a-supervisor", agent="anna")
    listed = browser.get("/api/v1/voicemail?own=true").get_json()
    (found,) = listed["messages"]
    assert (found["id"], found["free"], found["by"]) == ("o1", False, "anna")
    assert listed["boxes"] == [{"box": "support", "new": 0, "claimed": 1, "oldest": None}]
    free = [(one["id"], one["free"]) for one in browser.get("/api/v1/voicemail").get_json()["messages"]]
    assert free == [("o1", False), ("o2", True)]


def test_a_desk_tells_what_waits_in_the_own_boxes_whenever_that_changes(
    store: Store, web: WebServices, live: Live
) -> None:
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    client = web.fanout.join_desk("anna")
    for count in ({"new": 2, "claimed": 0, "oldest": 5.0}, {"new": 2, "claimed": 1, "oldest": 5.0}):
        BoxCounts(live.redis).tell({box: BoxCount(**count) for box in ("support", "billing", "anna")})
        boxes = encode([{"box": box, **count} for box in ("anna", "support")]).replace(" ", "")
        heard = b""
        while f'"boxes":{boxes}'.encode() not in heard:
            more = client.next(60)
            assert more, heard
            heard += more
    web.fanout.leave(client)


def test_what_lies_in_anothers_box_is_neither_heard_nor_changed(store: Store, sign_in: SignIn) -> None:
    left(store, "w8", time.time() - 300, box="billing")
    browser = sign_in("agent")
    store.change_user("a-agent", agent="anna")
    assert browser.get("/api/v1/voicemail/w8/audio").status_code == 404
    assert post(browser, "/me", "/voicemail/w8/claim").status_code == 404
    assert store.message("w8").message.version == 0
    store.take_step("w8", Step.HAND_OVER, "dev", time.time(), to="anna")
    assert post(browser, "/me", "/voicemail/w8/claim").status_code == 303
    assert store.message("w8").message.owner == "anna"
    entry = store.audit_entries(subject="w8", action="voicemail.claim")[0]
    assert (entry.actor, entry.detail["by"]) == ("a-agent", "anna")


def test_a_message_is_heard_in_parts_and_each_hearing_is_audited(
    store: Store, sign_in: SignIn, web: WebServices
) -> None:
    left(store, "w9", time.time() - 300, path="w9.wav")
    file = web.settings.recordings_dir / "w9.wav"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(range(100)))
    browser = sign_in("agent")
    store.change_user("a-agent", agent="anna")
    with browser.get("/api/v1/voicemail/w9/audio", headers={"Range": "bytes=10-19"}) as part:
        assert (part.status_code, part.data) == (206, bytes(range(10, 20)))
    assert browser.get("/api/v1/recordings/w9/audio").status_code == 403
    entry = store.audit_entries(subject="w9", action="recording.listen")[0]
    assert (entry.actor, entry.detail["range"]) == ("a-agent", "bytes=10-19")


def test_a_program_takes_the_same_steps_and_is_told_what_came_of_it(
    store: Store, sign_in: SignIn, app: APIFlask
) -> None:
    left(store, "x1", time.time() - 300)
    app.config["WTF_CSRF_ENABLED"] = False  # of interest here is what is answered
    browser = sign_in("agent")
    store.change_user("a-agent", agent="anna")
    claimed = browser.post("/api/v1/voicemail/x1/claim", json={}).get_json()
    assert (claimed["state"], claimed["by"], claimed["box"]) == ("claimed", "anna", "support")
    again = browser.post("/api/v1/voicemail/x1/claim", json={})
    assert (again.status_code, again.get_json()["code"]) == (409, "conflict")
    for step, wish, status in (
        ("juggle", {}, 404),
        ("hand_over", {"to": "nowhere"}, 422),
        ("done", {"to": "billing"}, 422),
        ("done", {"note": "a\nb"}, 422),
        ("done", {"note": "x" * 501}, 422),
    ):
        assert browser.post(f"/api/v1/voicemail/x1/{step}", json=wish).status_code == status, (step, wish)
    assert store.message("x1").message.version == 1
    moved = browser.post("/api/v1/voicemail/x1/hand_over", json={"to": "billing", "note": "wants an invoice"})
    assert moved.get_json()["box"] == "billing"
    assert browser.post("/api/v1/voicemail/x1/done", json={}).status_code == 404, "it is no business of anna's any more"
