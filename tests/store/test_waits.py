"""How long contacts waited lately, and what they had been told."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from contactcentre.domain.estimate import Error, error_of
from contactcentre.domain.events import Kind
from contactcentre.store import Store
from contactcentre.store.tables import TOLD_WAIT, event
from contactcentre.store.waits import Wait
from tests.store.calls import DAY, Call


def served(at: float, wait: float, talk: float, queue: str = "support") -> Call:
    return Call(at).queued(0, queue).talked(wait, talk, "carla", queue).ended(wait + talk)


def told(call: Call, after: float, estimate: object, queue: str = "support") -> Call:
    call.add(after, Kind.ANNOUNCED, queue=queue, position=1, estimate=estimate)
    return call


def test_the_last_visits_of_a_queue_are_remembered_in_the_order_of_their_ends(store: Store) -> None:
    rung = Call(DAY + 60).queued(0).offered(2, "alice").missed(7, "alice").offered(8, "carla").talked(12, 20, "carla")
    calls = [
        rung.ended(32).wrapped(32, 5, "carla"),
        served(DAY, 10, 100),
        served(DAY + 50, 5, 10, "sales"),
        Call(DAY + 20).queued(0).abandoned(30),
        served(DAY - 90000, 10, 100),
        served(DAY + 300, 10, 100),
        Call(DAY + 200).queued(0),
    ]
    store.record([event for call in calls for event in call.events])
    assert store.lately("support", DAY - 1, DAY + 300) == [
        Wait("support", 0, DAY, DAY + 10, True, 100),
        Wait("support", 0, DAY + 20, DAY + 50, False, 0.0),
        Wait("support", 0, DAY + 60, DAY + 72, True, 4 + 20 + 5),  # with the ringing of the agent who answered
    ]
    assert [wait.entered for wait in store.lately("support", DAY - 1, DAY + 300, most=1)] == [DAY + 60]
    assert store.lately("' OR true --", DAY - 1, DAY + 300) == []


def test_what_callers_were_told_is_held_against_what_they_waited_for_an_agent_to_be_offered(store: Store) -> None:
    rung = told(Call(DAY + 60).queued(0), 5, 30.0).offered(20, "alice").missed(25, "alice").offered(40, "carla")
    heard = served(DAY, 60, 100)
    calls = [
        told(told(told(heard, 10, 45.0), 20, 60.0), 40, ""),
        told(Call(DAY).queued(0), 5, 900.0).abandoned(20),
        told(Call(DAY).queued(0), 5, 900.0),
        rung.talked(46, 20, "carla").ended(66),
        told(served(DAY + 5, 30, 9, "sales"), 20, 12.5, "sales"),
    ]
    store.record([event for call in calls for event in call.events])
    pairs = [(45.0, 50.0), (60.0, 40.0), (30.0, 35.0)]
    assert store.told_errors(DAY, DAY + 1000) == {"support": error_of(pairs), "sales": Error(1, 2.5, 2.5)}
    assert store.told_errors(DAY + 500, DAY + 1000) == {}


def test_what_was_told_is_found_without_looking_at_every_fact(store: Store) -> None:
    with store._begin() as connection:
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        question = sa.select(event.c.contact_id).where(TOLD_WAIT, event.c.at >= DAY)
        compiled = question.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(connection.scalars(sa.text(f"EXPLAIN {compiled}".replace(":", "\\:"))))
    assert "ix_event_told_wait" in plan, plan
