import json

from redis import Redis

from contactcentre.live import Signs, signs_of_life, unreachable


def say(redis: "Redis", node: str, **more: object) -> None:
    redis.set(f"cc:node:{node}", json.dumps({"node": node, "at": 1.0, "linked": True, **more}))


def test_who_lives_is_told_and_what_cannot_be_read_is_nobody(redis: "Redis") -> None:
    assert signs_of_life(redis) == {}
    say(redis, "node1", contacts=3, site=7, unreachable=["anna"])
    redis.set("cc:node:node2", "[]")
    redis.set("cc:node:node3", "garbage")
    assert signs_of_life(redis) == {"node1": Signs("node1", 1.0, True, 3, 7, frozenset({"anna"}))}


def test_an_agent_is_unreachable_when_no_controller_that_can_tell_can_ring_the_phone(redis: "Redis") -> None:
    assert unreachable({}) == frozenset()
    say(redis, "node1", unreachable=["anna", "ben"])
    say(redis, "node2", unreachable=["ben"])
    say(redis, "node3", linked=False, unreachable=[])
    assert unreachable(signs_of_life(redis)) == {"ben"}
