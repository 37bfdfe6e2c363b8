"""Who holds a lease, on a real Redis; and that Redis refuses what is written by anybody else."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from contactcentre.domain.agents import Verb
from contactcentre.embedded import Services
from contactcentre.live import Away, Commands, Held, Lease, Live, Stale, Watch, connect
from contactcentre.live.connection import ask, transaction
from contactcentre.live.lines import LineHolders
from tests.live.conftest import RedisServer

TTL, GRACE = 0.8, 0.4


class Fence:
    """What a process holds against Redis that does nothing to keep its lease."""

    def __init__(self, lease: Lease) -> None:
        self.lease, self.key = lease, lease.key

    def token(self) -> str:
        return self.lease.fence

    def missing(self) -> None:
        pass


def fenced(server: RedisServer, lease: Lease) -> "Redis":
    client = connect(server.url)
    client.fence = Fence(lease)  # type: ignore[attr-defined]
    return client


def test_one_holder_at_a_time_and_each_new_one_has_a_greater_fence(redis: "Redis") -> None:
    first, second = Lease(redis, "node:a", 10), Lease(redis, "node:a", 10)
    assert first.take(first.look())
    fence = first.fence
    assert not second.take(None)
    assert second.fence == ""
    first.release()
    assert first.fence == ""
    assert second.take(second.look())
    assert int(second.fence) > int(fence)


def test_who_saw_the_lease_before_it_was_renewed_does_not_get_it(redis: "Redis") -> None:
    first, second = Lease(redis, "node:a", 10), Lease(redis, "node:a", 10)
    first.take(None)
    seen = second.look()
    assert first.renew(True)
    assert not second.take(seen)
    assert second.take(second.look()), "as it is now"
    assert not first.renew(True)


def test_renewing_keeps_the_fence_also_after_redis_has_lost_the_lease(redis: "Redis") -> None:
    lease = Lease(redis, "node:a", 10)
    lease.take(None)
    fence = lease.fence
    for lose in (lambda: None, lambda: redis.delete(lease.key), redis.flushall):
        lose()
        assert lease.renew(True)
        held = lease.look()
        assert held is not None
        assert held.fence == fence == lease.fence


def test_a_holder_that_was_away_for_long_does_not_write_a_lease_again_that_redis_knows_nothing_of(
    redis: "Redis",
) -> None:
    lease = Lease(redis, "node:a", 10)
    lease.take(None)
    redis.flushall()
    assert not lease.renew(False)
    assert redis.keys() == []


def test_who_was_replaced_gets_it_back_neither_by_renewing_nor_when_the_next_one_has_gone(redis: "Redis") -> None:
    old, new = Lease(redis, "node:a", 10), Lease(redis, "node:a", 10)
    old.take(None)
    redis.delete(old.key)
    assert new.take(None)
    assert not old.renew(True)
    redis.delete(old.key)
    assert not old.renew(True), "somebody had it since"
    assert new.renew(True)


def test_the_fence_grows_also_when_redis_has_lost_its_data(server: RedisServer, redis: "Redis") -> None:
    old, new = Lease(redis, "node:a", 10), Lease(redis, "node:a", 10)
    old.take(None)
    server.lose_data()
    assert new.take(new.look())
    assert int(new.fence) > int(old.fence)
    assert not old.renew(True)


def test_a_lease_is_handed_to_one_who_has_it_from_that_moment_and_nobody_else(redis: "Redis") -> None:
    old, new, other = (Lease(redis, "node:a", 10) for _ in range(3))
    old.take(None)
    fence = old.fence
    assert old.hand_to(new.holder, "for you")
    waiting = other.look()
    assert waiting is not None
    assert waiting.note == "for you"
    assert old.fence == ""
    assert not other.take(None)
    assert new.take(None), "whatever it had seen"
    seen = other.look()
    assert seen is not None
    assert seen.note == "", "it was meant for that one only"
    assert int(new.fence) > int(fence)
    assert not old.hand_to(other.holder)
    assert new.renew(True)


def test_leases_of_different_names_do_not_touch(redis: "Redis") -> None:
    assert Lease(redis, "node:a", 10).take(None)
    assert Lease(redis, "node:b", 10).take(None)


def test_a_lease_that_is_not_renewed_is_gone_after_its_time_and_one_that_was_given_up_stays_given_up(
    redis: "Redis",
) -> None:
    lease = Lease(redis, "node:a", TTL)
    lease.take(None)
    assert 0 < redis.pttl(lease.key) <= TTL * 1000
    lease.release()
    assert redis.pttl(lease.key) == -1
    held = lease.look()
    assert held is not None
    assert held.holder == ""


def test_redis_away_is_an_error_and_the_fence_is_kept(server: RedisServer, redis: "Redis") -> None:
    lease = Lease(redis, "node:a", 10)
    lease.take(None)
    fence = lease.fence
    server.kill()
    with pytest.raises(Away):
        lease.renew(True)
    with pytest.raises(Away):
        lease.look()
    assert lease.fence == fence
    server.start()
    assert lease.renew(True)


# -- when it may be taken ----------------------------------------------------------------------------------------------


def held(beat: int, holder: str = "x") -> Held:
    return Held(holder, "7", str(beat), 0.0)


def test_a_holder_that_renews_keeps_the_lease_and_a_silent_one_loses_it() -> None:
    watch = Watch(TTL, GRACE)
    assert not any(watch.may_take(held(n), n * (TTL + GRACE)) for n in range(5))
    assert not watch.may_take(held(4), 4 * (TTL + GRACE) + TTL)
    assert watch.may_take(held(4), 5 * (TTL + GRACE))


def test_a_missing_lease_is_taken_after_a_while_in_which_it_stayed_missing() -> None:
    watch = Watch(TTL, GRACE)
    assert not watch.may_take(None, 0.0)
    assert not watch.may_take(held(1), GRACE / 2), "its holder had only been late"
    assert not watch.may_take(None, GRACE)
    assert watch.may_take(None, 2 * GRACE)


def test_a_lease_that_was_given_up_is_taken_at_once() -> None:
    assert Watch(TTL, GRACE).may_take(held(3, holder=""), 0.0)


def test_after_redis_could_not_be_asked_its_holder_gets_its_time_anew() -> None:
    watch = Watch(TTL, GRACE)
    watch.may_take(held(1), 0.0)
    watch.blind()
    assert not watch.may_take(held(1), 10.0)
    assert watch.may_take(held(1), 10.0 + TTL + GRACE)


def test_the_time_that_redis_took_for_an_answer_does_not_count() -> None:
    watch = Watch(TTL, GRACE)
    watch.may_take(held(1), 0.0)
    watch.skip(5.0)
    assert not watch.may_take(held(1), 5.0 + TTL)
    assert watch.may_take(held(1), 5.0 + TTL + GRACE)


# -- what is written under it ------------------------------------------------------------------------------------------


def test_everything_a_replaced_controller_writes_is_refused_and_it_reads_on(
    server: RedisServer, redis: "Redis"
) -> None:
    old, new = Lease(redis, "node:a", 10), Lease(redis, "node:a", 10)
    old.take(None)
    client = fenced(server, old)
    live = Live(client)
    assert live.change("anna", Verb.LOGIN, 1.0).version
    live.publish_site(3)
    assert live.snapshot().site == 3
    assert new.take(old.look())
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    writes = (
        lambda: live.change("anna", Verb.LOGOUT, 2.0),
        lambda: live.drop_contact("x"),
        lambda: live.put_contacts({"x": None}),
        lambda: live.put_waiting({"x": None}),
        lambda: live.steps([]),
        lambda: live.publish_site(4),
        lambda: live.publish_estimates({}),
        lambda: live.forget_agent("anna"),
        lambda: LineHolders(client).take("anna", "a"),
        lambda: ask(client, "SET", "cc:node:a", "1"),
        lambda: Commands(client).send("a", "ping", timeout=0.1),
    )
    for write in writes:
        with pytest.raises(Stale):
            write()
    assert live.agent("anna") == Live(redis).agent("anna")
    assert live.snapshot().agents == live.agents()
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


def test_plain_commands_behind_the_fence_answer_as_they_do_without(server: RedisServer, redis: "Redis") -> None:
    lease = Lease(redis, "node:a", 10)
    lease.take(None)
    client = fenced(server, lease)
    assert ask(client, "INCR", "n") == 1
    with transaction(client) as both:
        both.ask("SET", "a", 1, "NX", "EX", 10)
        both.ask("SET", "a", 1, "NX", "EX", 10)
        both.ask("HSET", "h", "x", 1, "y", 2.5)
        both.ask("DEL", "h")
    first, second, *numbers = both.values
    assert first
    assert second is None
    assert numbers == [2, 1]


def test_without_a_record_of_the_lease_nothing_is_written_until_it_was_looked_after(
    server: RedisServer, redis: "Redis"
) -> None:
    lease = Lease(redis, "node:a", 10)
    lease.take(None)
    client = fenced(server, lease)
    redis.flushall()
    with pytest.raises(Away):
        ask(client, "SET", "x", 1)
    client.fence.missing = lambda: lease.renew(True)  # type: ignore[attr-defined]
    assert ask(client, "SET", "x", 1)


# -- whatever happens --------------------------------------------------------------------------------------------------


class Process:
    """Somebody who wants the lease: watches it, renews it, writes, freezes, whenever it likes."""

    def __init__(self, redis: "Redis", client: "Redis") -> None:
        self.lease, self.watch, self.client = Lease(redis, "node:a", 60), Watch(TTL, GRACE), client
        self.active, self.looked = False, 0.0
        client.fence = Fence(self.lease)  # type: ignore[attr-defined]

    def look(self, now: float) -> None:
        if self.active:
            self.active = self.lease.renew(now - self.looked < GRACE)
            self.looked = now
            return
        seen = self.lease.look()
        if self.watch.may_take(seen, now):
            self.active, self.looked = self.lease.take(seen), now

    def writes(self) -> bool:
        """Whether Redis took it. It may believe whatever it likes."""
        try:
            return bool(self.lease.fence) and bool(ask(self.client, "RPUSH", "written", self.lease.fence))
        except (Stale, Away):
            return False


THINGS = ("look", "look", "look", "write", "write", "release", "hand", "expire", "lose", "blind")


@pytest.fixture(scope="module")
def clients(services: Services) -> Iterator[list["Redis"]]:
    made = [connect(services.redis_url, timeout=60.0) for _ in range(4)]  # a late answer is not told from none
    yield made
    for client in made:
        client.close()


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(THINGS), st.sampled_from((0.0, 0.05, 0.3, 1.3))),
        min_size=20,
        max_size=80,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whoever_freezes_wakes_loses_sight_or_data_redis_takes_writes_of_one_only_and_in_the_order_of_fences(
    clients: list["Redis"], script: list[tuple[int, str, float]]
) -> None:
    redis, *own = clients
    redis.flushall()
    everybody = [Process(redis, client) for client in own]
    now, highest = 0.0, 0
    for who, what, pause in script:
        one = everybody[who]
        now += pause
        match what:
            case "look":
                one.look(now)
            case "write":
                one.writes()
            case "release":
                one.lease.release()
                one.active = False
            case "hand":
                one.lease.hand_to(everybody[who - 1].lease.holder)
                one.active = False
            case "expire":  # Redis's clock says what it wants
                redis.delete(one.lease.key)
            case "lose":
                redis.flushall()
                time.sleep(0.002)  # by which Redis's clock goes on, which nobody has seen go back
            case "blind":
                one.watch.blind()
        took = [each for each in everybody if each.writes()]
        assert len(took) <= 1, "two wrote"
        for each in took:
            assert int(each.lease.fence) >= highest, "somebody came back"
            highest = int(each.lease.fence)
    for _ in range(3):  # whatever has happened, somebody has it in the end
        now += TTL + GRACE
        for one in everybody:
            one.look(now)
    assert sum(one.writes() for one in everybody) == 1
    assert sum(one.active for one in everybody) == 1
