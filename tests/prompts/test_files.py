"""Prompts that people put there: what is taken, how it is kept, and that it is still the same sound."""

import io
import os
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from contactcentre.prompts.files import BadPrompt, NotKept, PromptFiles
from contactcentre.prompts.speech import Prompts, Voice


def tone(rate: int = 44100, seconds: float = 0.5, hertz: float = 440.0, channels: int = 2, form: str = "WAV") -> bytes:
    """Half as loud as can be; in stereo the right side is silent."""
    wave_of = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)
    sides = np.stack([wave_of, *([np.zeros_like(wave_of)] * (channels - 1))], axis=1)
    out = io.BytesIO()
    sf.write(out, sides, rate, format=form)
    return out.getvalue()


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_what_is_kept_is_the_same_sound_as_every_pbx_plays_it(tmp_path: Path, form: str) -> None:
    made = PromptFiles(tmp_path).put("en", "welcome", tone(form=form, seconds=1))
    assert made.seconds == pytest.approx(1, abs=0.1)
    assert made.path == tmp_path / "en" / "welcome.wav"
    with wave.open(str(made.path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    middle = heard[2000:6000]
    loudest = np.argmax(np.abs(np.fft.rfft(middle))) * 8000 / len(middle)
    assert loudest == pytest.approx(440, abs=4)
    assert np.abs(middle).max() == pytest.approx(0.25, abs=0.02)  # the mean of both sides
    assert made.path.stat().st_mode & 0o777 == 0o644  # the PBX is another user
    assert Prompts(tmp_path).knows("welcome", "en")


def test_a_new_file_takes_the_place_of_the_old_in_whatever_form_that_was(tmp_path: Path) -> None:
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr" / "welcome.alaw").write_bytes(b"\xd5" * 800)
    files = PromptFiles(tmp_path)
    assert [(one.name, one.language, one.seconds) for one in files.all()] == [("welcome", "fr", None)]
    files.put("fr", "welcome", tone(8000, channels=1))
    assert [path.name for path in (tmp_path / "fr").iterdir()] == ["welcome.wav"]
    assert files.remove("fr", "welcome")
    assert not files.remove("fr", "welcome")
    assert files.all() == []


@pytest.mark.parametrize(
    ("sound", "why"),
    [
        (b"", "no sound file"),
        (b"<html>", "no sound file"),
        (tone(6000), "at least 8000"),
        (tone(seconds=0), "no sound"),
    ],
)
def test_what_is_no_prompt_is_refused_and_nothing_is_kept(tmp_path: Path, sound: bytes, why: str) -> None:
    with pytest.raises(BadPrompt, match=why):
        PromptFiles(tmp_path).put("en", "welcome", sound)
    assert list(tmp_path.rglob("*.wav")) == []


@pytest.mark.parametrize(
    ("language", "name"), [("..", "welcome"), ("en", "../welcome"), ("tts", "a.b"), ("en", ""), ("en", "a" * 41)]
)
def test_a_name_never_leads_elsewhere(tmp_path: Path, language: str, name: str) -> None:
    for attempt in (
        lambda: PromptFiles(tmp_path / "in").put(language, name, tone()),
        lambda: PromptFiles(tmp_path / "in").remove(language, name),
        lambda: PromptFiles(tmp_path / "in").one(language, name),
    ):
        with pytest.raises(BadPrompt):
            attempt()
    assert list(tmp_path.rglob("*.wav")) == []


def test_what_was_spoken_and_a_pbx_s_own_sounds_are_no_prompts_of_people(tmp_path: Path) -> None:
    for directory in ("tts", "stock", "en"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "one.wav").write_bytes(tone(8000))
    assert [(one.language, one.name) for one in PromptFiles(tmp_path).all()] == [("en", "one")]


def test_a_text_is_spoken_once_and_kept_as_a_sound_file(tmp_path: Path) -> None:
    made = PromptFiles(tmp_path).speak("en", "closed", "We are closed.", Voice(tmp_path / "tts"))
    assert made.seconds
    assert made.seconds > 0.5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotKept):
        PromptFiles(tmp_path).put("en", "welcome", tone())
