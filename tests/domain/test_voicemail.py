"""Who looks after a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.site import Site
from contactcentre.domain.voicemail import (
    CLAIM_SECONDS,
    Message,
    MessageState,
    NotPossible,
    Step,
    Turn,
    boxes_of,
    step,
    turn,
)

NEW = Message("r1", "support")
PEOPLE = ("anna", "bert")


def test_a_claimed_message_is_nobody_elses_until_the_claim_runs_out() -> None:
    mine = step(NEW, Step.CLAIM, "anna", 100.0)
    with pytest.raises(NotPossible, match="anna looks after"):
        step(mine, Step.CLAIM, "bert", 100.0 + CLAIM_SECONDS - 1)
    with pytest.raises(NotPossible, match="yours already"):
        step(mine, Step.CLAIM, "anna", 101.0)
    assert step(mine, Step.CLAIM, "bert", 100.0 + CLAIM_SECONDS).owner == "bert"


def test_a_supervisor_may_take_it_out_of_others_hands() -> None:
    mine = step(NEW, Step.CLAIM, "anna", 100.0)
    assert step(mine, Step.RELEASE, "sue", 101.0, over_others=True).state is MessageState.NEW


def test_handed_over_it_is_new_in_the_other_box_with_its_note() -> None:
    mine = step(NEW, Step.CLAIM, "anna", 100.0)
    there = step(mine, Step.HAND_OVER, "anna", 110.0, to="billing", note="wants an invoice")
    assert (there.box, there.state, there.owner, there.note) == ("billing", MessageState.NEW, "", "wants an invoice")
    with pytest.raises(NotPossible, match="another box"):
        step(there, Step.HAND_OVER, "bert", 120.0, to="billing")


def test_what_is_done_must_be_reopened_first() -> None:
    done = step(NEW, Step.DONE, "anna", 100.0)
    for verb in (Step.CLAIM, Step.RELEASE, Step.DONE, Step.HAND_OVER):
        with pytest.raises(NotPossible, match="reopen"):
            step(done, verb, "anna", 101.0, to="x")
    assert step(done, Step.REOPEN, "bert", 102.0).state is MessageState.NEW


@pytest.mark.parametrize("note", ["x" * 501, "a\nb", "\x1b[31m"])
def test_a_note_is_one_line_of_text(note: str) -> None:
    with pytest.raises(ValueError, match="note"):
        step(NEW, Step.DONE, "anna", 1.0, note=note)


def test_an_agent_has_the_own_box_and_those_of_the_queues_that_they_answer() -> None:
    site = Site.model_validate(
        {
            "skills": {"billing": ""},
            "queues": {"all": {}, "named": {"agents": ["bert"]}, "bills": {"requires": "billing >= 50"}},
            "agents": {"anna": {"skills": {"billing": 60}}, "bert": {}},
        }
    )
    assert boxes_of(site, "anna") == {"anna", "all", "bills"}
    assert boxes_of(site, "bert") == {"bert", "all", "named"}
    assert boxes_of(site, "carla") == boxes_of(site, "") == frozenset()


@given(st.lists(st.tuples(st.sampled_from(Step), st.sampled_from(PEOPLE), st.floats(0, 4000)), max_size=20))
def test_a_message_never_has_two_who_look_after_it(steps: list[tuple[Step, str, float]]) -> None:
    message, at = NEW, 0.0
    for verb, by, later in steps:
        at += later
        before = message
        try:
            message = step(message, verb, by, at, to="billing" if message.box == "support" else "support")
        except NotPossible:
            continue
        assert message.version == before.version + 1
        if before.state is MessageState.CLAIMED and before.owner != by and verb is not Step.REOPEN:
            assert at - before.since >= CLAIM_SECONDS
        assert (message.owner == "") is (message.state is MessageState.NEW)


def test_an_agent_hears_new_messages_and_their_own_and_none_that_others_look_after() -> None:
    theirs, mine = step(NEW, Step.CLAIM, "bert", 100.0), step(NEW, Step.CLAIM, "anna", 100.0)
    assert turn(Message("r2", "anna"), "anna", 101.0) is Turn.OWN
    assert turn(NEW, "anna", 101.0) is Turn.SHARED
    assert turn(mine, "anna", 101.0) is Turn.MINE
    assert turn(theirs, "anna", 101.0) is None
    assert turn(theirs, "anna", 100.0 + CLAIM_SECONDS) is Turn.SHARED
    assert turn(step(mine, Step.DONE, "anna", 110.0), "anna", 120.0) is None
