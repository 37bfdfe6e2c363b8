"""Whose time went where: also when customers are held, agents ask each other, and calls change hands."""

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactcentre.domain.contacts import HANDLED, ContactHistory, Phase, fold
from contactcentre.domain.conversation import Conversation, Fact, Place, Refusal, after
from contactcentre.domain.events import ConsultResult, Event, Kind
from contactcentre.domain.verbs import Verb, consult_ended, customer_leaves, decide, leaves, retrieved
from tests.store.calls import DAY, Call


class Talked(Call):
    """A call whose conversation goes as verbs have it; times count from the first word."""

    def __init__(self, agent: str = "anna") -> None:
        super().__init__()
        self.queued(0).offered(2, agent).add(10, Kind.UNQUEUED, queue="support", reason="answered", waited=10)
        self.now = Conversation()
        leg = f"{agent}-leg"
        self.told(0, [(Kind.TALK_STARTED, {"agent": agent, "queue": "support", "leg": leg, "token": "t"})])

    def told(self, at: float, facts: list[Fact]) -> "Talked":
        for kind, data in facts:
            self.now = after(self.now, kind, data, DAY + 10 + at)
            self.add(10 + at, kind, **data)
        return self

    def does(self, at: float, verb: Verb, **args: Any) -> "Talked":
        return self.told(at, decide(self.now, verb, DAY + 10 + at, **args))

    def asks(self, at: float, agent: str, answered: float | None = None) -> "Talked":
        leg = f"{agent}-leg"
        self.does(at, Verb.CONSULT, to=f"agent:{agent}", leg=leg, token="t2")
        if answered is not None:
            self.told(answered, [(Kind.CONSULT_ANSWERED, {"agent": "anna", "to": f"agent:{agent}", "leg": leg})])
        return self

    def hung_up(self, at: float) -> ContactHistory:
        return fold(self.told(at, customer_leaves(self.now)).ended(10 + at).events)


def parts(history: ContactHistory) -> list[tuple[str, float]]:
    return [(s.kind.value, s.started - DAY - 10) for s in history.segments if s.started >= DAY + 10]


def of(history: ContactHistory, agent: str) -> list[tuple[str, float, float, bool]]:
    return [
        (p.kind.value, p.started - DAY - 10, (p.ended or 0) - DAY - 10, p.had_customer)
        for p in history.participations
        if p.agent == agent
    ]


def test_holding_is_a_part_of_talking() -> None:
    history = Talked().does(20, Verb.HOLD).does(50, Verb.RESUME).hung_up(90)
    assert parts(history) == [("talk", 0), ("hold", 20), ("talk", 50)]
    assert (history.contact.talk, history.contact.hold, history.visits[0].talk) == (90, 30, 90)
    assert of(history, "anna") == [("talk", 0, 20, True), ("hold", 20, 50, True), ("talk", 50, 90, True)]


def test_after_a_transfer_each_agent_has_the_talk_that_was_theirs() -> None:
    call = Talked().asks(20, "bert", answered=25).does(40, Verb.COMPLETE)
    history = call.hung_up(100)
    assert parts(history) == [("talk", 0), ("consult", 20), ("talk", 40)]
    assert of(history, "anna") == [("talk", 0, 20, True), ("consult", 20, 40, True)]
    assert of(history, "bert") == [("consult", 25, 40, False), ("talk", 40, 100, True)]
    assert (history.contact.agents, history.contact.agent) == (("anna", "bert"), "bert")
    assert (history.contact.talk, history.contact.consult) == (100, 20)


def test_a_cancelled_consult_leaves_no_talk_with_who_was_asked() -> None:
    history = Talked().asks(20, "bert").does(30, Verb.CANCEL).hung_up(60)
    assert of(history, "bert") == []
    assert of(history, "anna") == [("talk", 0, 20, True), ("consult", 20, 30, True), ("talk", 30, 60, True)]


def test_toggling_gives_the_expert_the_music() -> None:
    call = Talked().asks(20, "bert", answered=25).does(30, Verb.TOGGLE).does(40, Verb.TOGGLE)
    history = call.hung_up(50)
    assert of(history, "bert") == [("consult", 25, 30, False), ("hold", 30, 40, False), ("consult", 40, 50, False)]
    assert parts(history) == [("talk", 0), ("consult", 20), ("talk", 30), ("consult", 40)]


def test_a_conference_goes_on_when_the_first_agent_leaves_it() -> None:
    call = Talked().asks(20, "bert", answered=25).does(30, Verb.CONFERENCE).does(50, Verb.DROP)
    history = call.hung_up(80)
    assert parts(history) == [("talk", 0), ("consult", 20), ("conference", 30), ("talk", 50)]
    assert of(history, "anna")[-1] == ("conference", 30, 50, True)
    assert of(history, "bert")[1:] == [("conference", 30, 50, False), ("talk", 50, 80, True)]


def test_a_parked_customer_is_nobody_s() -> None:
    call = Talked().does(20, Verb.PARK, slot="1", until=DAY + 200)
    call.told(60, retrieved(call.now, DAY + 70, "bert", "bert-leg", "t2"))
    history = call.hung_up(90)
    assert parts(history) == [("talk", 0), ("parked", 20), ("talk", 60)]
    assert (of(history, "anna"), of(history, "bert")) == ([("talk", 0, 20, True)], [("talk", 60, 90, True)])
    assert history.contact.talk == 50


STEPS = (*Verb, "answers", "somebody leaves", "the owner leaves", "misses")


@st.composite
def conversations(draw: st.DrawFn) -> list[Event]:
    """Whole contacts in which anything that is possible is done."""
    call, at, number = Talked(), 0.0, 0
    for _ in range(draw(st.integers(0, 12))):
        at += draw(st.sampled_from([0.0, 0.5, 7.0]))
        now, step = call.now, draw(st.sampled_from(STEPS))
        number += 1
        ringing = bool(now.asked) and now.parties[now.asked].place is Place.RINGING
        facts: list[Fact] = []
        people = list(now.parties.values())
        try:
            if isinstance(step, Verb):
                to = draw(st.sampled_from([f"agent:a{number}", "number:+331"]))
                party = draw(st.sampled_from(people)).leg if people else ""
                more = {"to": to, "leg": f"leg{number}", "token": "t", "party": party, "slot": "1", "until": DAY + 999}
                facts = decide(now, step, DAY + 10 + at, **more)
            elif step == "answers" and ringing:
                facts = [(Kind.CONSULT_ANSWERED, {"agent": "anna", "to": "", "leg": now.asked})]
            elif step == "misses" and ringing:
                facts = [consult_ended(now, ConsultResult.MISSED)]
            elif step == "somebody leaves" and people:
                facts = leaves(now, draw(st.sampled_from(people)))
            elif step == "the owner leaves" and now.agent is not None:
                facts = leaves(now, now.agent)
        except Refusal:
            continue
        call.told(at, facts)
        if call.now.state == "over":
            break
    at += draw(st.sampled_from([0.0, 3.0]))
    call.told(at, customer_leaves(call.now)).ended(10 + at)
    return call.events


@settings(max_examples=300)
@given(conversations(), st.randoms())
def test_the_life_and_each_agents_part_of_it_have_no_gap_and_no_overlap(events: list[Event], random: Random) -> None:
    history = fold(events)
    life = [s for s in history.segments if s.kind is not Phase.WRAP_UP]
    assert life[0].started == history.contact.arrived
    assert life[-1].ended == history.contact.ended
    assert all(before.ended == after.started for before, after in pairwise(life))
    for agent in {p.agent for p in history.participations}:
        own = [p for p in history.participations if p.agent == agent]
        assert all(p.ended is not None and p.ended > p.started for p in own)
        assert all(before.ended == after.started for before, after in pairwise(own)), "one stay, without a gap"
    handled = sum((s.ended or 0) - s.started for s in life if s.kind in HANDLED)
    assert handled == pytest.approx(history.contact.talk, abs=1e-6)
    mixed = events + random.choices(events, k=3)
    random.shuffle(mixed)
    assert fold(mixed) == history


@settings(max_examples=150)
@given(conversations())
def test_owners_time_is_the_contacts_handling_time(events: list[Event]) -> None:
    """Somebody has the customer at each moment that counts as handled, and never two."""
    history = fold(events)
    owned = sum((p.ended or 0) - p.started for p in history.participations if p.had_customer)
    assert owned == pytest.approx(history.contact.talk, abs=1e-6)
