"""Whatever is asked of a controller over Redis, and whatever a caller presses: it is refused by a name or done, nothing
fails, and calls go on."""

import itertools
import json
import random
from collections import Counter
from typing import Any

import pytest

from bench.fuzz_edges import asks
from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Kind
from contactcentre.live import CommandFailed, Commands
from tests.controller.people import comes, state, talks
from tests.controller.world import World
from tests.waiting import eventually

SEED, COMMANDS = 5, 300
FAULTS = {"internal", "malformed"}
"""Codes that say that something failed here."""


def test_whatever_is_asked_is_done_or_refused_by_a_name_and_the_controller_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    chance, commands, said = random.Random(SEED), Commands(world.redis), Counter[str]()
    faults: list[tuple[str, dict[str, Any], str]] = []
    caller, _ = talks(world)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    for _ in range(COMMANDS):
        verb, args = asks(chance, contact)
        try:
            commands.send("node1", verb or "-", args)
            said["done"] += 1
        except CommandFailed as refused:
            said[refused.code] += 1
            if refused.code in FAULTS:
                faults.append((verb, args, str(refused)))
    assert faults == []
    assert said["done"] > 10
    assert len(said) > 5, said
    assert commands.send("node1", "ping")["linked"] is True
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    world.caller_leaves(0)
    eventually(lambda: not world.live.contacts(), "the call is over")


def test_a_command_that_is_sent_again_is_not_done_again(world: World) -> None:
    text = json.dumps({"id": "a", "verb": "ping", "args": {}, "timeout": 60})
    for _ in range(20):
        world.redis.xadd("cc:commands:node1", {"command": text})
    assert Commands(world.redis).send("node1", "ping")["node"] == "node1"
    assert world.redis.llen("cc:reply:a") == 1


def test_thousands_of_keys_from_callers_in_a_menu_in_a_queue_and_in_a_talk_cost_nobody_anything(world: World) -> None:
    caller, _ = talks(world)
    world.arrive(0)
    other = world.lines[-1]
    for key in itertools.islice(itertools.cycle("0123456789*#ABCD"), 5000):
        world.pbx.press(caller, key)
        world.pbx.press(other, key)
    assert Commands(world.redis).send("node1", "ping")["linked"] is True
    world.pbx.leave(other)
    world.pbx.leave(caller)
    eventually(lambda: not world.live.contacts(), "both are over")
    assert state(world, "anna") is AgentState.AVAILABLE
    assert comes(world, caller, Kind.ENDED).data["outcome"] == "answered"
