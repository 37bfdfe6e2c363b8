"""Pages that the server draws follow what happens, in a real Chromium."""

import time
from dataclasses import replace

import pytest

from contactcentre.domain.customers import Customer
from contactcentre.domain.events import Kind
from contactcentre.domain.webhooks import Webhook
from contactcentre.live import Live
from contactcentre.store import Store
from contactcentre.web import accounts
from tests.store.calls import Call
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD
from tests.web.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]
CALLER = "+33612407755"
LOOK = "window.dispatchEvent(new Event('online'))"
"""Instead of waiting for the next look."""


def test_a_list_and_a_contact_that_goes_on_show_what_happened_since_without_a_reload(
    signed_in: Chromium, server: Server, store: Store, live: Live
) -> None:
    page, now = signed_in, time.time()
    call = Call(now - 60, caller="+33612407755").queued(1).offered(2, "anna")
    store.record(call.events)
    page.goto(f"{server.url}/contacts")
    page.wait_for_text("#follow", "Live")
    assert page.evaluate("document.querySelectorAll('#results tbody tr').length") == 1
    store.record(Call(now - 5, caller="+33142968100").queued(1).abandoned(4).events)
    page.evaluate(LOOK)
    page.wait_for_text("#results", "+33 1 42 96 81 00")

    page.goto(f"{server.url}/contacts/{call.id}")
    page.wait_for_text("#facts .state", "goes on")
    page.evaluate("document.querySelector('#happened summary').click()")
    store.record(call.talked(6, 30, "anna").ended(36).events)
    page.evaluate(LOOK)
    page.wait_for_text("#facts .state", "answered")
    page.wait_for_text("#happened", "The contact ended")
    assert page.evaluate("document.querySelector('#happened details').open"), "what was opened stays open"
    assert not page.evaluate("document.getElementById('happened').hasAttribute('data-follow')"), "it is over"
    assert Kind.ENDED in {event.kind for event in store.events(call.id)}

    page.goto(f"{server.url}/contacts")
    page.wait_for_text("#follow", "Live")
    server.stop()
    page.evaluate("Date.now = ((now) => () => now() + 60_000)(Date.now)")  # a minute of silence
    page.wait_for_text("#follow", "Connection lost")
    server.start()
    page.evaluate(LOOK)
    page.wait_for_text("#follow", "Live")


def test_lists_lose_what_is_gone_and_a_form_says_that_somebody_else_was_quicker(
    page: Chromium, server: Server, store: Store
) -> None:
    store.add_user("ada", accounts.hash_password(PASSWORD), "admin")
    page.goto(f"{server.url}/login")
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#link[data-link=live]")
    now, known = time.time(), Customer("", (CALLER,), "Marie")
    customer = store.save_customer(Customer(""), known, "FR", "sue", now)
    hook = store.add_webhook(Webhook("crm", "https://crm.example.com/calls", ("contact.ended",)), "ada", now)
    store.record(Call(now - 60, caller=CALLER).queued(1).abandoned(4).events)
    store.change_webhook(hook, replace(hook, enabled=False), "ada", now)
    assert store.give_up(now + 60, 0.0) == 1

    page.goto(f"{server.url}/webhooks/crm")
    page.wait_for_selector("#not-taken tbody tr")
    assert page.evaluate(f"document.title = 'the same page'; {LOOK}; document.title") == "the same page"
    store.resend("crm", None, "sue", now)
    page.evaluate(LOOK)
    page.wait_for_text("#not-taken", "Every message was taken")
    page.wait_for_text("#delivered", "Waiting: 1")
    assert page.title() == "the same page"

    page.goto(f"{server.url}/customers/{customer.id}")
    page.fill("#name", "Marie D.")
    page.evaluate(LOOK)
    page.wait_for_text("#follow", "Live")
    assert page.evaluate("document.querySelector('.changed')") is None
    store.save_customer(customer, replace(customer, name="Marie Dubois"), "FR", "sue", now)
    page.evaluate(LOOK)
    page.wait_for_text(".changed", "Somebody else has changed this")
    assert page.input_value("#name") == "Marie D.", "what is typed stays"
    page.click(".changed a")
    page.wait_for_selector("#name >> visible=true")
    page.wait_for_function("document.getElementById('name').value === 'Marie Dubois'")


def test_a_list_of_which_earlier_entries_were_asked_for_keeps_them(
    signed_in: Chromium, server: Server, store: Store
) -> None:
    page, now = signed_in, time.time()
    for number in range(51):
        store.record(Call(now - 600 - number, caller=f"+331429681{number:02}").queued(1).abandoned(4).events)
    page.goto(f"{server.url}/contacts")
    page.click("#results tr.more a")
    page.wait_for_function("document.querySelectorAll('#results tbody tr').length === 51")
    store.record(Call(now - 5, caller=CALLER).queued(1).abandoned(4).events)
    with_longer = "document.querySelector('#results').hasAttribute('data-longer')"
    assert page.evaluate(with_longer)
    page.fill("#caller", CALLER)
    page.wait_for_text("#results", "+33 6 12 40 77 55")
    assert not page.evaluate(with_longer), "another search follows again"
