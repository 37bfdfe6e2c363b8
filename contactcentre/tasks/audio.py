"""Makes one stereo file of two mono ones, in pieces of a second, and proves that it holds both."""

import os
import struct
import sys
import wave
import zlib
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

RATE = 8000
"""Samples a second, of what we read and write."""
WIDTH = 2
"""Bytes of a sample: 16 bits, signed, little-endian."""
PIECE = RATE
"""Samples held in memory at a time, per side."""
LONGEST_OFFSET = 24 * 3600.0


class NotReady(Exception):
    """The file is not there, or the PBX still writes it (its header does not tell its length yet)."""


class BadAudio(Exception):
    """The file is no mono WAV file of 8 kHz and 16 bits, or what we wrote is not what we meant to write."""


@dataclass(frozen=True, slots=True)
class Side:
    """One mono file and when it began, in seconds after the recording's own start. Without a path: silence."""

    path: Path | None
    offset: float = 0.0


def assemble(sides: list[Side], target: Path, *, salvage: bool = False) -> float:
    """Writes the sides as the channels of `target` (mode 0600, replaced as a whole or not at all), each moved
    to its offset and filled with silence to the length of the longest; returns its seconds. One side makes a mono
    file.

    `salvage`: take a file as it is whose header was never completed (the PBX died). Raises NotReady,
    BadAudio, OSError.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with (
        _sources(sides, salvage) as sources,
        os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file,
    ):
        try:
            length = max(source.length for source in sources)
            checks = [0] * len(sources)
            with wave.open(file, "wb") as out:
                out.setparams((len(sources), WIDTH, RATE, 0, "NONE", ""))
                for begin in range(0, length, PIECE):
                    count = min(PIECE, length - begin)
                    pieces = [source.read(count) for source in sources]
                    checks = [zlib.crc32(piece, check) for piece, check in zip(pieces, checks, strict=True)]
                    out.writeframesraw(_interleaved(pieces, count))
            file.flush()
            os.fsync(file.fileno())
            verify(part, length, checks)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return length / RATE


def verify(path: Path, length: int, checks: list[int]) -> None:
    """Reads the file back: `length` samples, and each channel with its CRC-32. Raises BadAudio."""
    with path.open("rb") as file, _opened(file) as written:
        channels = written.getnchannels()
        if (written.getnframes(), channels, written.getframerate()) != (length, len(checks), RATE):
            raise BadAudio(
                f"{path}: {channels} channels of {written.getnframes()} samples, meant {len(checks)} of {length}"
            )
        found = [0] * channels
        while frames := written.readframes(PIECE):
            samples = _samples(frames)
            for channel in range(channels):
                found[channel] = zlib.crc32(_bytes(samples[channel::channels]), found[channel])
    if found != checks:
        raise BadAudio(f"{path}: what was read back is not what was written")


def describe(file: BinaryIO) -> tuple[float, int]:
    """(seconds, channels) of a finished file. Raises BadAudio, OSError."""
    with _opened(file) as written:
        frames, channels, rate = written.getnframes(), written.getnchannels(), written.getframerate()
        complete = file.seek(0, os.SEEK_END) >= frames * channels * written.getsampwidth()
    if not frames or not complete or rate != RATE:
        raise BadAudio("the file is not complete")
    return round(frames / rate, 3), channels


class _Source:
    """Samples of one side, silence before and after included."""

    def __init__(self, side: Side, salvage: bool) -> None:
        if not 0 <= side.offset <= LONGEST_OFFSET:
            raise BadAudio(f"an offset of {side.offset} s is not possible")
        self._silence = round(side.offset * RATE)  # samples still to come before the file's first
        self._file: BinaryIO | None = None
        self.length = 0
        if side.path is not None:
            try:
                self._file = side.path.open("rb")
            except FileNotFoundError as error:
                raise NotReady(f"{side.path} is not there") from error
            try:
                self._left = _data(self._file, side.path, salvage)
            except BaseException:
                self._file.close()
                raise
            self.length = self._silence + self._left

    def read(self, count: int) -> bytes:
        quiet = min(count, self._silence) if self._file else count
        self._silence -= min(quiet, self._silence)
        sound = b""
        if self._file is not None and self._left:
            wanted = min(count - quiet, self._left)
            sound = self._file.read(wanted * WIDTH)
            if len(sound) != wanted * WIDTH:
                raise NotReady(f"{self._file.name} became shorter")
            self._left -= wanted
        return bytes(quiet * WIDTH) + sound + bytes((count - quiet) * WIDTH - len(sound))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@contextmanager
def _sources(sides: list[Side], salvage: bool) -> Iterator[list[_Source]]:
    with ExitStack() as stack:
        sources = []
        for side in sides:
            source = _Source(side, salvage)
            stack.callback(source.close)
            sources.append(source)
        if not any(source.length for source in sources):
            raise NotReady("there is no sound on any side")
        yield sources


def _data(file: BinaryIO, path: Path, salvage: bool) -> int:
    """Moves to the first sample and returns the number of samples. Raises NotReady, BadAudio."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if len(head) < 12 and not salvage:
        raise NotReady(f"{path} is not written yet")
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise BadAudio(f"{path} is no WAV file")
    form = b""
    while len(chunk := file.read(8)) == 8:
        name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        if name == b"data":
            break
        body = file.read(length + length % 2)
        form = body if name == b"fmt " else form
    else:
        raise NotReady(f"{path} has no samples yet")
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16].ljust(16, b"\0"))
    if (kind, channels, rate, bits) != (1, 1, RATE, 8 * WIDTH):
        raise BadAudio(f"{path}: format {kind}, {channels} channels, {rate} Hz, {bits} bits; want PCM, 1, {RATE}, 16")
    there = size - file.tell()
    if salvage:
        return min(length or there, there) // WIDTH
    if length == 0 or length > there:
        raise NotReady(f"{path} is still being written")
    return int(length) // WIDTH


@contextmanager
def _opened(file: BinaryIO) -> Iterator[wave.Wave_read]:
    try:
        with wave.open(file, "rb") as sound:
            if sound.getsampwidth() != WIDTH:
                raise BadAudio(f"samples of {sound.getsampwidth()} bytes")
            yield sound
    except (wave.Error, EOFError) as error:
        raise BadAudio(f"no WAV file: {error}") from error


def _interleaved(pieces: list[bytes], count: int) -> bytes:
    mixed = array("h", bytes(count * WIDTH * len(pieces)))
    for channel, piece in enumerate(pieces):
        mixed[channel :: len(pieces)] = _samples(piece)
    return _bytes(mixed)


def _samples(piece: bytes) -> "array[int]":
    samples = array("h", piece)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _bytes(samples: "array[int]") -> bytes:
    if sys.byteorder == "big":
        samples = array("h", samples)
        samples.byteswap()
    return samples.tobytes()
