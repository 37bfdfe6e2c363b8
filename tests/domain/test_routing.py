"""Routing by example. The rules over random worlds are in test_routing_machine.py."""

import time
from typing import Any

import pytest

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.requirements import RequirementError
from contactcentre.domain.routing import RoutingConfig, Waiting, decide, next_change
from contactcentre.domain.site import Agent, Queue, RelaxStep, Site
from tests.domain.asking import explain, why_agent

NOW = 1_000_000.0


def site(queues: dict[str, dict[str, Any]], agents: dict[str, dict[str, int]]) -> RoutingConfig:
    return RoutingConfig.from_site(
        Site(
            queues={name: Queue(**queue) for name, queue in queues.items()},
            agents={name: Agent(skills=skills) for name, skills in agents.items()},
        )
    )


def free(*names: str, **changes: Any) -> dict[str, AgentStatus]:
    """Available agents; the first one is idle longest."""
    return {
        name: AgentStatus(name, AgentState.AVAILABLE, 1, idle_since=NOW - 100 + place, **changes)
        for place, name in enumerate(names)
    }


def waits(contact_id: str, queue: str = "support", ago: float = 10.0, **more: Any) -> Waiting:
    return Waiting(contact_id, queue, arrived=NOW - ago, entered=NOW - ago, **more)


def pairs(*args: Any) -> list[tuple[str, str]]:
    return [(decision.contact_id, decision.agent) for decision in decide(*args)]


TWO_LANGUAGES = site(
    {"support": {"requires": "lang_fr >= 50"}, "sales": {}},
    {"anna": {"lang_fr": 80}, "bob": {"lang_fr": 20}, "carla": {"lang_fr": 60}},
)


def test_the_agent_idle_longest_with_the_right_skill_gets_the_contact() -> None:
    (decision,) = decide([waits("c1")], free("bob", "carla", "anna"), TWO_LANGUAGES, NOW, {})
    assert (decision.contact_id, decision.queue, decision.agent) == ("c1", "support", "carla")
    assert decision.candidates == (("carla", 99.0), ("anna", 98.0))
    assert decision.cut == (("bob", "does not fit: needs lang_fr >= 50, has 20"),)
    assert decision.rule == "longest-idle: 99 seconds idle, first of 2"
    assert (decision.requirement, decision.fitting, decision.left_out) == ("lang_fr >= 50", 2, 0)


def test_equally_idle_agents_go_by_name_so_two_nodes_agree() -> None:
    agents = {n: AgentStatus(n, AgentState.AVAILABLE, 1, idle_since=NOW - 5) for n in ("carla", "anna")}
    assert pairs([waits("c1")], agents, TWO_LANGUAGES, NOW, {}) == [("c1", "anna")]


def test_contacts_go_by_priority_then_first_arrival_then_id_over_all_queues() -> None:
    waiting = [
        waits("late", ago=1),
        waits("early", "sales", ago=50),
        waits("vip", ago=2, priority=10),
        waits("twin-b", ago=20),
        waits("twin-a", ago=20),
    ]
    config = site({"support": {}, "sales": {}}, {f"agent{i}": {} for i in range(5)})
    served = [c for c, _ in pairs(waiting, free(*(f"agent{i}" for i in range(5))), config, NOW, {})]
    assert served == ["vip", "early", "twin-a", "twin-b", "late"]


def test_a_contact_that_finds_nobody_blocks_no_lighter_queue() -> None:
    """app_queue: a call in a heavier queue that cannot reach the agent starves lighter queues (issue 1561)."""
    waiting = [waits("heavy", "support", priority=100), waits("light", "sales")]
    assert pairs(waiting, free("bob"), TWO_LANGUAGES, NOW, {}) == [("light", "bob")]


def test_no_agent_is_given_twice_and_the_second_contact_gets_the_next_one() -> None:
    waiting = [waits("c1", ago=9), waits("c2", ago=8), waits("c3", ago=7)]
    agents = free("anna", "carla", "bob")
    assert pairs(waiting, agents, TWO_LANGUAGES, NOW, {}) == [("c1", "anna"), ("c2", "carla")]


def test_agents_taken_by_one_queue_do_not_count_as_taken_in_another() -> None:
    config = site(
        {"support": {"agents": ["anna"]}, "sales": {"agents": ["bob", "carla"]}}, {"anna": {}, "bob": {}, "carla": {}}
    )
    waiting = [waits("c1", "sales", ago=9), waits("c2", "support", ago=8), waits("c3", "sales", ago=7)]
    found = decide(waiting, free("anna", "bob", "carla"), config, NOW, {})
    assert [(d.contact_id, d.agent, d.fitting) for d in found] == [
        ("c1", "bob", 2),
        ("c2", "anna", 1),
        ("c3", "carla", 1),
    ]


def test_an_agent_far_down_the_list_who_is_away_does_not_halt_anybody() -> None:
    """mod_callcenter: an unavailable agent at the end of the list halts top-down distribution (PR 1221)."""
    agents = free("anna", "carla") | {"bob": AgentStatus("bob")}
    assert len(pairs([waits("c1", "sales"), waits("c2", "sales")], agents, TWO_LANGUAGES, NOW, {})) == 2


@pytest.mark.parametrize("state", [state for state in AgentState if state is not AgentState.AVAILABLE])
def test_only_an_available_agent_is_a_candidate(state: AgentState) -> None:
    agents = {"anna": AgentStatus("anna", state, 3, contact_id="c0", reason="lunch")}
    assert decide([waits("c1")], agents, TWO_LANGUAGES, NOW, {}) == []


def test_unreachable_excluded_and_delayed_agents_are_no_candidates() -> None:
    contact = waits("c1", "sales", excluded=("anna",))
    agents = free("anna") | free("bob") | free("carla", not_before=NOW + 2)
    assert pairs([contact], agents, TWO_LANGUAGES, NOW, {"bob": False}) == []
    assert pairs([contact], agents, TWO_LANGUAGES, NOW, {"bob": True}) == [("c1", "bob")]
    assert pairs([contact], agents, TWO_LANGUAGES, NOW + 2, {"bob": False}) == [("c1", "carla")]


def test_a_contact_with_an_offer_gets_no_second_one() -> None:
    assert pairs([waits("c1", offered="carla")], free("anna"), TWO_LANGUAGES, NOW, {}) == []


def test_a_queue_with_members_takes_only_them_and_one_without_takes_everybody() -> None:
    config = site({"support": {"agents": ["bob"]}, "sales": {}}, {"anna": {}, "bob": {}})
    assert pairs([waits("c1", "support")], free("anna", "bob"), config, NOW, {}) == [("c1", "bob")]
    assert pairs([waits("c1", "sales")], free("anna", "bob"), config, NOW, {}) == [("c1", "anna")]


def test_a_queue_whose_members_all_left_the_site_takes_nobody_instead_of_everybody() -> None:
    config = site({"support": {"agents": ["ghost"]}}, {"anna": {}})
    assert pairs([waits("c1")], free("anna", "ghost"), config, NOW, {}) == []


def test_the_contacts_own_requirement_comes_on_top_of_the_queues() -> None:
    config = site({"support": {"requires": "a"}}, {"anna": {"a": 1}, "bob": {"a": 1, "b": 70}})
    assert pairs([waits("c1", requires="b >= 50")], free("anna", "bob"), config, NOW, {}) == [("c1", "bob")]


RELAXED = site(
    {
        "support": {
            "requires": "fr >= 50",
            "relax": [RelaxStep(after=60, requires="any"), RelaxStep(after=30, requires="fr >= 20")],
        }
    },
    {"fluent": {"fr": 80}, "some": {"fr": 30}, "none": {}},
)


@pytest.mark.parametrize(
    ("waited", "agent"), [(0, None), (29.9, None), (30, "some"), (59.9, "some"), (60, "none"), (9999, "none")]
)
def test_the_queues_requirement_is_relaxed_step_by_step(waited: float, agent: str | None) -> None:
    found = pairs([waits("c1", ago=waited)], free("none", "some"), RELAXED, NOW, {})
    assert found == ([("c1", agent)] if agent else [])


def test_relaxing_counts_from_entering_the_queue_and_not_from_the_first_arrival() -> None:
    contact = Waiting("c1", "support", arrived=NOW - 900, entered=NOW - 10)
    assert pairs([contact], free("none", "some"), RELAXED, NOW, {}) == []


def test_the_contacts_own_requirement_is_never_relaxed() -> None:
    contact = waits("c1", ago=9999, requires="fr >= 20")
    assert pairs([contact], free("none", "some"), RELAXED, NOW, {}) == [("c1", "some")]


def test_the_timer_is_set_for_the_next_step_of_anybody() -> None:
    assert next_change([waits("c1", ago=5), waits("c2", ago=28)], RELAXED, NOW) == NOW + 2
    assert next_change([waits("c1", ago=30)], RELAXED, NOW) == NOW + 30
    assert next_change([waits("c1", ago=60)], RELAXED, NOW) is None
    assert next_change([waits("c1", offered="some"), waits("c2", "gone")], RELAXED, NOW) is None


def test_a_changed_configuration_counts_at_once_for_those_who_wait() -> None:
    """app_queue reads a queue's settings when the caller enters it."""
    contact, agents = waits("c1"), free("bob")
    assert pairs([contact], agents, TWO_LANGUAGES, NOW, {}) == []
    changed = site({"support": {"requires": "lang_fr >= 10"}}, {"bob": {"lang_fr": 20}})
    assert pairs([contact], agents, changed, NOW, {}) == [("c1", "bob")]


def test_a_queue_that_is_gone_and_a_requirement_that_cannot_be_read_hurt_nobody_else() -> None:
    waiting = [waits("c1", "gone"), waits("c2", requires="(("), waits("c3", "sales")]
    agents = free("anna", "stranger")
    assert pairs(waiting, agents, TWO_LANGUAGES, NOW, {}) == [("c3", "anna")]
    assert "Nobody gets it now: the queue is not in the site." in explain("c1", waiting, agents, TWO_LANGUAGES, NOW, {})
    lines = explain("c2", waiting, agents, TWO_LANGUAGES, NOW, {})
    assert "Nobody gets it now: the contact's requirement cannot be read." in lines


def test_a_site_with_an_unknown_strategy_or_a_broken_requirement_is_refused() -> None:
    with pytest.raises(ValueError, match="queue support: strategy 'fastest' is none of: longest-idle"):
        site({"support": {"strategy": "fastest"}}, {})
    with pytest.raises(RequirementError, match="column 3"):
        site({"support": {"requires": "a )"}}, {})


def test_a_record_survives_writing_reading_and_newer_versions() -> None:
    contact = waits("c1", excluded=("anna", "bob"), priority=3, caller='"; rm -rf')
    assert Waiting.from_json(contact.to_json()) == contact
    assert Waiting.from_json('{"contact_id": "c1", "queue": "q", "mood": 1}') == Waiting("c1", "q")
    for text in (
        "",
        "[]",
        "{}",
        '{"contact_id": 1, "queue": "q"}',
        '{"contact_id": "c", "queue": "q", "priority": "9"}',
    ):
        with pytest.raises((ValueError, TypeError, KeyError)):
            Waiting.from_json(text)


# in words


def test_why_a_contact_waits_is_said_in_words() -> None:
    agents = (
        free("anna")
        | {"bob": AgentStatus("bob", AgentState.AVAILABLE, 1)}
        | {"carla": AgentStatus("carla", AgentState.PAUSED, 4, reason="lunch")}
    )
    waiting = [waits("c2", ago=35, requires="lang_fr >= 10"), waits("c1", priority=10, ago=12)]
    assert explain("c2", waiting, agents, TWO_LANGUAGES, NOW, {}) == [
        "Contact c2 waits in queue support: 35 s there, 35 s since it arrived; priority 0.",
        "It is number 2 in its queue and number 2 over all queues.",
        "It needs lang_fr >= 50 and lang_fr >= 10 (its own: lang_fr >= 10).",
        "Nobody gets it now: nobody who fits is free for it.",
        "Serves a contact with right of way: anna (c1, queue support, priority 10, arrived 12 s ago).",
        "Paused: carla (lunch).",
        "Does not fit: bob (needs lang_fr >= 50, has 20).",
    ]


def test_who_gets_a_contact_is_said_with_the_candidates_in_order() -> None:
    lines = explain("c1", [waits("c1")], free("carla", "anna"), TWO_LANGUAGES, NOW, {})
    assert "Agent carla gets it now (longest-idle: 100 seconds idle, first of 2)." in lines
    assert "Candidates in order: carla (100 seconds idle), anna (99 seconds idle)." in lines


def test_relaxation_is_told_with_the_time_of_the_next_step() -> None:
    lines = explain("c1", [waits("c1", ago=35)], {}, RELAXED, NOW, {})
    assert "It needs fr >= 20; the queue's part was relaxed after 30 s (step 1 of 2)." in lines
    assert "In 25 s the queue's part is relaxed to any." in lines
    assert "Nobody gets it now: nobody who fits is logged in." in lines


def test_a_contact_that_does_not_wait_or_has_an_offer_is_told_so() -> None:
    assert explain("c9", [], {}, TWO_LANGUAGES, NOW, {}) == []
    lines = explain("c1", [waits("c1", offered="carla")], free("anna"), TWO_LANGUAGES, NOW, {})
    assert "Nobody gets it now: an agent is ringing for it already: carla." in lines


def test_why_an_agent_gets_no_calls_is_said_for_each_queue() -> None:
    config = site(
        {"support": {"requires": "fr >= 50"}, "sales": {}, "vip": {"agents": ["anna"]}},
        {"anna": {"fr": 80}, "bob": {"fr": 20, "billing": 5}},
    )
    waiting = [waits("c1", "support"), waits("c2", "sales", excluded=("bob",)), waits("c3", "sales", ago=50)]
    agents = free("anna") | {"bob": AgentStatus("bob", AgentState.AVAILABLE, 1, since=NOW - 60, idle_since=NOW - 300)}
    assert why_agent("bob", waiting, agents, config, NOW, {}) == [
        "Agent bob is available for 60 s; idle time counts from 5 min 0 s ago.",
        "Skills: billing 5, fr 20.",
        "Queue support: does not fit: needs fr >= 50, has 20; 1 waiting.",
        "  Contact c1: anna gets it (longest-idle: 100 seconds idle, first of 1).",
        "Queue sales: fits (any); 2 waiting.",
        "  Contact c2: excluded by the contact.",
        "Not a member of: vip.",
        "Gets contact c3 of queue sales now (longest-idle: 300 seconds idle, first of 2).",
    ]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (AgentStatus("bob"), "Agent bob is logged out: no calls until login."),
        (
            AgentStatus("bob", AgentState.PAUSED, 2, since=NOW - 5, reason="missed"),
            "Agent bob is paused (missed) for 5 s after offers that were not answered: no calls until unpaused.",
        ),
        (
            AgentStatus("bob", AgentState.WRAP_UP, 2, since=NOW - 5, contact_id="c0", deadline=NOW + 7),
            "Agent bob is in wrap-up of contact c0 for 5 s, 7 s at most are left.",
        ),
        (
            AgentStatus("bob", AgentState.TALKING, 2, since=NOW - 5, contact_id="c0", queue="sales"),
            "Agent bob is talking with contact c0 of queue sales for 5 s.",
        ),
    ],
)
def test_an_agents_state_is_the_first_thing_told(status: AgentStatus, line: str) -> None:
    assert why_agent("bob", [], {"bob": status}, TWO_LANGUAGES, NOW, {})[0] == line


def test_an_unreachable_phone_a_delay_and_a_pending_pause_are_told() -> None:
    agents = free("bob", not_before=NOW + 4)
    lines = why_agent("bob", [], agents, TWO_LANGUAGES, NOW, {"bob": False})
    assert "The phone cannot ring: no calls until it can." in lines
    assert "The delay after the last offer runs for 4 s more." in lines
    talking = {"bob": AgentStatus("bob", AgentState.TALKING, 2, contact_id="c0", then="pause:lunch")}
    assert "After that: pause (lunch)." in why_agent("bob", [], talking, TWO_LANGUAGES, NOW, {})
    assert why_agent("zoe", [], {}, TWO_LANGUAGES, NOW, {}) == []


# size


def test_a_thousand_agents_and_a_thousand_waiting_are_decided_in_milliseconds() -> None:
    """The bound is generous for a busy machine; typical figures are in docs and ten times smaller."""
    config = site(
        {f"q{i}": {"requires": f"s{i} >= 50"} for i in range(20)},
        {f"a{i}": {f"s{i % 20}": 40 + i % 60, f"s{i % 7}": 90} for i in range(1000)},
    )
    agents = {
        f"a{i}": AgentStatus(f"a{i}", AgentState.AVAILABLE if i == 7 else AgentState.TALKING, 2, contact_id="c")
        for i in range(1000)
    }
    waiting = [waits(f"c{i}", f"q{i % 20}", ago=i) for i in range(1000)]
    fastest = 1.0
    for _ in range(5):
        start = time.perf_counter()
        assert len(decide(waiting, agents, config, NOW, {})) == 1
        fastest = min(fastest, time.perf_counter() - start)
    assert fastest < 0.02


def test_a_decision_of_a_large_queue_stays_small_and_counts_whom_it_does_not_name() -> None:
    config = site({"support": {}}, {f"a{i}": {} for i in range(500)})
    agents = free(*(f"a{i}" for i in range(300)))
    (decision,) = decide([waits("c1")], agents, config, NOW, {})
    assert len(decision.candidates) == 10
    assert len(decision.cut) <= 20
    assert decision.fitting == 300
    assert decision.left_out == 500 - 300 - len(decision.cut)
