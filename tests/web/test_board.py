"""Counting for the live page, without Redis or a clock."""

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.members import members_of
from contactcentre.domain.metrics import Counts
from contactcentre.domain.routing import Waiting
from contactcentre.domain.voicemail import BoxCount
from contactcentre.live.records import Change, ContactNow, Estimate, Snapshot
from contactcentre.web import rows
from contactcentre.web.board import Board
from tests.web.sample import site

NOW = 1_795_435_200.0


def board(**state: object) -> Board:
    made = Board()
    made.load_site(3, site())
    made.load(Snapshot("1-0", **{"agents": {}, "waiting": {}, "contacts": {}, **state}), NOW)  # type: ignore[arg-type]
    return made


def test_a_queues_agents_are_those_who_have_what_it_requires() -> None:
    assert members_of(site(), "billing") == {"ben", "dev", "elif"}
    named = site().queues["billing"].model_copy(update={"agents": ("dev", "farid")})
    assert members_of(site().model_copy(update={"queues": {"billing": named}}), "billing") == {"dev"}


def test_an_agent_of_two_queues_counts_in_both_and_once_in_the_totals() -> None:
    shown = board(agents={"ben": AgentStatus("ben", AgentState.PAUSED, 1, NOW)})
    assert shown.queues["support"].agents.paused == 1
    assert shown.queues["billing"].agents.paused == 1
    assert shown.totals.agents.paused == 1
    assert shown.totals.agents.logged_out == 5


def test_the_longest_wait_counts_from_the_entry_into_this_queue() -> None:
    shown = board(
        waiting={
            "a": Waiting("a", "support", arrived=NOW - 500, entered=NOW - 10),
            "b": Waiting("b", "support", arrived=NOW - 60, entered=NOW - 40),
        }
    )
    assert shown.queues["support"].waiting == 2
    assert shown.queues["support"].oldest == NOW - 40
    assert shown.totals.oldest == NOW - 40


def test_a_change_names_only_the_rows_that_differ() -> None:
    shown = board()
    login = AgentStatus("dev", AgentState.AVAILABLE, 1, NOW)
    changed = shown.apply([Change("2-0", "agent", "dev", login)], NOW)
    assert set(changed.agents) == {"dev"}
    assert set(changed.queues) == {"support", "billing"}
    again = shown.apply([Change("3-0", "agent", "dev", login)], NOW)
    assert (again.agents, again.queues, again.totals) == ({}, {}, None)


def test_what_is_gone_is_named_with_nothing() -> None:
    shown = board(contacts={"c": ContactNow("c", "node1", "talking")})
    changed = shown.apply([Change("2-0", "contact", "c", None)], NOW)
    assert changed.contacts == {"c": None}
    assert shown.contacts == {}


def test_a_queue_that_only_callers_know_is_shown_until_they_have_left() -> None:
    shown = board(waiting={"a": Waiting("a", "removed", entered=NOW)})
    assert shown.queues["removed"].waiting == 1
    assert shown.apply([Change("2-0", "waiting", "a", None)], NOW).queues == {"removed": None}


def test_an_agent_shows_the_caller_of_the_contact() -> None:
    talking = AgentStatus("dev", AgentState.TALKING, 4, NOW, contact_id="c", queue="billing")
    shown = board(agents={"dev": talking})
    assert shown.agents["dev"].caller_text == ""
    changed = shown.apply(
        [Change("2-0", "contact", "c", ContactNow("c", "node1", "talking", caller="+33612407755"))], NOW
    )
    row = changed.agents["dev"]
    assert row is not None
    assert row.caller_text == "+33 6 12 40 77 55"


def test_shares_of_several_queues_are_made_of_added_counts_and_never_averaged() -> None:
    shown = board()
    changed = shown.load_today(
        {"support": Counts(answered=90, answered_in_time=45), "billing": Counts(answered=10, answered_in_time=10)}, NOW
    )
    assert changed.totals is not None
    assert changed.totals.today.service_level == 0.55
    assert shown.queues["support"].today.service_level == 0.5
    assert shown.queues["billing"].formula == "answered within 30 s ÷ offered"


def test_a_day_without_calls_has_no_service_level() -> None:
    assert board().totals.today.service_level is None


def test_a_queue_shows_what_its_next_caller_would_wait_and_nothing_where_too_little_is_known() -> None:
    shown = board()
    told = {"support": Estimate(NOW, 171.4, 57, 3.0, 40.6), "billing": Estimate(NOW, None)}
    changed = shown.load_estimates(told, NOW)
    assert changed.queues.keys() == {"support"}
    assert shown.queues["support"].estimate == rows.Estimate(seconds=171, told=57, within=41)
    assert shown.queues["billing"].estimate is None
    assert shown.load_estimates(told, NOW).queues == {}, "nothing new, nothing sent"
    shown.load_estimates({}, NOW)
    assert shown.queues["support"].estimate is None, "no controller says it any more"


def test_new_messages_stand_with_the_queue_or_agent_whose_box_it_is() -> None:
    shown = board(boxes={"support": BoxCount(2, 1, NOW - 60)})
    assert shown.queues["support"].messages == 2
    changes = [Change("2-0", "box", "support", None), Change("3-0", "box", "ben", BoxCount(1, 0, NOW))]
    changed = shown.apply([*changes, Change("4-0", "box", "gone", BoxCount(1, 0, NOW))], NOW)
    assert {name: row.messages for name, row in changed.agents.items() if row is not None} == {"ben": 1}
    assert {name: row.messages for name, row in changed.queues.items() if row is not None} == {"support": 0}
