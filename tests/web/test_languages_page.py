"""Pages of other languages in a real Chromium: nothing runs out of the window, and scripts speak the language, too."""

import time
from pathlib import Path

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.live import Live
from contactcentre.store import Store
from contactcentre.web import accounts
from tests.web import populate
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD
from tests.web.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

WRAP_UP = {
    "fr": "Post-appel",
    "es": "Trabajo posterior",
    "de": "Nachbearbeitung",
    "zh": "话后处理",
}
WIDE = ("/", "/agent", "/admin/site/queues/support", "/me")
"""Those with the most words beside each other."""


def test_no_page_of_another_language_is_wider_than_the_window(
    page: Chromium, server: Server, store: Store, live: Live, tmp_path: Path
) -> None:
    now = time.time()
    store.record(populate.history(now, 30))
    populate.scene(live, now)
    populate.alarm(live, "support", "crowd", now - 75)
    live.change("anna", Verb.FINISH, now, token="t", wrap_up=600)
    store.add_user("ada", accounts.hash_password(PASSWORD), "admin", agent="anna")
    page.goto(f"{server.url}/login")
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#link[data-link=live]")
    for number, (language, words) in enumerate(WRAP_UP.items()):
        page.emulate_media(color_scheme="dark" if number % 2 else "light")
        store.change_user("ada", language=language)
        for path in WIDE:
            page.goto(f"{server.url}{path}")
            if path == "/":
                page.wait_for_text("[data-agent=anna] .state", words)
            page.wait_for_selector("h1")
            name = path.strip("/").replace("/", "-") or "live"
            page.screenshot(path=str(tmp_path / f"{language}-{name}.png"), full_page=True)
            assert page.evaluate("document.documentElement.lang") == language
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (language, path)
