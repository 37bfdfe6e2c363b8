"""The recorder counts what waits in the boxes, when there is a reason to."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from contactcentre.domain.events import Event, Kind
from contactcentre.domain.voicemail import CLAIM_SECONDS, BoxCount, Step
from contactcentre.embedded import Services
from contactcentre.live import BoxCounts, boxes_moved, connect
from contactcentre.store import Store
from contactcentre.tasks.counting import EVERY, BoxTeller
from contactcentre.tasks.recorder import Recorder
from tests.store.calls import Call
from tests.store.test_boxes import left
from tests.tasks.test_recorder import append


class Clock:
    def __init__(self) -> None:
        self.now = float(round(time.time()))

    def __call__(self) -> float:
        return self.now


class Counted(BoxCounts):
    """How often everybody was told."""

    times = 0

    def tell(self, counts):  # type: ignore[no-untyped-def]
        self.times += 1
        super().tell(counts)


@pytest.fixture
def client(services: Services, redis: "Redis") -> Iterator["Redis"]:
    with connect(services.redis_url) as client:
        yield client


def test_a_message_is_counted_when_it_arrives_and_when_somebody_has_taken_a_step(store: Store, client: "Redis") -> None:
    clock, boxes = Clock(), Counted(client)
    recorder = Recorder(store, client, "test", boxes=BoxTeller(store, boxes, clock))
    recorder.step(0)
    assert (boxes.all(), boxes.times) == ({}, 1), "counted at the start"
    recorder.step(0)
    assert boxes.times == 1, "and not again without a reason"

    call = Call(clock.now - 60).add(1, Kind.RECORDING_STARTED, recording="v1", agent="", queue="support")
    call.add(9, Kind.RECORDING_ENDED, recording="v1", agent="", queue="support", files={"left": "v1"}, offsets={})
    call.add(10, Kind.VOICEMAIL, recording="v1", box="support", seconds=8.0).ended(11, "voicemail")
    append(client, *call.events)
    recorder.step(0)
    assert boxes.all() == {"support": BoxCount(1, 0, clock.now - 50)}

    store.take_step("v1", Step.CLAIM, "anna", clock.now)
    recorder.step(0)
    assert boxes.all()["support"].new == 1, "nobody has said so yet"
    boxes_moved(client)
    recorder.step(0)
    assert boxes.all() == {"support": BoxCount(0, 1, None)}

    append(client, Event(call.id, 0, clock.now, Kind.RECORDING_DELETED, {"recording": "v1", "reason": "request"}))
    recorder.step(0)
    assert boxes.all() == {}


def test_claims_that_run_out_and_data_that_redis_has_lost_are_seen_in_time(store: Store, client: "Redis") -> None:
    clock, boxes = Clock(), BoxCounts(client)
    left(store, "c1", clock.now - 300)
    store.take_step("c1", Step.CLAIM, "anna", clock.now)
    teller = BoxTeller(store, boxes, clock)
    teller.look()
    assert boxes.all()["support"].new == 0
    clock.now += CLAIM_SECONDS
    teller.look()
    assert boxes.all()["support"].new == 1
    client.flushall()
    clock.now += EVERY
    teller.look()
    assert boxes.all()["support"].new == 1
