"""What agents did, summed by the database."""

from contactcentre.domain.metrics import AgentWork
from contactcentre.domain.verbs import Verb
from contactcentre.store import Store
from tests.domain.test_segments import Talked
from tests.store.calls import DAY


def test_talk_hold_consult_and_help_are_counted_for_whom_they_were(store: Store) -> None:
    call = Talked().does(10, Verb.HOLD).does(15, Verb.RESUME).asks(20, "bert", answered=25).does(40, Verb.COMPLETE)
    call.wrapped(50, 8, "anna")
    call.hung_up(100)
    store.record(call.events)
    work = store.agent_work(DAY, DAY + 1000)
    assert work["anna"] == AgentWork(handled=1, talk=15.0, hold=5.0, consult=20.0, wrap_up=8.0)
    assert work["bert"] == AgentWork(handled=1, helped=1, talk=60.0, helping=15.0)
    assert work["anna"].aht == 48.0
    assert store.agent_work(DAY + 1000, DAY + 2000) == {}


def test_the_history_of_a_contact_has_what_each_agent_did(store: Store) -> None:
    call = Talked().asks(20, "bert", answered=25).does(40, Verb.CONFERENCE)
    history = call.hung_up(60)
    store.record(call.events)
    kept = store.history(call.id)
    assert [(p.agent, p.kind, p.had_customer) for p in kept.participations] == [
        (p.agent, p.kind, p.had_customer) for p in history.participations
    ]
    assert (kept.contact.consult, kept.contact.hold) == (20, 0)
