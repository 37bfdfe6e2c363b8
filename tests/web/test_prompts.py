"""Prompts through the API and their page."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from tests.prompts.test_files import tone
from tests.web.conftest import SignIn, csrf
from tests.web.sample import site

API = "/api/v1/prompts"
Send = Callable[..., Any]


@pytest.fixture
def admin(web: WebServices, sign_in: SignIn) -> FlaskClient:
    return sign_in("admin")


@pytest.fixture
def send(admin: FlaskClient) -> Send:
    token = csrf(admin, "/me")

    def ask(method: str, path: str, status: int, **more: Any) -> Any:
        answer = admin.open(f"{API}{path}", method=method, headers={"X-CSRFToken": token}, **more)
        assert answer.status_code == status, answer.text
        return answer.get_json() if answer.text else None

    return ask


def test_a_prompt_is_uploaded_heard_and_taken_away(send: Send, admin: FlaskClient, store: Store) -> None:
    made = send("PUT", "/en/welcome", 200, data=tone(seconds=1), content_type="audio/wav")
    assert (made["sound"], made["needed"]) == (True, False)
    assert made["seconds"] == pytest.approx(1, abs=0.1)
    heard = admin.get(f"{API}/en/welcome/audio", headers={"Range": "bytes=0-3"})
    assert (heard.status_code, heard.data, heard.mimetype) == (206, b"RIFF", "audio/wav")
    heard.close()
    assert store.audit_entries(action="prompt.upload")[0].subject == "en/welcome"
    send("DELETE", "/en/welcome", 204)
    assert send("DELETE", "/en/welcome", 404)["code"] == "not_found"
    assert admin.get(f"{API}/en/welcome/audio").status_code == 404


def test_what_is_needed_is_listed_as_missing_and_is_not_taken_away(send: Send, store: Store) -> None:
    queue = site().queues["support"].model_copy(update={"announce_prompt": "you-are"})
    store.save_site(site().model_copy(update={"queues": {"support": queue}}), "test")
    (row,) = [one for one in send("GET", "", 200)["prompts"] if one["name"] == "you-are"]
    assert (row["language"], row["sound"], row["text"], row["needed"]) == ("en", False, "", True)
    send("PUT", "/en/you-are", 200, data=tone(), content_type="audio/wav")
    refused = send("DELETE", "/en/you-are", 409)
    assert (refused["code"], refused["detail"]) == ("needed", "It would be missing: queues.support.announce_prompt.")
    store.save_site(site(), "test")
    send("DELETE", "/en/you-are", 204)


def test_what_is_no_sound_is_refused_with_the_reason(send: Send) -> None:
    assert "no sound file" in send("PUT", "/en/welcome", 422, data=b"<html>", content_type="audio/wav")["detail"]
    assert "no prompt's name" in send("PUT", "/en/Wel.come", 422, data=tone(), content_type="audio/wav")["detail"]
    send("PUT", "/en/welcome", 413, data=bytes(21_000_000), content_type="audio/wav")


def test_a_text_is_spoken_or_the_page_says_what_is_missing(
    send: Send, admin: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = send("POST", "/en/closed/speak", 200, json={"text": "We are closed."})
    assert made["seconds"] > 0.5
    assert "closed" in admin.get("/admin/prompts").text
    monkeypatch.setenv("PATH", "/nowhere")
    assert "espeak-ng is not installed" in send("GET", "", 200)["voice"]
    assert "espeak-ng is not installed" in admin.get("/admin/prompts").text
    assert "espeak-ng" in send("POST", "/en/other/speak", 503, json={"text": "Something new."})["detail"]
