"""Agents whose telephone is a page in a real browser: WebRTC to the lab's Asterisk, heard on both sides."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState
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

Browser = Callable[[str], Chromium]


@pytest.fixture
def browser(centre: Centre, tmp_path: Path) -> Iterator[Browser]:
    """`browser("emma")`: where she has signed in and opened her page; it is free of errors, and at its end there is a
    picture of it."""
    if not centre.here.site.agents["emma"].webrtc:
        pytest.skip("FreeSWITCH keeps no softphones' passwords")
    opened: dict[str, Chromium] = {}

    def open_page(name: str) -> Chromium:
        if centre.store.user_named(name) is None:
            centre.store.add_user(name, accounts.hash_password(PASSWORD), "agent")
            centre.store.change_user(name, agent=name)
        says = tmp_path / f"{name}.wav"
        spectrum.write_tone(says, TONES[name])
        page = opened[name] = Chromium(says, viewport={"width": 1440, "height": 900}).__enter__()
        page.goto(f"{centre.url}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("button.main")
        page.wait_for_selector("#desk[data-stale=false]")
        page.evaluate("localStorage.devices = JSON.stringify({ clean: false })")  # steady tones count as noise
        page.reload()
        page.wait_for_text("#phone-state", "Ready")
        page.click("[data-step=login]")
        centre.until_agent(name, AgentState.AVAILABLE)
        return page

    yield open_page
    for name, page in opened.items():
        page.screenshot(path=str(tmp_path / f"{name}.png"), full_page=True)
        errors = page.errors
        page.__exit__()
        assert errors == [], name


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
    assert re.fullmatch(r"0:0\d", page.text_content("#talk-waited"))
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
    assert call.wait(60).ended_by == "pbx"
    page.wait_for_text("#me-state", "Wrap-up")
    centre.until_agent("emma", AgentState.AVAILABLE)
    page.wait_for_text("#talk-title", "No call")
    assert centre.history(call).contact.agent == "emma"
