"""The audio of a simulated phone: a steady tone and RFC 4733 digits out, and an ear for what comes back.

Audio is G.711 in frames of 20 ms (160 samples at 8000 Hz). A tone of a multiple of 50 Hz makes
every frame the same, and stays so through any PBX that passes or mixes G.711. No prompt, no music and no PBX
tone does that. So the ear knows without any signal processing when it hears another simulated phone.
"""

import math
import secrets
import socket
import struct
import time
import wave
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from contactcentre.lab.sip import PCMA, PCMU, Sdp

FRAME_SECONDS = 0.02
FRAME_SAMPLES = 160
SAMPLE_RATE = 8000
DTMF = "0123456789*#ABCD"
_DTMF_FRAMES = 8  # 160 ms on
_DTMF_GAP = 5  # 100 ms off
_STEADY_FRAMES = 5
SILENCE = {PCMU: b"\xff", PCMA: b"\xd5"}
_EAR_LIMIT = 30 * 60 * SAMPLE_RATE


def ulaw(sample: int) -> int:
    """One 16-bit sample in G.711 mu-law."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 0x0F) & 0xFF


def from_ulaw(code: int) -> int:
    """The 16-bit sample of a G.711 mu-law code."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 132 << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


def alaw(sample: int) -> int:
    """One 16-bit sample in G.711 A-law."""
    sign = 0 if sample < 0 else 0x80
    magnitude = min(abs(sample), 32767) >> 3
    exponent = max(magnitude.bit_length() - 5, 0)
    mantissa = magnitude >> 1 if exponent == 0 else magnitude >> exponent
    return (sign | exponent << 4 | mantissa & 0x0F) ^ 0x55


def from_alaw(code: int) -> int:
    """The 16-bit sample of a G.711 A-law code."""
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else (mantissa << 4) + 264 << exponent - 1
    return magnitude if code & 0x80 else -magnitude


@cache
def tone_frames(hertz: int, codec: int) -> tuple[bytes, ...]:
    """One second of a tone at -12 dBFS, as 50 frames that follow without a seam. 0 Hz is silence."""
    law = ulaw if codec == PCMU else alaw
    turns = (hertz * n % SAMPLE_RATE / SAMPLE_RATE for n in range(SAMPLE_RATE))
    codes = bytes(law(round(8192 * math.sin(2 * math.pi * turn))) for turn in turns)
    return tuple(codes[at : at + FRAME_SAMPLES] for at in range(0, SAMPLE_RATE, FRAME_SAMPLES))


@cache
def _linear_tables(codec: int) -> tuple[bytes, bytes]:
    """For every G.711 code the low and the high byte of its sample."""
    back = from_ulaw if codec == PCMU else from_alaw
    pairs = [struct.pack("<h", back(code)) for code in range(256)]
    return bytes(p[0] for p in pairs), bytes(p[1] for p in pairs)


def write_wav(path: Path, heard: bytes | bytearray, codec: int) -> None:
    """G.711 as a WAV file of 16 bits."""
    low, high = _linear_tables(codec)
    linear = bytearray(2 * len(heard))
    linear[0::2] = heard.translate(low)
    linear[1::2] = heard.translate(high)
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        out.writeframes(bytes(linear))


@dataclass
class _Ear:
    """Someone who listens for a while."""

    until: float  # monotonic
    samples: int
    path: Path
    then: Callable[[int], None]
    """Takes the number of packets."""
    heard: bytearray = field(default_factory=bytearray)
    packets: int = 0

    def finish(self, codec: int) -> None:
        missing = self.samples - len(self.heard)
        write_wav(self.path, self.heard[: self.samples] + SILENCE[codec] * missing, codec)
        self.then(self.packets)


class Media:
    """One RTP stream each way on one loopback port. `tick` is called every 20 ms by whoever owns it."""

    def __init__(self, host: str, tone: int, heard: Path | None, sequence: int | None = None) -> None:
        self._socket = _even_port(host)
        self.port: int = self._socket.getsockname()[1]
        self.tone: int | None = tone
        """Hz, 0 is silence; None sends nothing at all."""
        self.frames = 1
        """Of 20 ms, that each packet has; a digit's packets come every 20 ms in any case."""
        self.sent = 0
        self.received = 0
        self.digits_heard = ""
        self.person_at: float | None = None
        """When another simulated phone was first heard, epoch seconds."""
        self.silence = 0.0
        """Seconds of the longest silence: nothing came, or frames without sound."""
        self.silence_at: float | None = None
        """When it began, epoch seconds."""
        self._sound_at: float | None = None  # monotonic: the last sound, or the beginning
        self._heard_path = heard
        self._heard = bytearray()
        self._ears: list[_Ear] = []
        self._heard_codec = PCMU
        self._remote: Sdp | None = None
        self._sequence = secrets.randbelow(1 << 15) if sequence is None else sequence
        self._timestamp = secrets.randbelow(1 << 31)
        self._ssrc = secrets.randbelow(1 << 32)
        self._frame = 0
        self._payload = b""
        self._began = 0  # the timestamp of the packet that is being filled
        self._plan: deque[tuple[str, int]] = deque()  # ("5", 8) = digit 5 for 8 frames; ("", 5) = nothing for 5 frames
        self._digit_frame = 0
        self._last_frame = b""
        self._steady = 0
        self._last_event: int | None = None

    def send_to(self, remote: Sdp) -> None:
        """Start, or go on with other parameters."""
        self._remote = remote
        if self._sound_at is None:
            self._sound_at = time.monotonic()
        self._socket.connect((remote.host, remote.port))

    def play_digits(self, digits: str, pause: float) -> None:
        """Send digits one by one; each comma waits `pause` seconds. Audio stops while a digit sounds."""
        for symbol in digits.upper():
            if symbol == ",":
                self._plan.append(("", round(pause / FRAME_SECONDS)))
            else:
                self._plan += [(symbol, _DTMF_FRAMES), ("", _DTMF_GAP)]

    def hear(self, seconds: float, path: Path, then: Callable[[int], None]) -> None:
        """Write what is heard from now on to a WAV file of that length; where nothing comes, silence fills it up."""
        self._listen()  # what has come already was said before
        self._ears.append(_Ear(time.monotonic() + seconds, round(seconds * SAMPLE_RATE), path, then))

    def tick(self) -> None:
        """20 ms: read what came, send one frame."""
        self._listen()
        for ear in [ear for ear in self._ears if time.monotonic() >= ear.until]:
            self._ears.remove(ear)
            ear.finish(self._heard_codec)
        if self._remote is None:
            return
        self._timestamp = self._timestamp + FRAME_SAMPLES & 0xFFFFFFFF
        if self._plan:
            symbol, frames = self._plan[0]
            self._digit_frame += 1
            if symbol and self._remote.events is not None:
                self._send_event(self._remote.events, symbol, frames)
            if self._digit_frame >= frames:
                self._plan.popleft()
                self._digit_frame = 0
            if symbol:
                self._payload = b""
                return
        if self._remote.sending and self.tone is not None:
            frames_of_tone = tone_frames(self.tone, self._remote.codec)
            self._frame = (self._frame + 1) % len(frames_of_tone)
            self._began = self._began if self._payload else self._timestamp
            self._payload += frames_of_tone[self._frame]
            if len(self._payload) >= self.frames * FRAME_SAMPLES:
                self._send(self._remote.codec, self._payload, self._began)
                self._payload = b""

    def close(self) -> None:
        """Free the port; write what was heard, if that was asked for. Closing twice is closing once."""
        if self._socket.fileno() < 0:
            return
        self._listen()
        self._note_silence()
        self._socket.close()
        for ear in self._ears:
            ear.finish(self._heard_codec)
        if self._heard_path is not None:
            write_wav(self._heard_path, self._heard, self._heard_codec)

    def _send_event(self, kind: int, symbol: str, frames: int) -> None:
        """RFC 4733: one event keeps its timestamp while its duration grows; its end is sent three times."""
        first = self._digit_frame == 1
        last = self._digit_frame >= frames
        began = self._timestamp - FRAME_SAMPLES * (self._digit_frame - 1) & 0xFFFFFFFF
        event = struct.pack(
            "!BBH",
            DTMF.index(symbol),
            0x80 | 10 if last else 10,
            FRAME_SAMPLES * self._digit_frame,
        )
        for _ in range(3 if last else 1):
            self._send(kind, event, began, marker=first)

    def _send(self, kind: int, payload: bytes, timestamp: int, marker: bool = False) -> None:
        self._sequence = self._sequence + 1 & 0xFFFF
        header = struct.pack(
            "!BBHII",
            0x80,
            kind | (0x80 if marker else 0),
            self._sequence,
            timestamp,
            self._ssrc,
        )
        try:
            self._socket.send(header + payload)
            self.sent += 1
        except OSError:  # the other side has closed its port already: its BYE is on the way
            pass

    def _listen(self) -> None:
        while True:
            try:
                packet = self._socket.recv(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue  # an ICMP error of an earlier send
            if len(packet) < 12 or packet[0] >> 6 != 2:
                continue
            self.received += 1
            kind, payload = packet[1] & 0x7F, packet[12 + 4 * (packet[0] & 15) :]
            if kind in (0, 8):
                self._hear(kind, payload)
            elif self._remote is not None and kind == self._remote.events and len(payload) >= 4:
                (began,) = struct.unpack_from("!I", packet, 4)
                if payload[1] & 0x80 and began != self._last_event and payload[0] < len(DTMF):
                    self._last_event = began
                    self.digits_heard += DTMF[payload[0]]

    def _hear(self, codec: int, payload: bytes) -> None:
        self._heard_codec = codec
        if self._heard_path is not None and len(self._heard) < _EAR_LIMIT:
            self._heard += payload
        for ear in self._ears:
            ear.heard += payload
            ear.packets += 1
        sounds = len(set(payload)) > 2  # fewer values: silence
        if sounds:
            self._note_silence()
            self._sound_at = time.monotonic()
        if self.person_at is None:
            if payload == self._last_frame and sounds:
                self._steady += 1
                if self._steady >= _STEADY_FRAMES:
                    self.person_at = time.time()
            else:
                self._steady = 0
                self._last_frame = payload

    def _note_silence(self) -> None:
        """Of the silence that ends now."""
        if self._sound_at is not None and (lasted := time.monotonic() - self._sound_at) > self.silence:
            self.silence, self.silence_at = lasted, time.time() - lasted


def _even_port(host: str) -> socket.socket:
    """A UDP socket on an even port, as RTP has it (RFC 3550 11)."""
    while True:
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        found.bind((host, 0))
        if found.getsockname()[1] % 2 == 0:
            found.setblocking(False)
            return found
        found.close()
