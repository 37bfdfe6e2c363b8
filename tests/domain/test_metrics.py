from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain import metrics
from contactcentre.domain.contacts import Visit
from contactcentre.domain.metrics import FORMULAS, SERVICE_LEVELS, AgentTime, Counts, UnknownFormula, count
from contactcentre.domain.site import Settings


def visit(waited: float, reason: str = "answered", talk: float = 0.0, wrap_up: float = 0.0) -> Visit:
    return Visit("q", 0.0, left=waited, reason=reason, waited=waited, talk=talk, wrap_up=wrap_up)


# the example of the facts, 3.1: T = 20 s, S = 5 s
DAY = [visit(10)] * 70 + [visit(40)] * 15 + [visit(3, "abandoned")] * 10 + [visit(30, "abandoned")] * 5


@pytest.mark.parametrize(
    ("formula", "percent"),
    [
        ("asterisk_sl", 82.4),
        ("asterisk_sl2", 80.0),
        ("answered_in_time_over_offered", 70.0),
        ("short_abandons_excluded", 77.8),
        ("genesys", 70.0),
        ("eight_by_eight", 77.8),
    ],
)
def test_the_same_day_has_the_service_level_that_each_formula_gives_it(formula: str, percent: float) -> None:
    counts = count(DAY, now=0.0, threshold=20, short_abandon=5)
    assert round(100 * (metrics.service_level(formula, counts) or 0), 1) == percent


def test_genesys_switches_take_parts_of_the_base_out_or_in() -> None:
    counts = count([*DAY, *[visit(60, "timeout")] * 20], now=0.0, threshold=20, short_abandon=5)
    assert metrics.genesys(counts) == 70 / 100
    assert metrics.genesys(counts, include_flow_outs=True) == 70 / 120
    assert metrics.genesys(counts, include_short_abandons=False) == 70 / 90
    assert metrics.genesys(counts, include_abandons=False) == 70 / 85


@pytest.mark.parametrize("formula", SERVICE_LEVELS)
def test_a_day_without_calls_has_no_service_level_and_not_a_perfect_one(formula: str) -> None:
    assert metrics.service_level(formula, Counts()) is None


def test_a_day_of_abandoned_calls_only_is_no_perfect_day_either() -> None:
    counts = count([visit(1, "abandoned")] * 3, now=0.0, threshold=20, short_abandon=5)
    assert metrics.asterisk_sl(counts) is None
    assert metrics.short_abandons_excluded(counts) is None
    assert metrics.answered_in_time_over_offered(counts) == 0.0


def test_who_still_waits_counts_only_where_the_formula_says_so() -> None:
    waiting = [Visit("q", 100.0), Visit("q", 70.0)]
    counts = count([visit(10), *waiting], now=110.0, threshold=20, short_abandon=5)
    assert (counts.waiting, counts.waiting_in_time, counts.offered) == (2, 1, 1)
    assert metrics.answered_in_time_over_offered(counts) == 1.0
    assert metrics.eight_by_eight(counts) == 0.5


def test_a_wait_of_exactly_the_threshold_is_in_time_and_a_lost_call_is_an_abandoned_one() -> None:
    counts = count([visit(20), visit(20.001), visit(5, "lost"), visit(4.999, "abandoned")], 0.0, 20, 5)
    assert (counts.answered_in_time, counts.abandoned, counts.abandoned_short) == (1, 2, 1)


def test_other_shares_and_times_follow_their_formulas() -> None:
    counts = count(
        [visit(10, talk=100, wrap_up=20), visit(30, talk=50), visit(2, "abandoned"), visit(9, "key")], 0.0, 20, 5
    )
    assert metrics.asa(counts) == 20
    assert metrics.aht(counts) == 85
    assert metrics.abandon_rate(counts) == 1 / 4
    assert metrics.abandon_rate_without_short(counts) == 0
    assert metrics.answer_rate(counts) == 2 / 4
    assert counts.wait_longest == 30
    assert [metrics.asa(Counts()), metrics.aht(Counts()), metrics.abandon_rate(Counts())] == [None, None, None]


def test_the_longest_wait_is_of_who_came_first_and_none_when_nobody_waits() -> None:
    assert metrics.longest_wait([50.0, 20.0], 60.0) == 40.0
    assert metrics.longest_wait([], 60.0) is None
    assert metrics.longest_wait([61.0], 60.0) == 0.0  # clocks of two machines


def test_a_percentile_lies_between_its_neighbours() -> None:
    assert metrics.percentile([4, 1, 3, 2], 0.5) == 2.5
    assert metrics.percentile([1], 0.99) == 1
    assert metrics.percentile([], 0.5) is None
    assert metrics.percentile(range(101), 0.95) == 95
    with pytest.raises(ValueError, match="between"):
        metrics.percentile([1], 95)


@dataclass(frozen=True)
class Change:
    at: float
    state: str
    reason: str = ""


def test_an_agents_day_begins_with_the_state_from_before_it() -> None:
    changes = [Change(0, "available"), Change(150, "talking"), Change(250, "wrap_up"), Change(260, "paused", "lunch")]
    time = metrics.agent_time(changes, 100, 300)
    assert (time.available, time.talking, time.wrap_up, time.paused, time.calls) == (50, 100, 10, {"lunch": 40}, 1)
    assert metrics.occupancy(time) == 110 / 160
    assert metrics.utilisation(time) == 110 / 200


def test_a_wish_noted_during_a_talk_is_no_second_call() -> None:
    changes = [Change(0, "talking"), Change(5, "talking"), Change(9, "wrap_up")]
    assert metrics.agent_time(changes, 0, 10).calls == 1


def test_a_talk_from_before_is_no_call_of_this_interval_and_an_absent_agent_has_no_occupancy() -> None:
    time = metrics.agent_time([Change(0, "talking")], 10, 20)
    assert (time.calls, time.talking) == (0, 10)
    assert metrics.occupancy(AgentTime()) is None
    assert metrics.utilisation(AgentTime()) is None


def test_every_formula_says_in_words_what_it_is_and_where_it_comes_from() -> None:
    for name, formula in FORMULAS.items():
        assert formula.name == name
        assert formula.label
        assert formula.source
        assert "{" not in formula.explained(20, 5)
    assert FORMULAS["asterisk_sl"].explained(20) == "answered within 20 s ÷ answered"
    assert set(SERVICE_LEVELS) <= set(FORMULAS)
    assert Settings().service_level_formula in SERVICE_LEVELS


def test_an_unknown_formula_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownFormula, match="asterisk_sl2"):
        metrics.service_level("magic", Counts())


REASONS = st.sampled_from(["answered", "abandoned", "timeout", "lost", "key", "transferred"])
VISITS = st.lists(st.builds(visit, st.floats(0, 200), REASONS, st.floats(0, 500), st.floats(0, 60)), max_size=60)


@given(VISITS, VISITS)
def test_two_intervals_together_count_as_one_long_one(some: list[Visit], others: list[Visit]) -> None:
    apart = count(some, 0, 20, 5) + count(others, 0, 20, 5)
    together = count(some + others, 0, 20, 5)
    assert apart.answered_in_time == together.answered_in_time
    assert apart.offered == together.offered == len(some) + len(others)
    assert apart.wait_longest == together.wait_longest
    assert apart.talk == pytest.approx(together.talk)


@given(VISITS)
def test_every_service_level_is_a_share_or_nothing(visits: list[Visit]) -> None:
    counts = count(visits, 0, 20, 5)
    for name in SERVICE_LEVELS:
        level = metrics.service_level(name, counts)
        assert level is None or 0 <= level <= 1


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_within_its_values(values: list[float], share: float) -> None:
    found = metrics.percentile(values, share)
    assert found is not None
    assert min(values) - 1e-6 <= found <= max(values) + 1e-6
