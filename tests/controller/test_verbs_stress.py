"""Many calls at once on a real PBX, and everybody does whatever comes to mind: nothing is left when they are over.

`STRESS_CALLS=100 STRESS_SECONDS=300` is the whole of it; here are fewer, for less long.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import gevent
import pytest

from contactcentre.domain.agents import AgentState, NotAllowed, Verb
from contactcentre.domain.contacts import fold
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.history import Phase
from contactcentre.domain.site import Site
from contactcentre.domain.stereo import stereo_of
from contactcentre.embedded import Services
from contactcentre.lab import AnyLab, OngoingCall, Phone
from contactcentre.live import CommandFailed, Commands, LiveError, NoReply, connect
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.controller.stack import Stack, kinds
from tests.controller.test_supervision import supervise
from tests.controller.world import World
from tests.plugins.speech import Spoken
from tests.waiting import eventually

CALLS = int(os.environ.get("STRESS_CALLS", "10"))
SECONDS = float(os.environ.get("STRESS_SECONDS", "25"))
PEOPLE = max(3, CALLS // 5)
"""Who ask for something at the same time."""
PAUSE = 0.1
"""Seconds that each of them takes to think, on average."""
pytestmark = pytest.mark.timeout(120 + 2 * SECONDS)
AGENTS = [f"agent{number:03}" for number in range(CALLS + CALLS // 2)]

SITE = Site.model_validate(
    {
        "agents": {name: {"number": str(5000 + place)} for place, name in enumerate(AGENTS)},
        "queues": {
            "work": {"wrap_up": 0, "retry_delay": 0, "misses_allowed": 0, "ring_seconds": 5, "hold_reminder": 3},
            "other": {"wrap_up": 0.5, "retry_delay": 0, "misses_allowed": 0, "ring_seconds": 5, "record": False},
        },
        "dids": {"1000": {"flow": "work"}, "1001": {"flow": "other"}},
        "settings": {"park_seconds": 10},
        "flows": {
            queue: {
                "start": "hello",
                "nodes": {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": queue}},
            }
            for queue in ("work", "other")
        },
    }
)
VERBS = {
    "hold": 3, "resume": 3, "mute": 1, "unmute": 1, "transfer": 1, "consult": 5, "toggle": 3, "complete": 2,
    "conference": 2, "cancel": 1, "add": 2, "kick": 1, "drop": 1, "park": 1, "retrieve": 3, "dtmf": 1, "record": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def module_stack(
    tmp_path_factory: pytest.TempPathFactory, services: Services, database_url: str, switch_lab: AnyLab, spoken: Spoken
) -> Iterator[Stack]:
    state: Path = spoken(tmp_path_factory.mktemp("state"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTACTCENTRE_STATE_DIR", str(state))
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("REDIS_URL", services.redis_url)
        redis = connect(services.redis_url)
        redis.flushall()
        with Store(database_url) as store:
            store.migrate()
            stack = Stack(Settings().prepare(), switch_lab, store, redis)
            stack.provision(SITE)
            try:
                yield stack
            finally:
                stack.stop()


class People:
    """Who ask for things at random."""

    def __init__(self, stack: Stack, phones: dict[str, Phone], seed: int) -> None:
        self.stack, self.phones, self.random = stack, phones, random.Random(seed)
        self.answers: Counter[str] = Counter()

    def live_for(self, until: float) -> None:
        while time.time() < until:
            gevent.sleep(self.random.expovariate(1 / PAUSE))
            done = self.random.random()
            if done < 0.8:
                self.ask()
            elif done < 0.87:
                self.listen()
            else:
                self.use_the_phone()

    def ask(self) -> None:
        try:
            contacts = sorted(self.stack.live.contacts())
        except LiveError:
            return
        if not contacts:
            return
        contact, agent = self.random.choice(contacts), self.random.choice(AGENTS)
        verb = self.random.choices([*VERBS], [*VERBS.values()])[0]
        to = self.random.choice([f"agent:{agent}", f"agent:{agent}", "queue:work", "queue:other", "did:1001"])
        action = self.random.choice(["start", "stop", "pause", "resume"])
        args = {"to": to, "agent": agent, "action": action, "digits": "12", "party": ""}
        wanted = {"contact": contact, "verb": verb, "args": args, "by": "program"}
        try:
            Commands(self.stack.redis).send("node1", "call", wanted, timeout=12)
        except CommandFailed as refused:
            self.answers[f"{verb}: {refused.code}"] += 1
        except NoReply:  # the controller was killed meanwhile
            self.answers[f"{verb}: no reply"] += 1
        else:
            self.answers[f"{verb}: done"] += 1

    def listen(self) -> None:
        """As a supervisor, from some agent's phone: begins, or does something with what was begun."""
        mode, agent = self.random.choice(["listen", "whisper", "barge"]), self.random.choice(AGENTS)
        verb = self.random.choice(["start", "start", "mode", "mode", "stop", "takeover"])
        try:
            if verb == "start":
                contact = self.random.choice(sorted(self.stack.live.contacts()) or [""])
                supervise(self.stack, "start", contact=contact, phone=agent, mode=mode)
            else:
                running = supervise(self.stack, "list")["supervisions"]
                one = self.random.choice(running) if running else {"id": ""}
                supervise(self.stack, verb, id=one["id"], mode=mode)
        except CommandFailed as refused:
            self.answers[f"listen {verb}: {refused.code}"] += 1
        except LiveError:  # the controller was killed meanwhile
            self.answers[f"listen {verb}: no reply"] += 1
        else:
            self.answers[f"listen {verb}: done"] += 1

    def use_the_phone(self) -> None:
        name, phone = self.random.choice([*self.phones.items()])
        with suppress(Exception):  # a phone that does nothing at the moment
            match self.random.randrange(5):
                case 0:
                    phone.hold()
                case 1:
                    phone.resume()
                case 2:
                    phone.send_digits(self.random.choice(["*3", "*4", "*5", "*25003#", "#15001#", "*7", "*1"]))
                case 3:
                    phone.transfer(str(5000 + self.random.randrange(len(AGENTS))))
                case 4:
                    phone.hang_up()
            self.answers["phone"] += 1
        with suppress(NotAllowed, LiveError):
            if self.stack.live.agent(name).state is AgentState.PAUSED:
                self.stack.act(name, Verb.UNPAUSE)


def callers(stack: Stack, calls: dict[str, OngoingCall], until: float) -> None:
    """As many calls as are wanted, all the time: who is gone is followed by another."""
    number = 0
    while time.time() < until:
        for caller in [caller for caller, call in calls.items() if call.result is not None]:
            del calls[caller]
        while len(calls) < CALLS:
            number += 1
            did = "1000" if number % 2 else "1001"
            caller = f"+3360{number:07}"
            calls[caller] = stack.lab.dial(did, caller=caller, talk=None, patience=None)
            gevent.sleep(0.02)
        gevent.sleep(0.2)


@pytest.mark.parametrize("killed", [False, True], ids=["", "the controller is killed twice"])
def test_whatever_many_people_do_at_once_nothing_is_left_and_every_account_balances(stack: Stack, killed: bool) -> None:
    began, others = time.time(), files(stack)
    calls: dict[str, OngoingCall] = {}
    with ExitStack() as closing:
        phones = {name: closing.enter_context(stack.phone(name, ring=0.1, lines=2)) for name in AGENTS}
        for name in AGENTS:
            stack.act(name, Verb.LOGIN)
        stack.reachable(*AGENTS)
        until = time.time() + SECONDS
        people = [People(stack, phones, seed) for seed in range(PEOPLE)]
        busy = [gevent.spawn(one.live_for, until) for one in people]
        busy.append(gevent.spawn(callers, stack, calls, until))
        if killed:
            for _ in range(2):
                gevent.sleep(SECONDS / 3)
                stack.kill()
                stack.start()
        gevent.joinall(busy, raise_error=True)
        print(sorted(sum((one.answers for one in people), Counter[str]()).items()))
        for call in calls.values():
            call.hang_up()
        eventually(lambda: not stack.live.contacts() and not stack.live.waiting(), "all contacts are over", 60)
        eventually(lambda: not supervise(stack, "list")["supervisions"], "nobody listens any more", 60)
        stack.nothing_left_on_the_pbx()
        eventually(lambda: not working(stack), f"no agent is held: {working(stack)}")
        eventually(lambda: not unsent(stack), "all facts are written")
    assert "internal" not in stack.log()
    check(stack, began)
    left = files(stack) - others - told_of(stack)
    assert not left, f"files that nobody knows of: {left}"


def working(stack: Stack) -> dict[str, Any]:
    held = (AgentState.OFFERED, AgentState.TALKING)
    return {name: status for name, status in stack.live.agents().items() if status.state in held}


def unsent(stack: Stack) -> list[str]:
    """Contacts whose end is not in the journal yet."""
    stories = stories_of(stack, 0.0)
    return [contact for contact, story in stories.items() if Kind.ENDED not in kinds(story)]


def stack_hung_up(story: list[Event]) -> bool:
    """By us, though nobody who talked with the customer had hung up: a transfer that failed, a slot that ran out."""
    last = [event for event in story if event.kind in (Kind.TALK_ENDED, Kind.NODE, Kind.RETRIEVED, Kind.TRANSFERRED)]
    ended = next(event for event in story if event.kind is Kind.ENDED)
    return ended.data["by"] in ("agent", "system") and last[-1].kind is Kind.NODE


def stories_of(stack: Stack, since: float) -> dict[str, list[Event]]:
    stories: dict[str, dict[int, Event]] = {}
    for event in stack.events():
        stories.setdefault(event.contact_id, {})[event.seq] = event
    found = {contact: [story[seq] for seq in sorted(story)] for contact, story in stories.items()}
    return {contact: story for contact, story in found.items() if story[0].at >= since}


def check(stack: Stack, began: float) -> None:
    stories = stories_of(stack, began)
    assert len(stories) >= CALLS
    for contact, story in stories.items():
        for event in story:
            print(f"{contact[-4:]} {event.at:.3f} {event.seq} {event.kind} {dict(event.data)}")
        World.check_story(story)
        history = fold(story)
        tiles = [segment for segment in history.segments if segment.kind is not Phase.WRAP_UP]
        assert tiles[0].started == history.contact.arrived
        assert tiles[-1].ended == history.contact.ended
        if stack_hung_up(story):
            raise AssertionError("a customer who had an agent was hung up on")
        assert all(one.ended == after.started for one, after in pairwise(tiles)), "no gap"


def files(stack: Stack) -> set[str]:
    """Recordings on the PBX, also those of other tests."""
    return {path.stem for path in stack.recordings.iterdir()} if stack.recordings.exists() else set()


def told_of(stack: Stack) -> set[str]:
    """Files of the recordings of which it was told that they are complete; FreeSWITCH has both sides in one."""
    ended = [event for event in stack.events() if event.kind is Kind.RECORDING_ENDED]
    names = {name for event in ended for name in event.data["files"].values()}
    return names | {stereo_of(name)[0] for name in names}
