"""The index that follows changes. That it decides what a fresh look decides is shown in test_routing_machine.py."""

from dataclasses import replace
from typing import Any

import pytest

from contactcentre.domain import index as module
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.index import Index
from contactcentre.domain.routing import Round, RoutingConfig, Waiting
from contactcentre.domain.site import Agent, Queue, Site

NOW = 1_000_000.0
S = AgentState


def config(**queues: dict[str, Any]) -> RoutingConfig:
    return RoutingConfig.from_site(
        Site(
            queues={name: Queue.model_validate(queue) for name, queue in queues.items()},
            agents={"anna": Agent(skills={"fr": 80}), "bob": Agent(skills={"fr": 20})},
        )
    )


def agent(name: str, state: AgentState = S.AVAILABLE, **more: Any) -> AgentStatus:
    return AgentStatus(name, state, 1, idle_since=NOW - 50, **more)


def waits(contact_id: str, queue: str = "support", ago: float = 10.0, **more: Any) -> Waiting:
    return Waiting(contact_id, queue, arrived=NOW - ago, entered=NOW - ago, **more)


def pairs(index: Index, now: float = NOW) -> list[tuple[str, str]]:
    round_ = Round.on(index, now)
    return [(decision.contact_id, decision.agent) for decision in round_.decide() + round_.more()]


def test_contacts_and_agents_may_come_in_any_order() -> None:
    index = Index(config(support={}), NOW)
    index.put(waits("c1"))
    assert pairs(index) == []
    index.put_agent(agent("bob"))
    index.put(waits("c0", ago=20))
    assert pairs(index) == [("c0", "bob")]
    index.put_agent(agent("anna"))
    assert pairs(index) == [("c0", "anna"), ("c1", "bob")]
    index.drop("c0")
    index.drop("c0")
    index.drop_agent("anna")
    index.drop_agent("anna")
    assert pairs(index) == [("c1", "bob")]


def test_a_delay_and_a_relaxation_come_true_by_time_alone() -> None:
    index = Index(config(support={"requires": "fr >= 50", "relax": [{"after": 30, "requires": "any"}]}), NOW)
    index.put(waits("c1", ago=10))
    index.put_agent(agent("bob", not_before=NOW + 25))
    assert pairs(index) == []
    assert index.next_moment() == NOW + 20
    assert pairs(index, NOW + 20) == []
    assert index.next_moment() == NOW + 25
    assert pairs(index, NOW + 25) == [("c1", "bob")]
    assert index.next_moment() is None


def test_a_phone_that_registers_makes_its_agent_free() -> None:
    index = Index(config(support={}), NOW)
    index.reach("anna", can=False)
    index.put_agent(agent("anna"))
    index.put(waits("c1"))
    assert pairs(index) == []
    index.reach("anna", can=True)
    assert pairs(index) == [("c1", "anna")]


def test_a_new_version_of_the_site_counts_at_once() -> None:
    index = Index(config(support={"requires": "fr >= 50"}), NOW)
    index.put_agent(agent("bob"))
    index.put(waits("c1"))
    assert pairs(index) == []
    index.configure(config(support={"requires": "fr >= 10"}))
    assert pairs(index) == [("c1", "bob")]


def test_a_preferred_agent_who_goes_away_sets_the_contact_free() -> None:
    index = Index(config(support={}), NOW)
    index.put_agent(agent("anna", S.TALKING, contact_id="c0"))
    index.put_agent(agent("bob"))
    index.put(waits("c1", preferred=("anna",)))
    assert pairs(index) == []
    index.put_agent(agent("anna", S.PAUSED))
    assert pairs(index) == [("c1", "bob")]
    index.put_agent(agent("anna"))
    assert pairs(index) == [("c1", "anna")]
    index.reach("anna", can=False)
    assert pairs(index) == [("c1", "bob")]


def test_a_round_still_tells_the_truth_after_its_own_reservations() -> None:
    index = Index(config(support={}), NOW)
    for contact in (waits("c1", ago=9), waits("c2", ago=8)):
        index.put(contact)
    index.put_agent(agent("anna"))
    round_ = Round.on(index, NOW)
    (decision,) = round_.decide()
    index.put_agent(agent("anna", S.OFFERED, contact_id="c1"))
    index.put(replace(index.waiting[decision.contact_id], offered="anna"))
    reason = round_.reason(index.waiting["c2"])
    assert (reason.agent, reason.fitting) == ("", 0)
    assert ("anna", "rings for a contact: c1") in reason.cut


def test_a_place_in_the_queue_counts_those_of_other_kinds_and_those_somebody_rings_for() -> None:
    index = Index(config(support={}, sales={}), NOW)
    contacts = [waits("c1", ago=9, requires="fr"), waits("c2", ago=8, offered="bob"), waits("c3", ago=7)]
    for contact in (*contacts, waits("c4", "sales", ago=10)):
        index.put(contact)
    assert [index.position(contact) for contact in contacts] == [1, 2, 3]
    assert index.position(waits("c5", ago=8.5)) == 2, "of one that is about to enter"
    assert (index.length("support"), index.length("sales"), index.length("gone")) == (3, 1, 0)
    index.drop("c1")
    index.put(replace(contacts[1], offered=""))
    assert [index.position(contact) for contact in contacts[1:]] == [1, 2]
    assert index.length("support") == 2


def test_kinds_that_nobody_waits_in_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_KINDS", 2)
    index = Index(config(support={}), NOW)
    index.put_agent(agent("anna"))
    for level in range(50):
        index.put(waits("c1", requires=f"fr >= {level}"))
        assert pairs(index) == [("c1", "anna")]
    assert len(list(index.kinds_of("anna"))) <= 2


def test_other_skills_of_one_agent_count_for_who_waits_already_and_for_nobody_else() -> None:
    index = Index(config(support={"requires": "fr >= 50"}, sales={"requires": "fr >= 10"}), NOW)
    for name in ("anna", "bob"):
        index.put_agent(agent(name))
    index.put(waits("c1", ago=20))
    index.put(waits("c2", ago=10, preferred=("bob",)))
    assert pairs(index) == [("c1", "anna")]
    index.relevel("bob", {"fr": 60})
    assert pairs(index) == [("c1", "anna"), ("c2", "bob")]
    index.relevel("anna", {})
    assert pairs(index) == [("c1", "bob")]
    index.relevel("bob", {"fr": 20})
    assert pairs(index) == []
    index.put(waits("c3", "sales"))
    assert pairs(index) == [("c3", "bob")]
