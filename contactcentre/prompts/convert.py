"""Turns a sound file on stdin (WAV, FLAC, Ogg, MP3 ...) into a mono 16 bit WAV of 8000 Hz on stdout, which every PBX
plays.

Runs as a process of its own (`python -m contactcentre.prompts.convert`): decoding what somebody sent, and the work of
seconds, are nothing for the web process. `downsample` does the rest.
"""

import io
import sys

import soundfile as sf

from contactcentre.prompts.downsample import RATE, encoded, resampled, samples

LONGEST_SECONDS = 300.0


def converted(data: bytes) -> bytes:
    """Raises ValueError, which says to people what is wrong."""
    try:
        with sf.SoundFile(io.BytesIO(data)) as sound:
            rate, seconds = sound.samplerate, sound.frames / sound.samplerate
            if seconds > LONGEST_SECONDS:
                raise ValueError(f"it lasts {seconds:.0f} seconds; at most {LONGEST_SECONDS:.0f} are possible")
            if rate < RATE:
                raise ValueError(f"it has {rate} samples a second; at least {RATE} are needed")
            every = sound.read(dtype="float32", always_2d=True)
    except sf.LibsndfileError as error:
        raise ValueError(f"it is no sound file that can be read: {error.error_string}") from None
    if not len(every):
        raise ValueError("it holds no sound")
    mono = every.mean(axis=1)
    wav = io.BytesIO()
    sf.write(wav, mono, rate, subtype="PCM_16", format="WAV")
    whole, _ = samples(wav.getvalue())
    return encoded(whole if rate == RATE else resampled(whole, rate))


if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(converted(sys.stdin.buffer.read()))
    except ValueError as reason:
        sys.exit(str(reason))
