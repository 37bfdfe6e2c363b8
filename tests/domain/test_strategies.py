"""Strategies, each against what its name promises; over random worlds they are in test_routing_machine.py."""

from collections import Counter
from dataclasses import replace
from string import ascii_lowercase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.agents import AgentState, AgentStatus, Verb, step
from contactcentre.domain.routing import Round, RoutingConfig, Waiting
from contactcentre.domain.site import Agent, Queue, Site
from contactcentre.domain.strategies import ALIASES, STRATEGIES, drawn, strategy_named

NOW = 1_000_000.0
CONTACT = Waiting("c1", "support", arrived=NOW - 10, entered=NOW - 10)


def agent(name: str, **fields: Any) -> AgentStatus:
    return AgentStatus(name, AgentState.AVAILABLE, 1, **{"idle_since": NOW - 50, **fields})


def round_of(strategy: str, *agents: AgentStatus, waiting: tuple[Waiting, ...] = (CONTACT,), **queue: Any) -> Round:
    """Every agent has the level of skill `x` that its name ends with."""
    site = Site(
        queues={"support": Queue(strategy=strategy, requires="x >= 0", agents=[a.name for a in agents], **queue)},
        agents={a.name: Agent(skills={"x": int(a.name.lstrip(ascii_lowercase) or 0)}) for a in agents},
    )
    return Round(waiting, {a.name: a for a in agents}, RoutingConfig.from_site(site), NOW, {})


def in_order(strategy: str, *agents: AgentStatus, contact: Waiting = CONTACT) -> list[str]:
    (decision,) = round_of(strategy, *agents, waiting=(contact,)).decide()
    assert decision.agent == decision.candidates[0][0]
    return [name for name, _ in decision.candidates]


@pytest.mark.parametrize(
    ("strategy", "rule"),
    [
        ("longest-idle", "longest-idle: 90 seconds idle, first of 3"),
        ("round-robin", "round-robin: 30 seconds since the last turn, first of 3"),
        ("fewest-calls", "fewest-calls: 1 calls answered, first of 3"),
        ("least-talk-time", "least-talk-time: 12.5 seconds talked, first of 3"),
        ("best-skill", "best-skill: level 70, first of 3"),
        ("linear", "linear: place 1 in the queue, first of 3"),
        ("ringall", "ringall: 90 seconds idle, first of 3"),
        ("ring-progressively", "ring-progressively: place 1 in the queue, first of 3"),
    ],
)
def test_every_strategy_says_what_it_chose_by(strategy: str, rule: str) -> None:
    best = {
        "longest-idle": {"idle_since": NOW - 90},
        "ringall": {"idle_since": NOW - 90},
        "round-robin": {"turn": NOW - 30},
        "fewest-calls": {"calls": 1},
        "least-talk-time": {"talked": 12.5},
    }.get(strategy, {})
    others = {"turn": NOW - 5, "calls": 7, "talked": 99.0}
    (decision,) = round_of(
        strategy, agent("b70", **{**others, **best}), agent("a5", **others), agent("c5", **others)
    ).decide()
    assert (decision.agent, decision.rule) == ("b70", rule)


def test_equals_go_by_idle_time_and_then_by_name() -> None:
    agents = (agent("b"), agent("a"), agent("c", idle_since=NOW - 60))
    for strategy in ("longest-idle", "fewest-calls", "least-talk-time", "best-skill", "ringall"):
        assert in_order(strategy, *agents) == ["c", "a", "b"]


def test_linear_and_the_first_round_of_round_robin_go_by_the_queues_own_list() -> None:
    agents = (agent("c", idle_since=NOW), agent("a"), agent("b"))
    assert in_order("linear", *agents) == in_order("round-robin", *agents) == ["c", "a", "b"]


def test_round_robin_goes_on_after_whoever_was_asked_last_whatever_came_of_it() -> None:
    agents = {name: step(AgentStatus(name), Verb.LOGIN, NOW - 60) for name in ("a", "b", "c")}
    asked = []
    for turn in range(1, 8):
        name = in_order("rrmemory", *agents.values())[0]
        asked.append(name)
        at = NOW - 50 + turn
        rings = step(agents[name], Verb.OFFER, at, contact_id="c", queue="q", token="t", deadline=at + 9)
        verb = Verb.MISS if turn % 2 else Verb.RELEASE
        agents[name] = step(rings, verb, at, token="t")
    assert asked == ["a", "b", "c", "a", "b", "c", "a"]


def test_a_new_login_neither_gains_nor_keeps_a_turn_and_starts_counts_at_zero() -> None:
    worked = agent("a", calls=9, talked=900.0, turn=NOW - 500)
    again = step(step(worked, Verb.LOGOUT, NOW), Verb.LOGIN, NOW + 1)
    assert (again.calls, again.talked, again.turn) == (0, 0.0, NOW + 1)


def test_one_answered_call_counts_once_with_its_own_talk_time() -> None:
    """app_queue counted a member's calls twice under load, which broke fewestcalls (pull request 1737)."""
    status = agent("a")
    for start, seconds in ((NOW, 30.0), (NOW + 100, 12.5)):
        status = step(status, Verb.OFFER, start, contact_id="c", queue="q", token="t", deadline=start + 20)
        status = step(status, Verb.ACCEPT, start + 5, token="t")
        status = step(status, Verb.PAUSE, start + 6, reason="lunch")
        status = step(status, Verb.UNPAUSE, start + 7)
        status = step(status, Verb.FINISH, start + 5 + seconds, token="t", wrap_up=10)
        status = step(status, Verb.WRAPPED, start + 8 + seconds)
    assert (status.calls, status.talked) == (2, 42.5)


def test_who_did_not_answer_this_contact_comes_last_for_it_and_the_first_of_them_first() -> None:
    agents = (agent("a"), agent("b"), agent("c"))
    tried = replace(CONTACT, tried=("b", "a"))
    for strategy in ("longest-idle", "linear", "best-skill"):
        assert in_order(strategy, *agents, contact=tried) == ["c", "b", "a"]


def test_a_contact_is_not_offered_to_one_agent_for_ever_while_others_are_free() -> None:
    """app_queue's leastrecent rings a member who never answers again and again: it has no last call."""
    agents = (agent("asleep", idle_since=NOW - 9999), agent("awake"))
    assert in_order("leastrecent", *agents, contact=replace(CONTACT, tried=("asleep",)))[0] == "awake"


@pytest.mark.parametrize(("alias", "name"), sorted(ALIASES.items()))
def test_an_alias_is_the_strategy_it_stands_for(alias: str, name: str) -> None:
    assert strategy_named(alias) is STRATEGIES[name]


def test_every_name_that_asterisk_and_freeswitch_know_is_accepted() -> None:
    asterisk = "ringall leastrecent fewestcalls random rrmemory roundrobin rrordered linear wrandom"
    freeswitch = """longest-idle-agent round-robin top-down agent-with-least-talk-time agent-with-fewest-calls
        sequentially-by-agent-order random ring-all ring-progressively"""
    assert all(strategy_named(name) for name in (asterisk + " " + freeswitch).split())
    assert strategy_named("fastest") is None


# lots


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.text(max_size=5))
def test_a_draw_is_an_order_of_everybody_and_the_same_for_the_same_seed(weights: list[int], seed: str) -> None:
    names = [f"a{i}" for i in range(len(weights))]
    order = drawn(names, weights, seed)
    assert sorted(order) == names
    assert order == drawn(names, weights, seed)
    first = names.index(order[0])
    assert order == names[first:] + names[:first], "the others follow clockwise"


def test_lots_fall_in_proportion_to_the_weights() -> None:
    counts = Counter(drawn(["a", "b", "c"], [1, 2, 7], f"contact{i}")[0] for i in range(10_000))
    # three standard deviations of a binomial at most: 3 * sqrt(10000 * 0.7 * 0.3) = 137
    assert all(abs(counts[name] - share) < 140 for name, share in (("a", 1000), ("b", 2000), ("c", 7000)))
    assert drawn([], [], "any") == []


def test_random_gives_everybody_the_same_share_and_wrandom_the_skilled_more() -> None:
    agents = (agent("a9"), agent("b29"), agent("c59"))
    for strategy, shares in (("random", (1000, 1000, 1000)), ("wrandom", (300, 900, 1800))):
        counts = Counter(
            in_order(strategy, *agents, contact=replace(CONTACT, contact_id=f"c{i}"))[0] for i in range(3000)
        )
        assert all(abs(counts[a.name] - share) < 90 for a, share in zip(agents, shares, strict=True)), strategy


def test_lots_are_drawn_anew_after_each_try() -> None:
    agents = tuple(agent(name) for name in "abcdefghij")
    orders = {tuple(in_order("random", *agents, contact=replace(CONTACT, tried=("x",) * n))) for n in range(8)}
    assert len(orders) > 3


# several phones at once


def ringing(round_: Round) -> list[tuple[str, str]]:
    first = round_.decide()
    return [(d.contact_id, d.agent) for d in first + round_.more()]


def test_ringall_rings_everybody_who_is_free_up_to_its_limit() -> None:
    agents = tuple(agent(name) for name in ("a", "b", "c", "d"))
    assert ringing(round_of("ringall", *agents)) == [("c1", name) for name in ("a", "b", "c", "d")]
    assert ringing(round_of("ringall", *agents, ring_at_most=2)) == [("c1", "a"), ("c1", "b")]


def test_nobody_rings_as_a_second_one_while_another_contact_has_none() -> None:
    waiting = tuple(replace(CONTACT, contact_id=f"c{i}", arrived=NOW - 10 + i) for i in range(3))
    agents = tuple(agent(name) for name in ("a", "b", "c", "d"))
    expected = [("c0", "a"), ("c1", "b"), ("c2", "c"), ("c0", "d")]
    assert ringing(round_of("ringall", *agents, waiting=waiting)) == expected


def test_who_becomes_free_joins_the_ringing_until_somebody_has_answered() -> None:
    contact = replace(CONTACT, offered="a")
    rings = agent("a", contact_id="c1")
    rings = replace(rings, state=AgentState.OFFERED)
    assert ringing(round_of("ringall", rings, agent("b"), waiting=(contact,))) == [("c1", "b")]
    talks = replace(rings, state=AgentState.TALKING)
    assert ringing(round_of("ringall", talks, agent("b"), waiting=(contact,))) == []
    assert ringing(round_of("longest-idle", rings, agent("b"), waiting=(contact,))) == []


@pytest.mark.parametrize(("waited", "phones"), [(0, 1), (9.9, 1), (10, 2), (25, 3), (1000, 3)])
def test_ring_progressively_adds_a_phone_every_so_many_seconds(waited: float, phones: int) -> None:
    contact = replace(CONTACT, entered=NOW - waited)
    agents = (agent("c"), agent("b"), agent("a"), agent("d"))
    round_ = round_of("ring-progressively", *agents, waiting=(contact,), ring_at_most=3)
    assert ringing(round_) == [("c1", name) for name in ("c", "b", "a")][:phones]
    moment = round_.config.next_moment(replace(contact, offered="c"), NOW)
    assert moment == (None if phones == 3 else contact.entered + 10 * phones)
