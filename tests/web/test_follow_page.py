"""Pages that the server draws follow what happens, in a real Chromium."""

import time

import pytest

from contactcentre.domain.events import Kind
from contactcentre.live import Live
from contactcentre.store import Store
from tests.store.calls import Call
from tests.web.chromium import Chromium, why_not
from tests.web.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]
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
