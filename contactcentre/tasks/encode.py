"""From the assembled WAV to the form it is kept in; what was written is decoded again and compared.

libsndfile (python-soundfile) does both: one library for FLAC and for Opus in Ogg, its wheel brings everything along,
and it reads from any file object, so a sealed recording is measured without a copy in the clear.
"""

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from contactcentre.tasks.audio import RATE, BadAudio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float64]

_ENCODERS = {".flac": ("FLAC", "PCM_16"), ".opus": ("OGG", "OPUS")}
PIECE = RATE // 10
"""Samples, a tenth of a second, whose loudness Opus must keep."""
LOUDNESS_ERROR = 0.25
"""So much of a channel's loudness may be at another time or missing; what Opus itself changes is far below."""
QUIET = 2 / 32768
"""Loudness (root mean square, full scale is 1) that counts as silence: what a codec makes of it is not compared."""


def encode(wav: Path, suffix: str) -> Path:
    """The sound of a WAV file in the form of this suffix, beside it and proved to be it. Raises BadAudio, OSError."""
    if suffix == ".wav":
        return wav
    target = wav.with_suffix(suffix)
    kind, subtype = _ENCODERS[suffix]
    sf = _library()
    try:
        with (
            sf.SoundFile(wav) as source,
            sf.SoundFile(target, "w", source.samplerate, source.channels, subtype, format=kind) as out,
        ):
            for block in source.blocks(RATE, dtype="int16", always_2d=True):
                out.write(block)
        with sf.SoundFile(wav) as meant, sf.SoundFile(target) as found:
            if (found.frames, found.channels, found.samplerate) != (meant.frames, meant.channels, meant.samplerate):
                raise BadAudio(f"{target.name} has {found.frames} samples, meant {meant.frames}")
            (_compare_loudness if suffix == ".opus" else _compare)(meant, found)
    except sf.LibsndfileError as error:
        raise BadAudio(f"{target.name}: {error}") from error
    return target


def measure(file: BinaryIO) -> tuple[float, int]:
    """(seconds, channels) of FLAC or Opus. Raises BadAudio."""
    sf = _library()
    try:
        with sf.SoundFile(file) as sound:
            return round(sound.frames / sound.samplerate, 3), int(sound.channels)
    except sf.LibsndfileError as error:
        raise BadAudio(str(error)) from error


def _compare(meant: Any, found: Any) -> None:
    for one, other in zip_longest(*(sound.blocks(RATE, dtype="int16") for sound in (meant, found))):
        if one is None or other is None or not (one == other).all():
            raise BadAudio("what was decoded again is not what was encoded")


def _compare_loudness(meant: Any, found: Any) -> None:
    """Each channel's loudness over time: a channel that is missing, swapped, moved or cut has another one."""
    import numpy as np

    one, other = _loudness(meant), _loudness(found)
    wrong = np.abs(one - other).sum(axis=0) > LOUDNESS_ERROR * one.sum(axis=0) + QUIET * len(one)
    if wrong.any():
        raise BadAudio(f"channel {int(wrong.argmax()) + 1} does not sound as what was encoded")


def _loudness(sound: Any) -> "Samples":
    """Root mean square of each tenth of a second (rows) and channel (columns)."""
    import numpy as np

    blocks = sound.blocks(PIECE, dtype="float64", always_2d=True)
    return np.array([np.sqrt((block**2).mean(axis=0)) for block in blocks])


def _library() -> Any:
    """Half a second of a worker's life, and only where something is encoded."""
    import soundfile

    return soundfile
