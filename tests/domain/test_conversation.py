"""Random conversations: every verb in every state is carried out or refused, and nobody is left alone in silence."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactcentre.domain.conversation import Conversation, Fact, Place, Refusal, after
from contactcentre.domain.events import ConsultResult, Kind
from contactcentre.domain.verbs import Verb, consult_ended, customer_leaves, decide, leaves

BEGUN: Fact = (Kind.TALK_STARTED, {"agent": "anna", "queue": "support", "leg": "a1", "token": "t1"})
WHO = ("agent:bert", "agent:carla", "number:+33123456789")
STEPS = (*Verb, "answers", "does not answer", "somebody leaves", "the owner leaves")


def begun() -> Conversation:
    return after(Conversation(), *BEGUN, 0.0)


def told(now: Conversation, facts: list[Fact], at: float = 0.0) -> Conversation:
    for kind, data in facts:
        now = after(now, kind, data, at)
    return now


def asking(to: str = "agent:bert") -> Conversation:
    now = begun()
    return told(now, decide(now, Verb.CONSULT, 1.0, to=to, leg="b1", token="t2"))


def consulting(to: str = "agent:bert") -> Conversation:
    return after(asking(to), Kind.CONSULT_ANSWERED, {"leg": "b1"}, 2.0)


def check(now: Conversation) -> None:
    together = [party for party in now.parties.values() if party.place is Place.TOGETHER]
    if now.slot:
        assert now.customer is Place.MUSIC
        assert not now.parties
    elif now.parties:
        assert together, "somebody is there who hears nobody"
        if now.customer is Place.MUSIC:
            assert now.owner, "a customer on music belongs to nobody"
        if now.asked:
            assert now.asked in now.parties
            assert now.asked != now.owner
    assert now.owner == "" or now.owner in now.parties
    assert now.customer is not Place.RINGING
    for party in now.parties.values():
        assert party.place is Place.TOGETHER or party.leg == now.asked, "only who is asked is elsewhere"
    assert Conversation.restore(json.loads(json.dumps(now.save()))) == now


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(WHO), st.integers(0, 3)), max_size=30))
def test_whatever_is_asked_for_nobody_is_alone_in_silence_and_the_facts_tell_all(
    steps: list[tuple[str, str, int]],
) -> None:
    now, legs = begun(), itertools.count(2)
    for at, (step, to, number) in enumerate(steps, 1):
        parties = list(now.parties.values())
        facts: list[Fact] = []
        try:
            match step:
                case "answers" if now.asked and now.parties[now.asked].place is Place.RINGING:
                    facts = [(Kind.CONSULT_ANSWERED, {"agent": "anna", "to": to, "leg": now.asked})]
                case "does not answer" if now.asked and now.parties[now.asked].place is Place.RINGING:
                    facts = [consult_ended(now, ConsultResult.MISSED)]
                case "somebody leaves" if parties:
                    facts = leaves(now, parties[number % len(parties)])
                case "the owner leaves" if now.agent is not None:
                    facts = leaves(now, now.agent)
                case Verb() as verb:
                    party = parties[number % len(parties)].leg if parties else ""
                    leg = f"l{next(legs)}"
                    more = {"slot": "1", "until": at + 60.0, "to": to, "leg": leg, "token": "t", "party": party}
                    facts = decide(now, verb, at, **more)
                    assert facts, "a verb that is carried out leaves a fact"
        except Refusal:
            facts = []
        now = told(now, facts, at)
        check(now)
        if now.state == "over":
            break
    end = told(now, customer_leaves(now))
    assert end.owner == ""


def test_a_customer_on_hold_cannot_be_held_again_and_comes_back() -> None:
    now = begun()
    held = told(now, decide(now, Verb.HOLD, 10.0), 10.0)
    assert held.state == "held"
    with pytest.raises(Refusal, match="on hold already"):
        decide(held, Verb.HOLD, 11.0)
    ((kind, data),) = decide(held, Verb.RESUME, 25.5)
    assert (kind, data["held"]) == (Kind.TALK_RESUMED, 15.5)
    assert told(held, [(kind, data)]).state == "talking"


def test_asking_takes_the_customer_off_hold_into_the_consult_s_own_music() -> None:
    now = begun()
    held = told(now, decide(now, Verb.HOLD, 10.0), 10.0)
    facts = decide(held, Verb.CONSULT, 12.0, to="agent:bert", leg="b1")
    assert [kind for kind, _ in facts] == [Kind.TALK_RESUMED, Kind.CONSULT_STARTED]
    assert told(held, facts).state == "asking"


def test_a_completed_consult_gives_the_customer_and_the_talk_to_who_was_asked() -> None:
    now = consulting()
    facts = decide(now, Verb.COMPLETE, 5.0)
    kinds = [kind for kind, _ in facts]
    assert kinds == [Kind.CONSULT_ENDED, Kind.TRANSFERRED, Kind.TALK_ENDED, Kind.TALK_STARTED]
    done = told(now, facts)
    assert done.agent is not None
    assert (done.agent.agent, done.agent.token, done.queue, done.state) == ("bert", "t2", "support", "talking")
    assert list(done.parties) == ["b1"]


def test_who_has_not_answered_yet_is_not_given_the_customer() -> None:
    with pytest.raises(Refusal, match="has not answered"):
        decide(asking(), Verb.COMPLETE, 5.0)


def test_toggling_swaps_who_hears_music() -> None:
    now = consulting()
    toggled = told(now, decide(now, Verb.TOGGLE, 3.0))
    assert (toggled.state, toggled.customer, toggled.parties["b1"].place) == ("toggled", Place.TOGETHER, Place.MUSIC)
    back = told(toggled, decide(toggled, Verb.TOGGLE, 4.0))
    assert back == now


def test_an_outside_expert_who_takes_the_customer_leaves_no_agent() -> None:
    now = consulting("number:+33123456789")
    done = told(now, decide(now, Verb.COMPLETE, 5.0))
    assert (done.state, done.owner) == ("outside", "")
    assert done.parties["b1"].place is Place.TOGETHER


def test_the_agent_who_hangs_up_in_a_consult_leaves_the_customer_to_the_expert() -> None:
    now = consulting()
    assert now.agent is not None
    done = told(now, leaves(now, now.agent))
    assert (done.state, done.owner) == ("talking", "b1")


def test_a_conference_outlives_the_agent_who_made_it() -> None:
    now = consulting()
    together = told(now, decide(now, Verb.CONFERENCE, 5.0))
    assert together.state == "conference"
    dropped = told(together, decide(together, Verb.DROP, 6.0))
    assert (dropped.state, dropped.owner) == ("talking", "b1")


def test_the_only_agent_cannot_leave_the_customer_alone() -> None:
    with pytest.raises(Refusal, match="nobody else"):
        decide(begun(), Verb.DROP, 1.0)


def test_a_parked_customer_is_nobody_s_until_retrieved() -> None:
    now = begun()
    parked = told(now, decide(now, Verb.PARK, 1.0, slot="3", until=61.0))
    assert (parked.state, parked.parties) == ("parked", {})
    with pytest.raises(Refusal, match="parked in 3"):
        decide(parked, Verb.HOLD, 2.0)
    back = told(parked, [(Kind.RETRIEVED, {"slot": "3", "by": "bert", "parked": 5.0}), BEGUN])
    assert back.state == "talking"
