"""Agents whose telephone is a page in a real browser: WebRTC to each PBX of the lab, heard on both sides."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState
from contactcentre.domain.history import Phase
from tests.pbx import spectrum
from tests.system.browsers import TONES, Browser, answered, hears, held, until_hears
from tests.system.centre import Centre
from tests.waiting import eventually
from tests.web.chromium import why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


def test_an_agent_in_a_browser_sees_who_calls_answers_and_the_two_hear_each_other(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    page = browser("emma")
    call = centre.support(tone=500, talk=None)
    page.wait_for_selector("#answer:not([hidden])")
    assert page.text_content("#talk-title") == "It rings"
    page.wait_for_text("#talk-queue", "support")
    shown = re.sub(r"\D", "", page.text_content("#talk-caller"))
    assert shown.endswith(call.plan.caller[-8:])
    assert re.fullmatch(r"0:\d\d", page.text_content("#talk-waited"))
    page.wait_for_text("#talk-announced", "It rings, ")
    announced = page.text_content("#talk-announced")
    assert re.fullmatch(r"It rings, .*, support, has waited for \d+ s", announced)
    assert re.sub(r"\D", "", announced.split(",")[1]).endswith(call.plan.caller[-8:])
    assert centre.agent("emma").state is AgentState.OFFERED

    page.press("body", "a")
    page.wait_for_function("() => document.getElementById('talk-announced').textContent === ''")
    call.until("person", 60)
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(page, tmp_path, 500.0)

    page.click("#mute")
    eventually(lambda: not hears(call, tmp_path, TONES["emma"]), "the caller hears nothing of a muted microphone")
    page.click("#mute")
    until_hears(call, tmp_path, TONES["emma"])

    page.press("body", "e")
    assert call.wait(120).ended_by == "pbx"
    page.wait_for_text("#me-state", "Wrap-up")
    centre.until_agent("emma", AgentState.AVAILABLE)
    page.wait_for_text("#talk-title", "No call")
    assert centre.history(call).contact.agent == "emma"


def test_a_page_that_is_loaded_anew_in_a_call_comes_back_into_it_and_the_customer_hears_music_meanwhile(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    page = browser("emma")
    call = answered(centre, page)
    until_hears(call, tmp_path, TONES["emma"])
    token = centre.agent("emma").token

    page.goto("about:blank")
    eventually(lambda: held(centre), "the customer is on hold")
    eventually(lambda: spectrum.loudness(call.hear(0.5, tmp_path / "music.wav").wait()) > 100, "and hears music")
    assert not hears(call, tmp_path, TONES["emma"])
    page.goto(f"{centre.url}/agent")
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(page, tmp_path, 500.0)
    eventually(lambda: not held(centre), "the customer is no longer on hold")
    assert (centre.agent("emma").state, centre.agent("emma").token) == (AgentState.TALKING, token)

    page.reload()
    until_hears(page, tmp_path, 500.0)
    until_hears(call, tmp_path, TONES["emma"])
    page.click("#hang-up")
    call.wait(120)
    history = centre.history(call)
    assert (history.contact.agent, history.contact.outcome) == ("emma", "answered")
    assert [part.agent for part in history.participations] == ["emma"] * len(history.participations)


def test_a_call_goes_on_while_the_pages_websocket_is_cut_and_afterwards(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    page = browser("emma")
    call = answered(centre, page)
    until_hears(page, tmp_path, 500.0)
    page.evaluate("() => { window.cut = true; sockets.forEach((socket) => socket.close()); }")
    page.wait_for_text("#phone-state", "Connection lost")
    eventually(lambda: centre.ask_json("agent", "status", "emma")["phone"] == "away", "the PBX misses the phone")
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(page, tmp_path, 500.0)
    page.evaluate("() => { window.cut = false; }")
    page.wait_for_text("#phone-state", "Ready")
    eventually(lambda: centre.ask_json("agent", "status", "emma")["phone"] == "free", "the phone is back")
    until_hears(call, tmp_path, TONES["emma"])
    page.press("body", "e")
    call.wait(120)
    phases = [segment.kind for segment in centre.history(call).segments]
    assert Phase.HOLD not in phases, "the customer has noticed nothing"


def test_a_call_is_taken_over_by_another_window_which_takes_the_phone(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    first = browser("emma")
    call = answered(centre, first)
    until_hears(first, tmp_path, 500.0)
    second = browser("emma")
    second.wait_for_text("#phone-state", "Elsewhere")
    second.click("#phone-take")
    second.wait_for_text("#phone-state", "Ready")
    second.click("#come-back")
    until_hears(second, tmp_path, 500.0)
    first.wait_for_selector("#mute", state="hidden")  # it is not in the call any more
    until_hears(call, tmp_path, TONES["emma"])
    second.click("#hang-up")
    call.wait(120)
    assert centre.history(call).contact.agent == "emma"


def test_an_agent_holds_asks_a_colleague_in_another_browser_and_hands_the_customer_over(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    emma = browser("emma")
    call = centre.support(tone=500, talk=None)
    emma.wait_for_selector("#answer:not([hidden])")
    emma.press("body", "a")
    until_hears(emma, tmp_path, 500.0)
    emma.click("[data-verb=hold]")
    emma.wait_for_text("#talk-state", "On hold")
    eventually(lambda: not hears(call, tmp_path, TONES["emma"]), "the customer hears music")
    assert not hears(emma, tmp_path, 500.0)
    emma.click("[data-verb=resume]")
    until_hears(call, tmp_path, TONES["emma"])

    david = browser("david")
    emma.select_option("#talk-whom", "agent:david")
    emma.click("[data-verb=consult]")
    emma.wait_for_text("#talk-state", "Calling David O'Neil")
    david.wait_for_selector("#answer:not([hidden])")
    david.press("body", "a")
    until_hears(emma, tmp_path, TONES["david"], never=500.0)
    until_hears(david, tmp_path, TONES["emma"], never=500.0)
    emma.click("[data-verb=toggle]")
    until_hears(call, tmp_path, TONES["emma"], never=TONES["david"])
    emma.click("[data-verb=conference]")
    until_hears(call, tmp_path, TONES["emma"], TONES["david"])
    emma.click("[data-verb=drop]")
    until_hears(call, tmp_path, TONES["david"], never=TONES["emma"])
    until_hears(david, tmp_path, 500.0, never=TONES["emma"])
    david.wait_for_text("#talk-parties", "You")
    emma.wait_for_text("#me-state", "Wrap-up")
    david.press("body", "e")
    call.wait(120)
    centre.until_agent("david", AgentState.AVAILABLE)


def test_what_an_agent_says_of_a_contact_outlives_a_killed_controller_and_ends_wrap_up(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    page = browser("emma")
    call = answered(centre, page)
    until_hears(page, tmp_path, 500.0)
    page.fill("#answer-order", "A-17")
    page.wait_for_text("#result-state", "Saved")
    page.press("#answer-order", "Escape")
    page.press("body", "e")
    page.wait_for_selector("#result-more:not([hidden])")
    page.press("body", "w")
    eventually(lambda: centre.agent("emma").deadline > time.time() + 30, "a minute more")
    before = centre.processes()["controller"]
    os.kill(before["pid"], signal.SIGKILL)
    page.click("#result-list label:first-child")
    page.wait_for_text("#result-state", "Saved")
    eventually(lambda: centre.processes()["controller"]["restarts"] == before["restarts"] + 1, "it is started again")
    assert centre.agent("emma").state is AgentState.WRAP_UP
    page.press("body", "d")
    centre.until_agent("emma", AgentState.AVAILABLE)
    history = centre.history(call)
    assert [(one.queue, one.agent, one.label) for one in history.said] == [("support", "emma", "Solved")]
    (note,) = centre.store.notes(history.contact.id)
    assert note.answers["order"].value == "A-17"
    assert centre.ask_json("queue", "dispositions")[0]["code"] == "solved"


def test_a_supervisor_hears_a_call_in_the_browser_and_whispers(
    centre: Centre, browser: Browser, tmp_path: Path
) -> None:
    centre.on_duty("emma")
    emma = centre.phones["emma"]
    emma.behave(tone=600)
    page = browser("david")
    call = centre.support(tone=500, talk=None)
    call.until("person", 60)
    centre.ask("listen", "start", "emma", "--phone", "david")
    page.wait_for_selector("#answer:not([hidden])")
    page.wait_for_text("#talk-caller", "listen emma")
    page.press("body", "a")
    until_hears(page, tmp_path, 500.0, 600.0)
    assert not hears(call, tmp_path, TONES["david"])
    (one,) = centre.ask_json("listen", "list")
    centre.ask("listen", "mode", one["id"], "whisper")
    eventually(
        lambda: (
            spectrum.tones(emma.hear(0.5, tmp_path / "emma.wav").wait(), (500, TONES["david"])) == {500, TONES["david"]}
        ),
        "the agent hears the supervisor, too",
    )
    assert not hears(call, tmp_path, TONES["david"])
    page.press("body", "e")
    eventually(lambda: not centre.ask_json("listen", "list"), "hanging up ends it")
    assert call.result is None
    call.hang_up()
