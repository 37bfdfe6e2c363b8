from redis import Redis

from contactcentre.live import Lease
from tests.live.conftest import RedisServer


def test_one_holder_at_a_time_and_each_new_one_has_a_greater_fence(redis: "Redis") -> None:
    first, second = Lease(redis, "beat", 10), Lease(redis, "beat", 10)
    assert first.acquire()
    fence = first.fence
    assert not second.acquire()
    assert second.fence == 0
    first.release()
    assert first.fence == 0
    assert second.acquire()
    assert second.fence > fence


def test_renewing_keeps_the_fence(redis: "Redis") -> None:
    lease = Lease(redis, "beat", 10)
    lease.acquire()
    fence = lease.fence
    assert lease.renew()
    assert lease.fence == fence


def test_a_lease_that_ran_out_goes_to_the_next_and_its_old_holder_is_told(redis: "Redis") -> None:
    old, new = Lease(redis, "beat", 10), Lease(redis, "beat", 10)
    assert old.acquire()
    fence = old.fence
    redis.pexpire("cc:lease:beat", 0)
    assert new.acquire()
    assert new.fence > fence
    assert not old.renew()
    old.release()
    assert not Lease(redis, "beat", 10).acquire(), "only its holder can give it up"


def test_leases_of_different_names_do_not_touch(redis: "Redis") -> None:
    assert Lease(redis, "beat", 10).acquire()
    assert Lease(redis, "recorder", 10).acquire()


def test_the_fence_grows_also_when_redis_lost_its_data(server: RedisServer, redis: "Redis") -> None:
    first, second = Lease(redis, "beat", 10), Lease(redis, "beat", 10)
    assert first.acquire()
    fence = first.fence
    server.lose_data()
    assert second.acquire()
    assert second.fence > fence
    assert not first.renew()
