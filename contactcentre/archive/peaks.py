"""How loud a recording is over time, to be drawn. Sealed ones are read as they are heard: nothing lies in the clear."""

from typing import Any, BinaryIO

BUCKETS = 800
"""Columns of the picture."""

Peaks = tuple[float, tuple[tuple[int, ...], ...]]
"""(seconds, for each channel the loudest sample of each column from 0 to 100)."""


def peaks(file: BinaryIO, buckets: int = BUCKETS) -> Peaks:
    """Of any sound that we store. Takes about a second for an hour of two channels. Raises ValueError for what is no
    sound; what the file's own reader raises passes."""
    import soundfile  # with numpy a quarter of a second that only they pay who draw

    try:
        with soundfile.SoundFile(file) as sound:
            step = max(1, -(-sound.frames // buckets))
            columns = [_loudest(block) for block in sound.blocks(step, dtype="int16", always_2d=True)]
            seconds, channels = sound.frames / sound.samplerate, sound.channels
    except soundfile.LibsndfileError as error:
        raise ValueError(f"no sound: {error}") from error
    return seconds, tuple(tuple(column[channel] for column in columns) for channel in range(channels))


def _loudest(block: Any) -> tuple[int, ...]:
    loudest = abs(block.astype("int32")).max(axis=0)
    return tuple(min(100, round(int(one) * 100 / 32768)) for one in loudest)
