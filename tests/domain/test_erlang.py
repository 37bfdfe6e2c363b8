"""Erlang's formulas against published and independently computed values."""

from math import exp, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.erlang import (
    OutOfReach,
    blocked,
    delayed,
    impatient,
    outlook,
    patient,
    required_agents,
)

RATE, AHT, T, PATIENCE = 200 / 1800, 180.0, 20.0, 120.0  # 20 Erlangs

ERLANG_C = [  # agents, waits, service level, ASA, occupancy
    (21, 0.7606, 0.3193, 136.92, 0.952),
    (22, 0.5679, 0.5452, 51.11, 0.909),
    (23, 0.4157, 0.7021, 24.94, 0.870),
    (24, 0.2981, 0.8089, 13.41, 0.833),
    (25, 0.2091, 0.8800, 7.53, 0.800),
    (26, 0.1434, 0.9264, 4.30, 0.769),
]
ERLANG_A = [  # agents, abandons, waits, mean wait, occupancy
    (20, 0.0977, 0.4828, 11.73, 0.9023),
    (21, 0.0749, 0.4022, 8.99, 0.8811),
    (22, 0.0560, 0.3260, 6.72, 0.8582),
    (23, 0.0408, 0.2567, 4.90, 0.8341),
    (24, 0.0290, 0.1963, 3.48, 0.8092),
    (25, 0.0200, 0.1457, 2.40, 0.7840),
    (26, 0.0135, 0.1049, 1.62, 0.7589),
]


@pytest.mark.parametrize(("agents", "waits", "level", "asa", "occupancy"), ERLANG_C)
def test_erlang_c_gives_the_known_values(agents: int, waits: float, level: float, asa: float, occupancy: float) -> None:
    found = patient(RATE, AHT, agents, T)
    assert found is not None
    assert found.waits == pytest.approx(waits, abs=5e-5)
    assert found.service_level == pytest.approx(level, abs=5e-5)
    assert found.asa == pytest.approx(asa, abs=5e-3)
    assert found.occupancy == pytest.approx(occupancy, abs=5e-4)


@pytest.mark.parametrize(("agents", "abandons", "waits", "mean_wait", "occupancy"), ERLANG_A)
def test_erlang_a_gives_the_known_values(
    agents: int, abandons: float, waits: float, mean_wait: float, occupancy: float
) -> None:
    found = impatient(RATE, AHT, PATIENCE, agents, T)
    assert found.abandons == pytest.approx(abandons, abs=5e-5)
    assert found.waits == pytest.approx(waits, abs=5e-5)
    assert found.mean_wait == pytest.approx(mean_wait, abs=5e-3)
    assert found.occupancy == pytest.approx(occupancy, abs=5e-5)


def test_eighty_percent_in_twenty_seconds_takes_24_patient_callers_agents_and_fewer_when_callers_hang_up() -> None:
    assert required_agents(RATE, AHT, 0.8, T).agents == 24
    assert required_agents(RATE, AHT, 0.8, T, patience=PATIENCE).agents == 22


def test_limits_on_abandons_and_occupancy_ask_for_more_agents() -> None:
    assert required_agents(RATE, AHT, 0.8, T, patience=PATIENCE, max_abandons=0.03).agents == 24
    assert required_agents(RATE, AHT, 0.8, T, max_occupancy=0.78).agents == 26


def test_without_enough_agents_patient_callers_wait_for_ever() -> None:
    assert patient(RATE, AHT, 20, T) is None
    assert delayed(20.0, 20) == 1.0


def test_one_agent_is_the_m_m_1_queue() -> None:
    found = patient(0.5, 1.0, 1, 2.0)
    assert found is not None
    assert found.waits == pytest.approx(0.5)
    assert found.asa == pytest.approx(1.0)  # rho / (mu - lambda)
    assert found.service_level == pytest.approx(1 - 0.5 * exp(-1.0))
    assert found.queue_length == pytest.approx(0.5)


def test_erlang_b_gives_the_known_values() -> None:
    assert blocked(2.0, 2) == pytest.approx(0.4)  # (A^2/2) / (1 + A + A^2/2)
    assert blocked(20.0, 0) == 1.0
    assert blocked(20.0, 20) == pytest.approx(0.1589, abs=5e-5)


def steps(rate: float, aht: float, patience: float, agents: int, threshold: float) -> tuple[float, float]:
    """(answered within T / offered, mean wait of the answered), by integrating the wait of one caller numerically:
    another way to Erlang A than the formulas'."""
    length = 60
    weights = [1.0]
    for k in range(1, agents + length):
        weights.append(weights[-1] * rate / (min(k, agents) / aht + max(0, k - agents) / patience))
    total = sum(weights)
    in_time, waited, answered = sum(weights[:agents]) / total, 0.0, sum(weights[:agents]) / total
    ahead = [weights[agents + q] / total for q in range(length)]  # P(arrives and finds q waiting, all busy)
    at, dt = 0.0, 0.02
    while at < 12 * patience and sum(ahead) > 1e-9:
        served = ahead[0] * (1 - exp(-agents / aht * dt))
        moved = [share * (1 - exp(-(agents / aht + q / patience) * dt)) for q, share in enumerate(ahead)]
        ahead = [share - out + into for share, out, into in zip(ahead, moved, [*moved[1:], 0.0], strict=True)]
        ahead = [share * exp(-dt / patience) for share in ahead]
        at += dt
        answered += served
        waited += served * (at - dt / 2)
        in_time += served if at <= threshold else 0.0
    return in_time, waited / answered


def test_service_level_and_speed_of_answer_of_erlang_a_agree_with_a_numerical_solution() -> None:
    level, asa = steps(0.5, 4.0, 6.0, 2, 3.0)
    found = impatient(0.5, 4.0, 6.0, 2, 3.0)
    assert found.service_level == pytest.approx(level, abs=2e-3)
    assert found.asa == pytest.approx(asa, rel=1e-2)
    assert found.service_level_of_answered == pytest.approx(level / (1 - found.abandons), abs=3e-3)


def test_endless_patience_is_the_limit_of_erlang_a() -> None:
    endless, nearly = outlook(RATE, AHT, 24, T), outlook(RATE, AHT, 24, T, 1e7)
    assert endless is not None
    assert nearly is not None
    assert nearly.service_level == pytest.approx(endless.service_level, abs=1e-4)
    assert nearly.asa == pytest.approx(endless.asa, rel=1e-3)


@given(
    traffic=st.floats(0.05, 300),
    aht=st.floats(60, 600),
    patience=st.floats(1, 600),
    agents=st.integers(1, 300),
    threshold=st.floats(0, 600),
)
def test_everything_stays_in_its_bounds(
    traffic: float, aht: float, patience: float, agents: int, threshold: float
) -> None:
    found = impatient(traffic / aht, aht, patience, agents, threshold)
    for share in (found.waits, found.service_level, found.abandons, found.occupancy):
        assert -1e-9 <= share <= 1 + 1e-9
    assert 0 <= found.asa <= found.mean_wait + 50 * patience
    assert found.service_level >= 1 - found.waits - 1e-9
    assert found.service_level <= 1 - found.abandons + 1e-9


def test_a_thousand_agents_are_no_trouble() -> None:
    found = required_agents(1000 / 180, 180, 0.8, 20, patience=120, max_abandons=0.03)
    assert 950 < found.agents < 1010
    assert required_agents(1e-9, 1.0, 0.99, 0.0).agents == 1


@pytest.mark.parametrize(
    ("rate", "aht", "agents", "threshold", "word"),
    [
        (0, 1, 1, 1, "rate"),
        (1, inf, 1, 1, "aht"),
        (1, 1, 0, 1, "agents"),
        (1, 1, 1, -1, "threshold"),
        (nan, 1, 1, 1, "rate"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    rate: float, aht: float, agents: int, threshold: float, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        outlook(rate, aht, agents, threshold)


def test_a_target_out_of_reach_is_named() -> None:
    with pytest.raises(OutOfReach, match="100000"):
        required_agents(1000.0, 180.0, 0.8, 20.0)
