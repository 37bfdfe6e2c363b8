"""Webhooks over the API and on their page."""

import re
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.domain.webhooks import secret_of, signed
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web.app import WebServices, create_app
from tests.outgoing.servers import serving
from tests.store.calls import DAY, answered
from tests.web.conftest import SignIn, csrf, post

HOOK = {"name": "crm", "url": "https://crm.example.com/calls", "kinds": ["contact.ended", "contact.arrived"]}


class Ask:
    def __init__(self, browser: FlaskClient) -> None:
        self._browser = browser

    def __call__(self, method: str, path: str, etag: str = "", **body: Any) -> tuple[int, dict[str, Any], str]:
        headers = {"X-CSRFToken": csrf(self._browser, "/me")} | ({"If-Match": etag} if etag else {})
        sent = {"json": body} if method in ("POST", "PUT") else {}
        answer = self._browser.open(f"/api/v1/webhooks{path}", method=method, headers=headers, **sent)
        return answer.status_code, answer.get_json(silent=True) or {}, answer.headers.get("ETag", "")


@pytest.fixture
def ask(sign_in: SignIn) -> Ask:
    return Ask(sign_in("admin"))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"http_allow": "127.0.0.0/8"})


def test_a_webhook_is_made_with_a_secret_that_is_shown_once_and_changed_with_its_version(
    ask: Ask, store: Store
) -> None:
    status, made, etag = ask("POST", "", **HOOK)
    assert (status, made["kinds"], made["state"], etag) == (201, ["contact.arrived", "contact.ended"], "on", '"1"')
    assert len(secret_of(made["secret"])) == 32
    assert ask("POST", "", **HOOK)[1]["code"] == "webhook_there"
    _, found, _ = ask("GET", "/crm")
    assert "secret" not in found
    _, listed, _ = ask("GET", "")
    assert [one["name"] for one in listed["webhooks"]] == ["crm"]
    assert {"voicemail.left", "agent.state", "contact.ended:abandoned"} <= set(listed["kinds"])
    assert ask("PUT", "/crm", enabled=False)[0] == 428
    status, after, etag = ask("PUT", "/crm", etag, enabled=False, queues=["support"])
    assert (status, after["state"], after["queues"], etag) == (200, "off", ["support"], '"2"')
    assert ask("PUT", "/crm", '"1"', enabled=True)[1]["code"] == "changed"
    assert secret_of(ask("POST", "/crm/secret")[1]["secret"]) != secret_of(made["secret"])
    assert ask("DELETE", "/crm")[0] == 204
    assert ask("GET", "/crm")[0] == 404
    actions = [one.action for one in store.audit_entries(subject="crm")]
    assert actions[:4] == ["webhook.remove", "webhook.secret", "webhook.change", "webhook.add"]
    assert store.secrets("webhook/") == {}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "No"},
        {"url": "file:///etc/passwd"},
        {"kinds": []},
        {"kinds": ["flow.set"]},
        {"queues": ["nowhere"]},
        {"x": 1},
    ],
)
def test_what_is_not_acceptable_is_refused_by_name(ask: Ask, body: dict[str, Any]) -> None:
    status, problem, _ = ask("POST", "", **{**HOOK, **body})
    assert (status, problem["code"], next(iter(body)) in str(problem)) == (422, "bad_value", True)
    assert ask("GET", "")[1]["webhooks"] == []


def test_a_test_is_sent_at_once_and_says_what_came_of_it(ask: Ask) -> None:
    with serving() as server:
        _, made, _ = ask("POST", "", **{**HOOK, "url": server.url})
        _, tested, _ = ask("POST", "/crm/test")
        assert (tested["error"], tested["status"]) == ("", 204)
        (one,) = server.got
    at = float(one.headers["webhook-timestamp"])
    right = signed(secret_of(made["secret"]), one.headers["webhook-id"], at, one.body)
    assert one.headers["webhook-signature"] == right["webhook-signature"]
    assert "refused" in ask("POST", "/crm/test")[1]["error"]


def test_a_test_reaches_nothing_inside_that_the_settings_do_not_name(
    web: WebServices, settings: Settings, sign_in: SignIn
) -> None:
    ask = Ask(sign_in("admin"))
    object.__setattr__(web, "settings", settings.model_copy(update={"http_allow": ""}))
    with serving() as server:
        ask("POST", "", **{**HOOK, "url": server.url})
        assert "CONTACTCENTRE_HTTP_ALLOW" in ask("POST", "/crm/test")[1]["error"]
    assert server.got == []
    assert create_app(web, TESTING=True)


def test_what_nobody_took_is_seen_and_sent_again(ask: Ask, store: Store) -> None:
    ask("POST", "", **HOOK)
    call = answered()
    store.record(call.events)
    for one in store.due_deliveries("crm", 4e9, 9):
        store.refused(one, 1e9, "status 500", None, None)
    _, found, _ = ask("GET", "/crm/letters")
    (letter,) = found["letters"]
    assert (letter["kind"], letter["subject"], letter["error"]) == ("contact.arrived", call.id, "status 500")
    assert ask("POST", "/crm/resend", messages=["msg_other"])[1] == {"messages": 0}
    assert ask("POST", "/crm/resend")[1] == {"messages": 1}
    assert (store.webhook("crm").letters, store.webhook("crm").waiting) == (0, 2)


def test_letters_are_given_out_in_pages(ask: Ask, store: Store, sign_in: SignIn) -> None:
    ask("POST", "", **{**HOOK, "kinds": ["contact.arrived", "contact.ended"]})
    for minute in range(30):
        store.record(answered(DAY + 60 * minute).events)
    hook = store.webhook("crm")
    store.change_webhook(hook, replace(hook, enabled=False), "ada", DAY)
    store.give_up(4e9, 0.0)
    found, cursor = [], ""
    while True:
        _, page, _ = ask("GET", f"/crm/letters?limit=7&cursor={cursor}")
        found += [one["message"] for one in page["letters"]]
        if not (cursor := page["next"]):
            break
    assert found == [one.message for one in store.letters("crm", 99)]
    assert len(set(found)) == len(found) == 60
    assert ask("GET", "/crm/letters?cursor=x")[0] == 422
    browser = sign_in("admin")
    first = browser.get("/webhooks/crm").text
    more = re.search(r'href="(/webhooks/crm\?cursor=\d+)">Earlier', first)
    assert more
    assert (first.count('name="message"'), browser.get(more[1]).text.count('name="message"')) == (50, 10)


def test_the_page_does_all_of_it(sign_in: SignIn, store: Store) -> None:
    browser = sign_in("admin")
    made = post(browser, "/webhooks", "/webhooks", **HOOK)
    assert (made.status_code, "whsec_" in made.text) == (201, True)
    assert post(browser, "/webhooks", "/webhooks", **{**HOOK, "url": "x"}).status_code == 422
    page = browser.get("/webhooks/crm").text
    assert "whsec_" not in page
    saved = post(
        browser, "/webhooks/crm", "/webhooks/crm", version="1", url="https://other.example/", kinds="agent.state"
    )
    assert saved.status_code == 303
    assert store.webhook("crm").kinds == ("agent.state",)
    assert post(browser, "/webhooks/crm", "/webhooks/crm", version="1", url="https://a.example/").status_code in (
        412,
        422,
    )
    for verb, state in (("disable", "off"), ("enable", "on")):
        post(browser, "/webhooks/crm", f"/webhooks/crm/{verb}")
        assert store.webhook("crm").state == state
    assert "whsec_" in post(browser, "/webhooks/crm", "/webhooks/crm/secret").text
    assert post(browser, "/webhooks/crm", "/webhooks/crm/what").status_code == 404
    assert post(browser, "/webhooks/crm", "/webhooks/crm/remove").status_code == 303
    assert store.webhooks() == []
