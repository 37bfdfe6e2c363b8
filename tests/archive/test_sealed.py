"""What is sealed comes back whole or not at all."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.archive.sealed import HEADER, SEGMENT, TAG, Tampered, seal, unseal

KEY = bytes(range(32))
SIZES = st.one_of(
    st.integers(0, 200),
    st.sampled_from([SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT + 17]),
)


def sealed(content: bytes, key: bytes = KEY, name: str = "r1") -> bytes:
    target = io.BytesIO()
    seal(io.BytesIO(content), target, key, name)
    return target.getvalue()


def opened(file: bytes, key: bytes = KEY, name: str = "r1") -> bytes:
    with unseal(io.BytesIO(file), key, name) as content:
        return content.read()


@given(SIZES)
def test_what_was_sealed_is_what_is_opened(size: int) -> None:
    content = os.urandom(size)
    assert opened(sealed(content)) == content


@given(SIZES, st.data())
def test_any_part_can_be_read_without_the_rest(size: int, data: st.DataObject) -> None:
    content = os.urandom(size)
    with unseal(io.BytesIO(sealed(content)), KEY, "r1") as file:
        assert file.seek(0, io.SEEK_END) == size
        for _ in range(3):
            begin, length = data.draw(st.integers(0, size + 5)), data.draw(st.integers(0, SEGMENT + 100))
            file.seek(begin)
            assert file.read(length) == content[begin : begin + length]


@given(SIZES, st.data())
def test_a_changed_bit_anywhere_is_noticed(size: int, data: st.DataObject) -> None:
    file = bytearray(sealed(os.urandom(size)))
    file[data.draw(st.integers(0, len(file) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Tampered):
        opened(bytes(file))


@given(SIZES, st.data())
def test_a_cut_or_prolonged_file_is_noticed_before_any_of_it_is_read(size: int, data: st.DataObject) -> None:
    file = sealed(os.urandom(size))
    edges = [HEADER + n * (SEGMENT + TAG) for n in range(len(file) // (SEGMENT + TAG) + 1)]
    cut = data.draw(st.one_of(st.integers(0, len(file) - 1), st.sampled_from(edges).filter(lambda at: at < len(file))))
    for changed in (file[:cut], file + os.urandom(data.draw(st.integers(1, 50)))):
        with pytest.raises(Tampered):
            unseal(io.BytesIO(changed), KEY, "r1")


def test_segments_that_are_swapped_repeated_left_out_or_of_another_writing_are_noticed() -> None:
    content = os.urandom(3 * SEGMENT + 5)
    file, again = sealed(content), sealed(content)

    def segments(of: bytes) -> list[bytes]:
        return [of[at : at + SEGMENT + TAG] for at in range(HEADER, len(of), SEGMENT + TAG)]

    a, b, c, last = segments(file)
    for order in ((b, a, c, last), (a, a, c, last), (a, c, last), (a, b, b, c, last), (segments(again)[0], b, c, last)):
        with pytest.raises(Tampered):
            opened(file[:HEADER] + b"".join(order))


def test_another_key_or_another_recordings_name_does_not_open_it() -> None:
    file = sealed(b"sound")
    with pytest.raises(Tampered):
        opened(file, key=bytes(32))
    with pytest.raises(Tampered):
        opened(file, name="r2")


def test_two_writings_of_the_same_sound_have_nothing_in_common() -> None:
    one, other = sealed(b"sound"), sealed(b"sound")
    assert one[-21:] != other[-21:]


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF" + bytes(100_000), b"CCSEAL1\n"])
def test_what_was_never_sealed_is_told_apart(content: bytes) -> None:
    with pytest.raises(Tampered):
        unseal(io.BytesIO(content), KEY, "r1")
