"""ESL's frames without a socket: in any pieces, from any peer, and as a real FreeSWITCH 1.11 sent them."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.pbx.freeswitch.reader import (
    BODY,
    Frame,
    Malformed,
    Oversize,
    Reader,
    decoded,
    event_of,
    parse_headers,
)

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.esl"))
KINDS = ["command/reply", "api/response", "auth/request", "text/event-json", "text/event-plain", "log/data", "x"]
values = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)


def frame(kind: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"Content-Type: {kind}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\n".join([*lines, "", ""]).encode() + body


def read(data: bytes, cuts: Sequence[int] = (), reader: Reader | None = None) -> list[Frame]:
    reader = reader or Reader()
    frames, places = [], [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        frames += list(reader.feed(data[start:end]))
    return frames


bodies = st.binary(max_size=60) | st.sampled_from([b"\n\n", b"a: b\n\nContent-Length: 9"])
frames_sent = st.lists(st.tuples(st.sampled_from(KINDS), bodies), max_size=6)


@given(sent=frames_sent, data=st.data())
def test_frames_are_the_same_in_whatever_pieces_they_come(sent: list[tuple[str, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frame(kind, body) for kind, body in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    assert [(one.kind, one.body) for one in read(stream, cuts)] == sent


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_what_a_real_server_sent_is_read_byte_by_byte_as_it_is_at_once(transcript: Path) -> None:
    stream = transcript.read_bytes()
    whole, reader = read(stream), Reader()
    assert [one for at in range(len(stream)) for one in reader.feed(stream[at : at + 1])] == whole
    assert all(one.kind for one in whole)
    told = re.findall(rb"^Event-Name: (\w+)", stream, re.MULTILINE)
    events = [event for one in whole if one.kind == "text/event-plain" if (event := event_of(one))]
    answers = [one for one in whole if "Event-Name" in one.headers]  # to `connect`
    assert len(events) + len(answers) == len(told)


@given(st.lists(st.binary(max_size=80), max_size=10))
def test_no_bytes_whatsoever_do_more_than_say_that_they_are_no_esl(pieces: list[bytes]) -> None:
    reader = Reader(max_head=100, max_body=100)
    try:
        for piece in pieces:
            for one in reader.feed(piece):
                event_of(one)
    except Malformed:
        with pytest.raises(Malformed):
            list(reader.feed(b"Content-Type: auth/request\n\n"))


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "", "1 2", "٣"])
def test_a_length_that_is_none_ends_the_connection(length: str) -> None:
    with pytest.raises(Malformed, match="Content-Length"):
        read(f"Content-Type: api/response\nContent-Length: {length}\n\nabc".encode())


def test_a_frame_before_the_broken_one_is_still_told() -> None:
    frames = Reader().feed(frame("auth/request") + b"Content-Length: x\n\n")
    assert next(frames).kind == "auth/request"
    with pytest.raises(Malformed):
        next(frames)


@pytest.mark.parametrize("size", [50, 51])
@pytest.mark.parametrize("step", [1, 1000])
def test_headers_and_bodies_are_as_long_as_they_may_be_and_not_longer(size: int, step: int) -> None:
    for stream in (b"a" * size + b"\n\n", f"Content-Length: {size}\n\n".encode() + b"b" * size):
        reader = Reader(max_head=50, max_body=50)
        try:
            told = read(stream, range(0, len(stream), step), reader)
        except Oversize:
            assert size == 51
        else:
            assert size == 50
            assert len(told) == 1


def test_a_length_of_many_digits_is_too_long_and_not_computed() -> None:
    with pytest.raises(Oversize):
        read(b"Content-Length: " + b"9" * 5000 + b"\n\n")


hostile = st.builds(
    lambda before, name, value: f"{before}\nEvent-Name: {name}\n\nUnique-ID: {value}",
    values,
    st.sampled_from(["CHANNEL_HANGUP_COMPLETE", "x"]),
    values,
)


@given(name=hostile | values, body=hostile | values)
def test_no_value_becomes_a_header(name: str, body: str) -> None:
    content = body.encode()
    inner = (
        f"Event-Name: CHANNEL_CREATE\nUnique-ID: u1\nCaller-Caller-ID-Name: {quote(name)}\n"
        f"Content-Length: {len(content)}\n\n"
    ).encode() + content
    (one,) = read(frame("text/event-plain", inner))
    event = event_of(one)
    assert event is not None
    assert event.keys() == {"Event-Name", "Unique-ID", "Caller-Caller-ID-Name", "Content-Length", BODY}
    assert (event["Event-Name"], event["Unique-ID"]) == ("CHANNEL_CREATE", "u1")
    # FreeSWITCH encodes the spaces around a value, and so does this one
    assert (event["Caller-Caller-ID-Name"], event[BODY]) == (name, body)
    (one,) = read(frame("text/event-json", json.dumps({"Event-Name": "X", "Name": name}).encode()))
    assert event_of(one) == {"Event-Name": "X", "Name": name}


@given(name=hostile | values)
def test_no_value_in_the_answer_to_connect_becomes_a_header(name: str) -> None:
    (one,) = read(frame("command/reply", Reply_Text="%2BOK%0A", Channel_Name=quote(name)))
    assert decoded(one.headers) == {"Content-Type": "command/reply", "Reply-Text": "+OK\n", "Channel-Name": name}


@pytest.mark.parametrize("kind", ["text/event-json", "text/event-plain"])
def test_an_event_with_bytes_that_are_no_utf8_is_an_event(kind: str) -> None:
    body = {
        "text/event-json": b'{"Event-Name":"X","Caller-Caller-ID-Name":"Ren\xe9"}',
        "text/event-plain": b"Event-Name: X\nCaller-Caller-ID-Name: Ren\xe9\n\n",
    }[kind]
    (one,) = read(frame(kind, body))
    event = event_of(one)
    assert event is not None
    assert event["Caller-Caller-ID-Name"] == "Ren\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"Event-Name":5}', b"{}", b"[" * 100_000])
def test_what_is_no_event_is_none(body: bytes) -> None:
    assert event_of(Frame("text/event-json", {}, body)) is None


def test_a_header_may_come_twice() -> None:
    assert parse_headers(b"Hangup-Cause: NORMAL_CLEARING\nHangup-Cause: USER_BUSY") == {"Hangup-Cause": "USER_BUSY"}


def test_the_body_of_a_job_is_no_header() -> None:
    stream = (Path(__file__).parent / "transcripts" / "01b-commands-and-replies.esl").read_bytes()
    jobs = [event for one in read(stream) if (event := event_of(one)) and event["Event-Name"] == "BACKGROUND_JOB"]
    assert [job[BODY] for job in jobs] == ["-ERR nosuchapi Command not found!\n", "-ERR SUBSCRIBER_ABSENT\n"]
    assert all(job["Content-Length"] == str(len(job[BODY])) for job in jobs)
