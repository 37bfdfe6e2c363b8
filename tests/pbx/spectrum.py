"""What is in a sound file, judged by its spectrum."""

import io
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]


def samples(data: bytes | Path) -> tuple[Samples, int]:
    """Of a mono WAV file, and their rate in Hz."""
    with wave.open(io.BytesIO(data) if isinstance(data, bytes) else str(data)) as file:
        assert file.getnchannels() == 1
        raw = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float64)
        return raw, file.getframerate()


def stretch(data: bytes | Path, start: float, end: float | None) -> tuple[Samples, int]:
    """Of `samples`, those from `start` (negative: seconds before the last) to `end` seconds."""
    values, rate = samples(data)
    return values[round(start * rate) : None if end is None else round(end * rate)], rate


def loudness(data: bytes | Path, start: float = 0.0, end: float | None = None) -> float:
    """The root of the mean square, 0 to 32767; a tone of a simulated phone has 5800, comfort noise less than 50."""
    values, _ = stretch(data, start, end)
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0


def seconds(data: bytes | Path) -> float:
    values, rate = samples(data)
    return len(values) / rate


def share(data: bytes | Path, frequency: float, start: float = 0.0, end: float | None = None) -> float:
    """How much of the sound's energy (from `start` to `end` seconds) is within 25 Hz of this frequency, 0 to 1."""
    values, rate = stretch(data, start, end)
    power = np.abs(np.fft.rfft(values)) ** 2
    near = np.abs(np.fft.rfftfreq(len(values), 1 / rate) - frequency) <= 25
    total = float(power.sum())
    return float(power[near].sum()) / total if total else 0.0


def loud_from(data: bytes | Path) -> float:
    """Seconds until the sound begins."""
    values, rate = samples(data)
    loud = np.flatnonzero(np.abs(values) > 500)
    assert len(loud), "there is nothing but silence"
    return float(loud[0]) / rate


def tones(data: bytes | Path, among: Iterable[float], start: float = 0.0, end: float | None = None) -> set[float]:
    """Which of these frequencies are heard from `start` to `end` seconds: each with a tenth of all the sound's energy
    (music has its own everywhere), where it is louder than -50 dBFS."""
    if loudness(data, start, end) < 100:
        return set()
    return {frequency for frequency in among if share(data, frequency, start, end) >= 0.1}


def write_tone(path: Path, frequency: float, length: float = 10.0) -> None:
    """A mono WAV file of 8000 Hz with a steady tone."""
    tone = np.sin(2 * np.pi * frequency * np.arange(int(8000 * length)) / 8000) * 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(tone.astype("<i2").tobytes())
