"""The wallboard's numbers: what a screen on the wall may see, and what not."""

import json
import time

from apiflask import APIFlask
from flask.testing import FlaskClient

from contactcentre.live import Live
from contactcentre.store import Store
from contactcentre.web import tokens
from contactcentre.web.app import WebServices
from contactcentre.web.session import IDLE_SECONDS, LONGEST_SECONDS, SCREEN_SECONDS, Sessions
from tests.waiting import eventually
from tests.web import populate
from tests.web.conftest import SignIn

CALLERS = ("407755", "Marie", "Weaver", "anna", "Anna Fischer")


def first_frames(browser: FlaskClient) -> str:
    with browser.get("/api/v1/wallboard/live", buffered=False) as answer:
        frames = iter(answer.response)
        return "".join(part.decode() if isinstance(part, bytes) else part for part in (next(frames), next(frames)))


def test_a_wallboard_sees_numbers_and_nobodys_name_or_number(
    sign_in: SignIn, web: WebServices, live: Live, store: Store
) -> None:
    populate.scene(live, time.time())
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    browser = sign_in("wallboard")
    told = browser.get("/api/v1/wallboard").get_json()
    assert {name: row["waiting"] for name, row in told["queues"].items()} == {"billing": 1, "support": 3}
    assert told["agents"] == told["contacts"] == {}
    stream = first_frames(browser)
    assert json.loads(stream.partition("data: ")[2])["queues"] == told["queues"]
    for text in (browser.get("/api/v1/wallboard").text, stream):
        assert not any(caller in text for caller in CALLERS)
    for path in ("/", "/api/v1/live", "/api/v1/snapshot", "/api/v1/agents", "/contacts", "/charts"):
        assert browser.get(path).status_code == 403, path
    store.change_user("a-wallboard", queues=("billing",))
    assert set(browser.get("/api/v1/wallboard").get_json()["queues"]) == {"billing"}


def test_a_change_reaches_the_wallboard_without_the_contact_that_made_it(web: WebServices, live: Live) -> None:
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    wall = web.fanout.join(numbers_only=True)
    heard = [wall.next(60.0) or b""]
    populate.wait(live, "billing", time.time() - 3, "+33612407755", "Marie Dubois")

    def told() -> bool:
        heard.append(wall.next(0.2) or b"")
        return any(b'"waiting":1' in text for text in heard)

    eventually(told)
    assert not any(b"407755" in text or b"Marie" in text for text in heard)


def test_who_signs_in_as_a_wallboard_begins_there_and_stays_signed_in_for_months(
    sign_in: SignIn, web: WebServices
) -> None:
    browser = sign_in("wallboard")
    assert browser.get("/wallboard").status_code == 200
    sessions, now = Sessions(web.redis), time.time()
    screen, person = sessions.open("wall", now, screen=True), sessions.open("sue", now)
    assert sessions.user_of(screen, now + SCREEN_SECONDS - 1) == "wall"
    assert 0 < web.redis.ttl(sessions._key(screen)) <= 1 + SCREEN_SECONDS
    assert sessions.user_of(screen, now) == "wall"
    assert web.redis.ttl(sessions._key(screen)) > IDLE_SECONDS
    assert sessions.user_of(person, now + LONGEST_SECONDS) is None
    assert sessions.user_of(screen, now + SCREEN_SECONDS) is None


def test_a_token_of_that_scope_reads_the_numbers_and_nothing_else(
    app: APIFlask, web: WebServices, store: Store
) -> None:
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    wall = store.add_user("wall", "hash", "wallboard")
    token = tokens.issue(store, wall, "screen", ["numbers.see"], 30, "test", time.time())[1]
    headers, program = {"Authorization": f"Bearer {token}"}, app.test_client()
    assert program.get("/api/v1/wallboard", headers=headers).status_code == 200
    assert program.get("/api/v1/snapshot", headers=headers).status_code == 403
