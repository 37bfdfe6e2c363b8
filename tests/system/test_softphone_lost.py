"""What becomes of a call when the agent's browser is lost: it sleeps, it crashes, or its network goes."""

from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState
from contactcentre.domain.history import Phase
from contactcentre.lab import OngoingCall
from tests.pbx import spectrum
from tests.system.browsers import TONES, Browser, answered, hears, held, until_hears
from tests.system.centre import Centre, eventually
from tests.web.chromium import why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


def until_music(centre: Centre, call: OngoingCall, tmp_path: Path) -> None:
    eventually(lambda: held(centre), "the customer is on hold")
    eventually(lambda: spectrum.loudness(call.hear(0.5, tmp_path / "music.wav").wait()) > 100, "and hears music")
    assert not hears(call, tmp_path, TONES["emma"])


def one_call(centre: Centre, call: OngoingCall, *, holds: int) -> None:
    """It is hung up, and the history knows of one talk with one agent, and of so many holds."""
    call.hang_up()
    call.wait(120)
    history = centre.history(call)
    assert (history.contact.agent, history.contact.outcome) == ("emma", "answered")
    assert [part.agent for part in history.participations] == ["emma"] * len(history.participations)
    assert [segment.kind for segment in history.segments].count(Phase.HOLD) == holds


def test_while_a_computer_sleeps_the_customer_hears_music_and_a_muted_microphone_is_no_sleep(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    page = browser("emma")
    call = answered(centre, page)
    until_hears(call, tmp_path, TONES["emma"])
    page.click("#mute")
    page.wait_for_function("(began) => Date.now() > began + 5000", arg=page.evaluate("Date.now()"))
    page.click("#mute")
    until_hears(call, tmp_path, TONES["emma"])
    token = centre.agent("emma").token

    page.freeze()
    until_music(centre, call, tmp_path)
    page.thaw()
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(page, tmp_path, 500.0)
    assert (centre.agent("emma").state, centre.agent("emma").token) == (AgentState.TALKING, token)
    one_call(centre, call, holds=1)


def test_who_opens_the_page_again_after_a_crash_has_the_call_back_without_a_word(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    page = browser("emma")
    call = answered(centre, page)
    until_hears(call, tmp_path, TONES["emma"])
    page.kill()
    until_music(centre, call, tmp_path)
    again = browser("emma")
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(again, tmp_path, 500.0)
    assert centre.agent("emma").state is AgentState.TALKING
    one_call(centre, call, holds=1)
