"""The system's clock is set while calls go on."""

import pytest

from contactcentre.controller.clock import FAR, RATE, Clock


class Hands:
    """A system's two clocks."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000.0, 50.0

    def pass_(self, seconds: float) -> None:
        self.wall, self.steady = self.wall + seconds, self.steady + seconds


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def clock(hands: Hands) -> Clock:
    return Clock(lambda: hands.wall, lambda: hands.steady)


def test_it_is_the_systems_time_while_that_is_steady(hands: Hands, clock: Clock) -> None:
    for seconds in (0.0, 0.001, 5.0, 3600.0):
        hands.pass_(seconds)
        assert clock() == pytest.approx(hands.wall, abs=1e-6)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86400.0, 5.0, -5.0])
def test_it_never_jumps_and_goes_on_nearly_as_fast_as_before(hands: Hands, clock: Clock, jump: float) -> None:
    before = clock()
    hands.wall += jump
    assert clock() == before, "no time has passed"
    hands.pass_(10.0)
    after = clock()
    assert 10.0 * (1 - RATE) <= after - before <= 10.0 * (1 + RATE)


@pytest.mark.parametrize("jump", [60.0, -60.0])
def test_it_comes_to_be_the_systems_time_again_without_ever_going_back(hands: Hands, clock: Clock, jump: float) -> None:
    last = clock()
    hands.wall += jump
    for _ in range(round(abs(jump) / RATE)):
        hands.pass_(1.0)
        now = clock()
        assert now > last
        last = now
    hands.pass_(1.0)
    assert clock() == pytest.approx(hands.wall, abs=FAR / 100)


def test_it_does_not_go_back_between_two_looks_at_the_systems_clock(hands: Hands, clock: Clock) -> None:
    last = clock()
    hands.wall -= 1.0
    for _ in range(1000):
        hands.pass_(0.007)
        now = clock()
        assert now >= last
        last = now
    assert clock() == pytest.approx(hands.wall, abs=0.007 * RATE)


def test_a_small_step_of_ntp_is_followed_within_a_second(hands: Hands, clock: Clock) -> None:
    clock()
    hands.wall -= 0.05
    hands.pass_(1.0)
    assert clock() == pytest.approx(hands.wall, abs=1e-6)
