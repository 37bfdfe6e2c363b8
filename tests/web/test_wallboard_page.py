"""The wallboard and the charts in a real Chromium, in light and dark, on a wall and on a phone."""

import time
from pathlib import Path

import pytest

from contactcentre.live import Live
from contactcentre.store import Store
from contactcentre.web import accounts
from contactcentre.web.fanout import midnight
from tests.web import populate
from tests.web.axe import violations
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD
from tests.web.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]
FITS = "document.documentElement.scrollWidth <= window.innerWidth"


def test_the_wall_shows_what_waits_says_when_it_is_cut_off_and_catches_up(
    page: Chromium, server: Server, store: Store, live: Live, tmp_path: Path
) -> None:
    now = time.time()
    store.record(populate.history(now, 60))
    populate.scene(live, now)
    store.add_user("wall", accounts.hash_password(PASSWORD), "wallboard")
    page.goto(f"{server.url}/login")
    page.fill("#name", "wall")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_text("#wall .queue:nth-child(2) .waiting dd", "3")  # support, after billing
    page.wait_for_text("#wall .queue:nth-child(2) .mark", "▲ over 20 s")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
        page.screenshot(path=str(tmp_path / f"wall-{scheme}.png"))
    page.goto(f"{server.url}/wallboard?queues=billing")
    page.wait_for_text("#wall .queue .waiting dd", "1")
    assert page.evaluate("document.querySelectorAll('#wall .queue').length") == 1
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate(FITS)
    page.screenshot(path=str(tmp_path / "wall-phone.png"))
    server.stop()
    page.wait_for_text("#link", "Connection lost")
    populate.wait(live, "billing", time.time() - 3, "+33612407755")
    server.start()
    page.wait_for_text("#wall .queue .waiting dd", "2")
    page.wait_for_text("#link", "Live")


def test_a_queues_day_is_drawn_and_stands_in_a_table(
    signed_in: Chromium, server: Server, store: Store, tmp_path: Path
) -> None:
    page, now = signed_in, time.time()
    store.record(populate.history(now, 120, hours=5))
    week_ago = midnight("Europe/Paris", now) - 7 * 86400
    store.record(populate.history(week_ago + 17 * 3600, 150, hours=8, seed=8))
    page.goto(f"{server.url}/charts?queue=support")
    page.wait_for_selector("#wait canvas")
    page.wait_for_selector("#rows tr")
    assert page.evaluate("document.getElementById('queue').value") == "support"
    assert page.evaluate(
        "[...document.querySelectorAll('#rows tr')].some((row) => Number(row.children[2].textContent) > 0)"
    )
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=str(tmp_path / f"charts-{scheme}.png"), full_page=True)
        assert violations(page) == []
    assert page.errors == []
