"""The event stream: every fact once, in order, and only to those who may know it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from apiflask import APIFlask

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Event, Kind
from contactcentre.live import AgentFact
from contactcentre.store import Store
from contactcentre.web import bearer, followers, tokens
from contactcentre.web.api import events as api
from contactcentre.web.app import WebServices
from tests.store.calls import Call
from tests.web.conftest import SignIn

NOW = 1_760_000_000.0


class Follower:
    """A program that follows the stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.seen: list[tuple[str, str, dict[str, Any]]] = []
        self.until(lambda: self.seen != [])

    def until(self, condition: Callable[[], bool]) -> None:
        """Reads on until something has come; what never comes ends the test by its time limit."""
        while not condition():
            for text in next(self._chunks).decode().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in text.splitlines())
                if "event" in fields:
                    self.seen.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))

    @property
    def facts(self) -> list[dict[str, Any]]:
        return [data for event, _, data in self.seen if event == "fact"]

    def numbers(self) -> list[int]:
        return [fact["number"] for fact in self.facts]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(api, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(api, "PULSE_SECONDS", 0.05)


@pytest.fixture
def token(store: Store) -> str:
    return token_of(store, "sue")


def token_of(store: Store, name: str, *queues: str) -> str:
    user = store.add_user(name, "hash", "supervisor", queues=queues)
    return tokens.issue(store, user, "test", ["contacts.see"], 1, "test", time.time())[1]


@contextmanager
def following(app: APIFlask, token: str, last: str = "", **wanted: str) -> Iterator[Follower]:
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last} if last else {})}
    answer = app.test_client().get("/api/v1/events", query_string=wanted, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/event-stream"
    try:
        yield Follower(answer.iter_encoded())
    finally:
        answer.close()


def talk(agent: str, queue: str, at: float = NOW) -> Call:
    return Call(at).queued(1, queue).offered(2, agent, queue).talked(5, 30, agent, queue).ended(35)


def state(agent: str, version: int, queue: str = "") -> AgentFact:
    return AgentFact(agent, version, NOW + version, AgentState.AVAILABLE, AgentState.TALKING, queue=queue)


def test_facts_come_as_they_are_recorded_in_order_and_none_twice(app: APIFlask, store: Store, token: str) -> None:
    store.record(talk("anna", "support", NOW - 100).events)
    with following(app, token) as program:
        assert program.seen[0][0] == "begin"
        assert program.facts == [], "what was before is not told unless it is asked for"
        call = talk("anna", "support")
        store.record(call.events[:3])
        program.until(lambda: len(program.facts) >= 3)
        store.record(call.events)
        program.until(lambda: len(program.facts) >= len(call.events))
    assert [fact["seq"] for fact in program.facts] == [event.seq for event in call.events]
    assert {fact["contact"] for fact in program.facts} == {call.id}
    assert program.numbers() == sorted(set(program.numbers()))
    assert [int(id) for event, id, _ in program.seen if event == "fact"] == program.numbers()


def test_who_comes_back_with_the_last_id_gets_what_was_missed(app: APIFlask, store: Store, token: str) -> None:
    call = talk("anna", "support")
    with following(app, token) as program:
        store.record(call.events[:4])
        program.until(lambda: len(program.facts) >= 4)
        cut = program.seen[2][1]
    store.record(call.events[4:])
    with following(app, token, cut) as again:
        again.until(lambda: again.facts != [] and again.facts[-1]["kind"] == Kind.ENDED)
    assert [fact["seq"] for fact in again.facts] == [event.seq for event in call.events[2:]]
    with following(app, token, last_event_id="0") as whole:
        whole.until(lambda: whole.facts != [] and whole.facts[-1]["kind"] == Kind.ENDED)
    assert whole.facts[-len(call.events) :][0]["seq"] == 1


def test_a_long_replay_comes_in_pages_and_is_whole(
    app: APIFlask, store: Store, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PAGE", 3)
    with following(app, token) as begun:
        since = begun.seen[0][1]
    calls = [talk("anna", "support", NOW + n) for n in range(4)]
    store.record([event for call in calls for event in call.events])
    with following(app, token, since) as program:
        program.until(lambda: len(program.facts) >= sum(len(call.events) for call in calls))
    assert [fact["contact"] for fact in program.facts] == [call.id for call in calls for _ in call.events]


def test_what_is_said_afterwards_and_agents_states_come_too(app: APIFlask, store: Store, token: str) -> None:
    call = talk("anna", "support")
    store.record(call.events)
    with following(app, token) as program:
        stored = {"recording": "r1", "path": "r1.wav", "seconds": 1.0, "sha256": "", "bytes": 1, "channels": 1}
        store.record([Event(call.id, 0, NOW + 40, Kind.RECORDING_STORED, stored)], [state("anna", 7, "support")])
        program.until(lambda: len(program.facts) >= 2)
    assert [(fact["kind"], fact["seq"]) for fact in program.facts] == [("recording.stored", 0), ("agent.state", 0)]
    assert program.facts[1]["data"] == {
        "agent": "anna", "state": "talking", "previous": "available", "reason": "", "queue": "support",
    }  # fmt: skip


def test_a_filter_lets_through_what_it_names_and_pulses_go_on_with_the_number(
    app: APIFlask, store: Store, token: str
) -> None:
    mine, other = talk("anna", "support"), talk("dev", "billing", NOW + 1)
    with following(app, token) as begun:
        since = begun.seen[0][1]
    store.record([*mine.events, *other.events], [state("anna", 1, "support"), state("dev", 1, "billing")])
    for wanted, expected in (
        ({"queue": "support"}, {mine.id, ""}),
        ({"agent": "dev"}, {other.id, ""}),
        ({"contact": mine.id}, {mine.id}),
        ({"kind": "talk.,contact.ended"}, {mine.id, other.id}),
    ):
        with following(app, token, since, **wanted) as program:
            program.until(lambda program=program: any(event == "pulse" for event, _, _ in program.seen))  # type: ignore[misc]
        assert {fact["contact"] for fact in program.facts} == expected, wanted
        if "kind" in wanted:
            assert {fact["kind"] for fact in program.facts} == {"talk.started", "talk.ended", "contact.ended"}
        newest = store.fact_numbers()[1]
        assert [id for event, id, _ in program.seen if event == "pulse"][-1] == str(newest), "all was looked at"


def test_an_account_that_is_limited_to_queues_gets_what_is_theirs(app: APIFlask, store: Store) -> None:
    token = token_of(store, "tom", "billing")
    mine, other = talk("dev", "billing"), talk("anna", "support")
    direct = Call(NOW).add(1, Kind.ANSWERED).ended(9)
    with following(app, token) as begun:
        since = begun.seen[0][1]
    states = [state("anna", 1, "support"), state("ben", 1, "support"), state("dev", 1, "billing")]
    store.record([*other.events, *direct.events, *mine.events], states)
    with following(app, token, since) as program:
        program.until(lambda: any(event == "pulse" for event, _, _ in program.seen))
    assert {fact["contact"] for fact in program.facts} == {mine.id, ""}
    told = {fact["data"]["agent"]: fact["data"]["queue"] for fact in program.facts if fact["kind"] == "agent.state"}
    assert told == {"ben": "", "dev": "billing"}, "ben answers billing too; what he does for support is a state alone"
    for wanted in ({"queue": "support"}, {"agent": "anna"}, {"contact": other.id}):
        headers = {"Authorization": f"Bearer {token}"}
        answer = app.test_client().get("/api/v1/events", query_string=wanted, headers=headers)
        assert answer.status_code in (404, 422), wanted


@pytest.mark.parametrize(
    ("wanted", "last"),
    [
        ({"queue": "nowhere"}, ""),
        ({"agent": "nobody"}, ""),
        ({"contact": "0000"}, ""),
        ({"kind": "Nonsense"}, ""),
        ({"what": "ever"}, ""),
        ({"last_event_id": "x"}, ""),
        ({}, "x"),
        ({}, "9" * 19),
    ],
)
def test_a_filter_that_names_nothing_is_refused(wanted: dict[str, str], last: str, app: APIFlask, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last} if last else {})}
    answer = app.test_client().get("/api/v1/events", query_string=wanted, headers=headers)
    assert answer.status_code in (404, 422)


def test_a_stream_ends_when_its_token_does(app: APIFlask, store: Store, token: str) -> None:
    with following(app, token) as program:
        tokens.revoke(store, token[: bearer.SHOWN], "test", time.time())
        program.until(lambda: program.seen[-1][0] == "bye")


def test_a_stream_goes_by_session_too(app: APIFlask, sign_in: SignIn) -> None:
    answer = sign_in("auditor").get("/api/v1/events")
    assert answer.status_code == 200
    assert Follower(answer.iter_encoded()).seen[0][0] == "begin"
    answer.close()


def test_so_many_programs_follow_and_no_more(
    app: APIFlask, token: str, web: WebServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "MOST", 1)
    headers = {"Authorization": f"Bearer {token}"}
    with following(app, token):
        assert app.test_client().get("/api/v1/events", headers=headers).status_code == 503
    with following(app, token):
        pass
