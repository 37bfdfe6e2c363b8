"""Every conversation is recorded: the customer on the left, the agent on the right, for nobody without a role."""

import stat
import wave
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contactcentre.domain.contacts import ContactHistory
from tests.system.centre import Centre

pytestmark = pytest.mark.slow

CALLER_HZ, AGENT_HZ = 400, 800
APART = 100.0
"""How much stronger (in power; 20 dB) a side's own tone must be than the other side's."""


def sides(path: Path) -> tuple[list[NDArray[np.float64]], int]:
    """The channels of a WAV file of 16 bits, left first, and the samples of each in a second."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float64)
        return list(samples.reshape(-1, file.getnchannels()).T), file.getframerate()


def power(samples: NDArray[np.float64], rate: int, frequency: float) -> float:
    """Within 25 Hz of this frequency."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    near = np.abs(np.fft.rfftfreq(len(samples), 1 / rate) - frequency) <= 25
    return float(spectrum[near].sum())


def recorded(centre: Centre) -> tuple[ContactHistory, Path]:
    """A call between a caller who hums at 400 Hz and an agent at 800 Hz, and its stored file."""
    centre.on_duty("bruno", tone=AGENT_HZ)
    call = centre.support("2", tone=CALLER_HZ, talk=3.0)
    assert call.wait(40).served
    history = centre.history(call)
    (recording,) = history.recordings
    assert recording.state == "stored"
    assert recording.path.endswith(f"{recording.id}.wav")
    return history, centre.settings.recordings_dir / recording.path


def test_a_stored_recording_has_the_callers_tone_on_the_left_and_the_agents_on_the_right_and_is_private(
    centre: Centre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, file = recorded(centre)
    (recording,) = history.recordings

    (left, right), rate = sides(file)
    assert power(left, rate, CALLER_HZ) > APART * power(left, rate, AGENT_HZ)
    assert power(right, rate, AGENT_HZ) > APART * power(right, rate, CALLER_HZ)
    for side, frequency in ((left, CALLER_HZ), (right, AGENT_HZ)):
        total = float((np.abs(np.fft.rfft(side)) ** 2).sum())
        assert power(side, rate, frequency) > 0.8 * total, "a side is its tone and little else"
    assert abs(len(left) / rate - history.contact.talk) < 0.5
    assert recording.seconds == pytest.approx(len(left) / rate, abs=0.001)
    assert sha256(file.read_bytes()).hexdigest() == recording.sha256

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    directory = file.parent
    while directory != centre.settings.state_dir:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700, directory
        directory = directory.parent
    on_the_pbx = Path(centre.lab.info().recordings_dir)
    assert [path for path in on_the_pbx.rglob("*") if recording.id in path.name] == []

    monkeypatch.chdir(tmp_path)
    centre.ask("user", "invite", "rita", "--role", "agent")
    centre.ask("user", "invite", "sven", "--role", "supervisor")
    for nobody in ("rita", "ghost"):
        refused = centre.command("recording", "export", recording.id, "--as", nobody)
        assert refused.status != 0
        assert nobody in refused.err
        assert "Traceback" not in refused.err
    assert list(tmp_path.iterdir()) == []
    centre.ask("recording", "export", recording.id, "--as", "sven")
    copy = tmp_path / f"{recording.id}.wav"
    assert copy.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    access = centre.ask_json("recording", "show", recording.id)["access"]
    assert {(one["who"], one["did"]) for one in access} == {("rita", "recording.refuse"), ("sven", "recording.export")}
