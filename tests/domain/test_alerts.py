"""When an alert is raised, and when it is over."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contactcentre.domain.alerts import Alarm, Alert, AlertFact, step
from contactcentre.domain.site import Queue

START = 1_795_392_000.0


def played(rule: Alert, *values: tuple[float, float | None]) -> list[tuple[float, str]]:
    """(when, what became) of a rule whose number was so at these moments."""
    found, alarm = [], None
    for now, value in values:
        alarm, became = step(rule, "support", "crowd", alarm, value, START + now, lambda at: f"id-{at:g}")
        if became:
            found.append((now, became))
    return found


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("waiting > 10", ("waiting", 10, 0, None)),
        ("waiting > 10 for 30", ("waiting", 10, 30, None)),
        ("longest_wait>120 for 5s clear 60s", ("longest_wait", 120, 5, 60)),
        ("service_level < 80 % clear 85 %", ("service_level", 80, 0, 85)),
        ("available < 1 for 60", ("available", 1, 60, None)),
        ("abandoned > 3", ("abandoned", 3, 0, None)),
    ],
)
def test_a_rule_may_be_written_as_a_text(text: str, fields: tuple[object, ...]) -> None:
    rule = Queue.model_validate({"alerts": {"a": text}}).alerts["a"]
    assert (rule.when, rule.limit, rule.lasting, rule.clear) == fields
    assert Alert.model_validate(rule.model_dump()) == rule


@pytest.mark.parametrize(
    "text",
    ["waiting", "waiting < 10", "available > 1", "unknown > 1", "waiting > 10 clear 11", "available < 2 clear 1"],
)
def test_a_rule_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Alert.model_validate(text)


def test_it_is_raised_after_so_long_and_not_by_a_moment() -> None:
    rule = Alert(when="waiting", limit=10, lasting=30, clear_after=20)
    assert played(rule, (0, 11), (29, 11), (30, 11)) == [(30, "raised")]
    assert played(rule, (0, 11), (20, 10), (25, 11), (50, 11), (55, 11)) == [(55, "raised")]


def test_it_is_cleared_after_so_long_on_the_good_side_and_does_not_flap() -> None:
    rule = Alert(when="waiting", limit=10, clear=6, clear_after=20)
    between = [(float(at), 11.0 if at % 2 else 7.0) for at in range(1, 200)]
    assert played(rule, *between) == [(1, "raised")], "neither bad nor good is no change"
    assert played(rule, (0, 11), (10, 6), (20, 11), (30, 6), (49, 6), (50, 6)) == [(0, "raised"), (50, "cleared")]


def test_of_what_cannot_be_told_nothing_follows() -> None:
    rule = Alert(when="service_level", limit=80, lasting=10, clear_after=10)
    assert played(rule, (0, None), (1, 70), (5, None), (11, 70)) == [(11, "raised")]
    assert played(rule, (0, 70), (10, 70), (20, None), (400, None), (500, 90), (510, 90)) == [
        (10, "raised"),
        (510, "cleared"),
    ]


def test_a_rule_that_is_taken_away_ends_its_alert() -> None:
    alarm, became = step(Alert(when="waiting", limit=1), "q", "n", None, 5, 1.0, lambda at: "id")
    assert became == "raised"
    assert step(None, "q", "n", alarm, None, 2.0, lambda at: "id") == (None, "cleared")


@given(st.lists(st.tuples(st.floats(0.1, 60), st.sampled_from([None, 0.0, 5.0, 7.0, 20.0])), max_size=60))
def test_raising_and_clearing_alternate_and_keep_their_distance(steps: list[tuple[float, float | None]]) -> None:
    rule, now, values = Alert(when="waiting", limit=10, lasting=5, clear=6, clear_after=30), 0.0, []
    for seconds, value in steps:
        now += seconds
        values.append((now, value))
    became = played(rule, *values)
    assert [word for _, word in became] == ["raised", "cleared"] * (len(became) // 2) + ["raised"] * (len(became) % 2)
    assert all(after - before >= 30 for (before, _), (after, word) in pairwise(became) if word == "cleared")


def test_records_come_back_as_they_were_whatever_another_version_adds() -> None:
    alarm = Alarm("support", "crowd", "waiting", 10, 12, 1.5, id="i", raised_at=2.5)
    assert Alarm.from_json(alarm.to_json().replace("{", '{"new":1,', 1)) == alarm
    fact = AlertFact.of(alarm, "raised", 2.5)
    assert AlertFact.from_json(fact.to_json()) == fact
    with pytest.raises(ValueError, match="state"):
        AlertFact.from_json(fact.to_json().replace('"raised"', '"other"'))
