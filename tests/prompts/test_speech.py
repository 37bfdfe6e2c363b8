"""Prompts and synthesised speech."""

import os
import stat
import sys
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import gevent
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from contactcentre.controller import stock_sounds
from contactcentre.domain.flows.actions import Piece, Sort
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.flows.wording import MAX_SPOKEN, spoken, words
from contactcentre.prompts import downsample, speech
from contactcentre.prompts.speech import (
    BUNDLED,
    NoPrompt,
    NoSpeech,
    Prompts,
    SpeechError,
    SpeechFailed,
    Voice,
    bundled_texts,
)

TEXTS = {"hello": {"en": "Hello.", "fr": "Bonjour."}}


def said(text: str) -> Piece:
    return Piece(Sort.TEXT, text)


def program(directory: Path, script: str) -> None:
    """Puts a program named espeak-ng, written in Python, into the directory."""
    path = directory / "espeak-ng"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replaces espeak-ng by a Python script."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return lambda script: program(directory, script)


def samples(path: Path) -> "array[int]":
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return array("h", file.readframes(file.getnframes()))


def test_a_text_becomes_a_file_that_the_pbx_can_read_and_play(tmp_path: Path) -> None:
    path = Voice(tmp_path / "tts").say("Good morning, this is a test.", "en")
    heard = samples(path)
    assert 1.0 < len(heard) / 8000 < 5.0
    assert np.abs(np.array(heard)).max() > 2000
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o055 == 0o055
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing half-written is left


def test_a_text_is_synthesised_once_for_each_language(tmp_path: Path, instead: Callable[[str], None]) -> None:
    log = tmp_path / "runs"
    instead(f"import sys; open({str(log)!r}, 'a').write(sys.argv[-1] + '\\n')\n{TONE}")
    voice = Voice(tmp_path / "tts")
    first = voice.say("Hello", "en")
    assert voice.say(" Hello ", "en") == first
    assert voice.say("Hello", "fr") != first
    assert Voice(tmp_path / "tts").say("Hello", "en") == first  # also after a restart
    assert log.read_text().split() == ["en", "fr"]


def test_two_calls_that_need_the_same_text_at_once_share_the_work(
    tmp_path: Path, instead: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "AT_ONCE", 1)
    log = tmp_path / "runs"
    instead(f"open({str(log)!r}, 'a').write('.')\n{TONE}")
    voice = Voice(tmp_path / "tts")
    calls = [gevent.spawn(voice.say, "Hello", "en") for _ in range(5)]
    assert len({call.get(timeout=20) for call in calls}) == 1
    assert log.read_text() == "."


def test_other_greenlets_run_while_a_text_is_synthesised(tmp_path: Path) -> None:
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0.002)
            turns += 1

    counter = gevent.spawn(count)
    try:
        Voice(tmp_path / "tts").say("This takes a moment, in which other calls go on. " * 3, "en")
    finally:
        counter.kill()
    assert turns > 20


def test_a_synthesiser_that_hangs_is_ended_at_the_deadline(
    tmp_path: Path, instead: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "pid"
    instead(f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    monkeypatch.setattr(speech, "DEADLINE", 0.5)
    with pytest.raises(SpeechFailed, match=r"took longer than 0\.5 seconds"):
        Voice(tmp_path / "tts").say("Hello", "en")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_synthesiser_that_fails_is_a_named_error_and_leaves_no_file(
    tmp_path: Path, instead: Callable[[str], None]
) -> None:
    instead("import sys; sys.exit('no such voice')")
    with pytest.raises(SpeechFailed, match="no such voice"):
        Voice(tmp_path / "tts").say("Hello", "xx")
    assert not list(tmp_path.glob("tts/**/*.wav"))


def test_a_disk_that_cannot_be_written_is_a_named_error(tmp_path: Path, instead: Callable[[str], None]) -> None:
    instead(TONE)
    (tmp_path / "tts").write_text("a file where a directory should be")
    with pytest.raises(SpeechFailed, match="could not be kept in"):
        Voice(tmp_path / "tts").say("Hello", "en")


def test_the_pbx_can_read_the_files_whatever_our_umask(tmp_path: Path, instead: Callable[[str], None]) -> None:
    instead(TONE)
    before = os.umask(0o077)
    try:
        path = Voice(tmp_path / "tts").say("Hello", "en")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert {stat.S_IMODE(directory.stat().st_mode) for directory in (path.parent, path.parent.parent)} == {0o755}


def test_without_a_synthesiser_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoSpeech, match="install the package espeak-ng, or record the prompts"):
        Voice(tmp_path / "tts").say("Hello", "en")


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07", "[[", "\u200b"])
def test_a_text_with_nothing_to_say_is_a_named_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(SpeechFailed, match="nothing that can be said"):
        Voice(tmp_path / "tts").say(text, "en")


HOSTILE = [
    '"; rm -rf / #',
    "$(reboot)",
    "-f /etc/passwd",
    "--help",
    "[[h@'loU]]<audio src='x'/>",
    "a\x00b\r\nc",
    "💣" * 900,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_caller_sends_as_a_name_is_only_ever_read_out(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "DEADLINE", 120.0)  # it is long, and others may need the processor
    path = Voice(tmp_path / "tts").say(f"Hello {text}", "en")
    assert len(samples(path)) > 0
    assert path.stem.isalnum()


@given(st.text())
def test_a_spoken_text_has_no_control_signs_brackets_or_great_length(text: str) -> None:
    plain = spoken(text)
    assert len(plain) <= MAX_SPOKEN
    assert plain == " ".join(plain.split())
    assert not set(plain) & set("[]<>{}|\\\x00\n\x1b")
    plain.encode()  # no halves of characters


def test_a_recording_comes_before_a_text_and_the_region_before_its_base(tmp_path: Path) -> None:
    prompts = Prompts(tmp_path, TEXTS)
    piece = Piece(Sort.PROMPT, "hello", "Hello from the flow.")
    assert prompts.media([piece], "fr-CA")[0].startswith(f"sound:{tmp_path}/tts/")
    for language in ("fr", "fr-CA"):
        (tmp_path / language).mkdir()
        (tmp_path / language / "hello.gsm").write_bytes(b"x")
        assert prompts.media([piece], "fr-CA") == [f"sound:{tmp_path}/{language}/hello"]
    assert prompts.media([piece], "fr") == [f"sound:{tmp_path}/fr/hello"]


def test_the_flows_own_text_comes_before_the_bundled_one(tmp_path: Path) -> None:
    prompts = Prompts(tmp_path, TEXTS)
    own = prompts.media([Piece(Sort.PROMPT, "hello", "Good day.")], "en")
    assert own == prompts.media([said("Good day.")], "en")
    bundled = prompts.media([Piece(Sort.PROMPT, "hello")], "en")
    assert bundled == prompts.media([said("Hello.")], "en")


def test_what_the_pbx_can_say_itself_is_left_to_it(tmp_path: Path) -> None:
    pieces = [
        Piece(Sort.SOUND, "demo-congrats"),
        Piece(Sort.NUMBER, "42"),
        Piece(Sort.DIGITS, "0*1"),
        Piece(Sort.SILENCE, "0.5"),
        Piece(Sort.TONE, "beep"),
    ]
    media = ["sound:demo-congrats", "number:42", "digits:0*1", "silence:0.5", "tone:beep"]
    assert Prompts(tmp_path, {}).media(pieces, "en") == media
    german = Prompts(tmp_path, {}).media(pieces, "de")
    assert (german[0], german[3:]) == (media[0], media[3:])
    assert all(medium.startswith(f"sound:{tmp_path}/tts/") for medium in german[1:3])


def test_a_piece_in_a_language_of_its_own_is_spoken_in_that_language(tmp_path: Path) -> None:
    prompts = Prompts(tmp_path, TEXTS)
    mixed = [Piece(Sort.PROMPT, "hello", language="fr"), Piece(Sort.PROMPT, "hello"), Piece(Sort.NUMBER, "2", "", "en")]
    french, english, number = prompts.media(mixed, "en")
    assert french == prompts.media([Piece(Sort.PROMPT, "hello")], "fr")[0] != english
    assert number == "number:2"
    # the PBX would say its own numbers in the language of the call
    assert prompts.media([Piece(Sort.NUMBER, "2", "", "en")], "fr")[0].startswith("sound:/")


def test_what_cannot_be_said_is_left_out_and_logged_and_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    prompts = Prompts(tmp_path, TEXTS)
    with capture_logs() as logs:
        assert prompts.media([Piece(Sort.PROMPT, "gone"), Piece(Sort.SOUND, "beep")], "en") == ["sound:beep"]
    assert [(entry["event"], entry["sort"]) for entry in logs] == [("speech left out", "prompt")]
    with pytest.raises(NoPrompt, match="prompt gone has neither a sound file nor a text in en"):
        prompts.media([Piece(Sort.PROMPT, "gone")], "en")
    assert prompts.media([], "en") == []


def test_dates_times_and_numbers_are_worded_in_their_language() -> None:
    assert words(Piece(Sort.DATE, "2026-12-25"), "en") == "Friday, December 25, 2026"
    assert words(Piece(Sort.DATE, "2026-12-25"), "fr-CA") == "vendredi 25 décembre 2026"
    assert words(Piece(Sort.TIME, "14:30"), "fr") == "14:30"
    assert words(Piece(Sort.NUMBER, "1234"), "en") == "1,234"
    assert words(Piece(Sort.DIGITS, "12#"), "en") == "1 2 #"
    assert words(Piece(Sort.DATE, "2026-12-25"), "tlh") == "Friday, December 25, 2026"


def test_texts_can_be_prepared_before_the_first_caller(tmp_path: Path) -> None:
    document = {"start": "a", "prompts": {"own": {"en": "Mine."}}, "nodes": {"a": {"type": "hangup"}}}
    prompts = Prompts(tmp_path, TEXTS)
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr" / "hello.wav").write_bytes(b"x")
    flow = Flow.parse("f", document)
    assert not prompts.are_prepared([flow])
    assert prompts.prepare([]) == 0
    assert prompts.are_prepared([])
    assert not prompts.are_prepared([flow])
    assert prompts.prepare([flow]) == 0
    assert prompts.are_prepared([flow])
    assert len(list(tmp_path.glob("tts/*/*.wav"))) == 2  # the French one is recorded


def test_the_least_used_files_are_forgotten(
    tmp_path: Path, instead: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "KEPT", 2)
    monkeypatch.setattr(speech, "LOOK_AFTER", 4)
    instead(TONE)
    voice = Voice(tmp_path / "tts")
    made = []
    for number, text in enumerate(("one", "two", "three", "four")):
        made.append(voice.say(text, "en"))
        if made[-1].exists():
            os.utime(made[-1], (number, number))
    assert voice.say("one", "en").exists()
    assert not made[1].exists()


@pytest.mark.parametrize("directory", [BUNDLED, stock_sounds.BUNDLED], ids=["prompts", "sounds"])
def test_the_bundled_prompts_have_the_same_names_in_every_language(directory: Path) -> None:
    texts = bundled_texts(directory)
    assert texts
    for name, by_language in texts.items():
        assert set(by_language) == {"en", "fr"}, name


def test_a_sound_that_the_pbx_has_not_is_spoken_once_and_one_that_was_put_there_stays(tmp_path: Path) -> None:
    texts = {"digits/1": {"en": "One", "fr": "Un"}}
    own = tmp_path / "stock/fr/digits/1.wav"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"recorded")
    assert not stock_sounds.are_prepared(tmp_path, texts)
    assert stock_sounds.prepare(tmp_path, texts) == 0
    assert stock_sounds.are_prepared(tmp_path, texts)
    assert len(samples(tmp_path / "stock/en/digits/1.wav")) > 2000
    assert own.read_bytes() == b"recorded"


def test_the_bundled_prompts_can_be_spoken(tmp_path: Path) -> None:
    for language in ("en", "fr"):
        for text in [texts[language] for texts in bundled_texts().values()][:3]:
            assert len(samples(Voice(tmp_path / "tts").say(text, language))) > 4000


def wav(source: "array[int]", rate: int) -> bytes:
    """As a synthesiser streams it: with a length in the header that is wrong."""
    header = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x01\0\x01\0" + rate.to_bytes(4, "little")
    header += (rate * 2).to_bytes(4, "little") + b"\x02\0\x10\0data\xff\xff\xff\x7f"
    return header + source.tobytes()


TONE = """
import math, struct, sys
data = struct.pack("<4000h", *(int(9000 * math.sin(i / 5)) for i in range(4000)))
header = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt \\x10\\0\\0\\0\\x01\\0\\x01\\0"
header += (22050).to_bytes(4, "little") + (44100).to_bytes(4, "little") + b"\\x02\\0\\x10\\0data"
sys.stdout.buffer.write(header + len(data).to_bytes(4, "little") + data)
"""


def level(sound: "array[int]") -> float:
    return float(np.sqrt(np.mean(np.array(sound[400:-400], dtype=float) ** 2)))


def sine(hertz: float, rate: int = 22050) -> "array[int]":
    time = np.arange(rate) / rate
    return array("h", (10000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16).tolist())


@pytest.mark.parametrize("hertz", [100, 440, 1000, 2500, 3400])
def test_what_a_telephone_can_carry_passes_the_resampler_unchanged(hertz: float) -> None:
    heard = downsample.resampled(sine(hertz), 22050)
    assert abs(len(heard) - 8000) <= 1
    assert level(heard) == pytest.approx(10000 / np.sqrt(2), rel=0.06)
    spectrum = np.abs(np.fft.rfft(np.array(heard, dtype=float)))
    assert abs(int(spectrum.argmax()) - hertz) <= 1


@pytest.mark.parametrize("hertz", [4600, 6000, 9000])
def test_what_it_cannot_carry_does_not_come_back_as_a_false_tone(hertz: float) -> None:
    assert level(downsample.resampled(sine(hertz), 22050)) < 100


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_any_rate_becomes_8000(rate: int) -> None:
    found, told = downsample.samples(wav(sine(440, rate), rate))
    assert told == rate
    assert abs(len(downsample.resampled(found, told)) - 8000) <= 1


@pytest.mark.parametrize("data", [b"", b"RIFF", b"not a wav at all", wav(array("h"), 4000), wav(array("h"), 8000)[:30]])
def test_what_is_no_speech_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"WAV|PCM|samples"):
        downsample.samples(data)


def test_every_error_of_speech_is_one_family() -> None:
    for error in (NoSpeech(), NoPrompt("a", "en"), SpeechFailed("x")):
        assert isinstance(error, SpeechError)
