"""What every PBX driver must do with message lamps: as many phones say of themselves what they were told."""

import pytest

from contactcentre.pbx.errors import Refused
from tests.pbx.bed import AGENTS, Bed

WITHOUT, _, WITH = AGENTS
"""A phone that has no lamp, and one that has."""


def test_a_phone_is_told_unasked_how_many_messages_wait_also_one_that_registers_later(bed: Bed) -> None:
    with bed.phone(WITH) as phone:
        bed.pbx.show_messages({WITH: (2, 1), WITHOUT: (1, 0)})
        assert phone.wait_messages(2, 1)["waiting"] is True
        bed.pbx.show_messages({WITH: (0, 1)})
        assert phone.wait_messages(0, 1)["waiting"] is False
        bed.pbx.show_messages({WITH: (3, 0)})
        phone.wait_messages(3)
    with bed.phone(WITH) as phone:
        assert phone.wait_messages(3)["asked"] is False


def test_a_phone_that_asks_to_be_told_is_told_as_well(bed: Bed) -> None:
    if not bed.takes_subscriptions:
        pytest.skip("this PBX takes no subscriptions in the lab")
    with bed.phone(WITH) as phone:
        bed.pbx.show_messages({WITH: (5, 0)})
        phone.wait_messages(5)
        assert phone.subscribe() == 200
        bed.pbx.show_messages({WITH: (6, 2)})
        assert phone.wait_messages(6, 2)["asked"] is True


def test_a_thousand_phones_are_told_with_few_requests(bed: Bed) -> None:
    with bed.phone(WITH) as phone:
        bed.pbx.show_messages(
            {f"agent-{'x' * 30}-{number}"[:40]: (number, 1) for number in range(999)} | {WITH: (7, 7)}
        )
        phone.wait_messages(7, 7)


@pytest.mark.parametrize("name", ["", "a:1", "a+b", "A", "a,b", "${SHELL(id)}", "x" * 41])
def test_what_is_no_agents_name_is_refused(bed: Bed, name: str) -> None:
    with pytest.raises(Refused):
        bed.pbx.show_messages({WITH: (1, 0), name: (1, 0)})
