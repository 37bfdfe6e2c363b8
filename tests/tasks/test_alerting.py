"""Rules are looked at once for all, and what becomes of them is told: on the stream, in history, to webhooks."""

import threading
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from contactcentre.domain.agents import Verb
from contactcentre.domain.routing import Waiting
from contactcentre.domain.site import Site
from contactcentre.domain.webhooks import Webhook
from contactcentre.embedded import Services
from contactcentre.live import Live, connect
from contactcentre.live.alerts import acknowledge
from contactcentre.store import Store
from contactcentre.tasks.alerting import Alerter
from contactcentre.tasks.recorder import Recorder
from tests.store.calls import Call, answered
from tests.tasks.test_recorder import awaited


class House:
    """A site with rules; the clock is the test's."""

    def __init__(self, store: Store, redis: "Redis") -> None:
        self.store, self.redis, self.live = store, redis, Live(redis)
        self.now = float(round(time.time()))
        self.alerter = Alerter(store, redis, clock=lambda: self.now)
        self.recorder = Recorder(store, redis, "test")

    def rules(self, **alerts: str) -> None:
        queue = {"alerts": alerts, "requires": "billing", "service_level": 20}
        site = {"skills": {"billing": ""}, "agents": {"anna": {"skills": {"billing": 50}}, "bert": {}}}
        self.store.save_site(Site.model_validate({**site, "queues": {"support": queue}}), "test")

    def look(self, seconds_later: float = 0.0) -> list[str]:
        """What is raised then."""
        self.now += seconds_later
        self.alerter.look()
        return sorted(one.name for one in self.live.alerts().values() if one.raised_at)

    def facts(self) -> list[tuple[str, str]]:
        while self.recorder.step(0):
            pass
        return [(one.name, one.state) for one in reversed(self.store.alert_facts(0.0)[0])]

    def wait(self, contact: str, since: float) -> None:
        self.live.enter(Waiting(contact, "support", arrived=since, entered=since))


@pytest.fixture
def house(store: Store, services: Services, redis: "Redis") -> Iterator[House]:
    with connect(services.redis_url) as client:
        yield House(store, client)


def test_who_waits_how_long_and_who_is_free_raise_and_clear_alerts(house: House, store: Store) -> None:
    house.rules(crowd="waiting > 1 for 10", late="longest_wait > 60", nobody="available < 1 for 5")
    store.add_webhook(Webhook("chat", "https://chat.example.com/", ("alert",), ("support",)), "test", 0)
    store.add_webhook(Webhook("other", "https://chat.example.com/", ("alert",), ("billing",)), "test", 0)
    house.live.change("bert", Verb.LOGIN, house.now)
    assert house.look() == []
    assert house.look(5) == ["nobody"], "bert has not what the queue asks for"
    house.live.change("anna", Verb.LOGIN, house.now)
    for n in range(2):
        house.wait(f"c{n}", house.now)
    assert house.look() == ["nobody"]
    assert house.look(10) == ["crowd", "nobody"]
    assert house.look(20) == ["crowd"]
    assert house.look(31) == ["crowd", "late"]
    house.live.leave("c0")
    house.live.leave("c1")
    assert house.look() == ["crowd", "late"]
    assert house.look(30) == []
    facts = house.facts()
    assert facts[:4] == [("nobody", "raised"), ("crowd", "raised"), ("nobody", "cleared"), ("late", "raised")]
    assert set(facts[4:]) == {("crowd", "cleared"), ("late", "cleared")}
    due = store.due_deliveries("chat", time.time() + 9, 50)
    told = [found[1] for one in due if (found := store.content(one))]
    assert {(one["name"], one["state"]) for one in told} <= set(facts)
    assert told[0]["queue"] == "support"
    assert store.webhook("chat").waiting == 6
    assert store.webhook("other").waiting == 0


def test_history_raises_alerts_too_and_its_absence_changes_nothing(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = house.now - house.now % 86400 + 43200
    house.now = noon
    house.rules(level="service_level < 80", lost="abandoned > 2", crowd="waiting > 0")
    calls = [Call(noon - 3000 + n * 10).queued(0).abandoned(40) for n in range(3)]
    store.record([event for call in calls for event in call.events])
    assert house.look() == ["lost"], "three contacts say nothing of a day yet"
    more = [Call(noon - 2000 + n * 10).queued(0).abandoned(40) for n in range(9)]
    store.record([event for call in more for event in call.events])
    assert house.look(11) == ["level", "lost"]
    store.record(answered(noon - 300).events)
    away = Store("postgresql+psycopg://127.0.0.1:1/nowhere")
    monkeypatch.setattr(house.alerter, "_store", away)
    house.wait("c1", house.now)
    assert house.look(11) == ["crowd", "level", "lost"], "what Redis knows is watched while PostgreSQL is away"
    house.look(600)
    monkeypatch.setattr(house.alerter, "_store", store)
    house.look(11)
    assert house.look(31) == ["crowd", "level"], "somebody was answered"
    away.close()


def test_an_alert_is_acknowledged_once_and_stays_until_the_queue_is_well(house: House) -> None:
    house.rules(crowd="waiting > 0")
    house.wait("c1", house.now)
    assert house.look() == ["crowd"]
    (alarm,) = house.live.alerts().values()
    after, done = acknowledge(house.redis, alarm.id, "sue", house.now + 1)
    assert (done, after and after.acknowledged_by) == (True, "sue")
    after, done = acknowledge(house.redis, alarm.id, "tom", house.now)
    assert (done, after and after.acknowledged_by) == (False, "sue")
    assert house.look(60) == ["crowd"]
    house.live.leave("c1")
    house.look(1)
    assert house.look(31) == []
    assert acknowledge(house.redis, alarm.id, "tom", house.now) == (None, False)
    assert house.facts() == [("crowd", "raised"), ("crowd", "acknowledged"), ("crowd", "cleared")]


def test_a_rule_or_queue_that_is_gone_ends_its_alert(house: House) -> None:
    house.rules(crowd="waiting > 0")
    house.wait("c1", house.now)
    assert house.look() == ["crowd"]
    house.rules()
    assert house.look(1) == []
    assert house.facts() == [("crowd", "raised"), ("crowd", "cleared")]


def test_of_several_recorders_one_looks_and_another_goes_on_when_it_ends(
    house: House, store: Store, services: Services
) -> None:
    house.rules(crowd="waiting > 0")
    house.wait("c1", house.now)
    with connect(services.redis_url) as other_redis:
        ends = [threading.Event(), threading.Event()]
        watchers = [Alerter(store, house.redis), Alerter(store, other_redis)]
        threads = [threading.Thread(target=one.run, args=(over,)) for one, over in zip(watchers, ends, strict=True)]
        threads[0].start()
        assert awaited(lambda: house.live.alerts())
        threads[1].start()
        ends[0].set()
        threads[0].join(60)
        house.live.leave("c1")
        assert awaited(lambda: any(one.good_since for one in house.live.alerts().values()))
        ends[1].set()
        threads[1].join(60)
    assert house.facts().count(("crowd", "raised")) == 1
