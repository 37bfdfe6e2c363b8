"""How soon a stand-by has taken over, with calls that talk and wait: after kill -9, SIGSTOP, SIGTERM and a handover.

TALKING calls talk, WAITING wait. Each round does one of the four to the active controller, and at the same moment an
agent hangs up: nobody is there to see it. Told are, by kind: seconds until that agent's phone rings with the next
caller (ring), the gap that the new controller states (gap: of the first two from the last renewal of the lease that it
saw), and how many calls were dropped. At the end the lease is watched for QUIET seconds while LOAD processes do nothing
but keep the processors busy: how often it changed hands although nobody had died.

TALKING=30 WAITING=30 ROUNDS=5 (of each) QUIET=60 LOAD=8. The last line is JSON.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402

from bench.measure import close, percentile, scratch  # noqa: E402
from contactcentre.demo.stage import Stage, stage  # noqa: E402
from contactcentre.domain.site import Site  # noqa: E402
from contactcentre.lab import OngoingCall  # noqa: E402
from contactcentre.lab.phones import Phone  # noqa: E402
from contactcentre.live import signs_of_life  # noqa: E402
from contactcentre.live.standbys import active, hand_over, standbys  # noqa: E402

TALKING = int(os.environ.get("TALKING", "30"))
WAITING = int(os.environ.get("WAITING", "30"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
QUIET = float(os.environ.get("QUIET", "60"))
LOAD = int(os.environ.get("LOAD", "8"))
PATIENCE = 240.0
KINDS = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "stop": signal.SIGTERM, "handover": None}


def site() -> Site:
    agents = {f"agent{n:03}": {"full_name": f"Agent {n}"} for n in range(TALKING)}
    nodes = {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "bench"}}
    return Site.model_validate(
        {
            "agents": agents,
            "queues": {"bench": {"agents": list(agents), "wrap_up": 0, "record": True, "announce_position": 0}},
            "dids": {"1000": {"flow": "bench", "fallback_queue": "bench"}},
            "flows": {"bench": {"start": "hello", "nodes": nodes}},
        }
    )


def eventually(look: Callable[[], Any], what: str, every: float = 0.02) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {PATIENCE:g} s: {what}")
        gevent.sleep(every)
    return found


class Bench:
    def __init__(self, here: Stage) -> None:
        self.here, self.redis = here, here.live.redis
        self.calls: dict[str, OngoingCall] = {}
        self._numbers = iter(range(10**6))
        self._second = self._spawn()
        for _ in range(TALKING + WAITING):
            self.come()
        eventually(
            lambda: sum(1 for c in self.here.live.contacts().values() if c.state == "talking") == TALKING, "talk"
        )
        eventually(lambda: len(self.here.live.waiting()) == WAITING, "wait")

    def come(self) -> None:
        caller = f"+3366{next(self._numbers):06}"
        self.calls[caller] = self.here.lab.dial("1000", caller=caller, talk=None, patience=None)
        gevent.sleep(0.03)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        """The one of the two that `up` does not keep."""
        log = self.here.log.open("a")
        return subprocess.Popen([sys.executable, "-m", "contactcentre", "controller"], stdout=log, stderr=log)

    def ready(self) -> None:
        if self._second.poll() is not None:
            self._second = self._spawn()
        eventually(lambda: any(one.ready for one in standbys(self.redis)), "somebody stands by")
        eventually(lambda: self.signs().linked, "the active one is linked")

    def signs(self) -> Any:
        return eventually(lambda: signs_of_life(self.redis).get(self.here.settings.node), "somebody is active")

    def round(self, kind: str) -> dict[str, float]:
        self.ready()
        before, phone = self.signs(), self._talking()
        (talk,) = phone.ringing.values()
        served = self.calls.pop(talk["caller"])
        began = time.time()
        number = KINDS[kind]
        if number is not None:
            os.kill(before.pid, number)
        phone.hang_up()
        if number is None:
            hand_over(self.redis, self.here.settings.node)
        rings = eventually(lambda: self._rings(phone, talk["call"]), f"{phone.name} rings", 0.002)
        after = eventually(lambda: (now := self.signs()).id != before.id and now, "taken over")
        served.wait(PATIENCE)
        if kind == "hang":
            with suppress(ProcessLookupError):  # its watchdog was there first
                os.kill(before.pid, signal.SIGCONT)
        self.come()
        return {"ring": rings - began, "gap": _gap(self.redis, self.here.settings.node), "since": after.active - began}

    def _talking(self) -> Phone:
        return next(phone for phone in self.here.phones if len(phone.ringing) == 1)

    @staticmethod
    def _rings(phone: Phone, before: str) -> float:
        return next((float(one["ringing_at"]) for id, one in list(phone.ringing.items()) if id != before), 0.0)

    def dropped(self) -> int:
        return sum(1 for call in self.calls.values() if call.result is not None)

    def false_takeovers(self) -> dict[str, Any]:
        """While the processors are busy with something else."""
        self.ready()
        burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOAD)]
        fence, changes, until = active(self.redis, self.here.settings.node), 0, time.monotonic() + QUIET
        try:
            while time.monotonic() < until:
                now = active(self.redis, self.here.settings.node)
                changes += now is None or fence is None or now.fence != fence.fence
                fence = now
                gevent.sleep(0.2)
        finally:
            for burner in burners:
                burner.kill()
        return {"load": LOAD, "seconds": QUIET, "false_takeovers": changes}

    def end(self) -> None:
        for call in self.calls.values():
            call.hang_up()
        self._second.send_signal(signal.SIGCONT)
        self._second.kill()


def _gap(redis: Any, node: str) -> float:
    import json

    return float(json.loads(redis.get(f"cc:node:{node}"))["took_over"]["gap"])


@contextmanager
def running() -> Iterator[Bench]:
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        here = stack.enter_context(stage(directory, 3600.0, print, site(), ring=(0.1, 0.1)))
        for phone in here.phones:
            phone.behave(talk=None)
        made = Bench(here)
        stack.callback(made.end)
        yield made


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(level=logging.WARNING)
    result: dict[str, Any] = {"bench": "standby", "talking": TALKING, "waiting": WAITING, "rounds": ROUNDS}
    with running() as bench:
        for kind in KINDS:
            found = [bench.round(kind) for _ in range(ROUNDS)]
            result[kind] = {
                name: {"p50": round(percentile([one[name] for one in found], 0.5) or 0.0, 3),
                       "max": round(max(one[name] for one in found), 3)}
                for name in ("ring", "gap")
            }  # fmt: skip
            print(f"{kind:10}", result[kind], f"dropped {bench.dropped()}")
        result["busy"] = bench.false_takeovers()
        result["dropped"] = bench.dropped()
    close(result)


if __name__ == "__main__":
    main()
