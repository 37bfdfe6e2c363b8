"""What webhooks are told, and when again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.notation import decode
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.webhooks import (
    FIRST_PAUSE,
    GIVEN_UP_AFTER,
    LONGEST_PAUSE,
    LONGEST_REST,
    Webhook,
    body,
    checked,
    message_id,
    next_try,
    rest,
    secret_of,
    shown,
    signed,
    wants,
)

HOOK = Webhook("crm", "https://crm.example.com/hook", ("contact.ended", "contact.arrived"))


def test_a_signature_is_the_one_that_the_standard_gives_as_its_example() -> None:
    # https://github.com/standard-webhooks/standard-webhooks, spec and libraries' tests
    secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert secret_of(shown(secret)) == secret


def test_a_body_says_version_id_type_and_moment() -> None:
    assert decode(body("msg_1", "contact.ended", 1_795_392_000.25, {"seq": 3})) == {
        "version": 1,
        "id": "msg_1",
        "type": "contact.ended",
        "timestamp": "2026-11-23T00:00:00.250Z",
        "data": {"seq": 3},
    }


def test_a_message_has_the_same_id_for_the_same_fact_and_another_for_another() -> None:
    ids = {message_id(*key) for key in (("event", "c1", 1), ("event", "c1", 11), ("event", "c11", 1), ("event", "c1"))}
    assert len(ids) == 4
    assert message_id("event", "c1", 1) == message_id("event", "c1", 1) in ids
    assert all("." not in one for one in ids), "the signature's parts are divided by dots"


def test_a_webhook_may_ask_for_one_way_of_ending_only() -> None:
    assert wants({"contact.ended"}, "contact.ended", {"outcome": "answered"})
    assert wants({"contact.ended:abandoned"}, "contact.ended", {"outcome": "abandoned"})
    assert not wants({"contact.ended:abandoned"}, "contact.ended", {"outcome": "answered"})
    assert not wants({"contact.ended"}, "contact.arrived", {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "A b"),
        ("url", "ftp://x/"),
        ("url", "https://a:b@x/"),
        ("url", "https://x/#a"),
        ("kinds", ()),
        ("kinds", ("contact.born",)),
        ("kinds", ("flow.set",)),
        ("queues", ("nowhere",)),
    ],
)
def test_what_is_not_acceptable_is_named(field: str, value: object) -> None:
    with pytest.raises(NotAcceptable, match=field):
        checked(replace(HOOK, **{field: value}), ["support"])  # type: ignore[arg-type]
    assert checked(HOOK, []).kinds == ("contact.arrived", "contact.ended"), "in the order of a contact"


@given(st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_tries_are_spread_over_a_day_and_then_end(chances: list[float]) -> None:
    at, tries, times = 0.0, 0, [0.0]
    while (later := next_try(tries + 1, 0.0, at, chances[tries])) is not None:
        assert at < later <= GIVEN_UP_AFTER
        tries, at = tries + 1, later
        times.append(at)
    assert times[1] <= FIRST_PAUSE * 1.2 + 1e-9
    assert 8 <= len(times) <= 15
    assert at > GIVEN_UP_AFTER - LONGEST_PAUSE * 1.2


def test_a_webhook_that_fails_rests_longer_each_time_up_to_minutes() -> None:
    assert [round(rest(failures, 0.5)) for failures in (1, 2, 3, 6, 7, 1000)] == [5, 10, 20, 160, 300, 300]
    assert rest(1000, 1.0) == pytest.approx(LONGEST_REST * 1.2)
