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
    assert [at for at, _ in heard(Treatment(queue(announce_position=60), 0), 200)] == [60, 120, 180]
    early = Treatment(queue(announce_position=60, announce_first=5), 0)
    assert [at for at, _ in heard(early, 200)] == [5, 65, 125, 185]
    at_once = Treatment(queue(announce_position=60, announce_first=0), 0)
    assert [at for at, _ in heard(at_once, 100)] == [0, 60]


def test_a_queue_that_announces_nothing_wakes_nobody() -> None:
    assert Treatment(queue(), 0).moment is None
    assert Treatment(queue(), 0).due(1e9) is None


def test_comfort_prompts_come_in_turn() -> None:
    treatment = Treatment(queue(prompts=["patience", "website"], prompts_every=30), 0)
    assert heard(treatment, 125) == [
        (30, Comfort("patience")),
        (60, Comfort("website")),
        (90, Comfort("patience")),
        (120, Comfort("website")),
    ]


def test_two_announcements_never_overlap_and_music_plays_between_them() -> None:
    treatment = Treatment(queue(announce_position=60, prompts=["patience"], prompts_every=30), 0)
    assert heard(treatment, 100) == [
        (30, Comfort("patience")),
        (60, Position()),
        (60 + SAID + PAUSE, Comfort("patience")),
        (90, Comfort("patience")),
    ]


def test_what_is_put_off_past_its_next_turn_is_left_out_and_the_prompts_still_come_in_turn() -> None:
    treatment = Treatment(queue(prompts=["a", "b"], prompts_every=5), 0)
    said = heard(treatment, 100)
    assert all(after - before >= SAID + PAUSE for (before, _), (after, _) in pairwise(said))
    assert len(said) <= 100 / (SAID + PAUSE) + 1
    assert [what for _, what in said[:4]] == [Comfort("a"), Comfort("b"), Comfort("a"), Comfort("b")]


def test_a_restarted_controller_goes_on_in_step_and_says_nothing_again_at_once() -> None:
    treatment = Treatment(queue(announce_position=60, prompts=["a", "b"], prompts_every=40), 0, 100)
    assert heard(treatment, 165) == [(120, Position()), (120 + SAID + PAUSE, Comfort("a")), (160, Comfort("b"))]


def test_an_announcement_whose_end_is_never_told_does_not_silence_the_queue_for_ever() -> None:
    treatment = Treatment(queue(announce_position=30), 0)
    assert treatment.due(30) == Position()
    assert treatment.due(31) is None
    assert treatment.moment == 30 + LONGEST
    assert treatment.due(30 + LONGEST) == Position()


def test_other_settings_count_for_those_who_wait_and_make_nobody_speak_at_once() -> None:
    treatment = Treatment(queue(announce_position=600), 0)
    treatment.configure(queue(announce_position=20, prompts=["a"], prompts_every=30), 50)
    assert heard(treatment, 61) == [(60, Position())], "in step with the entry, as if it had always been so"
    treatment.configure(queue(), 61)
    assert treatment.moment is None


def test_nobody_hears_a_worse_position_than_before_unless_the_queue_wants_it() -> None:
    """app_queue announces 5, then 7, when two with a higher priority come in between."""

    def said(treatment: Treatment, *positions: int) -> list[int]:
        found = []
        for position in positions:
            found.append(treatment.kind(position))
            treatment.heard(found[-1])
        return found

    assert said(Treatment(queue(), 0), 5, 7, 6, 3, 4) == [5, 5, 5, 3, 3]
    assert said(Treatment(queue(position_only_improves=False), 0), 5, 7, 3) == [5, 7, 3]
    assert said(Treatment(queue(), 0, resumed=100, heard=2), 4, 1) == [2, 1], "nor after a restart"


def test_what_was_not_heard_binds_nobody() -> None:
    treatment = Treatment(queue(), 0)
    assert treatment.kind(2) == 2
    assert treatment.kind(3) == 3, "a phone rang, so the better position was never said"


@given(
    st.floats(0, 300),
    st.one_of(st.none(), st.floats(0, 300)),
    st.integers(0, 3),
    st.floats(5, 300),
    st.one_of(st.none(), st.floats(0, 1000)),
)
def test_whatever_the_settings_a_caller_hears_music_between_announcements_and_time_goes_on(
    every: float, first: float | None, prompts: int, prompts_every: float, resumed: float | None
) -> None:
    names = [f"p{n}" for n in range(prompts)]
    settings = queue(announce_position=every, announce_first=first, prompts=names, prompts_every=prompts_every)
    treatment = Treatment(settings, 0, resumed)
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
