"""Mono files as the PBX leaves them, and what is in ours."""

import math
import wave
from array import array
from pathlib import Path

RATE = 8000


def tone(path: Path, hertz: float, seconds: float) -> Path:
    """A mono file with a tone."""
    samples = array("h", (int(9000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(int(seconds * RATE))))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


def channels(path: Path) -> list["array[int]"]:
    """Each channel's samples."""
    with wave.open(str(path), "rb") as file:
        samples = array("h", file.readframes(file.getnframes()))
        return [samples[channel :: file.getnchannels()] for channel in range(file.getnchannels())]


def power(samples: "array[int]", hertz: float) -> float:
    """Share of the samples' energy at this frequency (Goertzel), 0 to about 1."""
    turn = 2 * math.pi * hertz / RATE
    before = now = 0.0
    for sample in samples:
        before, now = now, sample + 2 * math.cos(turn) * now - before
    energy = sum(sample * sample for sample in samples) * len(samples) / 2
    return (now * now + before * before - 2 * math.cos(turn) * now * before) / energy if energy else 0.0
