"""What facts say of a contact whose record is older than they."""

from typing import Any

import pytest

from contactcentre.controller.told import corrected, record, told
from contactcentre.domain.events import Event, Kind, Outcome
from contactcentre.domain.replacing import replace

TALK = {"agent": "anna", "queue": "support", "leg": "leg", "token": "t"}
ARRIVED = {"node": "node1", "channel": "caller", "did": "1000", "caller": "+331", "caller_name": "", "flow": "support"}


def story(*facts: tuple[Kind, dict[str, Any]]) -> list[Event]:
    return [Event("contact", number, float(number), kind, data) for number, (kind, data) in enumerate(facts, 1)]


def leaves(reason: str, **how: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.UNQUEUED, {"queue": "support", "reason": reason, **how}


@pytest.mark.parametrize("noted", [{}, {"outcome": Outcome.SELF_SERVED.value}])
def test_whose_talk_ended_before_it_was_noted_has_been_answered(noted: dict[str, str]) -> None:
    facts = story((Kind.ARRIVED, ARRIVED), (Kind.TALK_STARTED, TALK), (Kind.TALK_ENDED, TALK))
    was = replace(record(facts[0]), state="talking", detail=noted)
    now = corrected(was, told(facts))
    assert (now.state, now.detail["outcome"]) == ("ivr", Outcome.ANSWERED.value)
    assert "outcome" not in corrected(replace(was, detail={}), told(facts[:1])).detail


@pytest.mark.parametrize(
    ("leg", "decided", "to_record"),
    [
        ("before", (), None),
        ("before", (Kind.RECORDING_STARTED, {"recording": "r", "agent": "anna", "by": "queue"}), ""),
        ("leg", (), "queue"),
        ("leg", (Kind.RECORDING_FAILED, {"recording": "r", "error": "no disk"}), ""),
    ],
)
def test_what_is_to_be_recorded_of_another_conversation_says_nothing_of_this_one(
    leg: str, decided: tuple[Kind, dict[str, Any]], to_record: str | None
) -> None:
    facts = story((Kind.ARRIVED, ARRIVED), (Kind.TALK_STARTED, TALK), *([decided] if decided else []))
    detail = {"to_record": "" if leg == "before" else "queue"}
    was = replace(record(facts[0]), state="talking", channels={"caller": "caller", "agent": leg}, detail=detail)
    assert corrected(was, told(facts)).detail.get("to_record") == to_record


@pytest.mark.parametrize(
    ("facts", "left"),
    [
        ((leaves("timeout"),), ("timeout", "")),
        ((leaves("key", key="2"),), ("key", "2")),
        ((leaves("key"),), None),  # by an older program, which did not tell the key
        ((leaves("timeout"), (Kind.CHOSE, {"choice": "timeout"})), None),
        ((leaves("answered"), (Kind.TALK_STARTED, TALK)), None),
        ((leaves("answered"), (Kind.TALK_STARTED, TALK), (Kind.TALK_ENDED, TALK)), ("answered", "")),
    ],
)
def test_who_has_left_a_queue_goes_on_in_the_flow_from_there(
    facts: tuple[tuple[Kind, dict[str, Any]], ...], left: tuple[str, str] | None
) -> None:
    events = story((Kind.ARRIVED, ARRIVED), (Kind.QUEUED, {"queue": "support"}), *facts)
    found = corrected(record(events[0]), told(events)).detail.get("left")
    assert (found and (found["reason"], found["key"])) == left


def test_who_a_supervisor_has_moved_goes_where_it_was_sent() -> None:
    moved = (Kind.TRANSFERRED, {"to": "queue:sales", "by": "", "how": "moved"})
    events = story((Kind.ARRIVED, ARRIVED), (Kind.QUEUED, {"queue": "support"}), moved, leaves("transferred"))
    was = record(events[0])
    assert corrected(was, told(events)).detail["sent"] == {"to": "queue:sales", "back": "support"}
    assert "sent" not in corrected(was, told(events[:3])).detail, "it waits still"
    events = story((Kind.ARRIVED, ARRIVED), (Kind.QUEUED, {"queue": "support"}), leaves("transferred"))
    assert "sent" not in corrected(was, told(events)).detail, "somebody else has it"
