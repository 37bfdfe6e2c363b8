"""Who calls is asked of another program: beside the call, once in a while, and what people wrote stays."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from contactcentre.archive import KeySource, Signing
from contactcentre.domain.customers import Change, changed, preference
from contactcentre.domain.notation import decode, encode
from contactcentre.domain.site import Site
from contactcentre.domain.webhooks import secret_of, signed
from contactcentre.embedded import Services
from contactcentre.live import connect
from contactcentre.outgoing import Reach
from contactcentre.store import Store
from contactcentre.tasks.lookups import FAILED_SECONDS, KEY_NAME, Lookups
from contactcentre.tasks.recorder import Recorder
from tests.outgoing.servers import Answer, Request, serving
from tests.store.calls import Call, answered
from tests.tasks.test_recorder import append

MARIE = "+33612407755"
LOOPBACK = Reach.of(["127.0.0.0/8"])


class House:
    def __init__(self, store: Store, redis: "Redis", directory: Path) -> None:
        self.store, self.redis = store, redis
        self.lookups = Lookups(store, redis, Signing(store, KeySource(directory / "keys")), LOOPBACK)
        self.secret = self.lookups.signing.make(KEY_NAME)

    def asks(self, url: str, fresh: float = 3600) -> None:
        settings = {"country": "FR", "customer_fields": {"account": "Account"}}
        self.store.save_site(
            Site.model_validate({"settings": {**settings, "customer_lookup": {"url": url, "fresh": fresh}}}), "t"
        )

    def call(self, caller: str = MARIE) -> str:
        call = Call(time.time(), caller=caller)
        self.store.record(call.events)
        return self.lookups.look(call.id)

    def again(self) -> None:
        """Nothing is remembered of the questions before."""
        for key in self.redis.keys("cc:lookups:*"):
            self.redis.delete(key)


@pytest.fixture
def house(
    store: Store, services: Services, redis: "Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    monkeypatch.setattr("contactcentre.tasks.lookups.DEADLINE", 60.0)  # for a machine that is busy with other tests
    with connect(services.redis_url) as client:
        yield House(store, client, tmp_path)


def saying(**said: Any) -> Any:
    return lambda _: (200, {}, encode(said).encode())


def test_who_calls_is_asked_once_signed_and_becomes_a_customer(house: House, store: Store) -> None:
    with serving(saying(name="Marie Dubois", fields={"account": 17, "shoe": 38}, tags=["Gold"], more=1)) as server:
        house.asks(server.url)
        assert house.call("06 12 40 77 55") == "learned"
        assert house.call() == "fresh"
        assert house.call("anonymous") == "no number"
        (one,) = server.got
    known = store.customer_of(MARIE)
    assert known is not None
    assert (known.name, known.fields, known.tags, known.changed_by) == (
        *("Marie Dubois", {"account": "17"}, ("gold",)),
        "looked up",
    )
    right = signed(
        secret_of(house.secret), one.headers["webhook-id"], float(one.headers["webhook-timestamp"]), one.body
    )
    assert one.headers["webhook-signature"] == right["webhook-signature"]
    asked = decode(one.body)
    assert (asked["type"], asked["data"]["number"], asked["data"]["did"]) == ("customer.lookup", MARIE, "100")
    assert all(MARIE not in key for key in house.redis.keys("*")), "no number lies in a key"


def test_what_a_person_has_written_stays_and_the_rest_follows_the_other_program(house: House, store: Store) -> None:
    with serving(saying(name="Marie", fields={"account": "1"}, tags=["gold", "old"])) as server:
        house.asks(server.url)
        assert house.call() == "learned"
    known = store.customer_of(MARIE)
    assert known is not None
    rules = (store.site()[1] or Site()).settings
    store.save_customer(known, changed(known, Change(name="Marie D.", tags=["old", "mine"]), rules), "FR", "sue", 1.0)
    with serving(saying(name="M. Dubois", fields={"account": "2"}, tags=["gold", "new"])) as server:
        house.asks(server.url)
        house.again()
        assert house.call() == "learned"
        house.again()
        assert house.call() == "same"
    known = store.customer_of(MARIE)
    assert known is not None
    assert (known.name, known.fields, known.tags) == ("Marie D.", {"account": "2"}, ("mine", "new"))


def test_it_may_want_an_agent_for_the_customer_for_some_seconds_and_take_that_back(house: House, store: Store) -> None:
    for said, wanted in (
        ({"agent": "anna", "agent_seconds": 45}, ("anna", 45)),
        ({"agent": "ben"}, ("ben", None)),
        ({"name": "Marie"}, ("", None)),
    ):
        with serving(saying(**said)) as server:
            house.asks(server.url)
            house.again()
            assert house.call() == "learned"
            house.again()
            assert house.call() == "same"
        assert preference(store.customer_of(MARIE)) == wanted


@pytest.mark.parametrize(
    ("answer", "became"),
    [
        ((404, {}, b""), "nothing"),
        ((204, {}, b""), "nothing"),
        ((200, {}, b"{}"), "nothing"),
        ((500, {}, b""), "failed: status 500"),
        ((302, {"Location": "http://127.0.0.1/"}, b""), "failed: status 302"),
        ((200, {}, b"[1]"), "failed: not a JSON object"),
        ((200, {}, b"<html>"), "failed: not JSON"),
        ((200, {}, b'{"name": 1}'), "failed: answer: wants name"),
        ((200, {}, b'{"tags": ["<b>"]}'), "failed: tags"),
        ((200, {}, b'{"agent": ["anna"]}'), "failed: agent"),
        ((200, {}, b'{"agent": "anna", "agent_seconds": "9"}'), "failed: agent_seconds"),
        ((200, {}, b'{"agent": "anna", "agent_seconds": 1e9}'), "failed: agent_seconds"),
    ],
)
def test_what_is_no_answer_makes_no_customer(house: House, store: Store, answer: Answer, became: str) -> None:
    with serving(lambda _: answer) as server:
        house.asks(server.url)
        assert house.call().startswith(became)
        assert house.call() == ("fresh" if became == "nothing" else "resting")
        assert len(server.got) == 1
    assert store.customer_of(MARIE) is None
    if became != "nothing":
        assert max(0, *(house.redis.ttl(key) for key in house.redis.keys("cc:lookups:of:*"))) <= FAILED_SECONDS


def test_a_program_that_hangs_is_given_up_and_one_inside_is_not_asked(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contactcentre.tasks.lookups.DEADLINE", 0.3)
    over = threading.Event()

    def hang(_: Request) -> Answer:
        over.wait()
        return 200, {}, b"{}"

    with serving(hang) as server:
        house.asks(server.url)
        assert house.call() == "failed: timeout"
        over.set()
        house.again()
        house.lookups._reach = Reach()
        assert "CONTACTCENTRE_HTTP_ALLOW" in house.call()
        assert len(server.got) == 1
    with socket.create_server(("127.0.0.1", 0)) as listening:
        house.asks(f"http://127.0.0.1:{listening.getsockname()[1]}/")
    house.again()
    house.lookups._reach = LOOPBACK
    assert "refused" in house.call()


def test_contacts_that_begin_are_asked_for_by_a_worker(house: House, store: Store) -> None:
    calls = [answered(time.time() - n, caller=f"+3361240770{n}") for n in range(5)]
    recorder = Recorder(store, house.redis, "test", begun=house.lookups.wanted)
    append(house.redis, *(event for call in calls for event in call.events))
    assert recorder.step(0)
    assert house.lookups.waiting == 5
    with serving(saying(name="Somebody")) as server:
        house.asks(server.url)
        house.lookups.run(lambda: True)
    assert sorted(decode(one.body)["data"]["contact_id"] for one in server.got) == sorted(call.id for call in calls)
    assert house.lookups.waiting == 0
    assert len(store.customers().customers) == 5


def test_without_a_program_to_ask_nobody_is_asked(house: House, store: Store) -> None:
    store.save_site(Site(), "test")
    assert house.call() == "off"
