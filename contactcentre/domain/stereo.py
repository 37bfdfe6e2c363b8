"""One side of a stereo recording, as a PBX wrote it that records both sides of a call into one file."""

import struct
from array import array
from collections.abc import Iterable, Iterator

SUFFIX = ".stereo"
"""What the name of such a file ends with. The sides of `NAME.stereo` are called `NAME-left` and `NAME-right`."""
SIDES = ("left", "right")
_HEADER = 44
_LONGEST_HEADER = 4096


def stereo_of(name: str) -> tuple[str, str]:
    """`NAME-left` -> (`NAME.stereo`, `left`); ("", "") for the name of no side."""
    stem, _, side = name.rpartition("-")
    return (f"{stem}{SUFFIX}", side) if stem and side in SIDES else ("", "")


def one_side(chunks: Iterable[bytes], side: str) -> Iterator[bytes]:
    """The WAV file of one side, in pieces. Takes a WAV file of two channels with 16 bits. Raises ValueError for any
    other."""
    source = iter(chunks)
    data = b""
    while (begin := _samples_at(data)) is None:
        if len(data) > _LONGEST_HEADER or not (more := next(source, b"")):
            raise ValueError("no WAV file of two channels with 16 bits")
        data += more
    rate, size, start = begin
    yield _mono_header(rate, size // 2)
    data, left = data[start:], size
    while left > 0:
        whole = min(len(data) - len(data) % 4, left)
        left -= whole
        if whole:
            yield array("h", data[:whole])[SIDES.index(side) :: 2].tobytes()
        data = data[whole:]
        if left < 4 or not (more := next(source, b"")):
            return
        data += more


def _samples_at(data: bytes) -> tuple[int, int, int] | None:
    """Rate, bytes of samples, where they begin; None = the header is not complete."""
    if len(data) < 12:
        return None
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("no WAV file")
    at, rate = 12, 0
    while len(data) >= at + 8:
        kind, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if kind == b"data":
            if not rate:
                raise ValueError("a WAV file without a format")
            return rate, size - size % 4, at + 8
        if kind == b"fmt ":
            if len(data) < at + 24:
                return None
            _, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at + 8)
            if (channels, bits) != (2, 16):
                raise ValueError(f"a WAV file of {channels} channels with {bits} bits: must be 2 with 16")
        at += 8 + size + size % 2
    return None


def _mono_header(rate: int, size: int) -> bytes:
    return struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", _HEADER - 8 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16
    ) + struct.pack("<4sI", b"data", size)
