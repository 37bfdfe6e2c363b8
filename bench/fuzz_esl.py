"""Does anything that a peer can send upset what reads FreeSWITCH's event socket?

Takes what a real FreeSWITCH sent (tests/pbx/freeswitch/transcripts), also as the JSON in which the driver asks for it,
one to MOST frames of it, and changes them at random: bytes flipped, cut out, doubled, lengths altered, line breaks and
headers put in, values of events replaced by what no event has. Then

  * the reader gets them in random pieces, and again in one: both must come to the same frames and the same end;
  * a link gets the frames while jobs, applications and commands are waited for: nothing may be raised but Malformed;
  * the driver's intake gets the events, with the channels they tell of in its hands: nothing may be raised, and what it
    sends is commands of one line each, that FreeSWITCH would not expand.

No input may take more than SLOWEST seconds of the processor. Each kind of failure is told once with its first input;
`python -m bench.fuzz_esl` with SEED and ONLY=number is that input again. Frames' speed is taken first, without changes
and without the checks above, so that a number of inputs can be judged.

INPUTS=20000 SECONDS=0 (at most; 0: as long as it takes) SEED=1.
"""

import json
import logging
import os
import random
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent

from contactcentre.pbx.errors import LinkDown
from contactcentre.pbx.freeswitch import protocol
from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx
from contactcentre.pbx.freeswitch.link import Link, Pending
from contactcentre.pbx.freeswitch.reader import (
    Event,
    Frame,
    Malformed,
    Reader,
    decoded,
    event_of,
    parse_headers,
)

TRANSCRIPTS = Path(__file__).parent.parent / "tests" / "pbx" / "freeswitch" / "transcripts"
MOST = 5
SLOWEST = 2.0
FRESH = 500
"""Inputs after which link and driver are made anew: what they remember stays small, and is not the same for ever."""
SPEED_SECONDS = 2.0
PIECES = [
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\0",
    b"%0A",
    b"%",
    b"${system(x)}",
    b"Content-Length: 5\n",
    b"Content-Length: -5\n",
    b"Content-Length: 99999999\n",
    b"Content-Type: text/event-json\n",
    b"Content-Type: command/reply\n\n",
    b"Event-Name: CHANNEL_HANGUP_COMPLETE\n",
    b"\xff\xfe",
    b'{"Event-Name":"X"}',
    b"[" * 500,
]
VALUES: list[Any] = [
    *("", "0", "-1", "1e309", "9" * 400, "\n\napi shutdown", "${system(x)}", "a b", "'", "\ud800", "\0", "x" * 5000),
    *(None, 5, 1.5, True, [], ["x"], {}, {"a": []}),
]
"""What stands in for an event's values."""
NAMES = [
    *("CHANNEL_PARK", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_BRIDGE", "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE"),
    *("DTMF", "RECORD_START", "RECORD_STOP", "CHANNEL_HOLD", "CHANNEL_ANSWER", "BACKGROUND_JOB", "CUSTOM", "X"),
]
HEADERS = [
    *("Unique-ID", "Event-Date-Timestamp", "Job-UUID", "Application-UUID", "Application", "Event-Subclass", "_body"),
    *("Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "DTMF-Digit", "Hangup-Cause", "Record-File-Path", "from-user"),
    *("variable_contactcentre_args", "variable_contactcentre_refer", "variable_transfer_destination", "Channel-Name"),
]


class Fuzz:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.recorded = [raw for path in sorted(TRANSCRIPTS.glob("*.esl")) for raw in parted(path.read_bytes())]
        events = [event for raw in self.recorded for frame in Reader().feed(raw) if (event := event_of(frame))]
        self.events = [event for event in events if "Unique-ID" in event or event["Event-Name"] in NAMES]
        self.jsons = [framed(json.dumps(event).encode()) for event in events]
        self.counts: Counter[str] = Counter()
        self.slowest = 0.0
        self._made = 0

    def one(self, number: int) -> None:
        """One input. Raises what it should not have raised."""
        chance = random.Random(f"{self.seed}-{number}")  # noqa: S311 (no secret)
        if not self._made or number >= self._made + FRESH:
            self._renew(number)
        data = b"".join(change(self._frame(chance), chance) for _ in range(chance.randint(1, MOST)))
        began = time.process_time()
        read_frames, end = read(cut(data, chance))
        again = read([data])
        if (read_frames, end) != again:
            raise AssertionError("the pieces it comes in make a difference")
        self._at_the_link(read_frames)
        event = self._event(chance)
        self.pbx.intake.take(event)
        self._sent()
        self.slowest = max(self.slowest, took := time.process_time() - began)
        if took > SLOWEST:
            raise AssertionError(f"it took more than {SLOWEST} s of the processor")
        self.counts.update(bytes=len(data), frames=len(read_frames), **{end.lower() or "whole": 1})
        self.counts["events"] += sum(event_of(frame) is not None for frame in read_frames)

    def _frame(self, chance: random.Random) -> bytes:
        match chance.randrange(3):
            case 0:
                return chance.choice(self.recorded)
            case 1:
                return chance.choice(self.jsons)
            case _:
                return framed(json.dumps(self._event(chance)).encode())

    def _event(self, chance: random.Random) -> Event:
        """An event with some values that none has."""
        event: dict[str, Any] = dict(chance.choice(self.events))
        if chance.random() < 0.7:
            event["Event-Name"] = chance.choice(NAMES)
        for header in ("Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "Unique-ID"):
            if chance.random() < 0.8:
                event[header] = f"leg-{chance.randrange(4)}"
        for _ in range(chance.randint(0, 4)):
            event[chance.choice(HEADERS)] = chance.choice([*VALUES, "leg-1", "job", "app", "feature,*1", "blind:12"])
        return event

    # -- what it is put into -------------------------------------------------------------------------------------------

    def _renew(self, number: int) -> None:
        if self._made:
            self._forget()
        self._made = max(1, number)
        self.pbx = FreeSwitchPbx("node1", "127.0.0.1", 1, "secret", "/nowhere")
        self.pbx._outlet.lead_to(lambda event: None)
        self.link = Link(_Deaf(), self.pbx.intake.take)
        self.pbx._link._link = self.link
        for leg in range(4):
            self.pbx.legs.arrive(f"leg-{leg}", time.time(), answered=True)
            self.pbx.legs.bind(f"leg-{leg}", lambda event: None)

    def _forget(self) -> None:
        self.link.close("over")
        self.pbx._link._greenlets.kill(block=False)
        gevent.sleep(0)

    def _at_the_link(self, frames: list[Frame]) -> None:
        for key in ("job", "app"):
            self.link._jobs[key] = Pending(key)
            self.link._running[key] = "leg-1", Pending(key)
        for frame in frames:
            try:
                self.link.send(protocol.api("status"))
                self.link._take(frame)
            except Malformed:
                return
            except LinkDown:
                self._renew(self._made)
                return

    def _sent(self) -> None:
        for data in self.link._unsent:
            line, _, rest = data.partition(b"\n")
            if b"${" in line or (b"\n\n" in data[:-2] and not rest.startswith((b"call-command", b"Job-UUID"))):
                raise AssertionError(f"it sends {data[:200]!r}")
        self.link._unsent, self.link._size = [], 0
        self.link._waiting.clear()


class _Deaf:
    """A socket on which nothing ever comes, and nothing is sent."""

    def setsockopt(self, *args: object) -> None: ...
    def settimeout(self, *args: object) -> None: ...
    def close(self) -> None: ...
    def sendall(self, data: bytes) -> None: ...
    def recv(self, most: int) -> bytes:
        raise OSError("nothing comes")


def parted(stream: bytes) -> Iterator[bytes]:
    """The bytes of each frame."""
    at = 0
    while (end := stream.find(b"\n\n", at)) >= 0:
        after = end + 2 + int(parse_headers(stream[at:end]).get("Content-Length", "0"))
        yield stream[at:after]
        at = after


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body)


def change(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(0, 4)):
        # half of it in the head and what is just behind: a body is mostly values
        at = chance.randrange(min(len(changed), chance.choice([120, len(changed)])) + 1)
        match chance.randrange(5):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + chance.randint(1, 300)]
            case 2:
                changed[at:at] = changed[at : at + chance.randint(1, 300)]
            case 3:
                changed[at:at] = chance.choice(PIECES)
            case _:
                if (found := changed.find(b"Content-Length: ", at)) >= 0:
                    changed[found + 16 : found + 17] = b"%d" % chance.randrange(10)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(0, 20)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def read(pieces: list[bytes]) -> tuple[list[Frame], str]:
    """The frames, and the name of the error that ended them."""
    reader, frames = Reader(), []
    try:
        for piece in pieces:
            for frame in reader.feed(piece):
                frames.append(frame)
                decoded(frame.headers)
    except Malformed as error:
        return frames, type(error).__name__
    return frames, ""


def speed(frames: list[bytes]) -> dict[str, float]:
    """Of the reader alone, with what was recorded, read into events; a second is one of the processor."""
    stream, read_frames, rounds, began = b"".join(frames), 0, 0, time.process_time()
    while (took := time.process_time() - began) < SPEED_SECONDS:
        for frame in Reader().feed(stream):
            event_of(frame)
            read_frames += 1
        rounds += 1
    return {
        "frames_per_second": round(read_frames / took),
        "megabytes_per_second": round(rounds * len(stream) / took / 1e6, 1),
    }


def main() -> int:
    logging.disable(logging.CRITICAL)  # of each event that makes no sense
    seed, only = int(os.environ.get("SEED", "1")), os.environ.get("ONLY", "")
    inputs, seconds = int(os.environ.get("INPUTS", "20000")), float(os.environ.get("SECONDS", "0"))
    fuzz, failed, done = Fuzz(seed), {}, 0
    plain, as_json = speed(fuzz.recorded), speed(fuzz.jsons)
    print(f"the reader alone: {plain} as recorded, {as_json} as JSON", flush=True)
    began = told = time.monotonic()
    used = time.process_time()
    for number in [int(only)] if only else range(1, inputs + 1):
        try:
            fuzz.one(number)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {str(error)[:150]}"
            if failed.setdefault(kind.partition(": ")[0], number) == number:
                print(f"input {number} of seed {seed}: {kind}", flush=True)
            if only:
                raise
        done += 1
        now = time.monotonic()
        if now > told + 60:
            told = now
            print(f"{done} inputs in {now - began:.0f} s, {len(failed)} kinds of failures", flush=True)
        if seconds and now > began + seconds:
            break
    took, busy = time.monotonic() - began, time.process_time() - used
    counts = dict(fuzz.counts)
    print(f"{done} inputs in {took:.0f} s; the slowest took {fuzz.slowest * 1000:.1f} ms")
    rate = {
        "inputs_per_second": round(done / took),
        "inputs_per_cpu_second": round(done / busy),
        "slowest_ms": round(fuzz.slowest * 1000, 1),
    }
    told_as = {"bench": "fuzz_esl", "seed": seed, "inputs": done, **counts, **rate, "failures": len(failed)}
    print(json.dumps({**told_as, "plain": plain, "json": as_json}))
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
