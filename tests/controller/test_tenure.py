"""Which of two controllers is active, as both see it, on a Redis that is killed, frozen, and loses its data."""

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent.event import Event as Flag
from redis import Redis

from contactcentre.controller import tenure
from contactcentre.controller.tenure import Tenure
from contactcentre.live import Stale, connect
from contactcentre.live.connection import ask
from contactcentre.live.standbys import standbys
from tests.live.conftest import RedisServer, redis, server
from tests.waiting import eventually

__all__ = ["redis", "server"]


class Controller:
    """What a controller does with its tenure, and nothing else."""

    def __init__(self, server: RedisServer) -> None:
        self.redis = connect(server.url, timeout=1.0)
        self.tenure = Tenure(self.redis, "node1")
        self.redis.fence = self.tenure  # type: ignore[attr-defined]
        self.over = Flag()
        self.active = False
        self._runs = gevent.spawn(self._run)

    def _run(self) -> None:
        self.tenure.warm()
        saying = gevent.spawn(self.tenure.keep_saying)
        self.active = self.tenure.await_turn(self.over)
        saying.kill()
        self.tenure.say_no_longer()
        if self.active:
            self.tenure.keep(self.over.set)

    def stop(self) -> None:
        self.over.set()
        self._runs.join()
        if self.tenure._keeper is not None:
            self.tenure._keeper.kill()


@contextmanager
def controllers(server: RedisServer) -> Iterator[tuple[Controller, Controller]]:
    """One that is active, and one that stands by."""
    first = Controller(server)
    eventually(lambda: first.active, "the first one is active")
    second = Controller(server)
    eventually(lambda: [one.id for one in standbys(second.tenure._redis)] == [second.tenure.id], "the other stands by")
    try:
        yield first, second
    finally:
        first.stop()
        second.stop()


def renewed(server: RedisServer, times: int = 5) -> None:
    """The active one has looked after its lease so many times."""
    client = connect(server.url)

    def beat() -> int:
        return int(client.hget("cc:lease:node:node1", "beat") or 0)

    until = beat() + times
    eventually(lambda: beat() >= until, "renewed")


def test_redis_away_takes_the_lease_from_nobody(server: RedisServer, redis: "Redis") -> None:
    with controllers(server) as (first, second):
        server.kill()
        gevent.sleep(2 * tenure.TTL)  # nothing can be awaited: nothing is to happen
        assert first.tenure.may_act()
        assert not second.active
        server.start()
        renewed(server)
        assert not second.active
        assert not first.over.is_set()
        assert ask(first.redis, "SET", "x", 1)


@pytest.mark.parametrize("restart", [False, True], ids=["flushed", "restarted"])
def test_redis_that_lost_everything_has_the_active_one_again_and_only_that(
    server: RedisServer, redis: "Redis", restart: bool
) -> None:
    with controllers(server) as (first, second):
        fence = first.tenure.lease.fence
        if restart:
            server.lose_data()
        else:
            redis.flushall()
        renewed(server)
        assert (first.tenure.lost, second.active) == (False, False)
        assert first.tenure.lease.fence == fence
        eventually(lambda: standbys(second.tenure._redis), "the stand-by is there again")


def test_a_redis_that_hung_gives_the_lease_to_who_had_it(server: RedisServer, redis: "Redis") -> None:
    with controllers(server) as (first, second):
        server.freeze()
        gevent.sleep(3 * tenure.TTL)  # the lease runs out in it
        server.thaw()
        renewed(server)
        assert (first.tenure.lost, second.active) == (False, False)


def test_who_is_late_may_not_act_before_it_has_looked(
    server: RedisServer, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    with controllers(server) as (first, second):
        assert first.tenure.may_act()
        first.tenure._keeper.kill()  # type: ignore[union-attr]  # as if its hub had stood still
        eventually(lambda: second.active, "the other one has taken over")
        asked = gevent.spawn(first.tenure.may_act)
        gevent.sleep(0)
        assert not asked.ready()
        first.tenure.keep(first.over.set)
        assert asked.get() is False
        assert first.over.is_set()
        with pytest.raises(Stale):
            ask(first.redis, "SET", "x", 1)
        assert second.tenure.may_act()
        assert second.tenure.succession is not None
        assert second.tenure.succession.predecessor == first.tenure.id


def test_who_was_late_and_was_not_replaced_goes_on(server: RedisServer, redis: "Redis") -> None:
    first = Controller(server)
    eventually(lambda: first.active, "active")
    first.tenure._keeper.kill()  # type: ignore[union-attr]
    eventually(lambda: not redis.exists(first.tenure.key), "the lease has run out")
    first.tenure.keep(first.over.set)
    assert first.tenure.may_act()
    assert ask(first.redis, "SET", "x", 1)
    first.stop()


def test_who_hands_over_is_followed_by_that_one_and_says_since_when(server: RedisServer, redis: "Redis") -> None:
    with controllers(server) as (first, second):
        first.tenure.hush()
        assert not first.tenure.may_act()
        assert first.tenure.may_take(), "calls that come now are for the other one"
        assert ask(first.redis, "SET", "x", 1), "what is known is still written"
        first.tenure.let_go(second.tenure.id)
        eventually(lambda: second.active, "the other one is active")
        with pytest.raises(Stale):
            ask(first.redis, "SET", "x", 2)
        assert second.tenure.succession is not None
        assert second.tenure.succession.planned
        assert second.tenure.succession.predecessor == first.tenure.id
        assert standbys(redis) == []
