"""Changing a record that cannot change."""

import pytest

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.replacing import replace


def test_the_copy_has_the_change_and_the_record_stays_as_it_was() -> None:
    ann = AgentStatus("ann", AgentState.AVAILABLE, version=3)
    changed = replace(ann, version=4)
    assert (changed, ann.version) == (AgentStatus("ann", AgentState.AVAILABLE, version=4), 3)
    assert hash(changed) == hash(AgentStatus("ann", AgentState.AVAILABLE, version=4))


def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="AgentStatus has no field mood"):
        replace(AgentStatus("ann"), version=4, mood="good")  # type: ignore[call-arg]
