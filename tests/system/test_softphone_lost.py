"""What becomes of a call when the agent's browser is lost: it sleeps, it crashes, or its network goes."""

from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState
from contactcentre.domain.history import Phase
from contactcentre.lab import OngoingCall
from tests.pbx import spectrum
from tests.system.browsers import TONES, Browser, answered, hears, held, until_hears
from tests.system.centre import Centre
from tests.waiting import eventually
from tests.web.chromium import RARELY, BrowserError, Chromium, why_not

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


def test_a_call_whose_sound_does_not_come_through_is_joined_again_by_itself(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    page = browser("emma")
    call = answered_by_lossy(centre, page, tmp_path)
    before = leg(centre)
    page.loses_packets(100)
    until_music(centre, call, tmp_path)
    eventually(lambda: leg(centre) != before, "the page has joined again, and is not heard there either")
    assert held(centre)
    page.loses_packets(RARELY)
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(page, tmp_path, 500.0)
    one_call(centre, call, holds=1)


def test_a_page_that_was_without_any_network_joins_its_call_again(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    page = browser("emma")
    call = answered_by_lossy(centre, page, tmp_path)
    before = leg(centre)
    page.loses_packets(100)
    page.evaluate("() => { window.cut = true; sockets.forEach((socket) => socket.close()); }")
    until_music(centre, call, tmp_path)
    page.evaluate("() => { window.cut = false; }")
    page.wait_for_text("#phone-state", "Ready")
    eventually(lambda: leg(centre) != before, "the page has joined again")
    page.loses_packets(RARELY)
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(page, tmp_path, 500.0)
    one_call(centre, call, holds=1)


def answered_by_lossy(centre: Centre, page: Chromium, tmp_path: Path) -> OngoingCall:
    """A call in a page that can lose packets; both hear each other."""
    try:
        page.loses_packets(RARELY)
    except BrowserError as error:
        pytest.skip(str(error))
    call = answered(centre, page)
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(page, tmp_path, 500.0)
    return call


def leg(centre: Centre) -> str:
    """The channel of the agent who talks with the only customer."""
    (contact,) = centre.live.contacts().values()
    return contact.channels["agent"]
