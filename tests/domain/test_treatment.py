"""What a waiting caller is told, and when. Times are seconds since the contact entered the queue."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.site import Queue
from contactcentre.domain.treatment import LONGEST, PAUSE, Comfort, Position, Treatment

SAID = 4.0
"""Seconds that an announcement takes here."""


def queue(**settings: Any) -> Queue:
    return Queue.model_validate(settings)


def heard(treatment: Treatment, until: float) -> list[tuple[float, Position | Comfort]]:
    found = []
    while (moment := treatment.moment) is not None and moment < until:
        what = treatment.due(moment)
        assert what is not None
        found.append((moment, what))
        treatment.over(moment + SAID)
    return found


def test_the_position_comes_in_its_rhythm_and_may_come_sooner_the_first_time() -> None:
    assert [at for at, _ in heard(Treatment(queue(announce_position=60), 0, 0), 200)] == [60, 120, 180]
    early = Treatment(queue(announce_position=60, announce_first=5), 0, 0)
    assert [at for at, _ in heard(early, 200)] == [5, 65, 125, 185]
    at_once = Treatment(queue(announce_position=60, announce_first=0), 0, -0.001)
    assert [at for at, _ in heard(at_once, 100)] == [0, 60]


def test_a_queue_that_announces_nothing_wakes_nobody() -> None:
    assert Treatment(queue(), 0, 0).moment is None
    assert Treatment(queue(), 0, 0).due(1e9) is None


def test_comfort_prompts_come_in_turn() -> None:
    treatment = Treatment(queue(prompts=["patience", "website"], prompts_every=30), 0, 0)
    assert heard(treatment, 125) == [
        (30, Comfort("patience")),
        (60, Comfort("website")),
        (90, Comfort("patience")),
        (120, Comfort("website")),
    ]


def test_two_announcements_never_overlap_and_music_plays_between_them() -> None:
    treatment = Treatment(queue(announce_position=60, prompts=["patience"], prompts_every=30), 0, 0)
    assert heard(treatment, 100) == [
        (30, Comfort("patience")),
        (60, Position()),
        (60 + SAID + PAUSE, Comfort("patience")),
        (90, Comfort("patience")),
    ]


def test_what_is_put_off_past_its_next_turn_is_left_out() -> None:
    treatment = Treatment(queue(prompts=["a", "b", "c"], prompts_every=5), 0, 0)
    times = [at for at, _ in heard(treatment, 60)]
    assert all(after - before >= SAID + PAUSE for before, after in pairwise(times))
    assert len(times) <= 60 / (SAID + PAUSE) + 1


def test_a_restarted_controller_goes_on_in_step_and_says_nothing_again_at_once() -> None:
    treatment = Treatment(queue(announce_position=60, prompts=["a", "b"], prompts_every=40), 0, 100)
    assert heard(treatment, 165) == [(120, Position()), (120 + SAID + PAUSE, Comfort("a")), (160, Comfort("b"))]


def test_an_announcement_whose_end_is_never_told_does_not_silence_the_queue_for_ever() -> None:
    treatment = Treatment(queue(announce_position=30), 0, 0)
    assert treatment.due(30) == Position()
    assert treatment.due(31) is None
    assert treatment.moment == 30 + LONGEST
    assert treatment.due(30 + LONGEST) == Position()


def test_other_settings_count_at_once() -> None:
    treatment = Treatment(queue(announce_position=600), 0, 0)
    treatment.configure(queue(announce_position=20))
    assert treatment.moment == 20
    treatment.configure(queue())
    assert treatment.moment is None


def test_nobody_hears_a_worse_position_than_before_unless_the_queue_wants_it() -> None:
    """app_queue announces 5, then 7, when two with a higher priority come in between."""
    kind, frank = (Treatment(queue(position_only_improves=only), 0, 0) for only in (True, False))
    assert [kind.told(position) for position in (5, 7, 6, 3, 4)] == [5, 5, 5, 3, 3]
    assert [frank.told(position) for position in (5, 7, 3)] == [5, 7, 3]


@given(
    st.floats(0, 300),
    st.one_of(st.none(), st.floats(0, 300)),
    st.integers(0, 3),
    st.floats(5, 300),
    st.floats(0, 1000),
)
def test_whatever_the_settings_a_caller_hears_music_between_announcements_and_time_goes_on(
    every: float, first: float | None, prompts: int, prompts_every: float, now: float
) -> None:
    names = [f"p{n}" for n in range(prompts)]
    settings = queue(announce_position=every, announce_first=first, prompts=names, prompts_every=prompts_every)
    treatment = Treatment(settings, 0, now)
    last = None
    for _ in range(20):
        moment = treatment.moment
        assert (moment is None) == (not every and not prompts)
        if moment is None:
            break
        assert last is None or moment >= last + SAID + PAUSE
        assert treatment.due(moment) is not None, "what wakes the controller is there"
        treatment.over(moment + SAID)
        last = moment
