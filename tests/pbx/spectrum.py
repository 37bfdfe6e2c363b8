"""What is in a sound file, judged by its spectrum."""

import io
import wave
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


def seconds(data: bytes | Path) -> float:
    values, rate = samples(data)
    return len(values) / rate


def share(data: bytes | Path, frequency: float) -> float:
    """How much of the sound's energy is within 25 Hz of this frequency, 0 to 1."""
    values, rate = samples(data)
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


def write_tone(path: Path, frequency: float, length: float = 10.0) -> None:
    """A mono WAV file of 8000 Hz with a steady tone."""
    tone = np.sin(2 * np.pi * frequency * np.arange(int(8000 * length)) / 8000) * 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(tone.astype("<i2").tobytes())
