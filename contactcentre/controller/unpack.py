"""Turns a sound that is kept as FLAC or Opus, on stdin, into a WAV of 16 bits on stdout, which every PBX plays.

Runs as a process of its own (`python -I unpack.py`): to load the library takes half a second of a core.
"""

import io
import sys

import soundfile


def main() -> int:
    unpacked = io.BytesIO()  # a WAV tells its length at the beginning, so it cannot go into a pipe
    with (
        soundfile.SoundFile(io.BytesIO(sys.stdin.buffer.read())) as packed,
        soundfile.SoundFile(unpacked, "w", packed.samplerate, packed.channels, "PCM_16", format="WAV") as wav,
    ):
        for block in packed.blocks(packed.samplerate, dtype="int16", always_2d=True):
            wav.write(block)
    sys.stdout.buffer.write(unpacked.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
