"""When a contact may enter a queue and when it has to leave, against Asterisk's words read literally."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.conditions import Absence, Refusal, absences, may_enter, must_leave
from contactcentre.domain.events import LeftQueue
from contactcentre.domain.routing import RoutingConfig, Waiting
from contactcentre.domain.site import Agent, Queue, Site

NOW = 1_000_000.0
S, A = AgentState, Absence
NAMES = ("anna", "bob", "carla")
STATE_OF = {A.PAUSED: S.PAUSED, A.INUSE: S.TALKING, A.RINGING: S.OFFERED, A.WRAPUP: S.WRAP_UP}


def config(**queue: Any) -> RoutingConfig:
    agents = {"anna": Agent(skills={"fr": 80}), "bob": Agent(skills={"fr": 20}), "carla": Agent()}
    return RoutingConfig.from_site(Site(queues={"support": Queue.model_validate(queue)}, agents=agents))


def waits(ago: float = 5.0, **more: Any) -> Waiting:
    return Waiting("c1", "support", arrived=NOW - ago, entered=NOW - ago, **more)


def team(**states: AgentState) -> dict[str, AgentStatus]:
    return {name: AgentStatus(name, state, 1) for name, state in states.items()}


def enters(config: RoutingConfig, agents: dict[str, AgentStatus], length: int = 0, **reachable: bool) -> Refusal | None:
    return may_enter(waits(), length, agents, config, NOW, reachable)


def stays(config: RoutingConfig, agents: dict[str, AgentStatus], **reachable: bool) -> bool:
    return must_leave(waits(), agents, config, NOW, reachable) is None


def test_a_full_queue_takes_nobody_and_says_so() -> None:
    full = config(max_length=2)
    assert enters(full, {}, 1) is None
    assert enters(full, {}, 2) == Refusal(LeftQueue.FULL, "2 wait, max_length is 2")
    assert enters(config(max_length=0), {}, 10_000) is None


def test_who_has_waited_as_long_as_allowed_leaves_but_not_while_an_agent_rings() -> None:
    impatient = config(max_wait=60)
    assert must_leave(waits(59.9), {}, impatient, NOW, {}) is None
    expected = Refusal(LeftQueue.TIMEOUT, "it waited 60 s, 60 s are allowed")
    assert must_leave(waits(60), {}, impatient, NOW, {}) == expected
    assert must_leave(waits(60, offered="anna"), {}, impatient, NOW, {}) is None
    assert must_leave(waits(60), {}, impatient, NOW, {}, max_wait=0) is None
    assert must_leave(waits(60), {}, config(), NOW, {}, max_wait=30) is not None
    moved = Waiting("c1", "support", arrived=NOW - 600, entered=NOW)
    assert must_leave(moved, {}, impatient, NOW, {}) is None, "the wait in this queue counts"


def test_by_default_contacts_wait_although_nobody_is_there() -> None:
    assert enters(config(), {}) is None
    assert stays(config(), {})


def test_a_refusal_counts_why_nobody_is_there() -> None:
    strict = config(join_empty="strict", requires="fr >= 50 or fr == 0")
    agents = team(anna=S.PAUSED, bob=S.AVAILABLE, carla=S.PAUSED)
    assert enters(strict, agents) == Refusal(LeftQueue.EMPTY, "nobody is there: 2 paused, 1 not fit for it")
    assert enters(config(join_empty="no", agents=["ghost"]), agents) == Refusal(
        LeftQueue.EMPTY, "nobody is there: 1 logged out"
    )


@pytest.mark.parametrize(
    ("word", "joins", "leaves"),
    [
        ("yes", "", "penalty invalid paused"),
        ("no", "penalty invalid paused", ""),
        ("strict", "penalty invalid paused unavailable", "penalty invalid paused unavailable"),
        ("loose", "penalty invalid", "penalty invalid"),
        ("inuse, ringing,wrapup", "inuse ringing wrapup", "inuse ringing wrapup"),
    ],
)
def test_the_words_mean_what_they_mean_in_queues_conf(word: str, joins: str, leaves: str) -> None:
    assert absences(word, True) == set(joins.split())
    assert absences(word, False) == set(leaves.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is none of: yes, no, loose, strict, paused"),
        ("away", "'away' is none of"),
        ("paused,strict", "'strict' stands alone"),
    ],
)
def test_a_word_that_means_nothing_or_two_things_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        absences(text, True)


@pytest.mark.parametrize(("absence", "state"), STATE_OF.items())
def test_an_agent_in_a_state_counts_unless_the_state_is_listed(absence: Absence, state: AgentState) -> None:
    agents = team(anna=state)
    for listed in Absence:
        assert (enters(config(join_empty=listed.value), agents) is None) == (listed is not absence)
        assert stays(config(leave_when_empty=listed.value), agents) == (listed is not absence)


def test_nobody_leaves_because_agents_talk_unless_the_queue_says_so() -> None:
    busy = team(anna=S.TALKING, bob=S.WRAP_UP)
    assert stays(config(leave_when_empty="strict"), busy)
    assert not stays(config(leave_when_empty="inuse,wrapup"), busy)


def test_a_phone_that_is_not_registered_counts_unless_unavailable_is_listed() -> None:
    agents = team(anna=S.AVAILABLE)
    assert enters(config(join_empty="strict"), agents, anna=False) is not None
    assert enters(config(join_empty="no"), agents, anna=False) is None


def test_an_agent_who_joins_with_a_later_ring_counts_unless_penalty_is_listed() -> None:
    rings: dict[str, Any] = {"agents": ["anna"], "relax": [{"after": 30, "agents": ["bob"]}]}
    agents = team(bob=S.AVAILABLE)
    assert enters(config(join_empty="paused", **rings), agents) is None
    assert enters(config(join_empty="loose", **rings), agents) is not None
    assert may_enter(waits(30), 0, agents, config(join_empty="loose", **rings), NOW, {}) is None


def test_a_queue_that_is_gone_is_left() -> None:
    gone = Waiting("c1", "gone")
    assert may_enter(gone, 0, {}, config(), NOW, {}) == Refusal(LeftQueue.EMPTY, "the queue is not in the site")
    assert must_leave(gone, {}, config(), NOW, {}) is not None


@given(
    st.lists(st.sampled_from(Absence), min_size=1, max_size=8),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(AgentState)),
    st.dictionaries(st.sampled_from(NAMES), st.booleans()),
    st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
)
def test_a_contact_enters_exactly_when_an_agent_has_none_of_the_listed_conditions(
    listed: list[Absence], states: dict[str, AgentState], reachable: dict[str, bool], excluded: tuple[str, ...]
) -> None:
    site = config(join_empty=",".join(listed), requires="fr >= 50")
    there = False
    for name in NAMES:
        state = states.get(name, S.LOGGED_OUT)
        conditions = {word for word, named in STATE_OF.items() if named is state}
        conditions |= {A.PENALTY} if name != "anna" else set()
        conditions |= {A.UNAVAILABLE} if not reachable.get(name, True) else set()
        there |= state is not S.LOGGED_OUT and name not in excluded and not conditions & set(listed)
    found = may_enter(waits(excluded=excluded), 0, team(**states), site, NOW, reachable)
    assert (found is None) == there
