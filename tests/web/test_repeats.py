"""`Idempotency-Key`: what is sent twice is done once."""

import time
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from contactcentre.store import Store, StoreUnavailable
from contactcentre.web import repeats, tokens
from contactcentre.web.app import WebServices

WISH = {"name": "Marie", "numbers": ["+33612407755"]}


@pytest.fixture
def program(app: APIFlask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def headers(store: Store) -> dict[str, str]:
    return named(store, "sue")


def named(store: Store, account: str, key: str = "one") -> dict[str, str]:
    user = store.add_user(account, "hash", "supervisor")
    token = tokens.issue(store, user, "test", list(map(str, tokens.grantable(user))), 1, "test", time.time())[1]
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": key}


def customers(store: Store) -> int:
    return len(store.customers().customers)


def test_the_same_request_with_the_same_key_is_done_once_and_answered_alike(
    program: FlaskClient, headers: dict[str, str], store: Store
) -> None:
    first = program.post("/api/v1/customers", json=WISH, headers=headers)
    again = program.post("/api/v1/customers", json=WISH, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_data() == again.get_data()
    assert first.headers["ETag"] == again.headers["ETag"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert customers(store) == 1
    assert [entry.action for entry in store.audit_entries(actor="sue")].count("customer.add") == 1
    without = {name: value for name, value in headers.items() if name != "Idempotency-Key"}
    assert program.post("/api/v1/customers", json=WISH, headers=without).get_json()["code"] == "number_taken"


@pytest.mark.parametrize("other", ["body", "path", "If-Match"])
def test_the_key_of_another_request_is_refused(
    other: str, program: FlaskClient, headers: dict[str, str], store: Store
) -> None:
    made = program.post("/api/v1/customers", json=WISH, headers=headers).get_json()
    path = f"/api/v1/customers/{made['id']}/merge" if other == "path" else "/api/v1/customers"
    wish: dict[str, Any] = {"name": "Mia"} if other == "body" else WISH
    more = {"If-Match": '"7"'} if other == "If-Match" else {}
    answer = program.post(path, json=wish, headers={**headers, **more})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "key_reused")
    assert customers(store) == 1


def test_while_the_first_is_being_worked_at_the_second_is_told_so(
    program: FlaskClient, headers: dict[str, str], app: APIFlask, web: WebServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile: list[tuple[int, str]] = []
    save = web.store.save_customer

    def saving(*args: Any, **options: Any) -> Any:
        answer = app.test_client().post("/api/v1/customers", json=WISH, headers=headers)
        meanwhile.append((answer.status_code, answer.get_json()["code"]))
        return save(*args, **options)

    monkeypatch.setattr(web.store, "save_customer", saving)
    assert program.post("/api/v1/customers", json=WISH, headers=headers).status_code == 201
    assert meanwhile == [(409, "in_progress")]


def test_a_refusal_is_repeated_too(program: FlaskClient, headers: dict[str, str]) -> None:
    wrong = {"name": "Marie", "numbers": ["nonsense"]}
    answers = [program.post("/api/v1/customers", json=wrong, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].get_json() == answers[1].get_json()
    assert answers[1].content_type == "application/problem+json"
    assert answers[1].headers["Idempotent-Replayed"] == "true"


def test_what_was_not_done_because_something_was_away_can_be_sent_again(
    program: FlaskClient, headers: dict[str, str], web: WebServices, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("test")

    with monkeypatch.context() as for_a_moment:
        for_a_moment.setattr(web.store, "save_customer", away)
        assert program.post("/api/v1/customers", json=WISH, headers=headers).status_code == 503
    assert program.post("/api/v1/customers", json=WISH, headers=headers).status_code == 201
    assert customers(store) == 1


def test_a_key_is_an_accounts_own(program: FlaskClient, headers: dict[str, str], store: Store) -> None:
    assert program.post("/api/v1/customers", json=WISH, headers=headers).status_code == 201
    other = program.post("/api/v1/customers", json=WISH, headers=named(store, "tom"))
    assert other.get_json()["code"] == "number_taken"


def test_what_is_kept_ends_after_a_day_and_cannot_be_read_in_redis(
    program: FlaskClient, headers: dict[str, str], web: WebServices
) -> None:
    program.post("/api/v1/customers", json=WISH, headers=headers)
    (key,) = web.redis.scan_iter("cc:web:repeat:*")
    assert repeats.KEPT_SECONDS - 60 < web.redis.ttl(key) <= repeats.KEPT_SECONDS
    kept = str(web.redis.get(key))
    assert "Marie" not in kept
    assert "33612407755" not in kept


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there"])
def test_a_key_that_is_none_is_refused_and_nothing_is_done(
    key: str, program: FlaskClient, headers: dict[str, str], store: Store
) -> None:
    answer = program.post("/api/v1/customers", json=WISH, headers={**headers, "Idempotency-Key": key})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_value")
    assert customers(store) == 0
