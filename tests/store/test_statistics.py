from random import Random

import pytest

from contactcentre.domain import metrics
from contactcentre.domain.events import Kind
from contactcentre.domain.metrics import Counts, UnknownFormula
from contactcentre.domain.site import Queue, Settings, Site
from contactcentre.store import Store
from tests.store.calls import DAY, Call, answered


def some_calls(random: Random, number: int) -> list[Call]:
    """Calls of all fates in two queues."""
    calls = []
    for n in range(number):
        queue = random.choice(["support", "sales"])
        call = Call(DAY + n).queued(0, queue)
        waits = random.choice([1, 4.9, 5, 19, 20, 20.5, 60])
        match random.choice(["answered", "abandoned", "timeout", "lost", "waits"]):
            case "answered":
                call.offered(0, queue=queue).talked(waits, random.randint(1, 99), queue=queue).ended(200)
                call.wrapped(200, random.randint(1, 9), queue=queue)
            case "abandoned":
                call.abandoned(waits, queue)
            case "timeout":
                call.add(waits, Kind.UNQUEUED, queue=queue, reason="timeout", waited=waits).ended(waits, "self_served")
            case "lost":
                call.ended(waits, "lost")
        calls.append(call)
    return calls


def test_the_database_counts_what_the_formulas_text_counts(store: Store) -> None:
    calls = some_calls(Random(5), 150)
    store.record([event for call in calls for event in call.events])
    now = DAY + 170
    visits = [visit for call in calls for visit in store.visits(call.id)]
    counted = store.count_visits(DAY, now, {"support": 20, "sales": 5}, 5)
    for queue, threshold in (("support", 20), ("sales", 5)):
        expected = metrics.count([visit for visit in visits if visit.queue == queue], now, threshold, 5)
        assert same(counted[queue], expected)


def same(one: Counts, other: Counts) -> bool:
    names = Counts.__dataclass_fields__
    return all(getattr(one, name) == pytest.approx(getattr(other, name)) for name in names)


def test_every_queue_of_the_site_has_its_numbers_and_the_formula_beside_them(store: Store) -> None:
    queues = {"support": Queue(service_level=10), "idle": Queue()}
    settings = Settings(service_level_formula="asterisk_sl", short_abandon=3)
    store.save_site(Site(queues=queues, settings=settings), "test")
    store.record([*answered().events, *Call(DAY).queued(0, "removed").abandoned(1, "removed").events])
    stats = store.queue_stats(DAY, DAY + 1000)
    assert list(stats) == ["support", "idle", "removed"]
    assert (stats["support"].service_level, stats["support"].asa, stats["support"].aht) == (0.0, 20, 72)
    assert stats["support"].text == "answered within 10 s ÷ answered"
    assert (stats["idle"].service_level, stats["idle"].abandon_rate) == (None, None)
    assert stats["removed"].abandon_rate == 1.0
    other = store.queue_stats(DAY, DAY + 1000, "answered_in_time_over_offered")
    assert other["removed"].service_level == 0.0
    with pytest.raises(UnknownFormula):
        store.queue_stats(DAY, DAY + 1000, "magic")


def test_a_visit_counts_in_the_interval_in_which_it_began(store: Store) -> None:
    store.record(answered().events)  # enters the queue at second 10
    assert store.count_visits(DAY, DAY + 10, {}, 5) == {}
    assert store.count_visits(DAY + 10, DAY + 11, {}, 5)["support"].answered == 1
    assert store.count_visits(DAY + 11, DAY + 1000, {}, 5) == {}
