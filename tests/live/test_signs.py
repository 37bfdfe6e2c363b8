import json

from redis import Redis

from contactcentre.live import Signs, in_use, signs_of_life, unreachable


def say(redis: "Redis", node: str, **more: object) -> None:
    redis.set(f"cc:node:{node}", json.dumps({"node": node, "at": 1.0, "linked": True, **more}))


def test_who_lives_is_told_and_what_cannot_be_read_is_nobody(redis: "Redis") -> None:
    assert signs_of_life(redis) == {}
    say(redis, "node1", contacts=3, site=7, unreachable={"anna": 5.0}, in_use={"ben": 6})
    redis.set("cc:node:node2", "[]")
    redis.set("cc:node:node3", "garbage")
    assert signs_of_life(redis) == {"node1": Signs("node1", 1.0, True, 3, 7, {"anna": 5.0}, {"ben": 6.0})}


def test_an_agent_is_unreachable_when_no_controller_that_can_tell_can_ring_the_phone(redis: "Redis") -> None:
    assert unreachable({}) == in_use({}) == {}
    say(redis, "node1", unreachable={"anna": 3.0, "ben": 4.0}, in_use={"cleo": 5.0})
    say(redis, "node2", unreachable={"ben": 2.0})
    say(redis, "node3", linked=False, unreachable={}, in_use={"anna": 1.0})
    signs = signs_of_life(redis)
    assert (unreachable(signs), in_use(signs)) == ({"ben": 4.0}, {"cleo": 5.0})
