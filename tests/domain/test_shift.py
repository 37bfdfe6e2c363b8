"""What an agent's day was, told from history."""

from typing import Any

from contactcentre.domain.events import Event, Kind
from contactcentre.domain.shift import Change, PastOffer, Shift, shift
from tests.store.calls import DAY, Call

NOW = DAY + 7200.0
LOGIN = Change(DAY + 600, "available")
FREE = "longest-idle: 340 seconds idle, first of 2"


def told(*own: Call, elsewhere: tuple[Call, ...] = (), changes: tuple[Change, ...] = (LOGIN,), **more: Any) -> Shift:
    def by_contact(calls: tuple[Call, ...]) -> dict[str, list[Event]]:
        return {call.id: call.events for call in calls}

    return shift("bob", changes, by_contact(own), by_contact(elsewhere), since=DAY, now=NOW, **more)


def went_to(agent: str, after: float, rule: str = FREE, **data: Any) -> Call:
    call = Call(DAY + after).queued(0)
    return call.add(1, Kind.DECISION, queue="support", agent=agent, rule=rule, **data)


def test_the_last_offers_are_told_with_what_became_of_each_the_latest_first() -> None:
    earlier = Call(DAY + 1000).queued(0).offered(1, "bob").talked(5, 95, "bob").ended(100)
    later = Call(DAY + 5000).queued(0).offered(1, "bob").missed(21, "bob").offered(30, "carla").talked(33, 5, "carla")
    day = told(earlier, later)
    assert day.offers == (
        PastOffer(DAY + 5001, later.id, "support", "missed", 20.0, None),
        PastOffer(DAY + 1001, earlier.id, "support", "answered", 4.0, 95.0),
    )
    assert (day.missed, day.meanwhile) == (1, DAY + 5001)
    assert day.lines[1:] == (
        f"The last call was contact {earlier.id[:18]} of queue support, 103 min 19 s ago: they talked for 95 s.",
        "The last offer came 36 min 39 s ago.",
        f"  36 min 39 s ago: contact {later.id[:18]} of queue support: did not answer after 20 s.",
        f"  103 min 19 s ago: contact {earlier.id[:18]} of queue support: answered after 4 s, they talked for 95 s.",
        "Since then no contact of its queues went to anybody else.",
    )


def test_the_days_time_adds_up_and_offers_through_no_fault_of_the_agents_are_not_missed() -> None:
    gone = Call(DAY + 700).queued(0).offered(1, "bob")
    gone.add(4, Kind.REFUSED, agent="bob", token="t", leg="l", result="caller_gone").abandoned(4)
    changes = (
        Change(DAY - 50, "paused", "night"),
        Change(DAY + 600, "available"),
        Change(DAY + 1200, "talking", "", gone.id),
        Change(DAY + 1500, "wrap_up"),
        Change(DAY + 1530, "paused", "lunch"),
        Change(DAY + 3330, "available"),
    )
    day = told(gone, changes=changes)
    assert day.missed == 0
    assert day.lines[0] == (
        "Today: free 74 min 30 s, talking 5 min 0 s, wrap-up 30 s, paused 40 min 0 s (lunch 30 min 0 s, "
        "night 10 min 0 s); 1 call answered."
    )
    assert day.lines[2].endswith("was ringing when the caller hung up after 3 s.")


def test_contacts_that_went_to_others_are_counted_by_the_rule_that_kept_them_from_the_agent() -> None:
    both = {"candidates": [["carla", 340.0], ["bob", 120.0]], "fitting": 2}
    calls = (
        went_to("carla", 1000, **both),
        went_to("carla", 1100, **both),
        went_to("dora", 1200, candidates=[["dora", 9.0]], cut=[["bob", "paused: lunch"]]),
        went_to("dora", 1300, candidates=[["dora", 9.0]], cut=[["bob", "does not fit: needs fr >= 50, has 20"]]),
        went_to("bob", 1400, **both),  # came back to the agent
        went_to("", 1500, rule="nobody who fits is free for it", cut=[["bob", "talking: c9"]]),
    )
    day = told(elsewhere=calls)
    assert [(one.number, one.rule, one.agent) for one in day.others] == [
        (2, "others came first by longest-idle", "carla"),
        (1, "does not fit: needs fr >= 50, has 20", "dora"),
        (1, "paused: lunch", "dora"),
    ]
    assert day.lines[1:4] == (
        "No offer came lately.",
        "Today 4 contacts of its queues went to others:",
        f"  2: others came first by longest-idle (the last one, contact {calls[1].id[:18]}, went to carla: "
        "carla 340 seconds idle, bob 120 seconds idle).",
    )


def test_an_agent_whom_the_decision_does_not_name_is_told_by_the_state_at_that_time() -> None:
    changes = (LOGIN, Change(DAY + 900, "talking", "", "c1"), Change(DAY + 1300, "available"))
    many = {"candidates": [[f"a{n}", 99.0 - n] for n in range(10)], "fitting": 40}
    calls = (went_to("a0", 1000, **many), went_to("a0", 1400, **many), went_to("a0", 1500, candidates=["a0"]))
    rules = [one.rule for one in told(elsewhere=calls, changes=changes).others]
    assert sorted(rules) == ["not named in the decision", "others came first by longest-idle", "talking"]


def test_a_contact_counts_once_and_a_bounded_look_says_at_least() -> None:
    call = went_to("carla", 1000).add(30, Kind.DECISION, queue="support", agent="dora", rule=FREE, cut=[])
    day = told(elsewhere=(call,), more=True)
    assert [(one.number, one.agent) for one in day.others] == [(1, "dora")]
    assert "Today at least 1 contact of its queues went to others:" in day.lines


def test_nothing_known_is_told_as_nothing_and_facts_of_another_version_hurt_nobody() -> None:
    assert told(changes=()).lines == ("Today: not at work yet; 0 calls answered.", "No offer came lately.")
    odd = Call(DAY).add(1, Kind.OFFERED, agent="bob", token=7).add(2, Kind.REFUSED, agent="bob", token=7, result=None)
    odd.add(3, Kind.OFFERED, agent="bob").add(4, Kind.DECISION, agent="al", candidates="x", cut=[1])
    day = told(odd, elsewhere=(odd,))
    assert [offer.words for offer in day.offers] == [
        "no end of it is in the history yet",
        "came to nothing: None after 1 s",
    ]
