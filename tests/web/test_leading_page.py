"""What supervisors do with agents from the live page, in a real Chromium."""

import time
from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState
from contactcentre.live import Live
from tests.web import populate
from tests.web.axe import violations
from tests.web.chromium import Chromium, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


def test_a_supervisor_pauses_an_agent_lends_skills_and_sees_both_on_the_card(
    live: Live, signed_in: Chromium, tmp_path: Path
) -> None:
    page = signed_in
    populate.scene(live, time.time())
    page.click("[data-lead=ben]")
    page.wait_for_text("#agent-title", "Ben Okafor")
    page.select_option("#agent-reason", "training")
    page.fill("#agent-note", "Room 4, please.")
    page.click("#agent [data-verb=pause]")
    page.wait_for_text("#agent-told", "by sue: Room 4, please.")
    assert (live.agent("ben").state, live.agent("ben").by) == (AgentState.PAUSED, "sue")
    page.fill("#level-lang_fr", "30")
    page.fill("#level-billing", "0")
    page.click("#agent-skill-form button")
    page.wait_for_text("#agent-done", "Until midnight: today without billing, lang_fr 30.")
    page.wait_for_text("[data-agent=ben] .doing", "lang_fr 30")
    assert violations(page) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=str(tmp_path / f"leading-{scheme}.png"))
    page.click("#agent [data-verb=ready]")
    page.wait_for_text("#agent-done", "Ben Okafor is free now.")
    page.click("#agent header button")
    page.wait_for_text("[data-agent=ben] .state", "Free")
    page.screenshot(path=str(tmp_path / "live.png"), full_page=True)
    assert page.errors == []
