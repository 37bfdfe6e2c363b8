"""The live page in a real browser while real calls run."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState
from contactcentre.lab import OngoingCall, Phone
from contactcentre.web import accounts
from tests.pbx import spectrum
from tests.system.centre import FRENCH, Centre
from tests.waiting import eventually
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

HOSTILE = ("<script>alert(1)</script>", '"; rm -rf / #')


@pytest.fixture
def page(centre: Centre, tmp_path: Path) -> Iterator[Chromium]:
    """Where a supervisor has signed in; a picture of how it ended lies in the test's directory."""
    if centre.store.user_named("sue") is None:
        centre.store.add_user("sue", accounts.hash_password(PASSWORD), "supervisor")
    with Chromium(viewport={"width": 1440, "height": 900}) as chromium:
        chromium.goto(f"{centre.url}/login")
        chromium.fill("#name", "sue")
        chromium.fill("#password", PASSWORD)
        chromium.click("button.main")
        chromium.wait_for_selector("#link[data-link=live]")
        yield chromium
        chromium.screenshot(path=str(tmp_path / "live.png"), full_page=True)


def until_tile(page: Chromium, tile: str, number: int) -> None:
    page.wait_for_function(
        "([tile, number]) => document.querySelector(tile).textContent === number",
        arg=[tile, str(number)],
    )


def test_the_live_page_follows_real_calls_without_a_reload_and_shows_a_hostile_name_as_text(
    centre: Centre, page: Chromium
) -> None:
    centre.on_duty("emma", "bruno")
    centre.ask("agent", "pause", "bruno", "--reason", "lunch")
    page.evaluate("() => { window.neverReloaded = true; }")
    page.wait_for_text('[data-agent="emma"] .state', "Free")
    page.wait_for_text('[data-agent="bruno"] .state', "Paused: lunch")
    until_tile(page, "#tile-waiting", 0)

    calls = [centre.support(FRENCH, talk=None, name=name) for name in HOSTILE]
    until_tile(page, "#tile-waiting", 2)
    page.wait_for_text('tr[data-queue="support"] .waiting', "2")
    ids = [centre.id_of(call) for call in calls]
    for id, name in zip(ids, HOSTILE, strict=True):
        page.wait_for_text(f'[data-contact="{id}"] .caller .called', name)
    assert page.evaluate("document.querySelectorAll('main script').length") == 0
    waited = page.text_content('tr[data-queue="support"] .oldest span')
    assert re.fullmatch(r"0:\d\d", waited)

    centre.ask("agent", "unpause", "bruno")
    page.wait_for_text('[data-agent="bruno"] .state', "Talking")
    page.wait_for_selector('[data-agent="bruno"][data-state="talking"]')
    until_tile(page, "#tile-waiting", 1)
    until_tile(page, "#tile-talking", 1)
    shown = page.text_content('[data-agent="bruno"] .timer')
    page.wait_for_function(
        "(before) => document.querySelector('[data-agent=\"bruno\"] .timer').textContent > before", arg=shown
    )
    centre.until_agent("bruno", AgentState.TALKING)

    level = page.text_content('tr[data-queue="support"] .level small')
    assert "20 s" in level, "the formula names its threshold"
    talking, waiting = centre.until_some_wait(calls, 1)
    for call in (*talking, *waiting):
        call.until("person", 60)
        call.hang_up()
    until_tile(page, "#tile-waiting", 0)
    until_tile(page, "#tile-talking", 0)
    page.wait_for_function("() => document.querySelectorAll('[data-contact]').length === 0")
    page.wait_for_text('[data-agent="bruno"] .state', "Free")
    page.wait_for_text('[data-agent="bruno"] .calls', "2 calls")

    page.wait_for_function("() => /\\d %?/.test(document.querySelector('#tile-level').textContent)")
    assert page.text_content("#tile-formula")
    assert page.evaluate("window.neverReloaded") is True

    page.goto(f"{centre.url}/contacts/{ids[0]}")
    page.wait_for_text("main", HOSTILE[0])
    page.wait_for_text("main", "Routing chose bruno")
    assert page.evaluate("document.querySelectorAll('main script').length") == 0
    assert page.errors == []


def test_a_button_lets_the_supervisors_phone_ring_and_hear_the_call_and_whisper(
    centre: Centre, page: Chromium, tmp_path: Path
) -> None:
    tones = {400: "caller", 800: "emma", 1200: "bruno"}

    def hears(who: Phone | OngoingCall) -> set[str]:
        heard = spectrum.tones(who.hear(0.5, tmp_path / "heard.wav").wait(), tones)
        return {tones[int(hertz)] for hertz in heard}

    centre.on_duty("emma")
    emma, bruno = centre.phones["emma"], centre.phones["bruno"]
    emma.behave(tone=800)
    bruno.behave(tone=1200)
    call = centre.support(talk=None, patience=None, tone=400)
    centre.until_agent("emma", AgentState.TALKING)
    row = f'[data-contact="{centre.id_of(call)}"]'
    page.click(f"{row} .act")
    page.fill("#call-phone", "bruno")
    page.click('#call [data-listen="listen"]')
    page.wait_for_text("#call-listen-done", "bruno rings: answer it.")
    page.wait_for_text(f"{row} .where", "sue listens")
    eventually(lambda: hears(bruno) == {"caller", "emma"}, "the supervisor hears both")
    eventually(lambda: (hears(emma), hears(call)) == ({"caller"}, {"emma"}), "and is heard by nobody")
    page.click('#call [data-listen="whisper"]')
    page.wait_for_text(f"{row} .where", "sue whispers")
    eventually(lambda: (hears(emma), hears(call)) == ({"caller", "bruno"}, {"emma"}), "only the agent hears")
    assert [one["supervisor"] for one in centre.ask_json("listen", "list")] == ["sue"]
    page.click('#call [data-listen="stop"]')
    page.wait_for_text("#call-listen-done", "You listen no more.")
    bruno.wait_calls()
    eventually(lambda: (hears(emma), hears(call)) == ({"caller"}, {"emma"}), "the call goes on")
    assert page.errors == []
    call.hang_up()
    page.wait_for_text("#call-over", "The call is over.")
