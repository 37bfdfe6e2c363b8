"""Two controllers for one PBX: one is killed, or freezes and wakes, is stopped, or hands over. Calls in every state go
on, nothing is lost or doubled, and who was replaced does nothing any more."""

import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import gevent
import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.site import Site
from contactcentre.embedded import Services
from contactcentre.lab import OngoingCall, Phone
from contactcentre.lab.link import Proxy
from contactcentre.live import CommandFailed
from contactcentre.live.fencing import READS
from contactcentre.live.standbys import Standby, active, hand_over, standbys
from tests.controller.stack import Stack, one
from tests.controller.test_verbs_heard import ask, hears
from tests.live.nodes import agent_facts
from tests.waiting import PATIENCE, eventually

AGENTS = ("anna", "bert", "carla", "dora", "emil")
TONES = {"anna": 800, "bert": 1200, "carla": 1700}
SITE = {
    "agents": {name: {"full_name": name.title(), "number": str(201 + n)} for n, name in enumerate(AGENTS)},
    "queues": {
        "support": {"agents": list(AGENTS), "wrap_up": 0, "ring_seconds": 20, "retry_delay": 1, "music": "steady"},
        "french": {"agents": ["emil"], "wrap_up": 0, "ring_seconds": 20, "retry_delay": 1, "record": False},
    },
    "dids": {
        "1000": {"flow": "support", "fallback_queue": "support"},
        "1001": {"flow": "menu"},
        "1002": {"flow": "french", "fallback_queue": "french"},
    },
    "flows": {
        "support": {
            "start": "hello",
            "nodes": {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "support"}},
        },
        "french": {
            "start": "hello",
            "nodes": {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "french"}},
        },
        "menu": {
            "start": "hello",
            "nodes": {
                "hello": {"type": "answer", "next": "ask"},
                "ask": {
                    "type": "menu",
                    "prompt": ["sound:demo-instruct"],
                    "timeout": 60,
                    "choices": {"1": "french"},
                    "on_timeout": "bye",
                    "on_invalid": "bye",
                },
                "french": {"type": "queue", "queue": "french"},
                "bye": {"type": "hangup"},
            },
        },
    },
}  # fmt: skip


LATE = "60"
"""Seconds: a machine that is too busy to take over in time is no reason here to lead callers to the PBX's own queue."""


@dataclass
class Pair:
    """The stack's controller, and one that stands by. Through `pbx` and `redis` goes what the first one says."""

    stack: Stack
    pbx: Proxy
    redis: Proxy
    second: subprocess.Popen[bytes]

    @property
    def first(self) -> subprocess.Popen[bytes]:
        assert self.stack.controller is not None
        return self.stack.controller

    def stands_by(self, process: subprocess.Popen[bytes]) -> Standby:
        """Until it does, and is warm."""

        def found() -> Standby | None:
            return next((s for s in standbys(self.stack.redis, "node1") if s.pid == process.pid and s.ready), None)

        standby: Standby = eventually(found, "somebody stands by")
        return standby

    def taken_over(self) -> dict[str, Any]:
        """Until the second one has: it is the stack's controller from then on, and the first one the second."""
        self.stack.controller, self.second = self.second, self.first
        eventually(self.stack._linked, "the stand-by has taken over")
        return self.stack.signs()


@pytest.fixture(scope="module")
def proxies(module_stack: Stack, services: Services) -> Iterator[tuple[Proxy, Proxy]]:
    module_stack.provision(Site.model_validate(SITE))
    at = services.redis_url.removeprefix("unix://").partition("?")[0]
    made = Proxy(module_stack.switch.control_port()), Proxy(at)
    yield made
    for proxy in made:
        proxy.close()


@pytest.fixture
def pair(proxies: tuple[Proxy, Proxy], stack: Stack) -> Iterator[Pair]:
    pbx, redis = proxies
    stack.stop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack.switch, "proxy_port", pbx.port)
        patch.setenv("REDIS_URL", f"redis://127.0.0.1:{redis.port}/0")
        patch.setenv("CONTACTCENTRE_PRESENCE", LATE)
        stack.start()
    made = Pair(stack, pbx, redis, stack.spawn(CONTACTCENTRE_PRESENCE=LATE))
    try:
        made.stands_by(made.second)
        yield made
    finally:
        made.second.send_signal(signal.SIGCONT)
        made.second.kill()
        made.second.wait(PATIENCE)


@dataclass
class Busy:
    """Calls in every state: talking (recorded), on hold, consulting, in a menu, and two that wait."""

    numbers: dict[str, str]
    calls: dict[str, OngoingCall]
    phones: dict[str, Phone]

    def hear(self, *names: str) -> list[set[str]]:
        return [hears({**self.calls, **self.phones}[name]) for name in names]


HEARD = ("talking", "anna", "held", "bert", "consulting", "carla", "dora")
BEFORE = [{"anna"}, {"caller"}, {"music"}, set(), {"music"}, set(), {"carla"}]
NAMES = ("talking", "held", "consulting", "menu", "first", "second")


@contextmanager
def busy(stack: Stack, prefix: str) -> Iterator[Busy]:
    """Callers' numbers begin with the prefix."""
    numbers = {name: f"{prefix}{n}" for n, name in enumerate(NAMES)}
    calls = dict[str, OngoingCall]()
    with ExitStack() as on_duty:
        phones = {
            name: on_duty.enter_context(stack.phone(name, ring=0.1, tone=TONES.get(name, 2200))) for name in AGENTS
        }
        for name, agent in (("talking", "anna"), ("held", "bert"), ("consulting", "carla")):
            stack.act(agent, Verb.LOGIN)
            stack.reachable(agent)
            calls[name] = stack.lab.dial("1000", caller=numbers[name], tone=400, talk=None, patience=None)
            stack.wait_for(numbers[name], Kind.RECORDING_STARTED)
        ask(stack, numbers["held"], "hold")
        stack.act("dora", Verb.LOGIN)
        stack.reachable("dora")
        ask(stack, numbers["consulting"], "consult", to="agent:dora")
        stack.wait_for(numbers["consulting"], Kind.CONSULT_ANSWERED)
        calls["menu"] = stack.lab.dial("1001", caller=numbers["menu"], talk=1, patience=None)
        stack.wait_for(numbers["menu"], Kind.NODE)
        for name in ("first", "second"):
            calls[name] = stack.lab.dial("1002", caller=numbers[name], talk=1, patience=None)
            stack.wait_for(numbers[name], Kind.QUEUED)
        try:
            yield Busy(numbers, calls, phones)
        finally:
            for call in calls.values():
                call.hang_up()


def all_goes_on(stack: Stack, there: Busy) -> None:
    """After one controller was replaced by another: everybody is where they were, and is served to the end."""
    assert there.hear(*HEARD) == BEFORE
    ask(stack, there.numbers["held"], "resume")
    ask(stack, there.numbers["consulting"], "conference")
    assert there.hear("held", "bert") == [{"bert"}, {"caller"}]
    assert there.hear("consulting", "dora") == [{"carla"}, {"caller", "carla"}]
    there.calls["menu"].send_digits("1")
    stack.wait_for(there.numbers["menu"], Kind.QUEUED)
    stack.act("emil", Verb.LOGIN)
    for name in ("first", "second", "menu"):
        assert there.calls[name].wait(PATIENCE).served, name
    for name in ("talking", "held", "consulting"):
        assert there.calls[name].result is None, f"{name}: the call was dropped"
        there.calls[name].hang_up()
    stories = {name: stack.ended(number) for name, number in there.numbers.items()}
    assert {name: one(story, Kind.ENDED).data["outcome"] for name, story in stories.items()} == dict.fromkeys(
        NAMES, "answered"
    )
    assert all(one(story, Kind.ENDED).data["by"] == "caller" for story in stories.values())
    begun = [one(stories[name], Kind.TALK_STARTED).at for name in ("menu", "first", "second")]
    assert begun == sorted(begun), "in the order in which they called"
    assert all(one(stories[name], Kind.QUEUED) for name in ("first", "second")), "and not queued anew"
    for name in ("talking", "held", "consulting"):
        recording = one(stories[name], Kind.RECORDING_ENDED).data
        assert set(recording["files"]) == {"left", "right"}
        assert recording["recording"] == one(stories[name], Kind.RECORDING_STARTED).data["recording"]
    for phone in there.phones.values():
        assert len({call.call_id for call in phone.calls}) == len(phone.calls)
    assert {name: len(there.phones[name].wait_calls(n, PATIENCE)) for name, n in RINGS.items()} == RINGS
    for agent in AGENTS:
        stack.agent_is(agent, AgentState.AVAILABLE)
    no_two_offers(stack)


RINGS = {"anna": 1, "bert": 1, "carla": 1, "dora": 1, "emil": 3}
"""How often each phone has rung, in all."""


def no_two_offers(stack: Stack) -> None:
    """Nobody was offered, or accepted, a contact while having another; and no fact of an agent is there twice."""
    has: dict[str, str] = {}
    facts = agent_facts(stack.redis)
    assert max(Counter((fact["agent"], fact["version"]) for fact in facts).values()) == 1
    for fact in sorted(facts, key=lambda fact: fact["version"]):
        agent, contact = fact["agent"], fact["contact_id"] if fact["state"] in ("offered", "talking") else ""
        assert not (has.get(agent) and contact and has[agent] != contact), fact
        has[agent] = contact


GOODBYE = 16
"""Bytes: a websocket's last frame, and no request."""


def commands(said: list[bytes]) -> Iterator[tuple[str, str]]:
    """Each command that went to Redis, and its first key."""
    for data in said:
        for words in re.findall(rb"\*\d+\r\n((?:\$\d+\r\n[^\r]*\r\n)+)", data):
            texts = [word.decode() for word in re.findall(rb"\$\d+\r\n([^\r]*)\r\n", words)]
            scripted = texts[0] in ("EVAL", "EVALSHA")
            yield texts[0], texts[3] if scripted else (texts[1:] or [""])[0]


def test_calls_in_every_state_outlive_the_active_controllers_kill_9(pair: Pair) -> None:
    with busy(pair.stack, "+33200001") as there:
        assert there.hear(*HEARD) == BEFORE
        pair.first.kill()
        pair.first.wait(PATIENCE)
        signs = pair.taken_over()
        assert not signs["took_over"]["planned"]
        all_goes_on(pair.stack, there)
    pair.stack.nothing_left_on_the_pbx()


def test_who_freezes_is_replaced_and_does_nothing_when_it_wakes_but_stand_by(pair: Pair) -> None:
    with busy(pair.stack, "+33200002") as there:
        frozen = pair.first
        frozen.send_signal(signal.SIGSTOP)
        pair.taken_over()
        for proxy in (pair.pbx, pair.redis):
            proxy.note()
        frozen.send_signal(signal.SIGCONT)
        pair.stands_by(frozen)
        assert pair.pbx.noted()
        assert pair.redis.noted()
        assert sum(map(len, pair.pbx.noted())) <= GOODBYE
        for command, key in commands(pair.redis.noted()):
            assert command in READS or key.startswith(("cc:lease:", "cc:standby:")), (command, key)
        all_goes_on(pair.stack, there)
    pair.stack.nothing_left_on_the_pbx()


@contextmanager
def steady_arrivals(stack: Stack, prefix: str, calls: int) -> Iterator[list[OngoingCall]]:
    """A call every third of a second, each served by one of four agents for a second. At the end each was, by us."""
    made = list[OngoingCall]()

    def come() -> None:
        for n in range(calls):
            made.append(stack.lab.dial("1000", caller=f"{prefix}{n:02}", talk=1, patience=None))
            gevent.sleep(1 / 3)

    with ExitStack() as on_duty:
        for agent in AGENTS[:4]:
            on_duty.enter_context(stack.phone(agent, ring=0.1))
            stack.act(agent, Verb.LOGIN)
            stack.reachable(agent)
        coming = gevent.spawn(come)
        stack.wait_for(f"{prefix}{calls // 3:02}", Kind.ARRIVED)
        try:
            yield made
        finally:
            coming.join()
        for n, call in enumerate(made):
            assert call.wait(PATIENCE).served
            assert one(stack.ended(f"{prefix}{n:02}"), Kind.ENDED).data["outcome"] == "answered"
        for agent in AGENTS[:4]:
            stack.agent_is(agent, AgentState.AVAILABLE)
    no_two_offers(stack)
    stack.nothing_left_on_the_pbx()


def test_a_handover_under_steady_arrivals_loses_nobody_and_the_other_one_stands_by_then(pair: Pair) -> None:
    first, standby = pair.first, pair.stands_by(pair.second)
    with steady_arrivals(pair.stack, "+332000030", 20):
        before = pair.stack.signs()["id"]
        done = hand_over(pair.stack.redis, "node1")
        assert (done["from"], done["id"], done["pid"]) == (before, standby.id, pair.second.pid)
        assert done["planned"]
        at = active(pair.stack.redis, "node1")
        assert at is not None
        assert at.holder == standby.id
        pair.taken_over()
        assert pair.stands_by(first).id != before, "started anew"
        back = hand_over(pair.stack.redis, "node1")
        assert back["pid"] == first.pid
        pair.taken_over()


def test_who_is_stopped_leaves_the_calls_to_the_stand_by(pair: Pair) -> None:
    with steady_arrivals(pair.stack, "+332000040", 12):
        pair.stack.kill(signal.SIGTERM)
        assert pair.taken_over()["took_over"]["planned"]


def test_a_handover_without_a_stand_by_is_refused_and_one_to_nobody_there_too(pair: Pair) -> None:
    with pytest.raises(CommandFailed) as refused:
        hand_over(pair.stack.redis, "node1", "nobody")
    assert refused.value.code == "no_standby"
    pair.second.send_signal(signal.SIGTERM)
    pair.second.wait(PATIENCE)
    assert standbys(pair.stack.redis, "node1") == []
    before = pair.stack.signs()["id"]
    with pytest.raises(CommandFailed) as refused:
        hand_over(pair.stack.redis, "node1")
    assert refused.value.code == "no_standby"
    assert pair.stack.signs()["id"] == before


def test_redis_that_loses_everything_leaves_the_active_one_active(pair: Pair) -> None:
    before = pair.stack.signs()["id"]
    with busy(pair.stack, "+3320000501") as there:
        pair.stack.redis.flushall()
        pair.stands_by(pair.second)
        eventually(lambda: pair.stack.signs().get("id") == before, "it is active")
        assert there.hear("talking", "anna") == [{"anna"}, {"caller"}]
        pair.stack.agent_is("anna", AgentState.TALKING)
    eventually(lambda: not pair.stack.live.contacts(), "all calls are over")
    assert pair.second.poll() is None
    assert pair.stands_by(pair.second)
    pair.stack.nothing_left_on_the_pbx()
