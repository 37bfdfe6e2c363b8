"""The demonstration's accounts: each way in which a call could go wrong is noticed."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from contactcentre.demo.accounting import account, double_offers, left_over, pending
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.events import AFTERWARDS, Event, Kind
from contactcentre.domain.routing import Waiting
from contactcentre.lab.results import CallResult
from contactcentre.live import Snapshot
from contactcentre.store import Store

START = 1_790_000_000.0
CALLER = "+33700100001"
CONTACT = "0192f0c0-0000-7000-8000-000000000001"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as store:
        store.migrate()
        yield store
    # the next test begins with an empty one
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def call(**changes: Any) -> CallResult:
    whole = CallResult(
        call_id="x",
        number="100",
        caller=CALLER,
        started_at=START,
        ringing_at=START,
        answered_at=START,
        person_at=START + 5,
        ended_at=START + 10,
        ended_by="us",
        status=200,
        cause=16,
        sent=1,
        received=1,
        digits_heard="",
    )
    return replace(whole, **changes)


def facts(*kinds: tuple[Kind, dict[str, Any]], contact: str = CONTACT) -> list[Event]:
    return [Event(contact, seq, START + seq, kind, data) for seq, (kind, data) in enumerate(kinds, 1)]


ARRIVED = (Kind.ARRIVED, {"node": "n", "channel": "c", "did": "100", "caller": CALLER, "caller_name": "", "flow": "f"})
QUEUED = (Kind.QUEUED, {"queue": "support", "requirement": "", "priority": 0})
OFFERED = (Kind.OFFERED, {"queue": "support", "agent": "anna", "token": "t", "deadline": 0, "leg": "l"})
ACCEPTED = (Kind.ACCEPTED, {"agent": "anna", "token": "t", "leg": "l"})
UNQUEUED = (Kind.UNQUEUED, {"queue": "support", "reason": "answered", "waited": 2.0})
TALKS = (Kind.TALK_STARTED, {"agent": "anna", "queue": "support", "leg": "l"})
TALKED = (Kind.TALK_ENDED, {"agent": "anna", "queue": "support", "leg": "l"})
ENDED = (Kind.ENDED, {"outcome": "answered", "by": "caller", "cause": 16})
RECORDED = (
    (Kind.RECORDING_STARTED, {"recording": "r1", "agent": "anna", "queue": "support"}),
    (Kind.RECORDING_ENDED, {"recording": "r1", "started_at": START, "files": {}, "offsets": {}}),
)
SERVED = facts(ARRIVED, QUEUED, OFFERED, ACCEPTED, UNQUEUED, TALKS, *RECORDED, TALKED, ENDED)
STORED = Event(
    CONTACT, AFTERWARDS, START + 30, Kind.RECORDING_STORED,
    {"recording": "r1", "path": "a/r1.wav", "seconds": 2.0, "sha256": "", "bytes": 99, "channels": 2},
)  # fmt: skip


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/r1.wav").write_bytes(b"x" * 99)
    return tmp_path


def accounts(store: Store, recordings: Path, events: list[Event], *calls: CallResult) -> tuple[str, ...]:
    store.record(events)
    return account(calls, store, recordings, START, time.time()).problems


def test_a_call_that_was_served_and_recorded_is_fine(store: Store, recordings: Path) -> None:
    store.record([*SERVED, STORED])
    result = account([call()], store, recordings, START, START + 3600)
    assert result.problems == ()
    assert pending(store, START) == 0
    wanted = {"calls": 1, "contacts": 1, "offered": 1, "answered": 1, "abandoned": 0, "lost": 0, "recordings": 1}
    assert {key: result.summary[key] for key in wanted} == wanted
    assert result.summary["wait_p50"] == result.summary["wait_p99"] == 4.0  # from the queue to the talk
    assert result.summary["service_level"] == 1.0


def test_a_call_that_history_does_not_know_is_lost(store: Store, recordings: Path) -> None:
    (problem,) = accounts(store, recordings, [], call())
    assert problem.startswith("lost:")
    assert CALLER in problem


def test_whom_the_pbx_has_served_alone_is_not_lost_but_is_told(store: Store, recordings: Path) -> None:
    result = account([call(), call(caller="+33700100002")], store, recordings, START, time.time(), {CALLER})
    (problem,) = result.problems
    assert "+33700100002" in problem
    assert (result.summary["by_the_pbx_alone"], result.summary["lost"]) == (1, 1)


def test_a_contact_without_end_is_a_problem_and_pending(store: Store, recordings: Path) -> None:
    problems = accounts(store, recordings, facts(ARRIVED), call(person_at=None))
    assert problems == (f"contact {CONTACT} has no end",)
    assert pending(store, START) == 1


def test_a_conversation_without_recording_is_a_problem(store: Store, recordings: Path) -> None:
    problems = accounts(store, recordings, SERVED, call())
    assert len(problems) == 1
    assert "has no recording" in problems[0]
    assert pending(store, START) == 1


def test_a_recording_whose_file_is_empty_is_a_problem(store: Store, recordings: Path) -> None:
    (recordings / "a/r1.wav").write_bytes(b"")
    (problem,) = accounts(store, recordings, [*SERVED, STORED], call())
    assert "empty or not there" in problem


def test_a_caller_who_talked_while_history_says_otherwise_is_a_problem(store: Store, recordings: Path) -> None:
    events = facts(ARRIVED, QUEUED, (Kind.ENDED, {"outcome": "abandoned", "by": "caller", "cause": 16}))
    (problem,) = accounts(store, recordings, events, call())
    assert "reached an agent" in problem


def test_a_loss_that_history_admits_is_a_loss(store: Store, recordings: Path) -> None:
    events = facts(ARRIVED, (Kind.ENDED, {"outcome": "lost", "by": "system", "cause": 0}))
    store.record(events)
    result = account([call(person_at=None)], store, recordings, START, START + 3600)
    assert result.summary["lost"] == 1
    assert result.problems


def test_missing_events_are_a_problem(store: Store, recordings: Path) -> None:
    events = [event for event in [*SERVED, STORED] if event.kind is not Kind.QUEUED]
    (problem,) = accounts(store, recordings, events, call())
    assert "lacks events" in problem


def test_contacts_of_nobody_are_a_problem(store: Store, recordings: Path) -> None:
    (problem,) = accounts(store, recordings, [*SERVED, STORED])
    assert "who never called" in problem


def test_an_agent_with_two_contacts_at_a_time_is_noticed() -> None:
    other = "0192f0c0-0000-7000-8000-000000000002"
    second = Event(other, 1, START + 4.5, Kind.OFFERED, {**OFFERED[1]})
    (problem,) = double_offers([*SERVED, second])
    assert problem == f"agent anna was offered {other} while having {CONTACT}"


def test_an_offer_after_a_failed_or_finished_one_is_fine() -> None:
    other = "0192f0c0-0000-7000-8000-000000000002"
    failed = facts(OFFERED, (Kind.REFUSED, {"agent": "anna", "token": "t", "leg": "l", "result": "missed"}))
    later = Event(other, 1, START + 60, Kind.OFFERED, {**OFFERED[1]})
    assert list(double_offers([*failed, later])) == []
    assert list(double_offers([*SERVED, later])) == []


def test_an_agent_who_talks_with_nobody_and_ghosts_that_wait_are_noticed() -> None:
    agents = {
        "anna": AgentStatus("anna", AgentState.TALKING, contact_id=CONTACT),
        "ben": AgentStatus("ben", AgentState.WRAP_UP),
    }
    state = Snapshot("0-1", agents, {CONTACT: Waiting(CONTACT, "support")}, {})
    problems = list(left_over(state))
    assert len(problems) == 2
    assert problems[0].startswith("agent anna is still talking")
    assert CONTACT in problems[1]
