"""Turns a mono 16 bit WAV on stdin into one of 8000 Hz on stdout.

Runs as a process of its own (`python -I downsample.py`): a second of speech costs some 20 ms of a core, which
must not be the controller's. Imports nothing of ours, so that it starts fast.
"""

import io
import math
import struct
import sys
import wave
from array import array
from operator import mul

RATE = 8000
ZEROS = 12  # zero crossings of the filter on each side: more is steeper


def samples(data: bytes) -> "tuple[array[int], int]":
    """The samples of a WAV and its rate. The length in the header is not believed: a synthesiser that streams
    does not know it beforehand. Raises ValueError."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("not a WAV")
    position, rate = 12, 0
    while position + 8 <= len(data):
        name, size = data[position : position + 4], struct.unpack_from("<I", data, position + 4)[0]
        position += 8
        if name == b"fmt " and position + 16 <= len(data):
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, position)
            if (kind, channels, bits) != (1, 1, 16) or rate < RATE:
                raise ValueError(f"not 16 bit mono PCM of at least {RATE} Hz")
        if name == b"data" and rate:
            body = data[position : position + size]
            found = array("h", body[: len(body) // 2 * 2])
            if sys.byteorder == "big":
                found.byteswap()
            return found, rate
        position += size + size % 2
    raise ValueError("no samples")


def resampled(source: "array[int]", rate: int) -> "array[int]":
    """`source` at RATE, through a Hann-windowed sinc low-pass just below half of RATE (one filter per
    phase)."""
    common = math.gcd(rate, RATE)
    up, down = RATE // common, rate // common
    cutoff = 0.94 * RATE / rate  # as a share of the source's own half rate
    half = math.ceil(ZEROS / cutoff)
    phases = [_taps(phase / up, half, cutoff) for phase in range(up)]
    padded = array("h", bytes(2 * half)) + source + array("h", bytes(2 * half + 2))
    result = array("h")
    for index in range(len(source) * up // down):
        start, phase = divmod(index * down, up)
        value = round(sum(map(mul, phases[phase], padded[start : start + 2 * half + 1])))
        result.append(max(-32768, min(32767, value)))
    return result


def _taps(offset: float, half: int, cutoff: float) -> list[float]:
    taps = []
    for index in range(-half, half + 1):
        distance = index - offset
        window = 0.5 + 0.5 * math.cos(math.pi * distance / (half + 1))
        angle = math.pi * cutoff * distance
        taps.append(cutoff * (math.sin(angle) / angle if angle else 1.0) * window)
    whole = sum(taps)
    return [tap / whole for tap in taps]


def encoded(source: "array[int]") -> bytes:
    """`source` as a WAV of RATE."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(source.tobytes())
    return out.getvalue()


if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(encoded(resampled(*samples(sys.stdin.buffer.read()))))
    except ValueError as reason:
        sys.exit(str(reason))
