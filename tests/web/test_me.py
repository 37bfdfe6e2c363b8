"""An agent's own work over the API: a real controller, on a PBX in memory, does it."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.store import Store
from contactcentre.web.api.me import ice_servers
from contactcentre.web.app import WebServices, create_app
from tests.controller.people import comes, talks
from tests.controller.test_verbs import hears
from tests.controller.world import SITE, World
from tests.waiting import eventually
from tests.web.conftest import PASSWORD, SignIn, csrf, post

Asks = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def browser(sign_in: SignIn, world: World, web: WebServices, store: Store) -> FlaskClient:
    """Anna's."""
    store.save_site(SITE, "test")
    client = sign_in("agent")
    store.change_user("a-agent", agent="anna")
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    return client


@pytest.fixture
def ask(browser: FlaskClient) -> Asks:
    def send(path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = browser.post(f"/api/v1/me/{path}", json=body, headers={"X-CSRFToken": csrf(browser, "/me")})
        return answer.status_code, answer.get_json()

    return send


def test_an_agent_begins_work_pauses_returns_and_ends_it(ask: Asks, world: World, browser: FlaskClient) -> None:
    world.live.change("anna", Verb.LOGOUT, time.time())
    reasons = SITE.settings.pause_reasons
    for step, body, state, reason in (
        ("login", {}, AgentState.AVAILABLE, ""),
        ("pause", {}, AgentState.PAUSED, reasons[0]),
        ("pause", {"reason": reasons[-1]}, AgentState.PAUSED, reasons[-1]),
        ("unpause", {}, AgentState.AVAILABLE, ""),
        ("login", {"device": "phone"}, AgentState.AVAILABLE, ""),
        ("logout", {}, AgentState.LOGGED_OUT, ""),
    ):
        status, answer = ask(step, **body)
        there = world.live.agent("anna")
        assert (status, there.state, there.reason) == (200, state, reason), step
        assert (answer["agent"]["state"], answer["agent"]["reason"]) == (state, reason), "it answers the state after it"
    assert ask("pause")[1]["code"] == "conflict"
    assert ask("pause", reason="yachting")[1]["code"] == "bad_value"
    assert ask("login", device="webrtc")[0] == 422, "the site gives anna no softphone"
    assert ask("dance")[0] == 404
    eventually(lambda: browser.get("/api/v1/me").get_json()["agent"]["state"] == "logged_out")


def test_what_an_agent_asks_for_is_done_with_the_own_call_and_no_other(
    ask: Asks, world: World, browser: FlaskClient, store: Store
) -> None:
    world.live.change("bert", Verb.LOGOUT, time.time())
    assert ask("call/hold")[0] == 404
    caller, leg = talks(world)
    assert leg.endpoint == "anna"
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    eventually(lambda: (browser.get("/api/v1/me").get_json()["contact"] or {}).get("talk"))
    seen = browser.get("/api/v1/me").get_json()
    assert (seen["contact"]["id"], seen["agent"]["state"]) == (contact, "talking")
    status, told = ask("call/hold")
    assert (status, told["state"], hears(caller)) == (200, "held", "music")
    assert comes(world, caller, Kind.TALK_HELD).data["by"] == "agent"
    assert ask("call/hold")[1]["code"] == "held_already"
    assert ask("call/hangup")[0] == ask("call/pickup")[0] == 404
    assert ask("call/transfer")[1]["code"] == "bad_value"
    store.change_user("a-agent", agent="bert")
    assert ask("call/resume")[0] == 404
    store.change_user("a-agent", agent="")
    for path in ("", "/colleagues", "/live"):
        assert browser.get(f"/api/v1/me{path}").status_code == 404
    assert "no agent" in browser.get("/agent").text
    world.peace()
    world.check()


def test_a_window_that_goes_leaves_the_customer_on_music_until_it_says_that_it_is_there(
    ask: Asks, world: World, browser: FlaskClient
) -> None:
    world.live.change("bert", Verb.LOGOUT, time.time())
    caller, _ = talks(world)
    assert ask("call/away")[1]["state"] == "held"
    assert hears(caller) == "music"

    def held_by() -> str:
        contact = browser.get("/api/v1/me").get_json()["contact"] or {}
        return str((contact.get("talk") or {}).get("held_by"))

    eventually(lambda: held_by() == "window")
    assert ask("call/rejoin")[1]["code"] == "no_softphone"
    assert ask("call/here")[1]["state"] == "talking"
    assert hears(caller) == "talk"
    world.peace()
    world.check()


def test_a_desk_shows_whom_to_ask_but_not_oneself(browser: FlaskClient) -> None:
    found = browser.get("/api/v1/me/colleagues").get_json()
    assert [one["name"] for one in found["agents"]] == ["bert"]
    assert found["queues"] == sorted(SITE.queues)


def test_the_own_stream_tells_of_oneself_and_of_nobody_else(
    browser: FlaskClient, world: World, web: WebServices
) -> None:
    client = web.fanout.join_desk("anna")
    heard = client.next(60) or b""
    assert b"event: desk" in heard
    world.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    world.live.change("anna", Verb.PAUSE, time.time(), reason="meeting")
    while b'"reason":"meeting"' not in heard:
        more = client.next(60)
        assert more, heard
        heard += more
    assert heard.count(b"event: ") == 2, "what bert does is his"
    web.fanout.leave(client)


def test_the_page_alone_may_use_the_microphone_and_reach_the_pbx(
    browser: FlaskClient, web: WebServices, store: Store
) -> None:
    settings = web.settings.model_copy(update={"phone_url": "wss://pbx.example.com:8089/ws"})
    client = create_app(replace(web, settings=settings), TESTING=True).test_client()
    assert post(client, "/login", "/login", name="a-agent", password=PASSWORD).location == "/agent"
    page, other = client.get("/agent").headers, client.get("/voicemail").headers
    assert "connect-src 'self' wss://pbx.example.com:8089;" in page["Content-Security-Policy"]
    assert "microphone=(self)" in page["Permissions-Policy"]
    assert "connect-src 'self';" in other["Content-Security-Policy"]
    assert "microphone=()" in other["Permissions-Policy"]


def test_a_phone_needs_a_window_and_an_address(ask: Asks) -> None:
    assert ask("phone")[1]["code"] == "bad_value"
    status, problem = ask("phone", holder="window-one")
    assert (status, problem["code"]) == (503, "unavailable")
    assert "CONTACTCENTRE_PHONE_URL" in problem["detail"]


def test_a_turn_server_can_check_the_password_by_itself(web: WebServices) -> None:
    ice = "stun:stun.example.com  turns:turn.example.com:443?transport=tcp"
    settings = web.settings.model_copy(update={"phone_ice": ice, "turn_secret": SecretStr("north")})
    stun, turn = ice_servers(settings, "anna", 1_700_000_000.5)
    assert (stun.urls, stun.username, stun.credential) == ("stun:stun.example.com", "", "")
    assert (turn.urls, turn.username) == ("turns:turn.example.com:443?transport=tcp", "1700003600:anna")
    # printf 1700003600:anna | openssl dgst -sha1 -hmac north -binary | base64
    assert turn.credential == "+MLxLOEoYnWwCOD+2dzOXWFtASg="
