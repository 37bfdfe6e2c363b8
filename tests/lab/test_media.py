"""G.711, tones and the ear."""

import socket
import struct
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactcentre.lab.media import Media, alaw, from_alaw, from_ulaw, tone_frames, ulaw
from contactcentre.lab.sip import PCMA, PCMU, Sdp


@pytest.mark.parametrize(("there", "back", "step"), [(ulaw, from_ulaw, 0.035), (alaw, from_alaw, 0.035)])
def test_g711_gives_every_sample_back_within_its_step(there, back, step) -> None:  # type: ignore[no-untyped-def]
    for sample in range(-32000, 32000, 37):
        assert abs(back(there(sample)) - sample) <= 20 + step * abs(sample)


def test_g711_has_the_codes_of_the_recommendation() -> None:
    assert [ulaw(s) for s in (0, 32124, -32124)] == [0xFF, 0x80, 0x00]
    assert [alaw(s) for s in (8, -8)] == [0xD5, 0x55]


@pytest.mark.parametrize("codec", [PCMU, PCMA])
@pytest.mark.parametrize("hertz", range(50, 3801, 50))
def test_every_tone_of_a_simulated_phone_repeats_frame_by_frame(hertz: int, codec: int) -> None:
    frames = tone_frames(hertz, codec)
    assert len(set(frames)) == 1
    assert len(set(frames[0])) > 2


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Media, socket.socket]]:
    media = Media("127.0.0.1", 400, tmp_path / "heard.wav")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(1)
        media.send_to(Sdp("127.0.0.1", other.getsockname()[1], PCMU, 101, True))
        other.connect(("127.0.0.1", media.port))
        yield media, other
        media.close()


def _packets(other: socket.socket, count: int) -> list[tuple[int, int, int, bytes]]:
    """Payload type, sequence number, timestamp and payload of the next packets."""
    heads = []
    for _ in range(count):
        packet = other.recv(2048)
        _, kind, sequence, stamp, _ = struct.unpack_from("!BBHII", packet)
        heads.append((kind & 0x7F, sequence, stamp, packet[12:]))
    return heads


def test_a_digit_is_one_event_that_grows_and_ends_three_times(line: tuple[Media, socket.socket]) -> None:
    media, other = line
    media.play_digits("5", 0)
    for _ in range(8):
        media.tick()
    packets = _packets(other, 10)
    assert {(kind, stamp) for kind, _, stamp, _ in packets} == {(101, packets[0][2])}
    events = [struct.unpack("!BBH", payload) for *_, payload in packets]
    assert [event for event, _, _ in events] == [5] * 10
    assert [bool(flags & 0x80) for _, flags, _ in events] == [False] * 7 + [True] * 3
    assert [duration for *_, duration in events] == [160, 320, 480, 640, 800, 960, 1120, 1280, 1280, 1280]


def test_sound_goes_on_after_a_digit_with_sequence_and_time_unbroken(line: tuple[Media, socket.socket]) -> None:
    media, other = line
    media.tick()
    media.play_digits("#", 0)
    for _ in range(9):
        media.tick()
    first, *_, last = _packets(other, 12)
    assert (last[0], last[1] - first[1] & 0xFFFF, last[2] - first[2] & 0xFFFFFFFF) == (PCMU, 11, 9 * 160)


def test_the_ear_knows_a_tone_but_not_silence_or_changing_sound(line: tuple[Media, socket.socket]) -> None:
    media, other = line
    header = struct.pack("!BBHII", 0x80, PCMU, 1, 1, 1)
    noise = [bytes((n * n + m) % 251 for n in range(160)) for m in range(20)]
    for payload in [b"\xff" * 160] * 20 + noise:
        other.send(header + payload)
        media.tick()
    assert media.person_at is None
    for payload in [tone_frames(700, PCMU)[0]] * 8:
        other.send(header + payload)
        media.tick()
    assert media.person_at is not None


def test_a_digit_heard_counts_once_however_often_its_end_is_repeated(line: tuple[Media, socket.socket]) -> None:
    media, other = line
    for stamp, digit in ((1, 1), (1000, 1), (2000, 11)):
        for _ in range(3):
            other.send(struct.pack("!BBHIIBBH", 0x80, 101, 1, stamp, 1, digit, 0x8A, 800))
    other.send(b"not RTP")
    other.send(struct.pack("!BBHIIBBH", 0x80, 101, 1, 3000, 1, 200, 0x8A, 800))
    media.tick()
    assert media.digits_heard == "11#"


def test_what_was_heard_is_a_wav_file(line: tuple[Media, socket.socket], tmp_path: Path) -> None:
    media, other = line
    other.send(struct.pack("!BBHII", 0x80, PCMU, 1, 1, 1) + b"\x80\x00" * 80)
    media.tick()
    media.close()
    with wave.open(str(tmp_path / "heard.wav")) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (8000, 160)
        assert struct.unpack("<2h", sound.readframes(2)) == (32124, -32124)


def test_who_listens_hears_what_comes_from_then_on(line: tuple[Media, socket.socket], tmp_path: Path) -> None:
    """Not what came before and was not read yet, because the machine was busy with others."""
    media, other = line
    header = struct.pack("!BBHII", 0x80, PCMU, 1, 1, 1)
    heard: list[int] = []
    other.send(header + b"\x11" * 160)
    media.hear(60, tmp_path / "ear.wav", heard.append)
    other.send(header + b"\x22" * 160)
    media.close()
    assert heard == [1]
    with wave.open(str(tmp_path / "ear.wav")) as sound:
        assert set(struct.unpack("<160h", sound.readframes(160))) == {from_ulaw(0x22)}


def test_the_longest_silence_is_told_whether_nothing_comes_or_frames_without_sound(
    line: tuple[Media, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    media, other = line
    clock = 1000.0
    monkeypatch.setattr("contactcentre.lab.media.time.monotonic", lambda: clock)
    monkeypatch.setattr("contactcentre.lab.media.time.time", lambda: clock + 5000)
    sound, silence = tone_frames(400, PCMU)[0], b"\xff" * 160

    def hears(payload: bytes) -> None:
        before = media.received
        other.send(struct.pack("!BBHII", 0x80, PCMU, 1, 1, 1) + payload)
        while media.received == before:
            media.tick()

    hears(sound)
    clock = 1003.0  # nothing came
    hears(sound)
    clock = 1004.0
    hears(silence)
    clock = 1007.5
    hears(silence)
    clock = 1008.0
    hears(sound)
    assert (media.silence, media.silence_at) == (5.0, 6003.0)
    clock = 1014.0
    media.close()
    assert (media.silence, media.silence_at) == (6.0, 6008.0)


def test_several_frames_go_in_one_packet_until_a_digit_interrupts(line: tuple[Media, socket.socket]) -> None:
    media, other = line
    media.frames = 3
    for _ in range(7):
        media.tick()
    first, second = _packets(other, 2)
    assert [len(first[3]), len(second[3]), second[2] - first[2] & 0xFFFFFFFF] == [480, 480, 480]
    media.play_digits("1", 0)
    for _ in range(8 + 5 + 1):
        media.tick()
    *digit, last = _packets(other, 11)
    assert {kind for kind, *_ in digit} == {101}
    assert (last[0], len(last[3])) == (PCMU, 480)
