"""Callers and agents who never stop: so many talk, so many wait, and whoever is done is followed by somebody new.

Simulated phones, for they can tell how long they heard nothing. Callers and agents hang up first in turns. Some callers
choose in a menu before they wait, some conversations are recorded.
"""

import itertools
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from contactcentre.domain.site import Site
from contactcentre.lab import AnyLab, CallPlan, CallResult, lab_of
from contactcentre.lab.phones import OngoingCall, Phone
from contactcentre.settings import Settings

DIDS = {"1001": "plain", "1002": "menu", "1003": "recorded"}
RING = (0.2, 0.8)
LINGER = (0.3, 1.5)
"""Seconds after the end of a call until somebody new calls."""
PATIENCE = 600.0
FRAMES = 3
"""Of 20 ms, in each RTP packet: with hundreds of calls the PBX and the phones have more to do with packets than with
all else."""
PRESS_AGAIN = 8.0
"""Seconds after which somebody in the menu who still hears no agent presses the key again: the first may have been
lost, and who waits already loses nothing by it."""
CALLS_A_SECOND = 4.0
"""At most, while the crowd gathers."""


def site(agents: int) -> Site:
    """Two queues with the same agents, one of them recorded, and a menu before the other."""
    names = [f"agent{n:03}" for n in range(agents)]
    queue = {"agents": names, "wrap_up": 0, "ring_seconds": 5, "retry_delay": 1, "misses_allowed": 0}
    hello = {"type": "answer", "next": "wait"}
    ask = {
        "type": "menu",
        "prompt": ["sound:demo-instruct"],
        "timeout": 3,
        "retries": 20,
        "choices": {"1": "wait"},
        "on_timeout": "wait",
        "on_invalid": "wait",
    }
    nodes = {
        "plain": {"hello": hello, "wait": {"type": "queue", "queue": "plain"}},
        "recorded": {"hello": hello, "wait": {"type": "queue", "queue": "recorded"}},
        "menu": {
            "hello": {"type": "answer", "next": "ask"},
            "ask": ask,
            "wait": {"type": "queue", "queue": "plain"},
        },
    }
    return Site.model_validate(
        {
            "agents": {name: {} for name in names},
            "queues": {"plain": {**queue, "record": False}, "recorded": {**queue, "record": True}},
            "dids": {
                did: {"flow": flow, "fallback_queue": "recorded" if flow == "recorded" else "plain"}
                for did, flow in DIDS.items()
            },
            "flows": {flow: {"start": "hello", "nodes": steps} for flow, steps in nodes.items()},
        }
    )


class Crowd:
    """`size` callers at a time, for as many agents as `phones` has. What happened to whom stays in `over`, `served` and
    `rang`."""

    def __init__(self, chance: random.Random, size: int, talk: tuple[float, float]) -> None:
        """talk: least and most seconds of a conversation."""
        self.size = size
        self.over: list[CallResult] = []
        """Callers whose calls have ended."""
        self.served: dict[str, list[CallResult]] = defaultdict(list)
        """Calls that agents had, and that have ended, by the caller's number."""
        self.rang: dict[str, float] = {}
        """When an agent's phone was called last on behalf of a caller, epoch seconds."""
        self.heard: dict[str, float] = {}
        """When a caller first heard an agent, epoch seconds."""
        self.on: dict[str, OngoingCall] = {}
        """Calls that go on."""
        self.phones: list[Phone] = []
        self.troubles: list[str] = []
        self._chance, self._talk = chance, talk
        self._numbers = itertools.count(1)
        self._due: list[float] = []  # monotonic: when somebody new calls
        self._press: dict[str, float] = {}  # monotonic: when who presses the menu's key again
        self._lab: AnyLab | None = None
        self._stopping = False
        self._calling: gevent.Greenlet[..., None] | None = None

    # -- agents -------------------------------------------------------------------------------------------------------

    def register(self, lab: AnyLab, secrets: Mapping[str, str]) -> None:
        """The agents' phones; every other one hangs up by itself. For `stage(register=...)`."""
        for place, (name, secret) in enumerate(secrets.items()):
            self.phones.append(
                lab.phone(
                    name,
                    secret,
                    ring=round(self._chance.uniform(*RING), 2),
                    talk=self._talk if place % 2 else None,
                    tone=600 + 100 * (place % 25),
                    frames=FRAMES,
                    lines=2,  # who is called while talking shows it
                    on_event=self._at_a_phone,
                )
            )

    def _at_a_phone(self, event: dict[str, Any]) -> None:
        if event["event"] == "incoming":
            self.rang[event["caller"]] = event["ringing_at"]
        elif event["event"] == "ended" and event["incoming"]:
            known = {key: event[key] for key in CallResult.__dataclass_fields__ if key in event}
            self.served[event["caller"]].append(CallResult(call_id=event["call"], **known))

    def renew(self) -> None:
        """All phones register again."""
        for phone in self.phones:
            phone.renew()

    # -- callers ------------------------------------------------------------------------------------------------------

    def begin(self, settings: Settings) -> None:
        """People call, from now on. Their phones are a process of their own, so both rhythms fit a busy machine."""
        self._lab = lab_of(settings)
        self._handsets = self._lab.handsets()  # also while the PBX is away
        now = time.monotonic()
        self._due = [now + n / CALLS_A_SECOND for n in range(self.size)]
        self._calling = gevent.spawn(self._call)

    def stop(self) -> None:
        """Nobody new calls."""
        self._stopping = True
        if self._calling is not None:
            self._calling.join(10)

    def close(self) -> None:
        self.stop()
        if self._lab is not None:
            self._lab.close()

    def hang_up(self) -> None:
        """Whoever is still there."""
        for call in list(self.on.values()):
            call.hang_up()

    def _call(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            due = [at for at in self._due if at <= now]
            self._due = [at for at in self._due if at > now]
            for _ in due:
                did = self._chance.choice(list(DIDS))
                number = f"+3370{next(self._numbers):07}"
                plan = CallPlan(
                    did,
                    caller=number,
                    talk=round(self._chance.uniform(*self._talk), 1),
                    patience=PATIENCE,
                    frames=FRAMES,
                    digits="1" if DIDS[did] == "menu" else "",
                    digits_after=round(self._chance.uniform(1.0, 6.0), 1),
                )
                self.on[number] = OngoingCall(self._handsets, plan, on_result=self._ended)
                if plan.digits:
                    self._press[number] = now + plan.digits_after + PRESS_AGAIN
            self._press_again(now)
            gevent.sleep(0.05)

    def _press_again(self, now: float) -> None:
        for number in [number for number, at in self._press.items() if at <= now]:
            call = self.on.get(number)
            if call is None or call.seen("person") is not None:
                del self._press[number]
            else:
                self._press[number] = now + PRESS_AGAIN
                if call.seen("answered") is not None:
                    call.send_digits("1")

    def _ended(self, result: CallResult) -> None:
        self.on.pop(result.caller, None)
        self.over.append(result)
        if result.person_at is not None:
            self.heard[result.caller] = result.person_at
        self._due.append(time.monotonic() + self._chance.uniform(*LINGER))

    # -- looking ------------------------------------------------------------------------------------------------------

    def heard_at(self, number: str) -> float | None:
        """When this caller first heard an agent."""
        call = self.on.get(number)
        return call.seen("person") if call is not None else self.heard.get(number)

    def talking(self) -> int:
        return sum(call.seen("person") is not None for call in list(self.on.values()))

    def served_again(self, since: float) -> float | None:
        """When somebody first heard an agent whose phone was called after `since` (epoch seconds)."""
        moments = (self.heard_at(number) for number, rang in list(self.rang.items()) if rang > since)
        return min((at for at in moments if at is not None and at > since), default=None)


def until(look: Callable[[], Any], seconds: float, every: float = 0.1) -> Any:
    """What `look` answers as soon as it is true, its last answer after so many seconds."""
    give_up = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < give_up:
        gevent.sleep(every)
    return found
