"""A whole controller on a PBX in memory, with a real Redis, and everything that can happen to it."""

import gc
import json
import secrets
import time
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import pytest
import redis.exceptions

from contactcentre.controller import conduct, estimates, offers, reception, replica, router, saver, site_keeper
from contactcentre.controller.build import build
from contactcentre.controller.node import Configuration
from contactcentre.controller.reception import Reception
from contactcentre.controller.service import Controller
from contactcentre.domain.agents import AgentState, NotAllowed, Verb
from contactcentre.domain.events import Direction, Event, Kind
from contactcentre.domain.site import Site
from contactcentre.embedded import Services
from contactcentre.live import Live, connect
from contactcentre.live.reader import facts_in
from contactcentre.pbx.errors import Deadline, LinkDown, Refused
from contactcentre.pbx.events import Arrived, Cause
from contactcentre.pbx.protocol import LINE
from contactcentre.prompts.speech import Prompts
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.controller.fake_pbx import FakePbx, Line
from tests.waiting import eventually

AGENTS = ("anna", "bert")
VERBS = (
    *("hold", "resume", "consult", "toggle", "complete", "conference", "cancel", "add", "kick", "drop", "park"),
    *("retrieve", "transfer", "mute", "unmute", "dtmf", "record", "consult", "consult", "complete", "pickup"),
)
TARGETS = ("agent:anna", "agent:bert", "queue:one", "queue:two", "number:+33123456789", "voicemail:one", "flow:main")
CODES = (
    "*3",
    "*3",
    "*2202#",
    "*2201#",
    "*4",
    "*5",
    "*6",
    "#1202#",
    "#2201#",
    "*7",
    "*8",
    "*9",
    "*1",
    "*2",
    "#199#",
    "7",
)
RING = 1.0
"""Seconds; less than a site may say."""

SITE = Site.model_validate(
    {
        "settings": {"transfer_numbers": ["+33"], "park_seconds": 10},
        "agents": {"anna": {"number": "201"}, "bert": {"number": "202"}},
        "trunks": {"carrier": {"host": "192.0.2.1"}},
        "queues": {
            "one": {"agents": list(AGENTS), "wrap_up": 0, "retry_delay": 0, "misses_allowed": 0},
            "all": {
                "agents": list(AGENTS),
                "strategy": "ringall",
                "wrap_up": 0,
                "retry_delay": 0,
                "misses_allowed": 0,
                "leave_when_empty": "yes",
            },
            "two": {"agents": ["anna"], "retry_delay": 0, "max_wait": 1, "announce_position": 1, "record": False},
            "told": {
                "agents": ["bert"],
                "wrap_up": 0,
                "retry_delay": 0,
                "announce_position": 1,
                "announce_first": 0,
                "announce_wait": True,
                "announce_to_agent": "who",
                "keys": {"1": "queue:one"},
            },
            "ways": {
                "agents": ["nobody"],
                "transfer_priority": 3,
                "keys": {"1": "callback", "2": "voicemail:one", "3": "queue:one"},
            },
        },
        "dids": {number: {"flow": "main"} for number in ("1", "2", "3", "4", "5")},
        "flows": {
            "main": {
                "start": "hello",
                "nodes": {
                    "hello": {"type": "answer", "next": "ask"},
                    "ask": {
                        "type": "menu",
                        "prompt": ["sound:hello"],
                        "timeout": 1,
                        "retries": 0,
                        "choices": {
                            "1": "one",
                            "2": "two",
                            "3": "box",
                            "4": "anna",
                            "5": "outside",
                            "6": "all",
                            "7": "ways",
                            "8": "last",
                            "9": "told",
                            "0": "urgent",
                            "*": "begin",
                        },
                        "on_timeout": "one",
                        "on_invalid": "bye",
                    },
                    "one": {"type": "queue", "queue": "one", "on_empty": "box", "next": "bye"},
                    "all": {"type": "queue", "queue": "all", "on_empty": "box", "next": "bye"},
                    "two": {"type": "queue", "queue": "two", "on_timeout": "one", "on_empty": "box", "next": "one"},
                    "box": {"type": "voicemail", "box": "one", "max_seconds": 1, "next": "bye"},
                    "anna": {"type": "transfer", "to": "agent:anna", "next": "bye", "on_failed": "one"},
                    "outside": {"type": "transfer", "to": "number:+33123456789", "next": "bye", "on_failed": "bye"},
                    "ways": {"type": "queue", "queue": "ways"},
                    "last": {"type": "queue", "queue": "one", "prefer_last_agent": True},
                    "told": {"type": "queue", "queue": "told"},
                    "urgent": {"type": "queue", "queue": "told", "priority": 10},
                    "begin": {"type": "record", "action": "start", "next": "card"},
                    "card": {
                        "type": "collect",
                        "prompt": ["sound:card"],
                        "var": "card",
                        "max_digits": 3,
                        "sensitive": True,
                        "timeout": 0.5,
                        "retries": 1,
                        "next": "one",
                        "on_timeout": "two",
                        "on_invalid": "one",
                    },
                    "bye": {"type": "hangup"},
                },
            }
        },
    }
)


class Away:
    """Makes the connections of a client fail: before Redis has got a command, or when it answers."""

    def __init__(self) -> None:
        self.before = self.after = False

    def of(self, kind: type[Any]) -> type[Any]:
        away = self

        class Flaky(kind):  # type: ignore[misc]
            def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
                if away.before:
                    raise redis.exceptions.ConnectionError("away")
                super().send_packed_command(*args, **kwargs)

            def read_response(self, *args: Any, **kwargs: Any) -> Any:
                answer = super().read_response(*args, **kwargs)
                if away.after:
                    raise redis.exceptions.ConnectionError("away")
                return answer

        return Flaky


class World:
    """The people around one controller, and what is journalled."""

    def __init__(self, at: Path, services: Services, database_url: str, node: str = "node1") -> None:
        self.at, self.services, self.database_url, self.node = at, services, database_url, node
        self.redis = connect(services.redis_url)
        self.live = Live(self.redis)
        self.pbx = FakePbx(AGENTS, node)
        self.away = Away()
        self.closed = False
        self.changes: dict[str, Any] = {}  # of the site, while a test wants it so
        self.began = 0.0
        self.looks = 0
        self.unseen: set[str] = set()
        self.callers: list[str] = []
        self.lines: list[Line] = []
        self.controller: Controller

    # -- the controller -----------------------------------------------------------------------------------------------

    def configuration(self) -> Configuration:
        queues = {name: queue.model_copy(update={"ring_seconds": RING}) for name, queue in SITE.queues.items()}
        if self.closed:
            del queues["two"]
        site = SITE.model_copy(update={"queues": queues, **self.changes})
        return Configuration.of(1 + self.closed, site, Prompts(self.at, texts={}))

    def start(self) -> None:
        client = connect(self.services.redis_url, timeout=1.0)
        client.connection_pool.connection_class = self.away.of(client.connection_pool.connection_class)
        self.store = Store(self.database_url)  # the connections of a killed one are of no use
        self.controller = build(Settings(state_dir=self.at, node=self.node).prepare(), self.store, client, self.pbx)
        self.controller.sites.load = self.configuration
        self.controller.node.configure(self.configuration())
        self.controller.reception._reconcile = self.look
        given_up = {"holder": "", "fence": "1", "beat": "0", "since": "0", "note": ""}
        self.redis.hset(self.controller.tenure.key, mapping=given_up)
        self.redis.persist(self.controller.tenure.key)
        self.run = gevent.spawn(self.controller.run)
        eventually(lambda: self.controller.reception._linked, "linked")

    def look(self) -> None:
        Reception._reconcile(self.controller.reception)
        self.looks += 1

    def kill(self) -> None:
        """As kill -9 does, but for the lease: the next one need not wait for its end. Who has just come may leave
        before anybody knows."""
        node = self.controller.node
        self.unseen |= {e.channel_id for e in self.controller.reception._events.queue if isinstance(e, Arrived)}
        node.saver._unsaved = {}
        # Whoever asks PostgreSQL something is killed a moment later: Python warns of a connection lost in use.
        pool: Any = self.store._engine.pool
        eventually(lambda: not pool.checkedout(), "PostgreSQL has answered")
        ended = self.run.ready()  # by itself: Redis was emptied, and with it the word that this one is active
        node.greenlets.stopping = True
        parts = [self.run, *node.greenlets._running]
        gevent.killall(parts, block=False)
        gevent.joinall(parts, timeout=1)
        self.pbx.stop()
        if not ended:
            node.journal.release()
        if (keeper := self.controller.tenure._keeper) is not None:
            keeper.kill()
        self.store.close()
        del node, parts
        with warnings.catch_warnings():  # of sockets that a process's end would have closed
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def restart(self) -> None:
        self.away.before = self.away.after = False
        self.kill()
        self.start()

    def begin(self) -> None:
        """An empty Redis, a fresh controller, both agents logged in, nobody on the line."""
        self.away.before = self.away.after = False
        self.kill()
        self.redis.flushall()
        self.pbx.lines.clear()  # what a test that failed has left must not fail the next one
        self.pbx.bridges.clear()
        self.closed = False
        self.start()
        self.callers, self.lines, self.unseen, self.pbx.violations, self.began = [], [], set(), [], time.time()
        for agent in AGENTS:
            self.live.change(agent, Verb.LOGIN, time.time())

    # -- what may happen ----------------------------------------------------------------------------------------------

    def arrive(self, number: int) -> None:
        if self.pbx.linked and len(self.pbx.lines) < 12:
            line = self.pbx.arrive(str(1 + number % 5))
            self.callers.append(line.id)
            self.lines.append(line)

    def press(self, number: int) -> None:
        if self.lines:
            self.pbx.press(self.lines[number % len(self.lines)], "123456#*"[number % 8])

    def caller_leaves(self, number: int) -> None:
        if self.lines:
            self.pbx.leave(self.lines[number % len(self.lines)])

    def feature(self, number: int) -> None:
        if self.pbx.linked:
            self.pbx.arrive(["*45", "*46", "*47", "*48", "*49"][number % 5], AGENTS[number % 2])

    def leg(self, number: int) -> Line | None:
        legs = [line for line in self.pbx.lines.values() if line.contact_id]
        return legs[number % len(legs)] if legs else None

    def answer(self, number: int) -> None:
        if (line := self.leg(number)) is not None:
            self.pbx.answer(line)

    def answer_line(self, number: int) -> None:
        """A device is called for its open line."""
        lines = [line for line in self.pbx.lines.values() if line.id.startswith(LINE) and not line.up]
        if lines:
            self.pbx.answer(lines[number % len(lines)])

    def hang_up_line(self, number: int) -> None:
        lines = [line for line in self.pbx.lines.values() if line.id.startswith(LINE)]
        if lines:
            self.pbx.leave(lines[number % len(lines)], (Cause.NORMAL, Cause.UNKNOWN, Cause.BUSY)[number % 3])

    def agent_leaves(self, number: int) -> None:
        if (line := self.leg(number)) is not None:
            self.pbx.leave(line, Cause.NORMAL if line.up else Cause.REJECTED)

    def answer_and_leave(self, number: int) -> None:
        self.answer(number)
        gevent.sleep(0.001 * (number % 3))
        self.agent_leaves(number)

    def cut(self, number: int) -> None:
        self.pbx.cut()

    def mend(self, number: int) -> None:
        self.pbx.mend()

    def flap(self, number: int) -> None:
        for _ in range(1 + number % 3):
            self.pbx.cut()
            gevent.sleep(0.001 * (number % 4))
            self.pbx.mend()

    def trouble(self, number: int) -> None:
        error = (Deadline, LinkDown, Refused)[number % 3]
        self.pbx.troubles.append((error, number % 2 == 0 and error is not Refused))

    def redis_away(self, number: int) -> None:
        self.away.before, self.away.after = number % 2 == 0, number % 2 == 1

    def redis_back(self, number: int) -> None:
        self.away.before = self.away.after = False

    def kill_and_start(self, number: int) -> None:
        self.restart()

    def change_site(self, number: int) -> None:
        self.closed = not self.closed
        self.live.publish_site(1 + self.closed)

    def agent_does(self, number: int) -> None:
        verb = (Verb.PAUSE, Verb.UNPAUSE, Verb.LOGIN, Verb.LOGOUT, Verb.LOGIN, Verb.UNPAUSE)[number % 6]
        with suppress(NotAllowed):
            self.live.change(AGENTS[number % 2], verb, time.time(), **({"reason": "x"} if verb is Verb.PAUSE else {}))

    def verb(self, number: int) -> None:
        """Somebody asks for something, and does not wait for the answer."""
        contacts = list(self.controller.node.contacts.values())
        if not contacts:
            return
        contact, name, agent = contacts[number % len(contacts)], VERBS[number % len(VERBS)], AGENTS[number // 7 % 2]
        args = {
            "to": TARGETS[number // 3 % len(TARGETS)],
            "agent": agent,
            "action": "pause",
            "digits": "1",
            "party": "",
        }
        wanted = {"contact": contact.id, "verb": name, "args": args, "by": "program"}
        command = json.dumps({"id": secrets.token_hex(8), "verb": "call", "args": wanted, "timeout": 5})
        with suppress(redis.exceptions.RedisError):
            self.redis.xadd(f"cc:commands:{self.node}", {"command": command})

    def call_out(self, number: int) -> None:
        """An agent calls somebody, and does not wait for the answer."""
        wanted = {"agent": AGENTS[number % 2], "number": "+33123456789", "queue": ("one", "", "two")[number % 3]}
        command = json.dumps({"id": secrets.token_hex(8), "verb": "call_out", "args": wanted, "timeout": 5})
        with suppress(redis.exceptions.RedisError):
            self.redis.xadd(f"cc:commands:{self.node}", {"command": command})

    def keys(self, number: int) -> None:
        """Somebody presses a code, or a part of one."""
        if (line := self.leg(number)) is not None:
            for key in CODES[number // 2 % len(CODES)]:
                self.pbx.press(line, key)

    def retrieve(self, number: int) -> None:
        """An agent dials for a parked customer."""
        if self.pbx.linked:
            self.pbx.arrive(f"*5{1 + number // 2 % 2}", AGENTS[number % 2])

    def hand_over(self, number: int) -> None:
        """A phone's transfer to a colleague whom it has called by itself."""
        if (line := self.leg(number)) is not None and line.up:
            peer = Line(f"peer-{time.time()}", "bert", ours=False, up=True)
            self.pbx.lines[peer.id] = peer
            self.pbx.ask_transfer(line, "202", "second", peer.id)

    def phone_key(self, number: int) -> None:
        if (line := self.leg(number)) is not None and line.up:
            press = (self.pbx.hold, self.pbx.unhold, lambda pressed: self.pbx.ask_transfer(pressed, "2"))
            press[number % 3](line)

    def wait(self, number: int) -> None:
        gevent.sleep((0, 0.001, 0.005, 0.02, 0.1, 0.4)[number % 6])

    # -- the end ------------------------------------------------------------------------------------------------------

    def peace(self) -> None:
        """Everything works again, and everybody hangs up."""
        self.redis_back(0)
        self.pbx.troubles.clear()
        self.pbx.mend()
        for line in list(self.pbx.lines.values()):
            if not line.contact_id:
                self.pbx.leave(line)
        node = self.controller.node

        def over() -> bool:
            for contact in list(node.contacts.values()):
                if contact.now.detail.get("direction") == Direction.OUTBOUND:
                    for leg in set(contact.now.channels.values()) & self.pbx.lines.keys():
                        self.pbx.leave(self.pbx.lines[leg])
            return not node.contacts

        eventually(over, f"no contact left: {node.contacts}")
        looks = self.looks
        self.controller.reception.look_soon()
        eventually(lambda: self.looks > looks and self.quiet(), "quiet")

    def looked(self) -> None:
        """Waits for the looks of a controller's start, which end what is on no PBX."""
        node, reception = self.controller.node, self.controller.reception
        eventually(lambda: node.reconciled and not reception._looking_soon, "the first look is over")
        eventually(lambda: not len(reception), "and the one after it")

    def quiet(self) -> bool:
        node = self.controller.node
        agents = self.live.agents().values()
        return (
            not self.pbx.lines
            and not self.pbx.bridges
            and not node.contacts
            and not node.channels
            and not [contact for contact in self.live.contacts().values() if contact.node == self.node]
            and not [waiting for waiting in self.live.waiting().values() if waiting.node == self.node]
            and not len(node.agents)
            and not any(a.state in (AgentState.OFFERED, AgentState.TALKING) and self.mine(a.contact_id) for a in agents)
            and not node.journal.unsent
        )

    def mine(self, contact_id: str) -> bool:
        """Whether it is a contact of this node, or of nobody any more."""
        contact = self.live.contact(contact_id)
        return contact is None or contact.node == self.node

    def events(self) -> list[Event]:
        facts = (fact for _, fields in self.redis.xrange("cc:events") for fact in facts_in(fields))
        events = (Event.from_json(text) for name, text in facts if name == "event")
        # the spool also sends again what is left of earlier tests
        return list({(e.contact_id, e.seq): e for e in events if e.at >= self.began}.values())

    def check(self) -> None:
        assert not self.pbx.violations, self.pbx.violations
        stories: dict[str, list[Event]] = {}
        for event in sorted(self.events(), key=lambda e: e.seq):
            stories.setdefault(event.contact_id, []).append(event)
        stories = {key: story for key, story in stories.items() if story[0].data.get("node") == self.node}
        inbound = [story for story in stories.values() if story[0].data.get("direction") != Direction.OUTBOUND]
        served = Counter(story[0].data["channel"] for story in inbound)
        missing = Counter(self.callers) - served
        assert not served - Counter(self.callers), "more than one contact for a caller"
        assert missing.keys() <= self.unseen, f"no contact for {missing}"
        for story in stories.values():
            for event in story:
                print(f"{event.contact_id[-4:]} {event.at:.3f} {event.seq} {event.kind} {dict(event.data)}")
        for story in stories.values():
            self.check_story(story)

    @staticmethod
    def check_story(story: list[Event]) -> None:
        assert [e.seq for e in story] == list(range(1, len(story) + 1)), "a gap, or a number used twice"
        count = Counter(e.kind for e in story)
        assert count[Kind.ENDED] == 1
        started = Counter(e.data["leg"] for e in story if e.kind is Kind.LEG_STARTED)
        ended = Counter(e.data["leg"] for e in story if e.kind is Kind.LEG_ENDED)
        assert started == ended, "each leg began and ended once"
        assert count[Kind.QUEUED] == count[Kind.UNQUEUED]
        assert count[Kind.TALK_STARTED] == count[Kind.TALK_ENDED]
        first: dict[str, str] = {}  # of who came back in another window, the leg before
        for e in story:
            if e.kind is Kind.REJOINED:
                first[e.data["leg"]] = first.get(e.data["instead_of"], e.data["instead_of"])
        asked = Counter(e.data["leg"] for e in story if e.kind is Kind.CONSULT_STARTED)
        told = Counter(first.get(e.data["leg"], e.data["leg"]) for e in story if e.kind is Kind.CONSULT_ENDED)
        assert asked == told, "who is asked is told"
        made = Counter(e.data["leg"] for e in story if e.kind is Kind.OFFERED)
        over = Counter(e.data["leg"] for e in story if e.kind in (Kind.ACCEPTED, Kind.REFUSED))
        assert made == over, "each offer came to one end"
        recordings = Counter(e.data["recording"] for e in story if e.kind is Kind.RECORDING_STARTED)
        kept = Counter(e.data["recording"] for e in story if e.kind in (Kind.RECORDING_ENDED, Kind.RECORDING_FAILED))
        assert not recordings - kept
        silent = False  # while keys are pressed that are to be in no recording
        for event in story:
            if event.kind is Kind.RECORDING_PAUSED:
                silent = silent or event.data["reason"] == "sensitive"
            elif event.kind in (Kind.RECORDING_RESUMED, Kind.RECORDING_ENDED):
                silent = False
            assert not (silent and event.kind in (Kind.QUEUED, Kind.TALK_STARTED)), "the recording goes on"
        assert not any(e.data["value"] for e in story if e.kind is Kind.SET and e.data["name"] == "card")
        outcome = next(e.data["outcome"] for e in story if e.kind is Kind.ENDED)
        assert outcome != "answered" or count[Kind.TALK_STARTED]


def patch_constants(patch: pytest.MonkeyPatch) -> None:
    """What takes seconds takes tenths, and nothing is synthesised."""
    for module, name, seconds in (
        (reception, "LOOK_AGAIN", 0.05),
        (reception, "LOOK_REGULARLY", 3600.0),  # what only it finds is found too late
        (site_keeper, "RELOAD", 0.05),
        (router, "RETRY", 0.05),
        (replica, "GRACE", 0.3),
        (estimates, "PUBLISH", 0.3),
        (saver, "RETRY", 0.05),
        (replica, "RETRY", 0.05),
        (conduct, "GONE_DEADLINE", 0.3),
        (conduct, "APOLOGY_DEADLINE", 0.2),
        (offers, "REQUEST_DEADLINE", 0.3),
        (offers, "WORTH_WHILE", 0.1),
    ):
        patch.setattr(module, name, seconds)
    patch.setattr(site_keeper, "_run_prepare", lambda: None)
