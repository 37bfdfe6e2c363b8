"""ARI's frames without a socket."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.pbx.asterisk.protocol import (
    MAX_FRAME,
    Answer,
    ChannelGone,
    Exchange,
    Response,
    error_of,
    resource,
    speaks_rest,
)
from contactcentre.pbx.errors import Gone, Refused, TooLarge

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
almost_frames = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["RESTResponse", "StasisStart", ""]) | json_values,
        "request_id": st.sampled_from(["1", "2", "99"]) | json_values,
        "status_code": st.sampled_from([200, 404, -1, True]) | json_values,
        "reason_phrase": json_values,
        "message_body": json_values,
    },
)


def begun(count: int = 1) -> tuple[Exchange[str], list[dict[str, Any]]]:
    exchange: Exchange[str] = Exchange()
    frames = [json.loads(exchange.begin(f"waiter {n}", "GET", "channels", None, None)[1]) for n in range(count)]
    return exchange, frames


@given(st.binary(max_size=200))
def test_no_bytes_whatsoever_raise(garbage: bytes) -> None:
    exchange, _ = begun()
    exchange.receive(garbage)
    assert len(exchange) == 1


@given(almost_frames)
def test_nothing_that_resembles_a_frame_raises(frame: dict[str, Any]) -> None:
    exchange, _ = begun(2)
    received = exchange.receive(json.dumps(frame))
    if isinstance(received, Answer):
        assert received.waiter in ("waiter 0", "waiter 1")
        assert error_of(received.response, "this") is None or received.response.status >= 400
        assert len(exchange) == 1
    elif received is not None:
        assert isinstance(received["type"], str)
    else:
        assert exchange.errors + exchange.late == 1


@given(st.permutations(range(8)), json_values)
def test_answers_find_their_waiters_in_any_order(order: list[int], body: Any) -> None:
    exchange, frames = begun(8)
    for number in order:
        answer = exchange.receive(
            json.dumps(
                {
                    "type": "RESTResponse",
                    "request_id": frames[number]["request_id"],
                    "status_code": 200,
                    "message_body": json.dumps(body),
                }
            )
        )
        assert isinstance(answer, Answer)
        assert answer.waiter == f"waiter {number}"
        assert json.dumps(answer.response.body) == json.dumps(body)
    assert len(exchange) == 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_query_and_body_arrive_as_they_were_given(value: str, name: str) -> None:
    exchange: Exchange[None] = Exchange()
    query = {"a": value, "b": None, "c": True, "d": 7}
    _, data = exchange.begin(None, "POST", "channels/1", query, {"variables": {name: value}})
    frame = json.loads(data)
    assert frame["query_strings"] == [
        {"name": "a", "value": value},
        {"name": "c", "value": "true"},
        {"name": "d", "value": "7"},
    ]
    assert json.loads(frame["message_body"]) == {"variables": {name: value}}


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4))
def test_a_segment_stays_one_segment(segments: list[str]) -> None:
    from urllib.parse import unquote

    if any(segment in (".", "..") or not segment.isprintable() for segment in segments):
        return
    path = resource(*segments)
    assert [unquote(part) for part in path.split("/")] == segments


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_segment_that_would_be_a_path_is_refused(segment: str) -> None:
    with pytest.raises(Refused):
        resource("channels", segment)


def test_what_is_too_large_is_not_begun() -> None:
    exchange: Exchange[str] = Exchange()
    with pytest.raises(TooLarge, match="channels"):
        exchange.begin("waiter", "POST", "channels", {"a": "x" * MAX_FRAME}, None)
    assert len(exchange) == 0


def test_a_late_answer_is_counted_and_reaches_nobody() -> None:
    exchange, (frame,) = begun()
    exchange.forget(frame["request_id"])
    answer = {"type": "RESTResponse", "request_id": frame["request_id"], "status_code": 200}
    assert exchange.receive(json.dumps(answer)) is None
    assert (exchange.late, exchange.errors) == (1, 0)


def test_who_has_waited_too_long_is_named_once_and_the_others_wait_on() -> None:
    exchange, frames = begun(3)
    assert exchange.overdue(lambda waiter: waiter < "waiter 2") == ["waiter 0", "waiter 1"]
    assert exchange.overdue(lambda waiter: waiter < "waiter 2") == []
    reply = {"type": "RESTResponse", "request_id": frames[2]["request_id"], "status_code": 200}
    answer = exchange.receive(json.dumps(reply))
    assert isinstance(answer, Answer)
    assert answer.waiter == "waiter 2"


def test_who_waits_when_the_link_drops_is_named_once() -> None:
    exchange, _ = begun(3)
    assert exchange.abandon() == ["waiter 0", "waiter 1", "waiter 2"]
    assert exchange.abandon() == []


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "Channel not found", Gone),
        (400, "Channel not found", ChannelGone),
        (400, "Missing parameter", Refused),
        (401, "", Refused),
        (409, "Channel not in Stasis application", Refused),
        (413, "", TooLarge),
        (422, "", Refused),
        (500, "Allocation failed", Refused),
    ],
)
def test_a_status_is_one_kind_of_error(status: int, message: str, kind: type[Exception]) -> None:
    error = error_of(Response(status, "Reason", {"message": message}), "POST channels/1")
    assert type(error) is kind
    assert "POST channels/1" in str(error)
    assert (message or "Reason") in str(error)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_is_no_error(status: int) -> None:
    assert error_of(Response(status, "OK", None), "this") is None


@pytest.mark.parametrize(
    ("version", "speaks"),
    [
        ("22.10.1+dfsg+~cs6", True),
        ("22.4.0", True),
        ("22.3.9", False),
        ("21.9.0", True),
        ("21.8.1", False),
        ("20.14.0", True),
        ("20.13.0", False),
        ("19.99.0", False),
        ("18.24.3", False),
        ("23.0.0", True),
        ("GIT-master-abc", None),
        ("certified-20.7-cert3", None),
        ("", None),
    ],
)
def test_a_version_tells_whether_requests_go_over_the_websocket(version: str, speaks: bool | None) -> None:
    assert speaks_rest(version) is speaks
