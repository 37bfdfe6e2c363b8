"""The published table of agent states, over every (state, verb) pair."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.agents import (
    LONGEST_WRAP_UP,
    MISSED,
    TRANSITIONS,
    AgentState,
    AgentStatus,
    NotAllowed,
    Verb,
    step,
)

NOW = 1_000_000.0
S, V = AgentState, Verb
WITH_TOKEN = {V.ACCEPT, V.MISS, V.RELEASE, V.FINISH}
WITH_DEADLINE = {S.OFFERED, S.WRAP_UP}


def status_in(state: AgentState, then: str = "", misses: int = 0) -> AgentStatus:
    """A status as `step` itself would have left it."""
    status = AgentStatus("anna", version=7, misses=misses, calls=3, since=NOW - 50, idle_since=NOW - 90)
    busy = state in (S.OFFERED, S.TALKING, S.WRAP_UP)
    return replace(
        status,
        state=state,
        reason="lunch" if state is S.PAUSED else "",
        contact_id="c1" if busy else "",
        queue="support" if busy else "",
        token="t1" if busy else "",
        deadline=NOW if state in WITH_DEADLINE else 0.0,
        then=then if busy else "",
    )


def taken(status: AgentStatus, verb: Verb, **more: float) -> AgentStatus:
    offers = verb in (V.OFFER, V.DIAL)
    offer = {"contact_id": "c2", "queue": "sales", "token": "t2", "deadline": NOW + 20} if offers else {}
    token = {"token": status.token} if verb in WITH_TOKEN else {}
    reason = {"reason": "training"} if verb is V.PAUSE else {}
    longer = {"seconds": 60.0} if verb is V.EXTEND else {}
    device = {"device": "webrtc"} if verb is V.SWITCH else {}
    found = {"contact_id": "c2", "queue": "sales", "token": "t2"} if verb is V.FOUND else {}
    return step(status, verb, NOW, **found, **offer, **token, **reason, **longer, **device, **more)  # type: ignore[arg-type]


STATUSES = st.builds(
    status_in, st.sampled_from(AgentState), st.sampled_from(["", "logout", "pause:break"]), st.integers(0, 3)
)
CHANGES = st.fixed_dictionaries(
    {}, optional={"wrap_up": st.sampled_from([0.0, 15.0]), "misses_allowed": st.integers(0, 2)}
)


@given(STATUSES, st.sampled_from(Verb), CHANGES)
def test_a_pair_in_the_table_changes_the_agent_and_any_other_is_refused(
    status: AgentStatus, verb: Verb, more: dict[str, float]
) -> None:
    if (status.state, verb) not in TRANSITIONS:
        with pytest.raises(NotAllowed, match=f"agent anna is {status.state.replace('_', ' ')}: {verb} is not possible"):
            taken(status, verb, **more)
        return
    after = taken(status, verb, **more)
    assert after.version == status.version + 1
    assert (after.deadline > 0) == (after.state in WITH_DEADLINE), "a deadline stands exactly where one is stated"
    busy = after.state in (S.OFFERED, S.TALKING, S.WRAP_UP)
    assert bool(after.token) == bool(after.contact_id) == busy, (
        "contact and token stand exactly while an offer or its call lasts"
    )
    assert bool(after.reason) == (after.state is S.PAUSED)
    assert busy or not after.then, "no wish is left over where nothing is to be waited for"
    assert after.name == "anna"


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (status_in(S.AVAILABLE), ""),
        (status_in(S.OFFERED, then="pause:break"), "pause:break"),
        (status_in(S.PAUSED), "pause:lunch"),
        (replace(status_in(S.PAUSED), reason=MISSED), ""),
        (status_in(S.LOGGED_OUT), "logout"),
        (status_in(S.WRAP_UP, then="logout"), "logout"),
    ],
)
def test_whoever_is_found_talking_talks_and_is_afterwards_what_they_were(status: AgentStatus, then: str) -> None:
    after = taken(replace(status, misses=2), V.FOUND)
    assert (after.state, after.contact_id, after.queue, after.token) == (S.TALKING, "c2", "sales", "t2")
    assert (after.then, after.misses, after.calls, after.deadline) == (then, 0, status.calls + 1, 0.0)


@pytest.mark.parametrize("state", AgentState)
def test_every_state_has_a_way_out_and_leads_back_to_available(state: AgentState) -> None:
    reached, before = {state}, set[AgentState]()
    while reached != before:
        before = set(reached)
        reached |= {target for (source, _), target in TRANSITIONS.items() if source in before}
    assert S.AVAILABLE in reached
    assert reached == set(AgentState)


@pytest.mark.parametrize("state", sorted(WITH_DEADLINE))
def test_a_state_with_a_deadline_can_be_ended_by_anybody_once_it_has_passed(state: AgentState) -> None:
    status = status_in(state)
    assert step(status, V.EXPIRE, status.deadline).state is S.AVAILABLE
    with pytest.raises(NotAllowed, match="the deadline has not passed"):
        step(status, V.EXPIRE, status.deadline - 0.01)


@pytest.mark.parametrize("verb", sorted(WITH_TOKEN))
def test_a_step_of_an_offer_is_refused_with_another_offers_token(verb: Verb) -> None:
    status = status_in(S.TALKING if verb is V.FINISH else S.OFFERED)
    for token in ("", "t9"):
        with pytest.raises(NotAllowed, match="the offer is another one"):
            step(status, verb, NOW, token=token)


@pytest.mark.parametrize("missing", ["contact_id", "token", "deadline"])
def test_an_offer_without_contact_token_or_deadline_is_a_mistake_of_ours(missing: str) -> None:
    offer: dict[str, object] = {"contact_id": "c1", "queue": "q", "token": "t", "deadline": NOW + 1}
    offer.pop(missing)
    with pytest.raises(ValueError, match="an offer has"):
        step(status_in(S.AVAILABLE), V.OFFER, NOW, **offer)  # type: ignore[arg-type]


def test_a_delay_after_a_missed_offer_is_waited_out() -> None:
    missed = taken(status_in(S.OFFERED), V.MISS, delay=5.0)
    assert (missed.state, missed.not_before, missed.misses) == (S.AVAILABLE, NOW + 5, 1)
    with pytest.raises(NotAllowed, match="a delay after the last offer is still running"):
        taken(missed, V.OFFER)
    assert taken(replace(missed, not_before=NOW), V.OFFER).state is S.OFFERED


def test_who_misses_as_often_as_allowed_is_paused_and_starts_afresh_afterwards() -> None:
    once = taken(status_in(S.OFFERED), V.MISS, misses_allowed=2)
    assert once.state is S.AVAILABLE
    twice = taken(replace(status_in(S.OFFERED), misses=once.misses), V.MISS, misses_allowed=2)
    assert (twice.state, twice.reason, twice.misses) == (S.PAUSED, MISSED, 0)
    assert taken(replace(status_in(S.OFFERED), misses=9), V.MISS, misses_allowed=0).state is S.AVAILABLE


def test_an_offer_that_ends_without_the_agents_fault_counts_no_miss() -> None:
    released = taken(status_in(S.OFFERED, misses=1), V.RELEASE)
    assert (released.state, released.misses, released.not_before) == (S.AVAILABLE, 1, 0.0)


def test_a_busy_phone_delays_the_next_offer_and_counts_no_miss() -> None:
    busy = taken(status_in(S.OFFERED, misses=1), V.MISS, misses_allowed=2, delay=30.0, counts=False)
    assert (busy.state, busy.misses, busy.not_before) == (S.AVAILABLE, 1, NOW + 30)


def test_wrap_up_can_be_extended_again_and_again_but_never_beyond_half_an_hour_from_now() -> None:
    wrapping = replace(status_in(S.WRAP_UP, then="logout"), deadline=NOW + 10)
    longer = step(wrapping, V.EXTEND, NOW, seconds=60)
    assert longer == replace(wrapping, deadline=NOW + 70, version=8), "the state, its begin and the wish stay"
    assert step(longer, V.EXTEND, NOW + 70, seconds=LONGEST_WRAP_UP).deadline == NOW + 70 + LONGEST_WRAP_UP
    with pytest.raises(NotAllowed, match="would end in 1801 s, at most 1800 s"):
        step(longer, V.EXTEND, NOW + 69, seconds=1800)
    with pytest.raises(ValueError, match="more than 0 seconds"):
        step(longer, V.EXTEND, NOW, seconds=0)


def test_a_deadline_that_has_passed_and_that_nobody_has_ended_is_extended_from_now() -> None:
    assert step(status_in(S.WRAP_UP), V.EXTEND, NOW + 5, seconds=60).deadline == NOW + 65


def test_an_answered_call_forgets_earlier_misses() -> None:
    talking = taken(status_in(S.OFFERED, misses=1), V.ACCEPT)
    assert (talking.state, talking.misses, talking.calls) == (S.TALKING, 0, 4)


@pytest.mark.parametrize(("verb", "state", "reason"), [(V.PAUSE, S.PAUSED, "training"), (V.LOGOUT, S.LOGGED_OUT, "")])
def test_a_pause_or_logout_asked_for_during_a_call_comes_after_wrap_up(
    verb: Verb, state: AgentState, reason: str
) -> None:
    wished = taken(taken(status_in(S.OFFERED), V.ACCEPT), verb)
    assert wished.state is S.TALKING
    wrapping = taken(wished, V.FINISH, wrap_up=10.0)
    assert (wrapping.state, wrapping.deadline) == (S.WRAP_UP, NOW + 10)
    for last in (step(wrapping, V.WRAPPED, NOW + 3), step(wrapping, V.EXPIRE, NOW + 10)):
        assert (last.state, last.reason, last.then) == (state, reason, "")
    assert taken(wished, V.FINISH).state is state


@pytest.mark.parametrize("verb", [V.MISS, V.RELEASE, V.EXPIRE])
def test_a_pause_asked_for_while_ringing_comes_when_the_offer_is_over(verb: Verb) -> None:
    over = taken(taken(status_in(S.OFFERED), V.PAUSE), verb)
    assert (over.state, over.reason) == (S.PAUSED, "training")


def test_a_wish_to_pause_can_be_taken_back_and_replaced() -> None:
    wished = taken(status_in(S.TALKING), V.PAUSE)
    assert taken(taken(wished, V.UNPAUSE), V.FINISH).state is S.AVAILABLE
    assert taken(taken(wished, V.LOGOUT), V.FINISH).state is S.LOGGED_OUT


def test_idle_time_counts_from_the_end_of_the_last_call_or_the_login_and_a_pause_does_not_reset_it() -> None:
    login = step(AgentStatus("anna"), V.LOGIN, NOW)
    assert login.idle_since == NOW
    paused = step(step(login, V.PAUSE, NOW + 10, reason="break"), V.UNPAUSE, NOW + 20)
    assert (paused.idle_since, paused.since) == (NOW, NOW + 20)
    assert step(status_in(S.TALKING), V.FINISH, NOW + 30, token="t1", wrap_up=5).idle_since == NOW + 30


@given(STATUSES)
def test_a_record_is_the_same_after_writing_and_reading(status: AgentStatus) -> None:
    assert AgentStatus.from_json(status.to_json()) == status


def test_a_record_of_a_newer_version_is_understood_and_a_broken_one_refused() -> None:
    assert AgentStatus.from_json('{"name": "anna", "state": "paused", "mood": "fine"}').state is S.PAUSED
    for text in ("", "{}", '{"name": "anna", "state": "asleep"}', '{"name": 1, "state": "paused"}', "[1]"):
        with pytest.raises((ValueError, KeyError, TypeError)):
            AgentStatus.from_json(text)


def test_the_documentation_shows_exactly_this_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "routing.rst"
    rows = {}
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0] in set(AgentState) and cells[1] in set(Verb):
            rows[S(cells[0]), V(cells[1])] = S(cells[2])
    assert rows == TRANSITIONS


@pytest.mark.parametrize("state", [state for state in AgentState if state is not S.LOGGED_OUT])
def test_another_device_changes_nothing_but_where_the_next_call_comes(state: AgentState) -> None:
    status = status_in(state)
    after = taken(status, V.SWITCH)
    assert after == replace(status, device="webrtc", version=status.version + 1)


def test_a_login_without_a_device_means_the_sites() -> None:
    chosen = step(AgentStatus("anna"), V.LOGIN, NOW, device="external:+33123456789")
    out = step(chosen, V.LOGOUT, NOW + 1)
    assert step(out, V.LOGIN, NOW + 2).device == ""
