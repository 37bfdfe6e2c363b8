"""What waits in the boxes, as it is told to all who look."""

from contactcentre.domain.voicemail import BoxCount
from contactcentre.live import BoxCounts, Change, Live, boxes_moved
from tests.live.conftest import RedisServer


def told(live: Live, cursor: str) -> list[tuple[str, BoxCount | None]]:
    return [(change.key, change.value) for change in live.changes(cursor, 0.01) if change.kind == "box"]


def test_only_what_has_changed_is_told_and_a_snapshot_has_all(live: Live) -> None:
    boxes, cursor = BoxCounts(live.redis), live.snapshot().cursor
    first = {"support": BoxCount(2, 1, 1000.5), "anna": BoxCount(1, 0, 900.0)}
    boxes.tell(first)
    assert dict(told(live, cursor)) == first == boxes.all()
    after = live.snapshot()
    assert after.boxes == first
    boxes.tell(first)
    assert told(live, after.cursor) == []
    boxes.tell({"support": BoxCount(1, 2, 1000.5)})
    assert dict(told(live, after.cursor)) == {"support": BoxCount(1, 2, 1000.5), "anna": None}
    boxes.tell({})
    assert boxes.all() == {}


def test_a_count_that_cannot_be_understood_is_left_out(live: Live) -> None:
    BoxCounts(live.redis).tell({"support": BoxCount(1, 0, 5.0)})
    live.redis.hset("cc:boxes", "anna", '{"new": "many"}')
    assert live.snapshot().boxes == {"support": BoxCount(1, 0, 5.0)}
    assert live.malformed == 1
    live.redis.xadd("cc:changes", {"kind": "box", "key": "anna", "value": "[]"})
    last: Change = live.changes(live.redis.xrevrange("cc:changes", count=2)[1][0], 0.01)[-1]
    assert (last.kind, last.value) == ("malformed", None)


def test_who_takes_a_step_while_redis_is_away_goes_on(server: RedisServer, live: Live) -> None:
    boxes = BoxCounts(live.redis)
    assert boxes.asked() == 0
    boxes_moved(live.redis)
    assert boxes.asked() == 1
    server.kill()
    boxes_moved(live.redis)
    server.start()
    assert boxes.asked() == 1
