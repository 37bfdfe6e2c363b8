"""Listening from the live page in a real Chromium: what is pressed is done by a controller (on a PBX in memory)."""

import pytest

from contactcentre.domain.events import Kind
from tests.controller.people import comes, talks
from tests.controller.world import World
from tests.waiting import eventually
from tests.web.chromium import Chromium, why_not
from tests.web.test_listens import modes, phone

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


def press(page: Chromium, verb: str) -> None:
    page.click(f'#call [data-listen="{verb}"]:not(:disabled)')


def test_a_supervisor_listens_whispers_and_stops_by_buttons(world: World, signed_in: Chromium) -> None:
    page = signed_in
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    row = f'[data-contact="{comes(world, caller, Kind.ARRIVED).contact_id}"]'
    page.wait_for_text(f"{row} .state", "Talking")
    page.click(f"{row} .act")
    press(page, "listen")
    page.wait_for_text("#call-listen-problem", "Which phone is to ring?")
    page.fill("#call-phone", leg.endpoint)
    press(page, "listen")
    page.wait_for_text("#call-listen-problem", "own phone is in this call")
    page.fill("#call-phone", other)
    press(page, "listen")
    page.wait_for_text("#call-listen-done", f"{other} rings: answer it. Nobody hears you.")
    world.pbx.answer(phone(world, other))
    page.wait_for_text(f"{row} .where", "sue listens")
    page.wait_for_text("#call-listeners", "sue listens")
    press(page, "whisper")
    page.wait_for_text("#call-listen-done", "Only the agent hears you.")
    page.wait_for_text(f"{row} .where", "sue whispers")
    page.wait_for_selector('#call [data-listen="whisper"][aria-pressed="true"]')
    assert len(modes(world, leg)) == 1
    press(page, "stop")
    page.wait_for_text("#call-listen-done", "You listen no more.")
    page.wait_for_selector("#call-phone", state="visible")
    page.wait_for_function("([row]) => !document.querySelector(row + ' .where').textContent.includes('sue')", arg=[row])
    eventually(lambda: not modes(world, leg), "nobody listens")
    assert page.evaluate("localStorage.getItem('contactcentre.phone')") == other, "it need not be typed again"
    assert [error for error in page.errors if " 409 " not in error] == []  # that was the agent's own phone
    world.peace()
    world.check()
