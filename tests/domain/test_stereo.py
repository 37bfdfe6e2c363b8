"""Sides of a stereo recording, in whatever pieces it is read."""

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.stereo import SIDES, one_side, stereo_of

samples = st.lists(st.tuples(st.integers(-32768, 32767), st.integers(-32768, 32767)), max_size=200)


def stereo(pairs: list[tuple[int, int]], channels: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"".join(struct.pack("<hh", *pair) for pair in pairs))
    return file.getvalue()


@given(pairs=samples, step=st.integers(1, 300), extra=st.booleans())
def test_each_side_has_its_own_samples_and_is_a_file_of_its_own(
    pairs: list[tuple[int, int]], step: int, extra: bool
) -> None:
    data = stereo(pairs)
    if extra:  # another chunk before the samples, as FreeSWITCH's library may write
        at = data.index(b"data")
        data = data[:at] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + data[at:]
    for number, side in enumerate(SIDES):
        told = b"".join(one_side([data[at : at + step] for at in range(0, len(data), step)], side))
        with wave.open(io.BytesIO(told)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
            assert file.readframes(file.getnframes()) == b"".join(struct.pack("<h", pair[number]) for pair in pairs)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"no sound at all, and long enough", stereo([(1, 2)], channels=1)])
def test_what_is_no_stereo_file_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="WAV"):
        list(one_side([data], "left"))


def test_a_file_that_was_cut_off_gives_what_is_there() -> None:
    data = stereo([(1, 2)] * 100)[:-6]
    assert b"".join(one_side([data], "left")).endswith(struct.pack("<h", 1) * 98)


@pytest.mark.parametrize(
    ("name", "both"),
    [
        ("tap-1-left", ("tap-1.stereo", "left")),
        ("tap-1-right", ("tap-1.stereo", "right")),
        ("message-7", ("", "")),
        ("-left", ("", "")),
        ("left", ("", "")),
    ],
)
def test_the_file_of_both_is_known_by_the_name_of_a_side(name: str, both: tuple[str, str]) -> None:
    assert stereo_of(name) == both
