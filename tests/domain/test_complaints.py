"""What users of app_queue, mod_callcenter and Wazo complain of, and what here prevents it. docs/routing.rst has the
whole list; these are the ones that no other test is about."""

from dataclasses import replace
from itertools import pairwise

import pytest

from contactcentre.domain import strategies
from contactcentre.domain.agents import AgentState, AgentStatus, Verb, step
from contactcentre.domain.index import Index, Kind
from contactcentre.domain.routing import Cut, Round, RoutingConfig, Waiting, decide
from contactcentre.domain.site import Agent, Queue, RelaxStep, Site
from contactcentre.domain.strategies import Seen, Strategy

NOW = 1_000_000.0
S = AgentState


def config(queues: dict[str, Queue], **levels: dict[str, int]) -> RoutingConfig:
    return RoutingConfig.from_site(Site(queues=queues, agents={name: Agent(skills=s) for name, s in levels.items()}))


def free(*names: str, at: float = NOW) -> dict[str, AgentStatus]:
    """The first one has been idle longest."""
    return {
        name: AgentStatus(name, S.AVAILABLE, 1, since=at - 100 + n, idle_since=at - 100 + n)
        for n, name in enumerate(names)
    }


def waits(contact: str = "c1", queue: str = "support", entered: float = NOW, **more: object) -> Waiting:
    return Waiting(contact, queue, arrived=entered, entered=entered, **more)  # type: ignore[arg-type]


def test_a_strategy_of_ones_own_is_one_more_entry_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """app_queue: a custom strategy is impossible (asterisk issue 685)."""

    def shortest_name(seen: Seen) -> tuple[object, ...]:
        return (len(seen.name), seen.name)

    own = Strategy("shortest-name", shortest_name, lambda seen, now: len(seen.name), "a name of %(score)s letters")
    monkeypatch.setitem(strategies.STRATEGIES, own.name, own)
    rules = config({"support": Queue(strategy="shortest-name")}, margarethe={}, bo={})
    (decision,) = decide([waits()], free("margarethe", "bo"), rules, NOW, {})
    assert (decision.agent, decision.rule) == ("bo", "shortest-name: a name of 2 letters, first of 2")


@pytest.mark.parametrize("waited", [0, 10, 29.9, 30, 59.9, 60, 3600])
def test_nobody_below_the_asked_level_gets_a_call_before_the_step_that_allows_it(waited: float) -> None:
    """app_queue: QUEUE_RAISE_PENALTY is ignored by rules, members below min_penalty get calls (issue 1901)."""
    relax = (RelaxStep(after=30, requires="fr >= 40"), RelaxStep(after=60, requires="fr >= 10"))
    rules = config({"support": Queue(requires="fr >= 80", relax=relax)}, low={"fr": 10}, middle={"fr": 40})
    allowed = {"low": waited >= 60, "middle": waited >= 30}
    for name in allowed:
        found = decide([waits(entered=NOW - waited)], free(name), rules, NOW, {})
        assert bool(found) == allowed[name]


def test_a_relax_step_counts_also_for_a_contact_that_has_been_offered_in_vain() -> None:
    """Wazo: a call that is being distributed never falls to the next rule while a matching member is there."""
    relax = (RelaxStep(after=30, requires=""),)
    rules = config({"support": Queue(requires="fr", relax=relax)}, anna={"fr": 90}, bob={})
    tried = waits(entered=NOW - 30, tried=("anna",))
    (decision,) = decide([tried], free("anna", "bob"), rules, NOW, {})
    assert decision.agent == "bob"


def test_a_change_of_one_agent_touches_the_queues_that_agent_serves_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """app_queue: each change of a device's state walks all queues and members (issues 1972 and 1215)."""
    names = [f"a{n}" for n in range(200)]
    queues = {f"q{n}": Queue(agents=(names[n], names[n + 1])) for n in range(199)}
    index = Index(config(queues, **{name: {} for name in names}), NOW)
    for number, queue in enumerate(queues):
        index.put(waits(f"c{number}", queue))
    touched: list[str] = []
    added = Kind.add_agent
    monkeypatch.setattr(Kind, "add_agent", lambda kind, agent: touched.append(kind.terms.queue) or added(kind, agent))
    index.put_agent(free("a7")["a7"])
    assert sorted(touched) == ["q6", "q7"]


def test_wrap_up_of_one_queue_keeps_the_calls_of_all_queues_away() -> None:
    """app_queue: shared_lastcall, which is to do so, deadlocks (wazo-platform/asterisk pull requests 188 and 158)."""
    rules = config({"support": Queue(wrap_up=20), "sales": Queue(wrap_up=0)}, anna={})
    offered = step(free("anna")["anna"], Verb.OFFER, NOW, contact_id="c0", queue="support", token="t", deadline=NOW + 9)
    talks = step(offered, Verb.ACCEPT, NOW + 1, token="t")
    wraps_up = step(talks, Verb.FINISH, NOW + 60, token="t", wrap_up=20)
    waiting = [waits("c1", "support", NOW + 50), waits("c2", "sales", NOW + 55)]
    assert decide(waiting, {"anna": wraps_up}, rules, NOW + 79, {}) == []
    ready = step(wraps_up, Verb.EXPIRE, NOW + 80)
    assert [one.contact_id for one in decide(waiting, {"anna": ready}, rules, NOW + 80, {})] == ["c1"]


def test_a_phone_that_refuses_at_once_is_not_rung_in_a_loop() -> None:
    """mod_callcenter: an agent who becomes unavailable during an offer causes INVITE and CANCEL in a fast loop (pull
    request 800)."""
    rules = config({"support": Queue(retry_delay=5, misses_allowed=0)}, anna={})
    anna, contact, rung = free("anna")["anna"], waits(), []
    for tick in range(600):  # a minute, looked at ten times a second
        now = NOW + tick / 10
        if decide([contact], {"anna": anna}, rules, now, {}):
            rung.append(now - NOW)
            offer = {"contact_id": "c1", "queue": "support", "token": "t", "deadline": now + 20}
            anna = step(anna, Verb.OFFER, now, **offer)  # type: ignore[arg-type]
            anna = step(anna, Verb.MISS, now, token="t", delay=5)
            contact = replace(contact, tried=("anna",))
    assert rung == pytest.approx([5 * n for n in range(12)], abs=0.11 * 12)
    assert min(after - before for before, after in pairwise(rung)) >= 5


def test_an_agent_who_pauses_while_the_phone_rings_gets_no_further_offer() -> None:
    """mod_callcenter: as above, seen from the agent's side."""
    rules = config({"support": Queue()}, anna={})
    offered = step(free("anna")["anna"], Verb.OFFER, NOW, contact_id="c1", queue="support", token="t", deadline=NOW + 9)
    missed = step(step(offered, Verb.PAUSE, NOW + 1, reason="lunch"), Verb.MISS, NOW + 9, token="t")
    assert (missed.state, missed.reason) == (S.PAUSED, "lunch")
    round_ = Round([waits()], {"anna": missed}, rules, NOW + 9, {})
    assert round_.decide() == []
    assert round_.reason(waits()).cut == (("anna", f"{Cut.PAUSED}: lunch"),)


def test_another_pause_reason_ends_the_first_pause_and_keeps_the_agent_paused() -> None:
    """app_queue: changing the reason does not close the first pause, so breaks cannot be told apart (FreePBX 912)."""
    lunch = step(free("anna")["anna"], Verb.PAUSE, NOW, reason="lunch")
    training = step(lunch, Verb.PAUSE, NOW + 60, reason="training")
    assert (training.state, training.reason, training.since) == (S.PAUSED, "training", NOW + 60)
    assert training.version == lunch.version + 1, "a fact of its own"
