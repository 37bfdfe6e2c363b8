"""Agents whose telephone is a page in a real browser: WebRTC to each PBX of the lab, heard on both sides."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState
from contactcentre.domain.history import Phase
from contactcentre.lab import OngoingCall
from contactcentre.web import accounts
from tests.pbx import spectrum
from tests.system.centre import Centre, eventually
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

TONES = {"emma": 1150.0, "david": 850.0}
"""Hz that the microphone of an agent's browser hears."""
HEARS = """(among) => {
  const heard = document.getElementById("far").srcObject;
  if (!heard || heard !== window.ear?.heard) {
    window.ear?.context.close();
    window.ear = undefined;
    if (!heard) return null;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(heard).connect(analyser);
    window.ear = { heard, context, analyser };
  }
  const { context, analyser } = window.ear;
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const width = context.sampleRate / analyser.fftSize;
  const power = (from, to) => {
    let sum = 0;
    for (let bin = Math.max(0, Math.ceil(from / width)); bin <= to / width; bin++) sum += 10 ** (levels[bin] / 10);
    return sum;
  };
  const all = power(100, 3800);
  return all < 1e-7 ? [] : among.filter((hertz) => power(hertz - 30, hertz + 30) > all / 10);
}"""
"""Which of these frequencies the page plays to its user now: each with a tenth of all the sound's energy."""

SOCKETS = """
const Real = WebSocket;
window.sockets = [];
window.WebSocket = class extends Real {
  constructor(...args) {
    super(...args);
    this.addEventListener("open", () => window.cut && this.close());
    window.sockets.push(this);
  }
};"""
"""Lets a test cut the page's websockets."""

Browser = Callable[[str], Chromium]


@pytest.fixture
def browser(centre: Centre, tmp_path: Path) -> Iterator[Browser]:
    """`browser("emma")`: where she has signed in, opened her page and begun work. At its end it has no errors, there
    is a picture of it, and her phone is given back."""
    opened: list[tuple[str, Chromium]] = []

    def open_page(name: str) -> Chromium:
        if centre.store.user_named(name) is None:
            centre.store.add_user(name, accounts.hash_password(PASSWORD), "agent")
            centre.store.change_user(name, agent=name)
        says = tmp_path / f"{name}.wav"
        spectrum.write_tone(says, TONES[name])
        page = Chromium(says, viewport={"width": 1440, "height": 900}).__enter__()
        opened.append((name, page))
        page.add_init_script(SOCKETS)
        page.goto(f"{centre.url}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("button.main")
        page.wait_for_selector("#desk[data-stale=false]")
        page.evaluate("localStorage.devices = JSON.stringify({ clean: false })")  # steady tones count as noise
        page.reload()
        if len(opened) == len({name for name, _ in opened}):
            page.wait_for_text("#phone-state", "Ready")
            page.click("[data-step=login]")
            centre.until_agent(name, AgentState.AVAILABLE)
        return page

    yield open_page
    for number, (name, page) in enumerate(opened):
        try:
            page.screenshot(path=str(tmp_path / f"{name}-{number}.png"), full_page=True)
            assert [error for error in page.errors if " 409 " not in error] == [], name
            page.goto("about:blank")  # gives the phone back, as closing the window does
            if name not in [other for other, _ in opened[number + 1 :]]:
                eventually(partial(is_shut, centre, name), "the window's password is ended")
        finally:
            page.__exit__()


def is_shut(centre: Centre, agent: str) -> bool:
    """The PBX has no password for the agent's phone in the browser."""
    return not centre.switch.has_password(f"{agent}-web")


def hears(who: Chromium | OngoingCall, tmp_path: Path, *among: float) -> set[float]:
    if isinstance(who, Chromium):
        return set(who.evaluate(HEARS, list(among)) or ())
    return spectrum.tones(who.hear(0.5, tmp_path / "heard.wav").wait(), among)


def until_hears(who: Chromium | OngoingCall, tmp_path: Path, *wanted: float, never: float = 0.0) -> None:
    """Until all of the wanted tones are heard, and `never` is not."""
    among = [*wanted, never] if never else wanted
    eventually(
        lambda: hears(who, tmp_path, *among) == set(wanted), lambda: f"{wanted}, hears {hears(who, tmp_path, *among)}"
    )


def answered(centre: Centre, page: Chromium) -> OngoingCall:
    """A customer, who plays 500 Hz, and whose call was answered in this page."""
    call = centre.support(tone=500, talk=None)
    page.wait_for_selector("#answer:not([hidden])")
    page.click("#answer")
    return call


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
    assert centre.agent("emma").state is AgentState.OFFERED

    page.press("body", "a")
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
    eventually(lambda: not held(centre), "the page says that it is there")
    until_hears(call, tmp_path, TONES["emma"])
    until_hears(page, tmp_path, 500.0)
    page.evaluate("() => { window.cut = false; }")
    page.wait_for_text("#phone-state", "Ready")
    eventually(lambda: centre.ask_json("agent", "status", "emma")["phone"] == "free", "the phone is back")
    until_hears(call, tmp_path, TONES["emma"])
    page.press("body", "e")
    call.wait(120)
    phases = [segment.kind for segment in centre.history(call).segments]
    assert phases.count(Phase.HOLD) == 1, "while nobody knew, the customer heard music"


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
    first.wait_for_selector("#hang-up", state="hidden")
    until_hears(call, tmp_path, TONES["emma"])
    second.click("#hang-up")
    call.wait(120)
    assert centre.history(call).contact.agent == "emma"


def held(centre: Centre) -> bool:
    (contact,) = centre.live.contacts().values()
    return str(contact.detail["talk"]["customer"]) == "music"


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
