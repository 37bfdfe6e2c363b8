"""The demonstration's callers."""

from itertools import islice

import pytest

from contactcentre.demo.callers import HOSTILE_NAMES, TALK_LEAST, TALK_MOST, mean_talk, plans


def test_every_caller_has_a_number_of_their_own_also_in_the_next_run() -> None:
    numbers = [plan.caller for run in (1, 2) for plan in islice(plans(["100"], 2.0, run), 3000)]
    assert len(set(numbers)) == 6000
    assert all(len(number) == 12 for number in numbers)


def test_some_are_impatient_some_press_the_wrong_key_and_some_have_hostile_names() -> None:
    some = list(islice(plans(["100", "101"], 2.0, 1, seed=1), 1000))
    assert {plan.did for plan in some} == {"100", "101"}
    assert any(plan.patience is not None and plan.patience < 4 for plan in some)
    assert any(plan.digits.startswith("9") for plan in some)
    assert {plan.name for plan in some} >= set(HOSTILE_NAMES)


@pytest.mark.parametrize(("rate", "agents"), [(0.5, 6), (1, 6), (2, 10)])
def test_the_agents_keep_up_with_the_rate(rate: float, agents: int) -> None:
    talk = mean_talk(rate, agents)
    assert rate * 0.85 * (talk + 0.6 + 1.0) == pytest.approx(0.8 * agents, rel=0.01)


def test_talks_have_sensible_lengths_at_any_rate() -> None:
    assert mean_talk(0.05, 6) == TALK_MOST
    assert mean_talk(50, 6) == TALK_LEAST
