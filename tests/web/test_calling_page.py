"""Calling from the agent's page in a real Chromium; a controller does it, on a PBX in memory."""

import time

import pytest

from contactcentre.domain.events import Kind
from contactcentre.domain.results import Wish
from contactcentre.domain.site import Queue
from contactcentre.live import BoxCounts, Live
from contactcentre.pbx.events import Cause
from contactcentre.store import Store
from contactcentre.web import accounts
from tests.controller.people import rings
from tests.controller.test_dialling import CUSTOMER, comes, over, phones, story
from tests.controller.world import SITE, World
from tests.store.calls import Call
from tests.store.test_boxes import left
from tests.waiting import eventually
from tests.web.axe import violations
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD
from tests.web.serving import Server
from tests.web.test_browser import FAINT_TEXT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

SHOWN = "+33 1 23 45 67 89"


@pytest.fixture
def desk(world: World, page: Chromium, server: Server, store: Store, live: Live) -> Chromium:
    """Anna's page. She is free, and has a telephone on her desk."""
    live.publish_site(store.save_site(SITE, "test"))
    store.add_user("anna", accounts.hash_password(PASSWORD), "agent")
    store.change_user("anna", agent="anna")
    page.goto(f"{server.url}/login")
    page.fill("#name", "anna")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#dial-queue option[value=one]", state="attached")
    return page


def last(world: World) -> str:
    """The contact that goes on."""
    found: str = eventually(lambda: next(iter(world.controller.node.contacts), ""), "a contact")
    return found


def test_a_number_is_called_by_keys_and_why_nobody_was_reached_is_said(
    desk: Chromium, world: World, store: Store
) -> None:
    desk.press("body", "b")
    assert desk.evaluate("document.activeElement.id") == "dial-number"
    desk.fill("#dial-number", "+49 30 123456")
    desk.press("#dial-number", "Enter")
    desk.wait_for_text("#dial-problem", "settings.transfer_numbers")
    desk.fill("#dial-number", SHOWN)
    desk.select_option("#dial-queue", "one")
    desk.press("#dial-number", "Enter")
    phone = rings(world)
    desk.wait_for_text("#talk-title", "You call")
    desk.wait_for_text("#talk-state", f"Calling {SHOWN}")
    desk.wait_for_selector("#dial", state="hidden")
    contact = last(world)
    world.pbx.answer(phone)
    customer = rings(world)
    world.pbx.leave(customer, Cause.BUSY)
    over(world, contact)
    store.record(story(world, contact))
    desk.wait_for_text("#dial-problem", "The customer’s line is busy.")
    desk.wait_for_selector("#dial:not([hidden])")
    # refused once, and asked about before it was recorded
    assert [error for error in desk.errors if " 409 " not in error and " 404 " not in error] == []


def test_the_page_hangs_up_a_telephone_on_the_desk_while_it_rings_and_in_the_call(
    desk: Chromium, world: World, store: Store
) -> None:
    desk.fill("#dial-number", CUSTOMER)
    desk.click("#dial-call")
    phone, customer = phones(world)
    first = last(world)
    desk.wait_for_selector("#hang-up:not([hidden])")
    desk.press("body", "e")
    eventually(lambda: not world.pbx.lines, "both phones are silent")
    over(world, first)
    store.record(story(world, first))
    desk.wait_for_text("#dial-problem", "Nobody was called")
    desk.fill("#dial-number", CUSTOMER)
    desk.click("#dial-call")
    phone, customer = phones(world)
    contact = last(world)
    world.pbx.answer(customer)
    comes(world, contact, Kind.TALK_STARTED)
    desk.wait_for_text("#talk-state", "Talking")
    assert desk.text_content("#dial-problem") == ""
    desk.click("#hang-up")
    eventually(lambda: phone.id not in world.pbx.lines, "her phone is hung up")
    over(world, contact)
    assert [error for error in desk.errors if " 404 " not in error] == []


def test_who_left_a_message_and_who_was_promised_a_call_are_called_back(
    desk: Chromium, world: World, store: Store, live: Live
) -> None:
    now = time.time()
    left(store, "m1", now - 300, "one", caller=CUSTOMER, caller_name="Marie Dubois")
    BoxCounts(live.redis).tell(store.boxes(now))
    desk.click("#voicemail-list [data-take=call_back]")
    assert rings(world).endpoint == "anna"
    contact = last(world)
    desk.wait_for_selector("#voicemail-list [data-take=release]")
    assert store.message("m1").message.owner == "anna"
    world.pbx.leave(rings(world))
    assert over(world, contact).contact.queue == "one"
    call = Call(now - 400, caller="+33611111111").queued(1, "one").offered(2, "anna", "one")
    store.record(call.talked(5, 30, "anna", "one").ended(35).events)
    rules = Queue.model_validate({"dispositions": {"again": {"label": "Call back", "callback": True}}})
    wish = Wish("again", callback_at=now + 60, number=CUSTOMER)
    store.say(store.result(call.id, "one", "anna"), rules, wish, "anna", now)
    desk.reload()
    desk.click("#promises-list [data-call]")
    assert rings(world).endpoint == "anna"
    contact = last(world)
    world.pbx.leave(rings(world))
    over(world, contact)
    assert [error for error in desk.errors if " 404 " not in error] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_calling_breaks_no_rule_of_wcag(desk: Chromium, world: World, scheme: str, tmp_path: object) -> None:
    desk.emulate_media(color_scheme=scheme)
    desk.wait_for_selector("#dial:not([hidden])")
    assert violations(desk) == []
    assert desk.evaluate(FAINT_TEXT) == []
    desk.fill("#dial-number", CUSTOMER)
    desk.click("#dial-call")
    phones(world)
    desk.wait_for_text("#talk-title", "You call")
    desk.wait_for_selector("#hang-up:not([hidden])")
    desk.screenshot(path=f"{tmp_path}/calls-{scheme}.png", full_page=True)
    assert violations(desk) == []
    assert desk.evaluate(FAINT_TEXT) == []
    assert desk.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    contact = last(world)
    desk.click("#hang-up")
    over(world, contact)
