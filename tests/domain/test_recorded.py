"""What is recorded follows from the facts, whichever controller reads them."""

import pytest

from contactcentre.domain.events import Kind
from contactcentre.domain.recorded import Recorded, after

BEGAN = (Kind.RECORDING_STARTED, {"recording": "r", "agent": "", "queue": "", "by": "flow"})
TALKS = (Kind.TALK_STARTED, {"agent": "anna", "queue": "one", "leg": "a"})
KEYS = (Kind.RECORDING_PAUSED, {"recording": "r", "by": "flow", "reason": "sensitive"})
PAUSED = (Kind.RECORDING_PAUSED, {"recording": "r", "by": "agent", "reason": ""})
ON = (Kind.RECORDING_RESUMED, {"recording": "r", "by": "flow"})
TOLD = (Kind.RECORDING_ANNOUNCED, {"prompt": "p", "to": "customer"})
ENDED = (Kind.RECORDING_ENDED, {"recording": "r"})


@pytest.mark.parametrize(
    ("facts", "now"),
    [
        ([BEGAN], Recorded("r", "flow")),
        ([BEGAN, TALKS], Recorded("r", "flow", "", (), "anna", "one")),
        ([BEGAN, KEYS], Recorded("r", "flow", "sensitive")),
        ([BEGAN, PAUSED], Recorded("r", "flow", "agent")),
        ([BEGAN, KEYS, ON], Recorded("r", "flow")),
        ([TALKS, BEGAN, KEYS, ENDED], Recorded("", "", "", (), "anna", "one")),
        ([TOLD, BEGAN, ENDED, TOLD], Recorded(told=("customer",))),
        ([BEGAN, (Kind.RECORDING_PAUSED, {"recording": "other", "by": "agent"})], Recorded("r", "flow")),
        ([(Kind.RECORDING_STARTED, {"recording": "m", "agent": "", "queue": "box"})], Recorded()),
        ([(Kind.RECORDING_STARTED, {"recording": "o", "agent": "anna", "queue": "one"})], Recorded("o", "queue")),
    ],
)
def test_facts_say_what_is_recorded(facts: list[tuple[Kind, dict[str, str]]], now: Recorded) -> None:
    is_so = Recorded()
    for kind, data in facts:
        is_so = after(is_so, kind, data)
    assert is_so == now
    assert Recorded.restore({**is_so.save(), "of another version": 1}) == now


def test_only_the_flows_recording_goes_on_without_a_conversation() -> None:
    assert [Recorded("r", by).whole for by in ("flow", "queue", "agent")] == [True, False, False]
    assert not Recorded("", "flow").whole
