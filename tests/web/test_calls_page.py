"""The live page's calls in a real Chromium: what is pressed is done by a controller (on a PBX in memory) and shown."""

import time

import pytest

from contactcentre.domain.events import Kind
from contactcentre.live import ContactNow, Live
from tests.controller.people import comes, rings, talks
from tests.controller.test_verbs import hears
from tests.controller.world import World
from tests.waiting import eventually
from tests.web.chromium import Chromium, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

HOSTILE = '"><script>window.hacked = 1</script>'


def press(page: Chromium, verb: str) -> None:
    page.click(f'#call [data-verb="{verb}"]:not(:disabled)')


def test_a_supervisor_presses_hold_and_sees_it(world: World, signed_in: Chromium) -> None:
    page = signed_in
    caller, leg = talks(world)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    row = f'[data-contact="{contact}"]'
    page.wait_for_text(f"{row} .state", "Talking")
    page.click(f"{row} .act")
    press(page, "hold")
    page.wait_for_text("#call-state", "On hold")
    page.wait_for_text("#call-parties li", "hears music")
    page.wait_for_text(f"{row} .state", "On hold0:")  # and for how long
    page.wait_for_text(f'[data-agent="{leg.endpoint}"] .state', "On hold")
    assert hears(caller) == "music"
    page.focus('#call [data-verb="resume"]')
    page.press('#call [data-verb="resume"]', "Enter")
    page.wait_for_text("#call-state", "Talking")
    page.click("#call-verbs >> text=Pause recording")
    page.wait_for_text(f"{row} .where", "recording paused")
    page.press("#call", "Escape")
    page.wait_for_function("() => !document.getElementById('call').open")
    assert page.errors == []
    world.peace()
    world.check()


def test_a_supervisor_asks_a_colleague_makes_a_conference_and_ends_the_call(world: World, signed_in: Chromium) -> None:
    page = signed_in
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    shown = "Anna Fischer" if other == "anna" else "bert"
    page.wait_for_text(f'[data-agent="{leg.endpoint}"] .state', "Talking")
    page.click("[data-contact] .act")
    press(page, "consult")
    page.wait_for_text("#call-problem", "Choose whom first.")
    page.select_option("#call-whom", "number:")
    page.fill("#call-number", "+44 20 7946 0000")
    press(page, "consult")
    page.wait_for_text("#call-problem", "+442079460000 begins with none of settings.transfer_numbers")
    page.select_option("#call-whom", f"agent:{other}")
    press(page, "consult")
    page.wait_for_text("#call-state", f"Calling {shown}")
    world.pbx.answer(rings(world))
    page.wait_for_text("#call-state", f"Consulting {shown}")
    page.wait_for_text(f'[data-agent="{other}"] .state', "Asked by ")
    press(page, "conference")
    page.wait_for_text("#call-state", "Conference (3)")
    page.click('#call-parties li:first-child [data-verb="mute"]')
    page.wait_for_text("[data-contact] .where", "caller muted")
    press(page, "hangup")
    assert world.live.contacts(), "one press does not end a call"
    page.wait_for_text('#call [data-verb="hangup"]', "Press again")
    press(page, "hangup")
    page.wait_for_function("() => !document.getElementById('call').open")
    eventually(lambda: not world.live.contacts())
    assert caller.id
    assert [error for error in page.errors if " 409 " not in error] == []  # that was the refused number
    world.peace()
    world.check()


def test_a_call_that_ends_while_one_looks_is_said_to_be_over(signed_in: Chromium, live: Live) -> None:
    page, now = signed_in, time.time()
    saved = {"owner": "l1", "queue": "support", "parties": [{"leg": "l1", "role": "agent", "place": "together"}]}
    saved["parties"][0]["agent"] = HOSTILE  # type: ignore[index]
    live.put_contact(
        ContactNow("c1", "node1", "talking", now, now, agent=HOSTILE, caller=HOSTILE, detail={"talk": saved})
    )
    page.wait_for_selector('[data-contact="c1"] .act')
    page.click('[data-contact="c1"] .act')
    page.wait_for_text("#call-parties", "<script>")
    live.drop_contact("c1")
    page.wait_for_selector("#call-over", state="visible")
    assert page.evaluate("window.hacked ?? 0") == 0
    assert page.errors == []
