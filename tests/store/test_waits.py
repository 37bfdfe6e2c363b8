"""How long contacts waited lately, and what they had been told."""

from contactcentre.domain.events import Kind
from contactcentre.store import Store
from contactcentre.store.waits import Wait
from tests.store.calls import DAY, Call


def served(at: float, wait: float, talk: float, queue: str = "support") -> Call:
    return Call(at).queued(0, queue).talked(wait, talk, "carla", queue).ended(wait + talk)


def told(call: Call, after: float, estimate: object, queue: str = "support") -> Call:
    call.add(after, Kind.ANNOUNCED, queue=queue, position=1, estimate=estimate)
    return call


def test_the_last_visits_of_every_queue_are_remembered_in_the_order_of_their_ends(store: Store) -> None:
    calls = [
        served(DAY, 10, 100),
        served(DAY + 50, 5, 10, "sales"),
        Call(DAY + 20).queued(0, "support").abandoned(30),
        served(DAY - 90000, 10, 100),
        Call(DAY + 300).queued(0, "support"),
    ]
    store.record([event for call in calls for event in call.events])
    visits = [visit for visit in store.lately(DAY - 1) if visit.queue in ("support", "sales")]
    assert [(visit.queue, visit.answered) for visit in visits] == [
        ("support", True),
        ("support", False),
        ("sales", True),
    ]
    assert (visits[0].waited, visits[0].handled) == (10, 100)
    assert visits[1] == Wait("support", DAY + 50, 30, False, 0.0)
    assert [visit.left for visit in store.lately(DAY - 1, each=1) if visit.queue == "support"] == [DAY + 50]


def test_what_callers_were_told_is_held_against_what_they_waited(store: Store) -> None:
    calls = [
        told(told(served(DAY, 60, 100), 10, 45.0), 40, ""),
        told(Call(DAY).queued(0, "support"), 5, 30.0).abandoned(20),
        told(served(DAY + 5, 30, 9, "sales"), 20, 12.5, "sales"),
    ]
    store.record([event for call in calls for event in call.events])
    assert store.told_waits(DAY, DAY + 1000) == {"support": [(45.0, 50.0)], "sales": [(12.5, 10.0)]}
    assert store.told_waits(DAY + 500, DAY + 1000) == {}
