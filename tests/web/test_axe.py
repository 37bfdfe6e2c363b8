"""Every page in a real Chromium, with something on it, by axe-core's rules: WCAG 2.2 AA, in light and dark."""

import re
import time
from pathlib import Path

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.domain.customers import Customer
from contactcentre.domain.results import Wish
from contactcentre.domain.webhooks import KINDS, Webhook
from contactcentre.live import Live
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web import accounts, tokens
from tests.prompts.test_files import tone
from tests.store.calls import Call
from tests.store.test_boxes import left
from tests.web import populate
from tests.web.axe import violations
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD
from tests.web.sample import site
from tests.web.serving import Server
from tests.web.test_browser import FAINT_TEXT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

CALLER = "+33612407755"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_wcag(
    etc: Path, page: Chromium, server: Server, store: Store, live: Live, settings: Settings, scheme: str, tmp_path: Path
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{server.url}/login")
    assert violations(page) == []
    made = _something(store, live)
    wav = settings.prompts_dir / "fr" / "welcome.wav"
    wav.parent.mkdir()
    wav.write_bytes(tone(8000))
    store.add_user("ada", accounts.hash_password(PASSWORD), "admin")
    ada = store.change_user("ada", agent="anna")
    for name in ("wallboard", "customers from the shop"):
        tokens.issue(store, ada, name, ["live.see", "contacts.see"], 90, "ada", time.time())
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#link[data-link=live]")
    for path, ready in (
        ("/", "[data-agent=chloe] .state"),
        ("/agent", "#desk:has(#customer:not([hidden])):has(#voicemail-list li)"),
        ("/contacts", "tbody tr a"),
        (f"/contacts/{made['contact']}", ".result .note"),
        ("/customers", "tbody tr a"),
        (f"/customers/{made['customer']}", "#name"),
        ("/voicemail", "tbody tr"),
        ("/agents/anna", "#why"),
        ("/audit", "tbody tr"),
        ("/webhooks", "tbody tr a"),
        ("/webhooks/crm", "#letters"),
        ("/admin", ".tiles"),
        ("/admin/site/agents", "tbody tr"),
        ("/admin/site/queues/support", "details"),
        ("/admin/yaml", "#problems p"),
        ("/admin/prompts", "tbody audio"),
        ("/admin/users", "tbody tr"),
        ("/admin/users/ada", "tbody tr"),
        ("/admin/tokens", "tbody tr"),
        ("/admin/history", "tbody tr"),
        ("/admin/diff?old=0", ".diff .add"),
        ("/me", "h1"),
        ("/me/second-factor", "h1"),
        ("/me/sessions", "tbody tr"),
        ("/nowhere", "h1"),
    ):
        page.goto(f"{server.url}{path}")
        page.wait_for_selector(ready)
        name = (
            re.sub(r"[^a-z]+", "-", path.strip("/").replace(made["contact"], "one").replace(made["customer"], "one"))
            or "live"
        )
        page.screenshot(path=str(tmp_path / f"{name}-{scheme}.png"), full_page=True)
        assert violations(page) == [], path
        assert page.evaluate(FAINT_TEXT) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def _something(store: Store, live: Live) -> dict[str, str]:
    """To be seen: calls that go on and that ended, with results; customers; a message. Anna is in wrap-up."""
    now = time.time()
    store.record(populate.history(now, 30))
    call = Call(now - 900, caller=CALLER, caller_name="Marie Dubois").queued(1).offered(2, "anna")
    store.record(call.talked(5, 30, "anna").ended(35).events)
    rules = site().queues["support"]
    wish = Wish("again", "Was the cable.\nCalls back.", {"order": "A-17"}, now + 900, CALLER)
    store.say(store.result(call.id, "support", "anna"), rules, wish, "anna", now - 800)
    known = Customer(
        "", (CALLER, "+33142968100"), "Marie Dubois", {"account": "A-17"}, ("gold", "mornings"), "Prefers mornings."
    )
    customer = store.save_customer(Customer(""), known, "FR", "sue", now)
    left(store, "m1", now - 500, caller=CALLER)
    _webhooks(store, now)
    populate.scene(live, now)
    populate.alarm(live, "support", "crowd", now - 75)
    live.change("anna", Verb.FINISH, now, token="t", wrap_up=600)
    return {"contact": call.id, "customer": customer.id}


def _webhooks(store: Store, now: float) -> None:
    """One that takes what it is told, and one that is paused and has taken nothing."""
    store.add_webhook(Webhook("warehouse", "https://data.example.com/calls", ("contact.ended",)), "ada", now)
    store.add_webhook(Webhook("crm", "https://crm.example.com/hooks/calls", KINDS[:6], ("support",)), "ada", now)
    store.record(Call(now - 60, caller=CALLER).queued(1).offered(2, "anna").talked(5, 30, "anna").ended(35).events)
    for one in store.due_deliveries("crm", now + 60, 9):
        store.refused(one, now, "status 500", None, None, "it has taken nothing for 24 hours: status 500")
