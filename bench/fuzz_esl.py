"""Does anything that a peer can send upset the reader of FreeSWITCH's event socket?

Takes what a real FreeSWITCH sent (tests/pbx/freeswitch/transcripts), changes it at random (bytes flipped, cut out,
doubled, lengths altered, line breaks and headers put in) and feeds it in random pieces, and again in one. Both must
come to the same frames and the same end; nothing but the errors that are named may be raised, and no input may take
longer than SLOWEST seconds. `malformed` inputs ended the connection, as they should.

INPUTS=20000 SEED=1.
"""

import json
import os
import random
import time
from pathlib import Path

from contactcentre.pbx.freeswitch.reader import Frame, Malformed, Oversize, Reader, decoded, event_of

TRANSCRIPTS = Path(__file__).parent.parent / "tests" / "pbx" / "freeswitch" / "transcripts"
LONGEST = 12_000
SLOWEST = 2.0
PIECES = [
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\0",
    b"%0A",
    b"%",
    b"Content-Length: 5\n",
    b"Content-Length: -5\n",
    b"Content-Length: 99999999\n",
    b"Content-Type: text/event-json\n",
    b"Event-Name: CHANNEL_HANGUP_COMPLETE\n",
    b"\xff\xfe",
    b'{"Event-Name":"X"}',
    b"[" * 500,
]


def change(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(0, 6)):
        at = chance.randrange(len(changed) + 1)
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


def read(pieces: list[bytes]) -> tuple[list[Frame], str]:
    reader, frames = Reader(), []
    try:
        for piece in pieces:
            for frame in reader.feed(piece):
                frames.append(frame)
                event_of(frame)
                decoded(frame.headers)
    except Malformed as error:
        return frames, type(error).__name__
    return frames, ""


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(0, 20)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def main() -> int:
    inputs, seed = int(os.environ.get("INPUTS", "20000")), int(os.environ.get("SEED", "1"))
    chance = random.Random(seed)  # noqa: S311 (no secret)
    recorded = [path.read_bytes() for path in sorted(TRANSCRIPTS.glob("*.esl"))]
    frames = events = malformed = oversize = 0
    slowest = 0.0
    for number in range(inputs):
        source = chance.choice(recorded)
        start = chance.randrange(max(1, len(source) - LONGEST))
        data = change(source[start : start + LONGEST], chance)
        began = time.perf_counter()
        in_pieces = read(cut(data, chance))
        slowest = max(slowest, time.perf_counter() - began)
        if in_pieces != read([data]):
            raise SystemExit(f"input {number} of seed {seed}: the pieces it comes in make a difference")
        frames += len(in_pieces[0])
        events += sum(event_of(frame) is not None for frame in in_pieces[0])
        malformed += in_pieces[1] == Malformed.__name__
        oversize += in_pieces[1] == Oversize.__name__
    if slowest > SLOWEST:
        raise SystemExit(f"an input took {slowest:.1f} s")
    print(f"{inputs} inputs, {frames} frames, {events} events; the slowest took {slowest * 1000:.1f} ms")
    told = {"inputs": inputs, "frames": frames, "events": events, "malformed": malformed, "oversize": oversize}
    print(json.dumps({"bench": "fuzz_esl", "seed": seed, **told, "slowest_ms": round(slowest * 1000, 1)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
