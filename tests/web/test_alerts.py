"""Alerts over the API and on the live page."""

import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.domain.alerts import AlertFact
from contactcentre.live import Live
from contactcentre.live.alerts import Alerts
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from tests.web import populate
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import SignIn, csrf

STATES = ("raised", "acknowledged", "cleared")


def ask(browser: FlaskClient, method: str, path: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"X-CSRFToken": csrf(browser, "/me")}
    answer = browser.open(f"/api/v1/alerts{path}", method=method, headers=headers)
    return answer.status_code, answer.get_json()


def test_alerts_are_told_and_acknowledged_once(sign_in: SignIn, live: Live, store: Store) -> None:
    now = time.time()
    first, second = populate.alarm(live, "support", "crowd", now - 60), populate.alarm(live, "billing", "late", now)
    browser = sign_in("supervisor")
    status, told = ask(browser, "GET")
    assert (status, [one["id"] for one in told["alerts"]]) == (200, [first, second])
    assert (told["alerts"][0]["queue"], told["alerts"][0]["value"], told["alerts"][0]["acknowledged_at"]) == (
        *("support", 12),
        None,
    )
    status, after = ask(browser, "POST", f"/{first}/acknowledge")
    assert (status, after["acknowledged_by"]) == (200, "a-supervisor")
    status, problem = ask(sign_in("admin"), "POST", f"/{first}/acknowledge")
    assert (status, "a-supervisor looks after it already" in problem["detail"]) == (409, True)
    assert ask(browser, "POST", "/nothing/acknowledge")[0] == 404
    facts = [AlertFact(first, state, now + n, "support", "crowd", "waiting", 10, 12) for n, state in enumerate(STATES)]
    store.record([], [], facts)
    page = ask(browser, "GET", "/past?limit=2")[1]
    more = ask(browser, "GET", f"/past?limit=2&cursor={page['next']}")[1]
    assert [one["state"] for one in (*page["past"], *more["past"])] == [*reversed(STATES)]
    assert ask(browser, "GET", "/past?cursor=x")[0] == 422
    (entry,) = store.audit_entries(subject=first)
    assert (entry.actor, entry.action, entry.detail["queue"]) == ("a-supervisor", "alert.acknowledge", "support")


def test_who_is_limited_to_queues_has_nothing_to_do_with_alerts_of_others(
    sign_in: SignIn, live: Live, store: Store
) -> None:
    other, own = populate.alarm(live, "support", "crowd", 1.0), populate.alarm(live, "billing", "late", 2.0)
    browser = sign_in("supervisor")
    store.change_user("a-supervisor", queues=("billing",))
    assert [one["id"] for one in ask(browser, "GET")[1]["alerts"]] == [own]
    assert ask(browser, "POST", f"/{other}/acknowledge")[0] == 404
    assert ask(browser, "POST", f"/{own}/acknowledge")[0] == 200


def test_an_alert_is_in_its_queues_row_of_the_live_stream(web: WebServices, live: Live) -> None:
    client = web.fanout.join()
    assert client is not None
    web.fanout._begin()
    id = populate.alarm(live, "support", "crowd", time.time())
    web.fanout._take(live.changes(web.fanout._cursor, 1.0))
    snapshot = web.fanout.snapshot()
    assert snapshot is not None
    assert [one.id for one in snapshot.queues["support"].alerts] == [id]
    (text,) = Alerts(live.redis).texts().values()
    Alerts(live.redis).swap("support/crowd", text, None)
    web.fanout._take(live.changes(web.fanout._cursor, 1.0))
    assert b'"alerts":[]' in (client.next(1.0) or b"")


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_a_supervisor_sees_it_hears_it_if_wanted_and_looks_after_it(signed_in: Chromium, live: Live) -> None:
    page = signed_in
    assert page.is_hidden("#alerts")
    page.click("#alert-sound")
    populate.alarm(live, "support", "crowd", time.time())
    page.wait_for_selector("#alert-list li")
    assert "crowd: 12 wait" in page.inner_text("#alert-list")
    page.wait_for_selector("#alert-sound[data-played]")
    page.reload()
    page.wait_for_selector("#alert-sound[aria-pressed=true]")
    page.wait_for_selector("#alert-list li")
    page.click("#alert-list button")
    page.wait_for_selector("#alert-list li[data-taken=true]")
    assert "sue looks after it" in page.inner_text("#alert-list")
    (text,) = Alerts(live.redis).texts().values()
    Alerts(live.redis).swap("support/crowd", text, None)
    page.wait_for_selector("#alerts", state="hidden")
