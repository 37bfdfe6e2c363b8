"""For a long time at 70 % of capacity: does anything grow that should not?

Two kinds of calls at once on one contact centre: RATE calls a second between SIPp's callers and phones, which have no
sound, and CALLS simulated callers with phones that have, with menus and recordings. Each minute: memory, open files and
threads of Asterisk and of our processes, Redis's keys and memory, the controller's greenlets, channels of the PBX. The
first third of the samples is for warming up; then what was measured in the last third must not be above what was in the
second by more than the tolerance (TOLERANCE). Afterwards nobody calls any more, and nothing may be left.

MINUTES=30 RATE=60 (0.7 of the 85 calls/s that `handover` holds on two cores) CALLS=20 EVERY=60 (seconds) TALK=5-8. Exit
code 1 when something grew, or was left.
"""

import logging
import os
import random
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from statistics import mean
from typing import Any

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
import requests  # noqa: E402

from bench import crowd as people  # noqa: E402
from bench.contest import RING, agents_for  # noqa: E402
from bench.crowd import Crowd, until  # noqa: E402
from bench.measure import close, scratch  # noqa: E402
from bench.sipp import Sipp, caller, media_port, phone, register, sip_port  # noqa: E402
from contactcentre.demo.accounting import left_over  # noqa: E402
from contactcentre.demo.stage import Stage, stage  # noqa: E402
from contactcentre.domain.site import Site  # noqa: E402
from contactcentre.lab import AnyLab  # noqa: E402
from contactcentre.lab.process import with_arguments  # noqa: E402
from contactcentre.live import LiveError  # noqa: E402
from contactcentre.live.connection import ask  # noqa: E402

MINUTES = float(os.environ.get("MINUTES", "30"))
RATE = float(os.environ.get("RATE", "60"))
CALLS = int(os.environ.get("CALLS", "20"))
EVERY = float(os.environ.get("EVERY", "60"))
TALK = (float(os.environ.get("TALK", "5-8").split("-")[0]), float(os.environ.get("TALK", "5-8").split("-")[1]))
WATCH = random.SystemRandom().randrange(7000, 7900, 4)
"""The ports at which our processes tell their numbers: four from this one."""
LOOK = 0.5
"""Seconds between two tries while something is waited for."""

TOLERANCE: dict[str, tuple[float, float]] = {
    "mb": (0.05, 4.0),
    "files": (0.05, 6.0),
    "threads": (0.0, 4.0),
    "greenlets": (0.10, 20.0),
    "keys": (0.0, 10.0),
    "redis_mb": (0.10, 4.0),
    "channels": (0.10, 20.0),
    "bridges": (0.10, 20.0),
    # each of PostgreSQL's processes keeps open what it touched until its connection ends: 620 to 960 in turns
    "databases files": (0.6, 6.0),
    # up to 16 connections to Redis stay at hand after a burst (live/client.py)
    "controller files": (0.0, 16.0),
    # a child that has done 500 jobs is followed by one that is forked later, and so has the parent's connections, too
    "worker files": (0.0, 20.0),
}
"""By name, or kind: the share of itself, and the amount, by which it may be larger in the last third. Calls begin by
chance, so what goes with them swings."""


def site() -> Site:
    """The crowd's, and a queue for SIPp's callers."""
    base = people.site(CALLS // 2)
    many = [f"many{n:04}" for n in range(agents_for(RATE))]
    nodes = {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "many"}}
    return Site.model_validate(
        base.model_dump(mode="json")
        | {
            "agents": {name: {} for name in [*base.agents, *many]},
            "queues": base.model_dump(mode="json")["queues"]
            | {"many": {"agents": many, "wrap_up": 0, "record": False}},
            "dids": base.model_dump(mode="json")["dids"] | {"2000": {"flow": "many", "fallback_queue": "many"}},
            "flows": base.model_dump(mode="json")["flows"] | {"many": {"start": "hello", "nodes": nodes}},
        }
    )


class Sampler:
    """What there is of everything, by name; the name's end says of which kind (see TOLERANCE)."""

    def __init__(self, here: Stage) -> None:
        self._here = here
        (keeper,) = with_arguments("-m", "contactcentre.embedded.keeper", str(here.settings.state_dir))
        children = {name: int(child["pid"]) for name, child in here.supervisor.status().items()}
        self._pids = {"pbx": here.lab.info().pid, "databases": keeper, **children}

    def sample(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, pid in self._pids.items():
            trees = [pid, *_below(pid)]
            found[f"{name} mb"] = round(sum(map(_megabytes, trees)), 1)
            found[f"{name} files"] = sum(map(_files, trees))
            found[f"{name} threads"] = sum(map(_threads, trees))
        redis = self._here.live.redis
        memory = re.search(r"used_memory:(\d+)", ask_text(redis, "INFO", "memory"))
        found["keys"] = float(ask(redis, "DBSIZE"))
        found["redis_mb"] = round(int(memory[1]) / 1e6, 1) if memory else 0.0
        found["controller greenlets"] = self.metric("controller", "contactcentre_greenlets")
        counted = self._here.lab.rx("core show channels count", 60)
        found["pbx channels"] = float(re.search(r"(\d+) active channels?", counted)[1])  # type: ignore[index]
        found["pbx bridges"] = float(self._here.lab.rx("bridge show all", 60).count("\n") - 1)
        return found

    def metrics(self, process: str) -> str:
        port = WATCH + ("controller", "recorder", "worker", "web").index(process)
        with suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        return ""

    def metric(self, process: str, name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", self.metrics(process), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def lags(self, process: str) -> dict[float, float]:
        """Seconds -> how often the process was at most so late."""
        pattern = r'^contactcentre_hub_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$'
        return {float(le): float(n) for le, n in re.findall(pattern, self.metrics(process), re.MULTILINE)}


def ask_text(redis: Any, *command: str) -> str:
    """Of an answer that the client library reads into a table."""
    answer = ask(redis, *command)
    return "\n".join(f"{key}:{value}" for key, value in answer.items()) if isinstance(answer, dict) else str(answer)


def p99(before: Mapping[float, float], after: Mapping[float, float]) -> float | None:
    """The bound in milliseconds below which 99 % were, None when there is no telling."""
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    total = max(counts.values(), default=0.0)
    bound = next((bound for bound, count in counts.items() if total and count >= 0.99 * total), None)
    return None if bound is None else round(1000 * bound, 1)


def grown(samples: list[dict[str, float]]) -> dict[str, str]:
    """What is above its tolerance, and by how much."""
    third = len(samples) // 3
    found = {}
    for name in samples[0]:
        share, amount = TOLERANCE.get(name) or TOLERANCE[name.rpartition(" ")[2]]
        before, after = (mean(s[name] for s in part) for part in (samples[third:-third], samples[-third:]))
        if after - before > max(amount, share * before):
            found[name] = f"{before:.1f} -> {after:.1f}"
    return found


def _below(pid: int) -> list[int]:
    """All descendants."""
    found = []
    with suppress(OSError):
        for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(text), *_below(int(text))]
    return found


def _megabytes(pid: int) -> float:
    """Memory of its own: what is shared with others (PostgreSQL's buffers, a parent's pages) counts once in all."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return sum(int(kb) for kb in re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)) / 1024
    return 0.0


def _files(pid: int) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _threads(pid: int) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    return 0


def soak(here: Stage, sampler: Sampler) -> list[dict[str, float]]:
    samples: list[dict[str, float]] = []
    end, due = time.monotonic() + 60 * MINUTES, time.monotonic()
    while time.monotonic() < end:
        due += EVERY
        gevent.sleep(max(0.0, due - time.monotonic()))
        samples.append(sampler.sample())
        shown = "  ".join(f"{name} {value:g}" for name, value in samples[-1].items())
        print(f"{len(samples):4}  {shown}")
    return samples


def left(here: Stage) -> list[str]:
    """What is still there when nobody calls any more."""
    found: list[str] = []

    def nothing() -> bool:
        nonlocal found
        with suppress(LiveError):
            found = list(left_over(here.live.snapshot()))
            if (rest := here.lab.rx("core show channels count", 60)).find("0 active channels") < 0:
                found.append(rest.partition("\n")[0])
        return not found

    until(nothing, 60, every=LOOK)
    return found


def main() -> int:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(level=logging.CRITICAL)
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        media, kept = media_port()
        stack.enter_context(closing(kept))
        crowd = Crowd(random.Random(1), CALLS, (10.0, 30.0))  # noqa: S311 - nothing secret
        here = stack.enter_context(
            stage(
                directory,
                1.0,
                print,
                site(),
                register=registering(stack, directory, media, crowd),
                environment=lambda _: {"CONTACTCENTRE_WATCH_PORT": str(WATCH)},
            )
        )
        stack.callback(crowd.close)
        info = here.lab.info()
        callers = Sipp(
            directory,
            "callers",
            caller("2000", "+3361"),
            f"{info.sip_host}:{info.sip_port}",
            media,
            *("-p", str(sip_port()), "-r", f"{RATE:g}", "-l", "100000", "-m", "100000000"),
        )
        stack.callback(callers.stop)
        crowd.begin(here.settings)
        sampler = Sampler(here)
        before = {process: sampler.lags(process) for process in ("controller", "web")}
        samples = soak(here, sampler)
        lags = {process: p99(before[process], sampler.lags(process)) for process in before}
        callers.process.send_signal(10)  # SIGUSR1: SIPp begins no new calls, and ends with the last one
        crowd.stop()
        callers.wait(RING + TALK[1] + 30)
        crowd.hang_up()
        rest = left(here)
        restarts = {name: child["restarts"] for name, child in here.supervisor.status().items() if child["restarts"]}
    more = grown(samples) if len(samples) >= 3 else {}
    for name, how in more.items():
        print(f"GREW  {name}: {how}")
    for text in rest:
        print(f"LEFT  {text}")
    close(
        {
            "bench": "soak",
            "minutes": round(len(samples) * EVERY / 60, 1),
            "calls_per_s": RATE,
            "samples": len(samples),
            "grew": more,
            "left": len(rest),
            "restarts": restarts,
            "hub_lag_p99_ms": lags,
            "last": samples[-1] if samples else {},
        }
    )
    return 1 if more or rest or restarts else 0


def registering(
    stack: ExitStack, directory: Path, media: int, crowd: Crowd
) -> Callable[[AnyLab, Mapping[str, str]], None]:
    """Both kinds of phones."""

    def run(lab: AnyLab, secrets: Mapping[str, str]) -> None:
        many = {name: secret for name, secret in secrets.items() if name.startswith("many")}
        crowd.register(lab, {name: secret for name, secret in secrets.items() if name not in many})
        info, port = lab.info(), sip_port()
        register(many, (info.sip_host, info.sip_port), port)
        there = f"{info.sip_host}:{info.sip_port}"
        phones = Sipp(directory, "phones", phone(RING, TALK), there, media, "-p", str(port))
        stack.callback(phones.stop)

    return run


if __name__ == "__main__":
    sys.exit(main())
