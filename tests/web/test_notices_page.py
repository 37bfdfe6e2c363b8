"""A broadcast from the live page to a desk, and an answer, in a real Chromium."""

import time
from pathlib import Path

import pytest

from contactcentre.store import Store
from tests.web.axe import violations
from tests.web.chromium import Chromium, why_not
from tests.web.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


def test_a_supervisor_broadcasts_the_desk_shows_it_and_answers(
    store: Store, server: Server, signed_in: Chromium, tmp_path: Path
) -> None:
    page = signed_in
    store.change_user("sue", agent="anna")
    store.send_notice("a-ben", "ben", "supervisors", "Who has the key?", [""], time.time() - 60)
    page.reload()
    page.wait_for_text("#notices-new", "1 new")
    page.click("#notices-open")
    page.select_option("#notice-to", "queue:support")
    page.fill("#notice-text", "The line is down until noon.")
    page.click("#notice-form button")
    page.wait_for_text("#notices-list", "read by 0 of 6")
    page.click("#notices-list [data-new=true] [data-read]")
    page.wait_for_function("() => document.getElementById('notices-new').hidden")
    assert violations(page) == []
    page.screenshot(path=str(tmp_path / "notices-live.png"))
    page.goto(f"{server.url}/agent")
    page.wait_for_text("#notices-list .notice[data-new=true]", "The line is down until noon.")
    store.send_notice("ada", "", "agent:anna", "Missed while the page was away.", ["anna"], time.time())
    page.click("#notices-list [data-new=true] [data-read]")
    page.wait_for_text("#notices-list", "Missed while the page was away.")
    page.fill("#notice-text", "I tell them.")
    page.click("#notice-form button")
    page.wait_for_text("#notices-list", "To the supervisors")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=str(tmp_path / f"notices-{scheme}.png"), full_page=True)
    assert violations(page) == []
    assert next(one.text for one in store.notices(time.time(), supervisors=True)) == "I tell them."
