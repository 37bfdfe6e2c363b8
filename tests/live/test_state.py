import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gevent
import pytest
from gevent import Timeout, joinall, spawn
from redis import Redis

from contactcentre.domain.agents import AgentState, AgentStatus, NotAllowed, Verb
from contactcentre.live import (
    AgentFact,
    Away,
    ContactNow,
    JournalReader,
    Live,
    Malformed,
    Refused,
    Resync,
    Waiting,
    connect,
)
from contactcentre.live import state as state_module
from tests.live.conftest import RedisServer

NOW = 1_795_000_000.25


def logged_in(live: Live, name: str = "anna") -> AgentStatus:
    return live.change(name, Verb.LOGIN, NOW)


def test_an_agent_never_seen_is_logged_out(live: Live) -> None:
    assert live.agent("anna") == AgentStatus("anna")
    assert live.agents() == {}


def test_a_step_is_written_followed_and_journalled_at_once(live: Live, redis: "Redis") -> None:
    cursor = live.snapshot().cursor
    status = logged_in(live)
    paused = live.change("anna", Verb.PAUSE, NOW + 5, reason="lunch")
    assert (paused.state, paused.version) == (AgentState.PAUSED, status.version + 1)
    assert live.agent("anna") == paused
    assert [(c.kind, c.key, c.value) for c in live.changes(cursor)] == [
        ("agent", "anna", status),
        ("agent", "anna", paused),
    ]
    facts = [fact for _, fact in JournalReader(redis, "recorder", "me").read()]
    assert facts[1] == AgentFact(
        "anna", paused.version, NOW + 5, AgentState.AVAILABLE, AgentState.PAUSED, reason="lunch"
    )


def test_a_step_that_makes_no_sense_is_refused_and_writes_nothing(live: Live) -> None:
    cursor = live.snapshot().cursor
    with pytest.raises(NotAllowed):
        live.change("anna", Verb.PAUSE, NOW)
    assert live.agents() == {}
    assert live.changes(cursor, 0.01) == []


def test_only_who_saw_the_agents_last_version_reserves(live: Live) -> None:
    seen = logged_in(live)
    first = live.reserve(seen, "c1", "support", "t1", NOW + 20, NOW)
    assert first is not None
    assert live.reserve(seen, "c2", "support", "t2", NOW + 20, NOW) is None
    assert live.agent("anna") == first
    assert (first.state, first.contact_id, first.token, first.deadline) == (AgentState.OFFERED, "c1", "t1", NOW + 20)


def test_an_agent_who_is_not_free_in_the_eyes_of_the_caller_is_not_even_asked_for(live: Live) -> None:
    paused = replace(logged_in(live), state=AgentState.PAUSED)
    assert live.reserve(paused, "c1", "support", "t1", NOW + 20, NOW) is None


def test_a_contact_that_left_meanwhile_keeps_no_reservation(live: Live) -> None:
    seen = logged_in(live)
    contact = Waiting("c1", "support")
    live.enter(contact)
    live.leave("c1")
    cursor = live.snapshot().cursor
    offered = replace(contact, offered="anna")
    assert live.reserve(seen, "c1", "support", "t1", NOW + 20, NOW, waiting=offered) is None
    assert live.agent("anna") == seen
    assert live.waiting() == {}
    assert live.changes(cursor, 0.01) == []


def test_the_contact_shows_its_offer_in_the_same_step(live: Live) -> None:
    seen, contact = logged_in(live), Waiting("c1", "support")
    live.enter(contact)
    cursor = live.snapshot().cursor
    offered = replace(contact, offered="anna")
    status = live.reserve(seen, "c1", "support", "t1", NOW + 20, NOW, waiting=offered)
    assert live.waiting() == {"c1": offered}
    assert [change.value for change in live.changes(cursor)] == [offered, status]


def test_an_attempt_repeated_after_a_broken_connection_has_won_once(live: Live) -> None:
    """The client sends a command again when the answer got lost. The second one must not look like a lost race."""
    seen, cursor = logged_in(live), live.snapshot().cursor
    first = live.reserve(seen, "c1", "support", "t1", NOW + 20, NOW)
    assert live.reserve(seen, "c1", "support", "t1", NOW + 20, NOW) == first
    assert len(live.changes(cursor)) == 1


def test_racing_steps_of_one_agent_all_happen_one_after_the_other(live: Live) -> None:
    first = logged_in(live).version
    live.change("anna", Verb.PAUSE, NOW, reason="start")

    def pause_again(reason: str) -> None:
        for _ in range(10):
            live.change("anna", Verb.PAUSE, NOW, reason=reason)

    joinall([spawn(pause_again, f"reason {n}") for n in range(5)], raise_error=True)
    assert live.agent("anna").version == first + 51


def test_processes_racing_for_the_same_agents_never_both_have_one(
    server: RedisServer, live: Live, redis: "Redis"
) -> None:
    names = [f"agent{n}" for n in range(6)]
    for name in names:
        logged_in(live, name)
    command = [sys.executable, str(Path(__file__).with_name("racer.py")), server.url, "250"]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    results = [json.loads(racer.communicate(timeout=60)[0]) for racer in racers]
    won = [tuple(reservation) for result in results for reservation in result["won"]]
    assert len(won) > 1000
    assert sum(result["lost"] for result in results) > 0, "they did race"
    assert len({(name, version) for name, version, _ in won}) == len(won), "no version was won twice"
    facts: dict[str, list[AgentFact]] = {name: [] for name in names}
    reader = JournalReader(redis, "recorder", "me")
    while entries := reader.read(1000, block=0.01):
        for _, fact in entries:
            assert isinstance(fact, AgentFact)
            facts[fact.agent].append(fact)
        reader.ack([entry_id for entry_id, _ in entries])
    for of_one in facts.values():
        assert [f.version for f in of_one] == list(range(of_one[0].version, of_one[0].version + len(of_one)))
        assert {(f.previous, f.state) for f in of_one[1:]} == {
            (AgentState.AVAILABLE, AgentState.OFFERED),
            (AgentState.OFFERED, AgentState.AVAILABLE),
        }
    offered = sum(fact.state is AgentState.OFFERED for of_one in facts.values() for fact in of_one)
    assert offered == len(won), "what the journal says is what the processes saw"


# waiting contacts and live contacts


def test_a_late_update_never_brings_a_contact_back(live: Live) -> None:
    contact = Waiting("c1", "support", caller="0123", excluded=("bob",))
    live.enter(contact)
    assert live.update(replace(contact, priority=5))
    assert live.waiting()["c1"].priority == 5
    assert live.leave("c1")
    assert not live.leave("c1")
    assert not live.update(contact)
    assert live.waiting() == {}


def test_where_a_contact_is_can_be_read_and_followed(live: Live) -> None:
    cursor = live.snapshot().cursor
    contact = ContactNow(
        "c1",
        "node1",
        "queue",
        flow="main",
        flow_state={"node": "support", "vars": {"name": 'Zoë "; \n\r DROP'}},
        channels={"caller": "chan-1"},
        caller_name="\u202ePeter\x00",
        seq=4,
    )
    live.put_contact(contact)
    assert live.contact("c1") == contact
    assert live.contacts() == {"c1": contact}
    assert [change.value for change in live.changes(cursor)] == [contact]
    assert live.drop_contact("c1")
    assert live.contact("c1") is None
    assert [change.value for change in live.changes(cursor)] == [None, None], "as it is now"


# following


def test_changes_continue_exactly_after_the_snapshot(live: Live) -> None:
    status = logged_in(live)
    live.enter(Waiting("c1", "support"))
    live.put_contact(ContactNow("c1", "node1", "queue"))
    live.publish_site(7)
    snapshot = live.snapshot()
    assert snapshot.generation == live.snapshot().generation
    assert snapshot.agents == {"anna": status}
    assert set(snapshot.waiting) == set(snapshot.contacts) == {"c1"}
    assert snapshot.site == 7
    assert live.changes(snapshot.cursor, 0.01) == []
    live.leave("c1")
    live.publish_site(8)
    assert [(c.kind, c.key, c.value) for c in live.changes(snapshot.cursor)] == [
        ("waiting", "c1", None),
        ("site", "", 8),
    ]


def test_a_replica_made_of_a_snapshot_and_the_changes_is_the_state(live: Live) -> None:
    replica = dict(live.snapshot().agents)
    cursor = live.snapshot().cursor

    def steps(name: str) -> None:
        live.change(name, Verb.LOGIN, NOW)
        for second in range(10):
            live.change(name, Verb.PAUSE, NOW + second, reason="x")
            live.change(name, Verb.UNPAUSE, NOW + second)

    walkers = [spawn(steps, f"agent{n}") for n in range(5)]
    snapshot = live.snapshot()
    replica, cursor = dict(snapshot.agents), snapshot.cursor
    joinall(walkers, raise_error=True)
    for change in live.changes(cursor):
        replica[change.key] = change.value
    assert replica == live.agents()


def test_who_waits_for_changes_is_woken_by_one(live: Live) -> None:
    cursor = live.snapshot().cursor
    following = spawn(live.changes, cursor, 120)
    logged_in(live)
    assert len(following.get(timeout=60)) == 1


def test_a_cursor_that_was_trimmed_away_means_a_new_snapshot(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "KEPT_CHANGES", 100)
    cursor = live.snapshot().cursor
    for version in range(500):
        live.publish_site(version)
    with pytest.raises(Resync):
        live.changes(cursor, 0.01)


def test_a_loss_while_somebody_waits_for_changes_means_a_new_snapshot(live: Live, redis: "Redis") -> None:
    logged_in(live)
    cursor = live.snapshot().cursor

    def wait() -> None:
        while not live.changes(cursor):
            pass

    waiter = spawn(wait)
    while not any(one["cmd"] == "xread" for one in redis.client_list()):
        gevent.sleep(0.01)
    redis.flushall()
    redis.client_kill_filter(_type="normal", skipme=True)  # what a restart does to connections
    logged_in(live, "ben")
    with pytest.raises(Resync):
        waiter.get(timeout=60)


def test_a_redis_that_lost_its_data_means_a_new_snapshot_and_agents_are_written_back(
    live: Live, redis: "Redis"
) -> None:
    status = live.reserve(logged_in(live), "c1", "support", "t1", NOW + 20, NOW)
    assert status is not None
    replica = live.snapshot()
    redis.flushall()
    with pytest.raises(Resync):
        live.changes(replica.cursor, 0.01)
    assert live.snapshot().generation != replica.generation
    assert live.restore(replica.agents["anna"])
    assert live.agent("anna") == status
    assert not live.restore(replica.agents["anna"]), "the second replica finds it there"


def test_an_agents_version_is_never_used_twice_even_when_all_was_lost(live: Live, redis: "Redis") -> None:
    status = logged_in(live)
    for second in range(1, 20):
        status = live.change("anna", Verb.PAUSE, NOW + second)
        status = live.change("anna", Verb.UNPAUSE, NOW + second)
    redis.flushall()
    assert live.change("anna", Verb.LOGIN, NOW + 60).version > status.version


def test_an_agent_who_left_the_site_is_forgotten(live: Live) -> None:
    logged_in(live)
    cursor = live.snapshot().cursor
    live.forget_agent("anna")
    assert live.agents() == {}
    assert [(change.key, change.value) for change in live.changes(cursor)] == [("anna", None)]


# what can go wrong


def test_a_record_that_cannot_be_understood_is_left_out_and_counted(live: Live, redis: "Redis") -> None:
    logged_in(live)
    redis.hset("cc:agents", "bob", '{"name": "bob", "state": "asleep"}')
    redis.hset("cc:waiting", "c9", "[]")
    redis.hset("cc:contacts", "c9", '{"contact_id": "c9"}')
    cursor = live.snapshot().cursor
    redis.xadd("cc:changes", {"kind": "agent", "key": "bob", "value": "nonsense"})
    redis.xadd("cc:changes", {"nothing": "known"})
    snapshot = live.snapshot()
    assert (set(snapshot.agents), snapshot.waiting, snapshot.contacts) == ({"anna"}, {}, {})
    unclear = live.changes(cursor)
    assert [(change.kind, change.value) for change in unclear] == [("malformed", None)] * 2
    assert live.changes(unclear[-1].cursor, 0.01) == [], "a reader's cursor has passed them"
    assert live.malformed == 8
    with pytest.raises(Malformed):
        live.agent("bob")


def test_a_redis_that_is_away_is_a_named_error_in_bounded_time(server: RedisServer, live: Live) -> None:
    logged_in(live)
    server.kill()
    for call in (live.agents, live.snapshot, lambda: live.change("anna", Verb.PAUSE, NOW), lambda: live.changes("0-1")):
        with Timeout(60), pytest.raises(Away):
            call()


def test_a_redis_that_hangs_is_a_named_error_at_the_deadline(server: RedisServer) -> None:
    live = Live(connect(server.url, timeout=0.3))
    live.agents()
    server.freeze()
    try:
        with Timeout(60), pytest.raises(Away):
            live.agents()
    finally:
        server.thaw()


def test_a_redis_that_was_restarted_serves_the_same_client_again(server: RedisServer, live: Live) -> None:
    status = logged_in(live)
    server.kill()
    server.start()
    assert live.agent("anna") == status
    assert live.change("anna", Verb.PAUSE, NOW).state is AgentState.PAUSED


def test_a_redis_that_refuses_to_write_is_a_named_error(live: Live, redis: "Redis") -> None:
    redis.config_set("maxmemory", "1")
    with pytest.raises(Refused):
        logged_in(live)
    redis.config_set("maxmemory", "0")
    assert logged_in(live).state is AgentState.AVAILABLE


def test_a_client_without_deadline_or_texts_is_refused(server: RedisServer) -> None:
    with Redis.from_url(server.url) as bare, pytest.raises(ValueError, match=r"use contactcentre\.live\.connect"):
        Live(bare)
