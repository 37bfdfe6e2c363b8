"""`contactcentre call` as a person at this machine runs it: a real controller, on a PBX in memory, does it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from contactcentre.cli import group
from contactcentre.domain.events import Kind
from contactcentre.domain.ids import short
from contactcentre.store import Store
from tests.controller.conftest import shared_world, world
from tests.controller.fake_pbx import Line
from tests.controller.people import comes, rings, talks
from tests.controller.test_verbs import end, hears
from tests.controller.world import World
from tests.waiting import eventually

__all__ = ["shared_world", "world"]

Run = Callable[..., str]


@pytest.fixture
def run(world: World, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; returns what it prints, or with `fails` its complaint. The controller's log is left out."""

    def run(*arguments: str, fails: int = 0) -> str:
        capsys.readouterr()
        code = group.run(list(arguments))
        said = capsys.readouterr()
        assert code == fails, said
        return re.sub(r"(?m)^\d{4}-\d\d-\d\d \d\d:.*\n", "", said.err if fails else said.out)

    return run


def talking(world: World) -> tuple[Line, Line]:
    """Somebody talks with an agent, and Redis knows it."""
    caller, leg = talks(world)
    has_customer(world, leg.endpoint)
    return caller, leg


def has_customer(world: World, agent: str) -> None:
    eventually(lambda: agent in {contact.agent for contact in world.live.contacts().values()}, "Redis knows")


def asked(run: Run, *arguments: str) -> Any:
    return json.loads(run("call", *arguments, "--json"))


def test_a_call_is_found_by_its_agent_or_a_short_id_and_each_verb_says_who_hears_whom(world: World, run: Run) -> None:
    caller, leg = talking(world)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    told = run("call", "hold", leg.endpoint)
    assert told.splitlines()[0] == f"{short(contact)}: held, recording running"
    assert [line.split() for line in told.splitlines()[1:]] == [
        ["customer", "hears", "music"],
        [leg.endpoint, "in", "the", "conversation"],
    ]
    assert hears(caller) == "music"
    (row,) = asked(run, "list")
    assert (row["contact"], row["state"], row["parties"][0]["agent"]) == (contact, "held", leg.endpoint)
    assert asked(run, "resume", contact[:18])["state"] == "talking"
    end(world)


def test_the_whole_way_of_a_customer_from_hand_to_hand(world: World, run: Run) -> None:
    caller, leg = talking(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    assert asked(run, "consult", leg.endpoint, f"agent:{other}")["state"] == "asking"
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.CONSULT_ANSWERED)
    assert asked(run, "toggle", leg.endpoint)["state"] == "toggled"
    assert asked(run, "conference", leg.endpoint)["state"] == "conference"
    assert asked(run, "mute", leg.endpoint, "customer")["parties"][0]["muted"] is True
    assert asked(run, "unmute", leg.endpoint, "customer")["parties"][0]["muted"] is False
    assert [party["agent"] for party in asked(run, "drop", leg.endpoint)["parties"][1:]] == [other]
    assert asked(run, "record", other, "pause")["recording"] == "paused"
    slot = asked(run, "park", other)["slot"]
    run("call", "retrieve", slot, leg.endpoint)
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.RETRIEVED)
    eventually(lambda: hears(caller) == "talk", "they talk")
    has_customer(world, leg.endpoint)
    run("call", "dtmf", leg.endpoint, "12#")
    assert caller.digits == "12#"
    run("call", "hangup", leg.endpoint)
    eventually(lambda: not world.controller.node.contacts, "over")
    end(world)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("resume", "AGENT"), "resume: the customer is not on hold"),
        (("transfer", "AGENT", "agent:nobody"), "the site has no agent 'nobody'"),
        (("transfer", "AGENT", "number:+4412"), "+4412 begins with none of settings.transfer_numbers (+33)"),
        (("transfer", "AGENT", "nowhere"), "must be agent:NAME"),
        (("park", "AGENT", "--slot", "0"), "must be a number from 1 to 999"),
        (("hold", "carla"), "no call that goes on has this id, agent or slot"),
    ],
)
def test_what_is_not_possible_is_refused_in_words_and_with_exit_code_2(
    world: World, run: Run, arguments: tuple[str, ...], words: str
) -> None:
    caller, leg = talking(world)
    said = run("call", *(leg.endpoint if word == "AGENT" else word for word in arguments), fails=2)
    assert words in " ".join(said.split())
    assert hears(caller) == "talk"
    end(world)


def test_who_asked_for_what_is_in_the_audit_log_and_keys_are_not(world: World, run: Run) -> None:
    _, leg = talking(world)
    run("call", "dtmf", leg.endpoint, "4929")
    with Store(world.database_url) as store:
        entry = store.audit_entries(limit=1)[0]
    assert entry.action == "call.dtmf"
    assert "4929" not in str(entry)
    end(world)
