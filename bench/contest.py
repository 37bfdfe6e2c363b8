"""A PBX's own queue against our controller on the same PBX, in one run: what `handover` and `callcenter` share.

SIPp plays callers and phones, without media; no call is recorded. Agents hang up; wrap-up is 0. Each rate has a queue
of its own with just enough agents, for a PBX's own queue looks at all members for each call.
"""

import logging
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gevent import monkey

monkey.patch_all()

from bench.measure import Processes, Yardstick, close, milliseconds, scratch  # noqa: E402
from bench.sipp import Moment, Sipp, SippFailed, caller, media_port, phone, register, sip_port  # noqa: E402
from contactcentre.demo.stage import Stage, stage  # noqa: E402
from contactcentre.domain.site import Site  # noqa: E402
from contactcentre.lab import AnyLab, FreeswitchLab  # noqa: E402
from contactcentre.lab.errors import LabTimeout  # noqa: E402
from contactcentre.lab.process import with_arguments  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
WAITING = [int(text) for text in os.environ.get("WAITING", "50" if QUICK else "200,500").split(",")]
HANDOVERS = int(os.environ.get("HANDOVERS", "60" if QUICK else "500"))
ROUNDS = int(os.environ.get("ROUNDS", "1" if QUICK else "3"))
RATE = float(os.environ.get("RATE", "40"))
SECONDS = float(os.environ.get("SECONDS", "12" if QUICK else "24"))
STEPS = [float(text) for text in os.environ.get("STEPS", "70" if QUICK else "70,80,90,100,110,120").split(",")]
TALK = (float(os.environ.get("TALK", "5-8").split("-")[0]), float(os.environ.get("TALK", "5-8").split("-")[1]))
ONLY = os.environ.get("ONLY", "handover,cost,collapse").split(",")

FEW = 10
"""Agents who serve a long queue."""
SHORT_TALK = (0.8, 1.6)
"""Least and most seconds that these talk."""
PREPARED, IDLE = 120.0, 0.03
"""Seconds that a controller gets to come to rest, and the share of a processor that it then takes."""
RING = 0.05
"""Seconds that a phone rings."""
LINGER = (0.1, 1.2)
"""Seconds after the end of a call until a new caller takes the place: not in the very moment of the hand-over."""
FILL_RATE = 25.0
"""Calls a second while the queue is being filled, and at most while it is kept full."""
FINE = 1.0
"""Calls a second between what was held and what was not, at last."""
SERVED, RING_DELAY, BEGUN = 0.97, 1.5, 0.97
"""What a step must hold: share of the callers answered, p99 in seconds (half a second of it is the fallback dialplan's
Answer(), which waits so long for media that SIPp does not send), share of the calls begun."""
TALKS = {"few": SHORT_TALK, "many": TALK}
"""Groups of agents, by the beginning of their names."""


def rates() -> list[float]:
    """Calls a second that will be offered; each has a queue of its own, with agents enough and not many more."""
    return sorted({*([RATE] if "cost" in ONLY else []), *(STEPS if "collapse" in ONLY else [])})


def queue_for(rate: float) -> str:
    """The smallest with agents enough."""
    return f"at{min(known for known in rates() if known >= rate):g}"


def agents_for(rate: float) -> int:
    return math.ceil(rate * (sum(TALK) / 2 + RING + 0.5) * 1.1)


def number_of(queue: str) -> str:
    """The number that leads there."""
    return "1000" if queue == "few" else f"2{int(queue.removeprefix('at')):03}"


def site() -> Site:
    many = [f"many{n:04}" for n in range(agents_for(max(rates(), default=0.0)))]
    few = [f"few{n:02}" for n in range(FEW)]
    queues = {"few": few} | {f"at{rate:g}": many[: agents_for(rate)] for rate in rates()}
    hello = {"type": "answer", "next": "wait"}
    return Site.model_validate(
        {
            "agents": {name: {} for name in few + many},
            "queues": {name: {"agents": agents, "wrap_up": 0, "record": False} for name, agents in queues.items()},
            "dids": {number_of(name): {"flow": name, "fallback_queue": name} for name in queues},
            "flows": {
                name: {"start": "hello", "nodes": {"hello": hello, "wait": {"type": "queue", "queue": name}}}
                for name in queues
            },
        }
    )


@dataclass
class Bench:
    directory: Path
    here: Stage
    phones: Mapping[str, Sipp]  # of the agents, by group
    media: int
    name: str  # of the PBX
    yardstick: Yardstick
    processes: Processes = field(init=False)
    serving: bool = True  # our controller is there
    runs: int = 0

    def __post_init__(self) -> None:
        self.serve(ours=True)

    def serve(self, *, ours: bool) -> None:
        """By our controller, or, with all of ours gone, by the PBX's own queue."""
        if ours and not self.serving:
            self.here.supervisor.start()
        elif not ours and self.serving:
            self.here.supervisor.stop()
        self.serving, pbx = ours, {self.name: self.here.lab.info().pid}
        if not ours:
            self.processes = Processes(pbx)
            time.sleep(2.0)
            return
        children = {name: child["pid"] for name, child in self.here.supervisor.status().items()}
        (keeper,) = with_arguments("-m", "contactcentre.embedded.keeper", str(self.here.settings.state_dir))
        self.processes = Processes({**pbx, **children, "databases": keeper})
        self._settled()

    def _settled(self) -> None:
        """Until the controller has made what it says of its texts, and does nothing any more."""
        until, used = time.monotonic() + PREPARED, self.processes.seconds()
        while time.monotonic() < until:
            time.sleep(5.0)
            before, used = used, self.processes.seconds()
            if used["controller"] - before["controller"] < IDLE * 5.0:
                return
        raise SippFailed("the controller does not come to rest")

    @property
    def pbx(self) -> str:
        info = self.here.lab.info()
        return f"{info.sip_host}:{info.sip_port}"

    def _prefix(self) -> str:
        """Of the callers' numbers; each run has its own."""
        self.runs += 1
        return f"+336{self.runs:02}"

    def hang_up_all(self) -> None:
        """Until nothing is left of the last run."""
        lab, until = self.here.lab, time.monotonic() + 120
        freeswitch = isinstance(lab, FreeswitchLab)
        end = "hupall NORMAL_CLEARING" if freeswitch else "channel request hangup all"
        left = ("status", "\n0 session(s) - peak") if freeswitch else ("core show channels count", "0 active channels")
        while time.monotonic() < until:
            with suppress(LabTimeout):  # a PBX that has collapsed needs time
                lab.rx(end, 60)
                time.sleep(1.0)
                if left[1] in lab.rx(left[0], 60):
                    time.sleep(2.0)
                    return
        raise SippFailed("channels are left")

    # -- hand-over -----------------------------------------------------------------------------------------------------

    def handover(self, side: str, waiting: int) -> dict[str, Any]:
        name = f"{side}-{waiting}"
        phones = self.phones["few"]
        with ExitStack() as stack:
            limit = waiting + FEW
            callers = Sipp(
                self.directory,
                f"callers-{name}",
                caller(number_of("few"), self._prefix(), LINGER),
                self.pbx,
                self.media,
                *("-p", str(sip_port()), "-r", str(FILL_RATE), "-l", str(limit), "-m", "100000"),
            )
            stack.callback(callers.stop)
            full_at = self._filled(callers, limit)
            enough = time.monotonic() + 3 * HANDOVERS / FEW * (sum(SHORT_TALK) / 2 + 1) + 30
            while True:
                time.sleep(1.0)
                gaps = handed_over(phones.moments(full_at))
                if len(gaps) >= HANDOVERS or time.monotonic() > enough:
                    break
        self.hang_up_all()
        return {"waiting": waiting, "handovers": len(gaps), **milliseconds(gaps)}

    def _filled(self, callers: Sipp, limit: int) -> float:
        """When everybody who is to wait has been waiting for some seconds, epoch seconds."""
        until = time.monotonic() + 3 * limit / FILL_RATE + 30
        while sum(moment.what == "answered" for moment in callers.moments()) < limit:
            if time.monotonic() > until or callers.process.poll() is not None:
                raise SippFailed(f"the queue could not be filled: {callers.says()}")
            time.sleep(0.5)
        time.sleep(3.0)
        return time.time()

    # -- load ----------------------------------------------------------------------------------------------------------

    def load(self, side: str, rate: float) -> dict[str, Any]:
        name = f"{side}-{rate:g}"
        calls = round(rate * SECONDS)
        phones, started = self.phones["many"], time.time()
        with ExitStack() as stack:
            callers = Sipp(
                self.directory,
                f"callers-{name}",
                caller(number_of(queue_for(rate)), self._prefix()),
                self.pbx,
                self.media,
                *("-p", str(sip_port()), "-r", f"{rate:g}", "-l", "100000", "-m", str(calls)),
            )
            stack.callback(callers.stop)
            settled = RING + TALK[1] + 1
            time.sleep(settled)
            begin, used = time.time(), self.processes.seconds()
            time.sleep(max(1.0, SECONDS - settled - 0.5))
            end, used_at_end = time.time(), self.processes.seconds()
            callers.wait(RING + TALK[1] + 8)
            seen, rang = callers.moments(), phones.moments(started)
        self.hang_up_all()
        called = {moment.caller: moment.at for moment in seen if moment.what == "called"}
        invited = {moment.caller: moment.at for moment in reversed(rang) if moment.what == "invited"}
        over = {moment.caller for moment in seen if moment.what == "over"}
        served = over & invited.keys()
        delays = [invited[number] - at for number, at in called.items() if number in invited]
        within = sum(begin <= at < end for at in called.values())
        first = min(called.values())
        begun = sum(at < first + SECONDS for at in called.values())
        p99 = sorted(delays)[int(0.99 * len(delays))] if delays else math.inf
        return {
            "offered": rate,
            "calls": len(called),
            "served": len(served),
            "begun_per_s": round(begun / SECONDS, 1),
            "invite_to_invite": milliseconds(delays),
            "cpu_ms_per_call": {
                part: round(1000 * (used_at_end[part] - used.get(part, 0.0)) / max(1, within), 2)
                for part in used_at_end
            },
            "yardstick_ms": self.yardstick.between(begin, end),
            "held": len(served) >= SERVED * calls and p99 <= RING_DELAY and begun >= BEGUN * calls,
        }


def handed_over(moments: list[Moment]) -> list[float]:
    """Seconds from an agent's hanging up to the agent's next call."""
    gaps = []
    free: dict[str, float] = {}
    for moment in moments:
        if moment.what == "hung-up":
            free[moment.agent] = moment.at
        elif (at := free.pop(moment.agent, None)) is not None:
            gaps.append(moment.at - at)
    return gaps


def quiet(lab: AnyLab) -> None:
    """No line in the PBX's log for every step of a call, as on a PBX that serves people."""
    if isinstance(lab, FreeswitchLab):
        lab.rx("fsctl loglevel warning")
        return
    file = Path(lab.info().etc_dir) / "logger.conf"
    file.write_text(file.read_text().replace(",verbose(3)", ""))
    lab.rx("logger reload")


def measure(bench: Bench, other: str) -> dict[str, dict[str, Any]]:
    """By side. Hand-over and collapse are asked of one after the other, what a call costs in turns: see Yardstick."""
    found: dict[str, dict[str, Any]] = {"ours": {}, other: {}}

    def keep(side: str, question: str, told: dict[str, Any]) -> None:
        found[side].setdefault(question, []).append(told)
        print(f"{side:9} {question:9}", told)

    def holds(side: str, rate: float) -> bool:
        keep(side, "load", told := bench.load(side, rate))
        return bool(told["held"])

    if "handover" in ONLY:
        for side in found:
            bench.serve(ours=side == "ours")
            for waiting in WAITING:
                keep(side, "hand-over", bench.handover(side, waiting))
    for side in [*found] * (ROUNDS if "cost" in ONLY else 0):
        bench.serve(ours=side == "ours")
        keep(side, "cost", bench.load(side, RATE))
    if "collapse" in ONLY:
        for side in found:
            bench.serve(ours=side == "ours")
            climb(partial(holds, side))
    return found


def climb(holds: Callable[[float], bool]) -> None:
    """Up the steps (calls a second) until one is not held, then between the two until the limit is known by FINE."""
    low, high = 0.0, math.inf
    for rate in STEPS:
        if not holds(rate):
            high = rate
            break
        low = rate
    while FINE < high - low < math.inf:
        rate = float(round((low + high) / 2))
        low, high = (rate, high) if holds(rate) else (low, rate)


def total(step: Mapping[str, Any]) -> float:
    return float(sum(step["cpu_ms_per_call"].values()))


def summary(found: Mapping[str, Any]) -> dict[str, Any]:
    last = found["hand-over"][-1] if "hand-over" in found else {}
    costs = found.get("cost", [])
    held = [step["offered"] for step in [*costs, *found.get("load", [])] if step["held"]]
    return {
        "p50_ms": last.get("p50_ms"),
        "p99_ms": last.get("p99_ms"),
        "cpu_ms_per_call": round(sum(map(total, costs)) / len(costs), 2) if costs else None,
        "max_calls_per_s": max(held, default=None),
    }


def run(name: str, pbx: str, other: str) -> None:
    """Measures ours and, with the controller gone, the PBX's own queue (`other`). The last line is JSON."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(level=logging.WARNING)
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        media, socket = media_port()
        stack.enter_context(closing(socket))
        phones = {}

        def registered(lab: AnyLab, secrets: Mapping[str, str]) -> None:
            info = lab.info()
            for group, talk in TALKS.items():
                users = {name: secret for name, secret in secrets.items() if name.startswith(group)}
                if users:
                    port = sip_port()
                    register(users, (info.sip_host, info.sip_port), port)
                    pbx = f"{info.sip_host}:{info.sip_port}"
                    phones[group] = Sipp(directory, f"phones-{group}", phone(RING, talk), pbx, media, "-p", str(port))
                    stack.callback(phones[group].stop)

        here = stack.enter_context(stage(directory, 1.0, print, site(), register=registered, pbx=pbx))
        quiet(here.lab)
        yardstick = Yardstick(directory / "yardstick")
        stack.callback(yardstick.stop)
        found = measure(Bench(directory, here, phones, media, pbx, yardstick), other)
    waiting = WAITING[-1] if "handover" in ONLY else None
    close({"bench": name, "waiting": waiting, **{side: summary(told) for side, told in found.items()}})
