"""The one order of contacts; over random worlds it is in test_routing_machine.py."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.order import Claims
from contactcentre.domain.routing import RoutingConfig, Waiting, decide
from contactcentre.domain.site import Agent, Queue, Settings, Site
from tests.domain.asking import explain

NOW = 1_000_000.0


def config(order: str = "score", **queues: dict[str, Any]) -> RoutingConfig:
    return RoutingConfig.from_site(
        Site(
            settings=Settings.model_validate({"order": order}),
            queues={name: Queue.model_validate(queue) for name, queue in queues.items()},
            agents={"anna": Agent()},
        )
    )


def waits(contact_id: str, queue: str, ago: float, **more: Any) -> Waiting:
    return Waiting(contact_id, queue, arrived=NOW - ago, entered=NOW - ago, **more)


def first(config: RoutingConfig, *contacts: Waiting, now: float = NOW) -> str:
    return min(contacts, key=lambda contact: config.order(contact, now)).contact_id


def test_without_ageing_priority_is_strict_and_then_the_first_arrival_counts() -> None:
    plain = config(a={}, b={})
    assert first(plain, waits("old", "a", 9999), waits("vip", "b", 1, priority=1)) == "vip"
    assert first(plain, waits("old", "a", 9), waits("new", "b", 8)) == "old"
    assert first(plain, waits("y", "a", 9), waits("x", "b", 9)) == "x"


def test_a_contact_gains_points_for_every_minute_from_its_first_arrival() -> None:
    aged = config(a={"ageing": 2}, b={})
    young, old, rival = waits("c", "a", 299), waits("c", "a", 300), waits("rival", "b", 10, priority=10)
    assert first(aged, young, rival) == "rival"
    assert first(aged, old, rival) == "c"
    moved = Waiting("c", "a", arrived=NOW - 300, entered=NOW)
    assert first(aged, moved, rival) == "c"


def test_a_group_is_granted_points_by_the_queue_and_by_no_other() -> None:
    groups = config(a={"groups": {"gold": 5, "grey": -5}}, b={})
    plain = waits("plain", "a", 60)
    assert first(groups, plain, waits("gold", "a", 1, group="gold")) == "gold"
    assert first(groups, plain, waits("gold", "b", 1, group="gold")) == "plain"
    assert first(groups, plain, waits("grey", "a", 999, group="grey")) == "plain"


def test_by_service_level_whoever_has_used_up_more_of_it_comes_first() -> None:
    by_level = config("service-level", fast={"service_level": 10}, slow={"service_level": 60, "ageing": 999})
    assert first(by_level, waits("fast", "fast", 6), waits("slow", "slow", 35)) == "fast"
    assert first(by_level, waits("fast", "fast", 5), waits("slow", "slow", 35)) == "slow"
    urgent = waits("urgent", "slow", 0, priority=70)
    assert first(by_level, waits("fast", "fast", 6), urgent) == "urgent", "a point is a hundredth of the service level"


@given(st.data())
def test_a_later_arrival_overtakes_only_within_the_stated_time(data: st.DataObject) -> None:
    """With one rate, points are worth points / rate of waiting, and never more."""
    ageing, points = data.draw(st.integers(1, 60)), data.draw(st.integers(0, 100))
    later = data.draw(st.floats(0, 10_000)) + 60 * points / ageing + 0.01
    aged = config(a={"ageing": ageing}, b={"ageing": ageing})
    old = waits("old", "a", later)
    new = waits("new", "b", 0, priority=points)
    assert first(aged, old, new, now=NOW + data.draw(st.floats(0, 100_000))) == "old"


@pytest.mark.parametrize(("ageing", "served"), [(1, 10 * 60), (5, 2 * 60)])
def test_a_light_queue_is_not_starved_by_a_heavy_one_that_never_runs_dry(ageing: float, served: float) -> None:
    """app_queue: weight starves lower queues (issue 1561)."""
    aged = config(heavy={"ageing": ageing}, light={"ageing": ageing})
    assert run_dry(aged, hours=1) == pytest.approx(served, abs=20)


def test_without_ageing_a_heavy_queue_may_starve_a_light_one_as_the_documentation_says() -> None:
    assert run_dry(config(heavy={}, light={}), hours=1) is None


def run_dry(config: RoutingConfig, hours: float) -> float | None:
    """One agent, ten seconds a call, and a call of priority 10 every ten seconds: after how many seconds one of
    priority 0 is served."""
    waiting = {"light": Waiting("light", "light", arrived=NOW, entered=NOW)}
    free = {"anna": AgentStatus("anna", AgentState.AVAILABLE, 1)}
    for tick in range(int(hours * 360)):
        now = NOW + 10 * tick
        waiting[f"h{tick}"] = Waiting(f"h{tick}", "heavy", priority=10, arrived=now, entered=now)
        (decision,) = decide(waiting.values(), free, config, now, {})
        del waiting[decision.contact_id]
        if decision.contact_id == "light":
            return now - NOW
    return None


def test_two_overloaded_queues_wait_in_inverse_proportion_to_their_ageing() -> None:
    aged = config(a={"ageing": 3}, b={"ageing": 1})
    assert first(aged, waits("a", "a", 101), waits("b", "b", 300)) == "a"
    assert first(aged, waits("a", "a", 99), waits("b", "b", 300)) == "b"


@given(
    st.floats(0, 1000),
    st.lists(st.tuples(st.integers(-5, 5), st.floats(0, 2e9)), min_size=2, max_size=6),
    st.floats(0, 2e9),
)
def test_time_never_changes_the_order_within_a_queue(
    ageing: float, contacts: list[tuple[int, float]], now: float
) -> None:
    claims = Claims.of(Queue(ageing=ageing))
    made = [Waiting(f"c{i}", "a", priority=p, arrived=at) for i, (p, at) in enumerate(contacts)]
    assert sorted(made, key=lambda c: claims.key(c, now)) == sorted(made, key=lambda c: claims.key(c, now + 12_345.678))
    assert sorted(made, key=lambda c: claims.key(c, now)) == sorted(made, key=claims.place)


def test_one_agent_serves_everybody_strictly_by_score() -> None:
    """mod_callcenter: not first in, first out; the eighth caller by score was connected first (issue 2511)."""
    aged = config(a={"ageing": 60}, b={"ageing": 60})
    waiting = {f"c{n}": waits(f"c{n}", "ab"[n % 2], ago=100 - n, priority=n % 3) for n in range(12)}
    free = {"anna": AgentStatus("anna", AgentState.AVAILABLE, 1)}
    by_score = sorted(waiting, key=lambda name: (-(waiting[name].priority + 100 - int(name[1:])), int(name[1:])))
    served = []
    while waiting:
        (decision,) = decide(waiting.values(), free, aged, NOW, {})
        served.append(decision.contact_id)
        del waiting[decision.contact_id]
    assert served == by_score


def test_a_contact_that_waits_longest_and_fits_nobody_stalls_no_queue() -> None:
    """app_queue: force_longest_waiting_caller could stall all queues (pull request 1693)."""
    stuck = config(hard={"requires": "x", "ageing": 60}, easy={})
    contacts = [waits("stuck", "hard", 9999), waits("next", "easy", 1)]
    (decision,) = decide(contacts, {"anna": AgentStatus("anna", AgentState.AVAILABLE, 1)}, stuck, NOW, {})
    assert (decision.contact_id, decision.agent) == ("next", "anna")


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match="order 'fastest' is none of: score, service-level"):
        RoutingConfig({"a": Queue()}, {}, "fastest")


def test_the_explanation_says_what_the_score_is_made_of() -> None:
    aged = config(a={"ageing": 2, "groups": {"gold": 5}}, b={"ageing": 2})
    contacts = [waits("c1", "a", 90, group="gold", priority=1), waits("c2", "b", 60)]
    free = {"anna": AgentStatus("anna", AgentState.AVAILABLE, 1)}
    line = explain("c1", contacts, free, aged, NOW, {})[0]
    assert line.endswith("90 s since it arrived; score 9: priority 1 + 5 as group gold + 3 for waiting.")
    assert (
        "Serves a contact with right of way: anna (c1, queue a, score 9: priority 1 + 5 as group gold + "
        "3 for waiting, arrived 90 s ago)." in explain("c2", contacts, free, aged, NOW, {})
    )


OTHERS = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 5000)), min_size=1, max_size=6)


@given(OTHERS, st.integers(-50, 50), st.sampled_from([0, 2, 7]))
def test_to_the_front_is_before_all_others_at_any_time_and_moves_nobody_who_is_there(
    others: list[tuple[int, int]], priority: int, ageing: int
) -> None:
    claims = config(a={"ageing": ageing}).claims("a")
    there = [waits(f"c{n}", "a", ago, priority=points) for n, (points, ago) in enumerate(others)]
    one = waits("one", "a", 100, priority=priority)
    points = claims.to_the_front(one, there)
    ahead = waits("one", "a", 100, priority=points)
    assert all(claims.key(ahead, now) < claims.key(other, now) for other in there for now in (NOW, NOW + 9000))
    assert claims.to_the_front(ahead, there) == points
    assert points >= priority
    less = waits("one", "a", 100, priority=points - 2)
    assert points == priority or not all(claims.place(less) < claims.place(other) for other in there)
