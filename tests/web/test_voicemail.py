"""The page of messages."""

import time

from contactcentre.domain.events import Event, Kind
from contactcentre.store import Store
from tests.store.test_boxes import left
from tests.web.conftest import SignIn, post


def test_a_message_is_listed_heard_claimed_and_done(store: Store, sign_in: SignIn) -> None:
    left(store, "w1", time.time() - 300, caller="+33144120987", caller_name="Marie <b>")
    browser = sign_in("supervisor")
    text = browser.get("/voicemail").text
    assert "Marie &lt;b&gt;" in text
    assert '/api/v1/recordings/w1/audio"' in text
    assert ">1 new<" in text
    done = post(browser, "/voicemail", "/voicemail/w1/claim", box="support")
    assert (done.status_code, done.location) == (303, "/voicemail?box=support")
    assert store.message("w1").message.owner == "a-supervisor"
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
