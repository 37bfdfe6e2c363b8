"""The forms a recording is kept in, and that what went wrong in making them is noticed."""

import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from contactcentre.tasks.audio import BadAudio, Side, assemble
from contactcentre.tasks.encode import encode, measure
from tests.tasks.waves import tone


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """Two sides that talk in turns."""
    assemble(
        [Side(tone(tmp_path / "l.wav", 440, 2)), Side(tone(tmp_path / "r.wav", 1000, 3), 2.5)], tmp_path / "sound.wav"
    )
    return tmp_path / "sound.wav"


def samples(path: Path) -> "np.ndarray[tuple[int, int], np.dtype[np.int16]]":
    return soundfile.read(path, dtype="int16")[0]


def test_flac_is_the_same_sound_to_the_sample_and_smaller(wav: Path) -> None:
    made = encode(wav, ".flac")
    assert (samples(made) == samples(wav)).all()
    assert made.stat().st_size < wav.stat().st_size / 2
    with made.open("rb") as file:
        assert measure(file) == (5.5, 2)


def test_opus_has_the_length_the_sides_and_the_pitch(wav: Path) -> None:
    made = encode(wav, ".opus")
    assert made.stat().st_size < wav.stat().st_size / 5
    with made.open("rb") as file:
        assert measure(file) == (5.5, 2)
    left, right = samples(made).T.astype(float)
    for side, hertz in ((left[1000:15000], 440), (right[21000:43000], 1000)):
        spectrum = np.abs(np.fft.rfft(side))
        assert abs(np.fft.rfftfreq(len(side), 1 / 8000)[spectrum.argmax()] - hertz) < 10
    assert np.abs(left[20000:]).max() < 200


def test_silence_stays_silence_in_every_form(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(4 * 8000))
    for suffix in (".flac", ".opus"):
        assert np.abs(samples(encode(tmp_path / "sound.wav", suffix))).max() <= 2


@pytest.mark.parametrize("suffix", [".flac", ".opus"])
@pytest.mark.parametrize("damage", ["swapped", "cut", "late", "silent", "other"])
def test_an_encoder_that_makes_something_else_is_found_out(
    wav: Path, suffix: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faulty(soundfile.SoundFile):  # type: ignore[misc]
        def write(self, block: "np.ndarray[tuple[int, int], np.dtype[np.int16]]") -> None:
            match damage:
                case "swapped":
                    block = block[:, ::-1]
                case "cut":
                    block = block[:-8]
                case "late":
                    block = np.roll(block, 4000, axis=0)
                case "silent":
                    block = block * np.array([1, 0], np.int16)
                case "other":
                    block = block // 2
            super().write(np.ascontiguousarray(block))

    monkeypatch.setattr(soundfile, "SoundFile", Faulty)
    with pytest.raises(BadAudio):
        encode(wav, suffix)


def test_what_is_no_sound_is_bad_audio(tmp_path: Path) -> None:
    (tmp_path / "sound.wav").write_bytes(b"no sound at all")
    with pytest.raises(BadAudio):
        encode(tmp_path / "sound.wav", ".flac")
    with (tmp_path / "sound.wav").open("rb") as file, pytest.raises(BadAudio):
        measure(file)


def test_a_wav_stays_what_it_is(wav: Path) -> None:
    before = shutil.copy(wav, wav.with_name("before.wav"))
    assert encode(wav, ".wav").read_bytes() == Path(before).read_bytes()
