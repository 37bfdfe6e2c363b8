"""Skills for the day, without a clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as of
from hypothesis import strategies as st

from contactcentre.domain import day
from contactcentre.domain.agents import AgentState, AgentStatus, NotAllowed, Verb, step
from contactcentre.domain.members import members_of
from contactcentre.domain.site import Site

NOW = 1_795_435_200.0
SITE = Site.model_validate(
    {
        "skills": {"billing": "", "lang_fr": ""},
        "queues": {"billing": {"requires": "billing"}},
        "agents": {"anna": {"skills": {"lang_fr": 90}}, "ben": {"skills": {"billing": 40}}},
    }
)


@of(st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9_]{0,9}\Z"), st.integers(0, 100), max_size=5))
def test_levels_come_back_as_they_were_written(levels: dict[str, int]) -> None:
    assert day.read(day.write(levels)) == levels


def test_what_is_no_level_is_left_out() -> None:
    assert day.read("billing=60 = lang_fr lang_fr=-1 x=٣") == {"billing": 60}


def test_the_site_of_the_day_has_the_skill_that_was_given_and_not_the_one_that_was_taken() -> None:
    today = day.on_the_day(SITE, {"anna": {"billing": 60}, "ben": {"billing": 0}, "gone": {"billing": 1}})
    assert members_of(today, "billing") == {"anna"}
    assert today.agents["anna"].skills == {"lang_fr": 90, "billing": 60}
    assert members_of(SITE, "billing") == {"ben"}, "the site itself stays as it is"
    assert day.on_the_day(SITE, {}) is SITE


def test_they_end_by_themselves() -> None:
    lent = step(AgentStatus("anna"), Verb.LEND, NOW, skills="billing=60", until=NOW + 10)
    assert day.given([lent], NOW + 9.9) == {"anna": {"billing": 60}}
    assert day.given([lent], NOW + 10) == {}
    assert day.given([step(lent, Verb.LEND, NOW + 1)], NOW + 2) == {}


@pytest.mark.parametrize("state", list(AgentState))
def test_they_are_given_in_every_state_and_change_nothing_else(state: AgentState) -> None:
    status = AgentStatus("anna", state, 3, NOW, token="t", deadline=NOW + 5)
    after = step(status, Verb.LEND, NOW + 1, skills="billing=60", until=NOW + 9)
    assert (after.state, after.token, after.deadline, after.since) == (state, "t", NOW + 5, NOW)
    assert AgentStatus.from_json(after.to_json()) == after


@pytest.mark.parametrize(
    ("zone", "at", "midnight"),
    [
        ("Europe/Paris", "2026-06-01T12:00", "2026-06-02T00:00"),
        ("Europe/Paris", "2026-10-25T01:30", "2026-10-26T00:00"),  # a day of 25 hours
        ("America/Santiago", "2026-09-05T23:30", "2026-09-06T01:00"),  # has no midnight: 23:59 is followed by 01:00
        ("Nowhere/Land", "2026-06-01T12:00", "2026-06-02T00:00"),  # UTC
    ],
)
def test_the_day_ends_at_midnight_in_the_sites_time_zone(zone: str, at: str, midnight: str) -> None:
    known = ZoneInfo("UTC" if zone.startswith("Nowhere") else zone)
    now = datetime.fromisoformat(at).replace(tzinfo=known).timestamp()
    assert day.next_midnight(zone, now) == datetime.fromisoformat(midnight).replace(tzinfo=known).timestamp()


@pytest.mark.parametrize(("skill", "level", "said"), [("tea", 5, "no skill 'tea'"), ("billing", 101, "from 0")])
def test_what_the_site_does_not_have_is_named(skill: str, level: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        day.check(SITE, {skill: level})


def test_who_paused_the_agent_stands_there_until_the_agent_does_something() -> None:
    talking = AgentStatus("anna", AgentState.TALKING, 3, NOW, contact_id="c", queue="q", token="t")
    wished = step(talking, Verb.PAUSE, NOW + 1, reason="lunch", by="sue", note="go")
    assert (wished.then, wished.by, wished.note) == ("pause:lunch", "sue", "go")
    wrap_up = step(wished, Verb.FINISH, NOW + 2, token="t", wrap_up=10)
    paused = step(wrap_up, Verb.WRAPPED, NOW + 3)
    assert (paused.state, paused.by, paused.note) == (AgentState.PAUSED, "sue", "go")
    free = step(paused, Verb.UNPAUSE, NOW + 4)
    assert (free.by, free.note) == ("", "")
    forced = step(free, Verb.LOGOUT, NOW + 5, by="sue")
    assert (forced.state, forced.by) == (AgentState.LOGGED_OUT, "sue")
    assert step(forced, Verb.LOGIN, NOW + 6).by == ""
    with pytest.raises(NotAllowed):
        step(forced, Verb.UNPAUSE, NOW + 6, by="sue")
    taken_back = step(wished, Verb.UNPAUSE, NOW + 2)
    assert (taken_back.then, taken_back.by) == ("", "")
