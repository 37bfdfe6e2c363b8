"""How soon a free agent's phone rings: 50 calls at once, ours against app_queue on the same Asterisk, in one run.

Time is from the caller's INVITE to the agent's phone ringing, both seen by the simulated phones' one clock. Calls are
queued by the same dialplan, none is recorded; with our controller gone the PBX's own Queue() answers them.

CALLS=50 RATE=25 (calls a second) TALK=8 (seconds): all talk at once at the end of the ramp.
"""

import logging
import os
import sys
import time
from typing import Any

from gevent import monkey

monkey.patch_all()

from bench.measure import close, cpu_seconds, milliseconds, scratch  # noqa: E402
from contactcentre.demo.stage import Stage, stage  # noqa: E402
from contactcentre.domain.site import Site  # noqa: E402
from contactcentre.lab import CallPlan  # noqa: E402
from contactcentre.lab.phones import Phone  # noqa: E402

CALLS = int(os.environ.get("CALLS", "50"))
RATE = float(os.environ.get("RATE", "25"))
TALK = float(os.environ.get("TALK", "8"))


def site() -> Site:
    agents = {f"agent{n:03}": {"full_name": f"Agent {n}"} for n in range(CALLS + CALLS // 5)}
    return Site.model_validate(
        {
            "agents": agents,
            "queues": {"bench": {"agents": list(agents), "wrap_up": 0, "record": False}},
            "dids": {"1000": {"flow": "bench", "fallback_queue": "bench"}},
            "flows": {
                "bench": {
                    "start": "hello",
                    "nodes": {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "bench"}},
                }
            },
        }
    )


def run(here: Stage, phones: list[Phone], prefix: str, pids: dict[str, int]) -> dict[str, Any]:
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    plans = [CallPlan("1000", caller=f"{prefix}{n:05}", talk=TALK, patience=40) for n in range(CALLS)]
    results = here.lab.calls(plans, rate=RATE)
    time.sleep(1.0)  # the last phones' own ends
    used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    began = {result.caller: result.started_at for result in results}
    rang = {call.caller: call.ringing_at for phone in phones for call in phone.calls if call.ringing_at}
    waits = [rang[caller] - begun for caller, begun in began.items() if caller in rang]
    at_once = max(
        sum(1 for other in results if other.started_at <= result.ended_at and other.ended_at >= result.ended_at)
        for result in results
    )
    return {
        "calls": len(results),
        "served": sum(result.served for result in results),
        "at_once": at_once,
        "rang": len(waits),
        "invite_to_ringing": milliseconds(waits),
        "cpu_ms_per_call": {name: round(1000 * seconds / len(results), 1) for name, seconds in used.items()},
    }


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(level=logging.WARNING)
    with scratch() as directory, stage(directory, TALK, print, site(), ring=(0.3, 0.3)) as here:
        asterisk = here.lab.info().pid
        controller = here.supervisor.status()["controller"]["pid"]
        print("processes:", {"asterisk": asterisk, "controller": controller})
        here.lab.calls([CallPlan("1000", caller=f"+3360{n:05}", talk=1.0, patience=40) for n in range(20)], rate=10)
        ours = run(here, here.phones, "+3361", {"asterisk": asterisk, "controller": controller})
        print("ours     ", ours)
        here.supervisor.stop()
        theirs = run(here, here.phones, "+3362", {"asterisk": asterisk})
        print("app_queue", theirs)
    close({"bench": "ring", "ours": ours, "app_queue": theirs})


if __name__ == "__main__":
    main()
