"""Which of the two should open the link, the controller or Asterisk? What callers notice when it is gone, both ways.

One contact centre after the other, whose controller connects to Asterisk (`inbound`, as Asterisk sees it) and to which
Asterisk connects (`outbound`, CONTACTCENTRE_ARI_LISTEN). RATE calls a second, each talks TALK seconds, and there is
always a free agent. Every PAUSE seconds, ROUNDS times each: the controller is killed (`up` starts it again), and the
link is cut for CUT seconds. Told are, for each kind: seconds until somebody who called after the fault hears an agent
(gap), how long those waited who called within AFTER seconds of it, how many of these heard no agent, how many calls
went to the PBX's own queue. `calm`: those who called at other times.

RATE=2 TALK=2 ROUNDS=5 PAUSE=15 CUT=1 ORDER=inbound,outbound. The last line is JSON.
"""

import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402

from bench.crowd import until  # noqa: E402
from bench.measure import close, percentile, scratch  # noqa: E402
from contactcentre.demo.stage import Stage, stage  # noqa: E402
from contactcentre.domain.site import Site  # noqa: E402
from contactcentre.lab import AnyLab, CallResult, LabInfo  # noqa: E402
from contactcentre.lab.link import Proxy  # noqa: E402
from contactcentre.lab.ports import free_port  # noqa: E402
from contactcentre.live import LiveError, signs_of_life  # noqa: E402

RATE = float(os.environ.get("RATE", "2"))
TALK = float(os.environ.get("TALK", "2"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
PAUSE = float(os.environ.get("PAUSE", "15"))
CUT = float(os.environ.get("CUT", "1"))
ORDER = os.environ.get("ORDER", "inbound,outbound").split(",")
AFTER = 10.0
"""Seconds after a fault for which callers count as its own."""
PATIENCE = 30.0
AGENTS = 30
LISTEN = "CONTACTCENTRE_ARI_LISTEN"


@dataclass
class Fault:
    at: float
    fallback: int = 0
    """Calls that the PBX's own queue took from then until the next fault."""


@dataclass
class Run:
    calls: list[CallResult] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: {"kill": [], "cut": []})

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        hit: set[str] = set()
        for kind, faults in self.faults.items():
            mine = [c for c in self.calls if any(f.at <= c.started_at < f.at + AFTER for f in faults)]
            hit |= {call.caller for call in mine}
            found[kind] = {
                "gap_s": _spread([gap for f in faults if (gap := self._gap(f)) is not None]),
                "wait_s": _waits(mine),
                "calls": len(mine),
                "heard_nobody": sum(call.person_at is None for call in mine),
                "to_the_pbxs_queue": sum(f.fallback for f in faults),
            }
        calm = [call for call in self.calls if call.caller not in hit]
        return found | {"calm": {"wait_s": _waits(calm), "heard_nobody": sum(c.person_at is None for c in calm)}}

    def _gap(self, fault: Fault) -> float | None:
        heard = (call.person_at for call in self.calls if call.started_at >= fault.at and call.person_at)
        return min((at - fault.at for at in heard), default=None)


def _waits(calls: list[CallResult]) -> dict[str, float | None]:
    return _spread([call.person_at - call.started_at for call in calls if call.person_at])


def _spread(seconds: list[float]) -> dict[str, float | None]:
    shares = {"p50": percentile(seconds, 0.5), "p99": percentile(seconds, 0.99), "max": max(seconds, default=None)}
    return {name: None if value is None else round(value, 2) for name, value in shares.items()}


def site() -> Site:
    agents = {f"agent{n:03}": {} for n in range(AGENTS)}
    nodes = {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "bench"}}
    queue = {"agents": list(agents), "wrap_up": 0, "record": False, "announce_position": 0, "misses_allowed": 0}
    return Site.model_validate(
        {
            "agents": agents,
            "queues": {"bench": queue},
            "dids": {"1000": {"flow": "bench", "fallback_queue": "bench"}},
            "flows": {"bench": {"start": "hello", "nodes": nodes}},
        }
    )


def ours(lab: AnyLab, address: str) -> dict[str, str]:
    """What our processes need to know of the lab when another address of its ARI is named."""
    info = lab.info()
    assert isinstance(info, LabInfo)
    return {
        "CONTACTCENTRE_ARI_URL": address,
        "CONTACTCENTRE_ARI_USER": info.ari_user,
        "CONTACTCENTRE_ARI_SECRET": info.ari_secret,
        "CONTACTCENTRE_PBX_ETC_DIR": info.etc_dir,
        "CONTACTCENTRE_PBX_RECORDINGS_DIR": info.recordings_dir,
    }


@contextmanager
def centre(way: str) -> Iterator[tuple[Stage, Proxy]]:
    """With a proxy in the link."""
    proxies: list[Proxy] = []

    def inbound(lab: AnyLab) -> Mapping[str, str]:
        info = lab.info()
        assert isinstance(info, LabInfo)
        proxies.append(Proxy(info.http_port))
        return ours(lab, f"http://127.0.0.1:{proxies[0].port}")

    def outbound(lab: AnyLab) -> Mapping[str, str]:
        return {LISTEN: f"ws://127.0.0.1:{port}"}

    port = free_port()
    os.environ.pop(LISTEN, None)
    if way == "outbound":
        proxies.append(Proxy(port))
        os.environ[LISTEN] = f"ws://127.0.0.1:{proxies[0].port}"  # what is provisioned; ours listens behind the proxy
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        environment = outbound if way == "outbound" else inbound
        here = stack.enter_context(stage(directory, 3600.0, print, site(), ring=(0.05, 0.05), environment=environment))
        stack.callback(lambda: proxies[0].close())
        for phone in here.phones:
            phone.behave(talk=None)
        yield here, proxies[0]


def run(way: str) -> Run:
    made = Run()
    with centre(way) as (here, proxy):
        stopping = False
        on: set[str] = set()

        def ended(result: CallResult) -> None:
            made.calls.append(result)
            on.discard(result.caller)

        def come() -> None:
            due = time.monotonic()
            for number in itertools.count():
                if stopping:
                    return
                caller = f"+3366{number:06}"
                on.add(caller)
                here.lab.dial("1000", caller=caller, talk=TALK, patience=PATIENCE, on_result=ended)
                due += 1 / RATE
                gevent.sleep(max(0.0, due - time.monotonic()))

        calling = gevent.spawn(come)
        gevent.sleep(PAUSE)
        for _ in range(ROUNDS):
            for kind, happens in (("kill", lambda: kill(here)), ("cut", lambda: cut(proxy))):
                before = fallbacks(here)
                fault = Fault(time.time())
                made.faults[kind].append(fault)
                happens()
                gevent.sleep(PAUSE)
                until(lambda: linked(here), 60)
                fault.fallback = fallbacks(here) - before
                print(f"{way:9} {kind:5} gap {made._gap(fault)}, to the PBX's own queue {fault.fallback}")
        stopping = True
        calling.join()
        until(lambda: not on, PATIENCE + TALK + 10)
    return made


def kill(here: Stage) -> None:
    signs = until(lambda: signs_of_life(here.live.redis).get(here.settings.node), 60)
    os.kill(signs.pid, signal.SIGKILL)


def cut(proxy: Proxy) -> None:
    proxy.cut()
    gevent.sleep(CUT)
    proxy.mend()


def linked(here: Stage) -> bool:
    with suppress(LiveError):
        signs = signs_of_life(here.live.redis).get(here.settings.node)
        return signs is not None and signs.linked
    return False


def fallbacks(here: Stage) -> int:
    """How many calls the dialplan has led to the PBX's own queue so far, by Asterisk's log."""
    return here.lab.log_file.read_text(errors="replace").count("@contactcentre-fallback:1]")


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(level=logging.CRITICAL)
    result: dict[str, Any] = {"bench": "outbound", "calls_per_s": RATE, "rounds": ROUNDS, "cut_s": CUT}
    for way in ORDER:
        result[way] = run(way).told()
    close(result)


if __name__ == "__main__":
    main()
