import random
from pathlib import Path

import pytest

from contactcentre.tasks.audio import BadAudio, NotReady, Side, assemble, describe, verify
from tests.tasks.waves import RATE, channels, power, tone


def test_the_customer_is_heard_on_the_left_and_the_agent_on_the_right(tmp_path: Path) -> None:
    left, right = tone(tmp_path / "l.wav", 440, 3), tone(tmp_path / "r.wav", 1000, 2)
    made = assemble([Side(left), Side(right, 0.5)], tmp_path / "both.wav")
    one, other = channels(tmp_path / "both.wav")
    assert (made, len(one), len(other)) == (3.0, 3 * RATE, 3 * RATE)
    assert power(one, 440) > 0.95 > 0.05 > power(one, 1000)
    assert power(other[RATE // 2 : RATE * 5 // 2], 1000) > 0.95
    assert not any(other[: RATE // 2])
    assert not any(other[RATE * 5 // 2 :])


def test_every_sample_arrives_on_its_side_at_its_time(tmp_path: Path) -> None:
    random.seed(3)
    for n in range(10):
        left, right = (tone(tmp_path / name, 300, random.uniform(0.001, 3)) for name in ("l.wav", "r.wav"))
        offsets = random.choice([0.0, random.uniform(0, 4)]), random.choice([0.0, 1.0, random.uniform(0, 4)])
        target = tmp_path / f"{n}.wav"
        assemble([Side(left, offsets[0]), Side(right, offsets[1])], target)
        for samples, source, offset in zip(channels(target), (left, right), offsets, strict=True):
            (sound,) = channels(source)
            begin = round(offset * RATE)
            assert samples[begin : begin + len(sound)] == sound
            assert not any(samples[:begin])
            assert not any(samples[begin + len(sound) :])


def test_a_message_has_one_channel(tmp_path: Path) -> None:
    made = assemble([Side(tone(tmp_path / "m.wav", 440, 1))], tmp_path / "message.wav")
    assert (made, len(channels(tmp_path / "message.wav"))) == (1.0, 1)


def test_nobody_but_the_owner_may_read_it_and_no_piece_is_left(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assemble([Side(tone(tmp_path / "m.wav", 440, 1))], tmp_path / "out" / "x.wav")
    found = [(path.name, path.stat().st_mode & 0o777) for path in (tmp_path / "out").iterdir()]
    assert found == [("x.wav", 0o600)]


def test_a_file_that_is_not_there_or_still_written_is_waited_for(tmp_path: Path) -> None:
    good = tone(tmp_path / "r.wav", 440, 1)
    with pytest.raises(NotReady, match="not there"):
        assemble([Side(tmp_path / "l.wav"), Side(good)], tmp_path / "x.wav")
    (tmp_path / "l.wav").write_bytes(b"")
    with pytest.raises(NotReady):
        assemble([Side(tmp_path / "l.wav"), Side(good)], tmp_path / "x.wav")
    open_header = good.read_bytes()[:40] + b"\0\0\0\0" + good.read_bytes()[44:]
    (tmp_path / "l.wav").write_bytes(open_header)
    with pytest.raises(NotReady, match="still being written"):
        assemble([Side(tmp_path / "l.wav"), Side(good)], tmp_path / "x.wav")
    assert not (tmp_path / "x.wav").exists()
    made = assemble([Side(tmp_path / "l.wav"), Side(good)], tmp_path / "x.wav", salvage=True)
    assert made == 1.0


@pytest.mark.parametrize(
    "content",
    [b"#!/bin/sh\necho no sound at all", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + b"\7" * 16 + b"data\4\0\0\0abcd"],
)
def test_what_is_no_sound_of_a_telephone_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l.wav").write_bytes(content)
    with pytest.raises(BadAudio):
        assemble([Side(tmp_path / "l.wav")], tmp_path / "x.wav")
    assert not (tmp_path / "x.wav").exists()


def test_an_impossible_offset_is_refused_before_the_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match="offset"):
        assemble([Side(tone(tmp_path / "l.wav", 440, 1), 1e9)], tmp_path / "x.wav")


def test_a_changed_sample_is_noticed(tmp_path: Path) -> None:
    path = tone(tmp_path / "x.wav", 440, 1)
    with pytest.raises(BadAudio, match="read back"):
        verify(path, RATE, [12345])


def test_a_cut_file_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    path = tone(tmp_path / "x.wav", 440, 1)
    path.write_bytes(path.read_bytes()[:1000])
    with path.open("rb") as file, pytest.raises(BadAudio):
        describe(file)


def test_an_hour_is_assembled_without_holding_it_in_memory(tmp_path: Path) -> None:
    import resource

    for name in ("l.wav", "r.wav"):
        tone(tmp_path / name, 440, 1)
        header = (tmp_path / name).read_bytes()[:40] + (3600 * RATE * 2).to_bytes(4, "little")
        with (tmp_path / name).open("wb") as file:
            file.write(header)
            file.truncate(44 + 3600 * RATE * 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = assemble([Side(tmp_path / "l.wav"), Side(tmp_path / "r.wav")], tmp_path / "x.wav")
    assert made == 3600.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
