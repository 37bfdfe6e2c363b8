import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from gevent import Greenlet, joinall, spawn
from redis import Redis

from contactcentre.live import Away, CommandFailed, Commands, NoReply, TooLarge
from tests.live.conftest import RedisServer


class Controller:
    """What a controller does with commands."""

    def __init__(self, redis: "Redis", node: str = "node1") -> None:
        self.commands, self.node = Commands(redis), node
        self.done: list[tuple[str, dict[str, Any]]] = []
        self.live = True
        self._serving: Greenlet[..., None] | None = None

    def handle(self, verb: str, args: dict[str, Any]) -> dict[str, Any] | None:
        self.done.append((verb, args))
        match verb:
            case "echo":
                return args
            case "nothing":
                return None
            case "fail":
                raise CommandFailed("no_such_contact", "there is no contact c9")
            case "crash":
                raise ZeroDivisionError("of ours")
            case "flood":
                return {"text": "x" * 20_000}
        raise CommandFailed("unknown_verb", verb)

    def start(self) -> None:
        self._serving = spawn(
            self.commands.serve, self.node, self.handle, running=lambda: self.live, spawn=spawn, block=0.1
        )

    def stop(self) -> None:
        self.live = False
        if self._serving:
            self._serving.get(timeout=60)


@pytest.fixture
def controller(redis: "Redis") -> Iterator[Controller]:
    made = Controller(redis)
    yield made
    made.stop()


def test_a_command_is_carried_out_and_answered(controller: Controller, redis: "Redis") -> None:
    controller.start()
    args = {"text": 'é\n"; rm -rf', "n": [1, 2.5, None]}
    assert Commands(redis).send("node1", "echo", args) == args
    assert Commands(redis).send("node1", "nothing") == {}
    assert controller.done == [("echo", args), ("nothing", {})]


def test_many_senders_each_get_their_own_reply(controller: Controller, redis: "Redis") -> None:
    controller.start()
    senders = [spawn(Commands(redis).send, "node1", "echo", {"n": n}) for n in range(40)]
    joinall(senders, timeout=20, raise_error=True)
    assert [sender.get() for sender in senders] == [{"n": n} for n in range(40)]


def test_a_failure_says_its_code_and_reason(controller: Controller, redis: "Redis") -> None:
    controller.start()
    for verb, code, text in (
        ("fail", "no_such_contact", "there is no contact c9"),
        ("crash", "internal", "ZeroDivisionError: of ours"),
        ("flood", "too_large", "the reply has"),
    ):
        with pytest.raises(CommandFailed, match=text) as caught:
            Commands(redis).send("node1", verb)
        assert caught.value.code == code


def test_nobody_there_is_told_at_the_deadline(redis: "Redis") -> None:
    start = time.monotonic()
    with pytest.raises(NoReply, match=r"node7 did not answer hangup within 0\.3 s"):
        Commands(redis).send("node7", "hangup", timeout=0.3)
    assert time.monotonic() - start > 0.25


def test_a_command_whose_sender_no_longer_waits_is_never_carried_out(controller: Controller, redis: "Redis") -> None:
    with pytest.raises(NoReply):
        Commands(redis).send("node1", "hangup", timeout=0.1)
    controller.start()
    assert Commands(redis).send("node1", "echo", {"n": 1}) == {"n": 1}
    assert controller.done == [("echo", {"n": 1})]
    assert controller.commands.refused == 1


def test_a_controller_that_starts_late_carries_out_what_is_still_waited_for(
    controller: Controller, redis: "Redis"
) -> None:
    sender = spawn(Commands(redis).send, "node1", "echo", {"n": 1}, 60.0)
    sender.join(0.05)
    controller.start()
    assert sender.get(timeout=60) == {"n": 1}


def test_a_command_is_carried_out_once_though_two_controllers_of_the_node_read_it(
    controller: Controller, redis: "Redis"
) -> None:
    twin = Controller(redis)
    controller.start()
    twin.start()
    for n in range(20):
        Commands(redis).send("node1", "echo", {"n": n})
    twin.stop()
    controller.stop()
    assert len(controller.done) + len(twin.done) == 20


def test_another_nodes_commands_are_not_ours(controller: Controller, redis: "Redis") -> None:
    controller.start()
    with pytest.raises(NoReply):
        Commands(redis).send("node2", "echo", timeout=0.2)
    assert controller.done == []


def test_a_command_too_large_or_not_json_is_refused_by_the_sender(redis: "Redis") -> None:
    with pytest.raises(TooLarge, match="at most 16384"):
        Commands(redis).send("node1", "echo", {"text": "x" * 17_000})
    with pytest.raises(TypeError):
        Commands(redis).send("node1", "echo", {"text": object()})
    assert redis.xlen("cc:commands:node1") == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"weather": "fine"},
        {"command": "no json"},
        {"command": "[]"},
        {"command": "7"},
        {"command": json.dumps({"id": "a", "verb": "echo", "args": {}})},
        {"command": json.dumps({"id": 1, "verb": "echo", "args": {}, "timeout": 5})},
        {"command": json.dumps({"id": "a", "verb": "echo", "args": [], "timeout": 5})},
        {"command": json.dumps({"id": "a", "verb": "echo", "args": {"x": "y" * 20_000}, "timeout": 5})},
        {"command": "[" * 16_000},
        {"command": '{"id": "a", "verb": "echo", "timeout": 5, "args": {"x": ' + "[" * 15_000},
        {"command": '{"id": "\\ud800", "verb": "echo", "args": {}, "timeout": 5}'},
        {"command": json.dumps({"id": "", "verb": "echo", "args": {}, "timeout": 5})},
        {"command": json.dumps({"id": "a\nb", "verb": "echo", "args": {}, "timeout": 5})},
        {"command": json.dumps({"id": "a", "verb": "e" * 1000, "args": {}, "timeout": 5})},
        {"command": '{"id": "a", "verb": "echo", "args": {}, "timeout": NaN}'},
        {"command": '{"id": "a", "verb": "echo", "args": {}, "timeout": Infinity}'},
        {"command": json.dumps({"id": "a", "verb": "echo", "args": {}, "timeout": -1})},
    ],
)
def test_a_malformed_command_is_refused_counted_and_stops_nothing(
    controller: Controller, redis: "Redis", fields: dict[str, str]
) -> None:
    redis.xadd("cc:commands:node1", fields)  # type: ignore[arg-type]
    controller.start()
    assert Commands(redis).send("node1", "echo", {"n": 1}) == {"n": 1}
    assert controller.commands.refused == 1
    assert controller.done == [("echo", {"n": 1})]


def test_nothing_stays_behind_in_redis(controller: Controller, redis: "Redis") -> None:
    controller.start()
    Commands(redis).send("node1", "echo")
    for key in redis.keys("cc:reply:*") + redis.keys("cc:taken:*"):
        assert redis.ttl(key) > 0


def test_serving_goes_on_when_redis_comes_back(server: RedisServer, controller: Controller, redis: "Redis") -> None:
    controller.start()
    assert Commands(redis).send("node1", "echo", {"n": 1}) == {"n": 1}
    server.kill()
    with pytest.raises(Away):
        Commands(redis).send("node1", "echo", {"n": 2})
    server.start()
    assert Commands(redis).send("node1", "echo", {"n": 3}, timeout=60) == {"n": 3}


def test_serving_goes_on_when_redis_comes_back_empty(
    server: RedisServer, controller: Controller, redis: "Redis"
) -> None:
    controller.start()
    assert Commands(redis).send("node1", "echo", {"n": 1}) == {"n": 1}
    server.lose_data()
    assert Commands(redis).send("node1", "echo", {"n": 2}, timeout=60) == {"n": 2}
