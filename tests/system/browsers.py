"""Agents whose telephone is a page in a real browser: what they hear, and who hears them."""

from collections.abc import Callable
from pathlib import Path

from contactcentre.lab import OngoingCall
from tests.pbx import spectrum
from tests.system.centre import Centre
from tests.waiting import eventually
from tests.web.chromium import Chromium

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
"""See the fixture `browser`."""


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


def held(centre: Centre) -> bool:
    """The only customer hears music."""
    (contact,) = centre.live.contacts().values()
    return str(contact.detail["talk"]["customer"]) == "music"
