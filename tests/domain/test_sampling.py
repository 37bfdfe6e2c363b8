"""A share of the contacts, chosen by their ids."""

from contactcentre.domain.ids import uuid7
from contactcentre.domain.sampling import chosen


def test_the_share_is_kept_and_the_choice_is_the_same_each_time() -> None:
    ids = [uuid7(1_795_392_000.0 + n / 10) for n in range(4000)]
    for percent in (5, 30, 90):
        picked = [id for id in ids if chosen(id, percent)]
        assert abs(100 * len(picked) / len(ids) - percent) < 3
        assert picked == [id for id in ids if chosen(id, percent)]
    assert all(chosen(id, 100) for id in ids)
