"""Kills, hangs, cuts and restarts under load: no call drops, no record is lost, and it heals by itself.

Our whole stack as processes on the lab's Asterisk, CALLS callers of whom half talk and half wait; whoever is done is
followed by somebody new. FAULTS faults, one after the other, each when the last one has healed; then the PBX is
restarted, which is counted apart. For each fault: calls dropped, seconds until somebody who waited hears an agent whose
phone was called after the fault began, callers who heard nothing for more than 5 s. At the end every call is held
against the history: `lost` is a call that history does not know, or knows otherwise than the caller, a missing event or
recording; `doubled` a call that is two contacts, or two calls of one agent at a time.

CALLS=40 FAULTS=24 TALK=10-30 (seconds) SEED=... (printed; the same faults in the same order) ONLY=kill+controller,...
STANDBY=1: a second controller stands by, as where calls matter; without it a killed one is started anew.
KEEP=directory keeps the processes' log there. Exit code 1 when something was dropped, lost, doubled or did not heal.
"""

import logging
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402

from bench.crowd import Crowd, site, until  # noqa: E402
from bench.faults import HEALED, Faults  # noqa: E402
from bench.ledger import SILENCE, Outage, Problem, balance, dropped, silent, story  # noqa: E402
from bench.measure import close, percentile, scratch  # noqa: E402
from contactcentre.cli.supervise import Supervisor  # noqa: E402
from contactcentre.cli.up import PROGRAMS  # noqa: E402
from contactcentre.demo.accounting import left_over, pending  # noqa: E402
from contactcentre.demo.stage import Stage, stage  # noqa: E402
from contactcentre.lab import AnyLab, LabInfo  # noqa: E402
from contactcentre.lab.link import Proxy  # noqa: E402
from contactcentre.live import LiveError  # noqa: E402
from contactcentre.live.standbys import standbys  # noqa: E402
from contactcentre.store import StoreUnavailable  # noqa: E402

CALLS = int(os.environ.get("CALLS", "40"))
FAULTS = int(os.environ.get("FAULTS", "24"))
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
TALK = tuple(float(text) for text in os.environ.get("TALK", "10-30").split("-"))
ONLY = [text.replace("+", " ") for text in os.environ.get("ONLY", "").split(",") if text]
KEEP = os.environ.get("KEEP", "")
STANDBY = os.environ.get("STANDBY") == "1"
PAUSE = (2.0, 6.0)
"""Seconds from one fault's healing to the next fault."""
HISTORY = 120.0
"""Seconds within which history must know every end, and every recording must be stored."""
UNSEEN = ("kill controller", "hang controller", "cut link", "dead link")
"""Faults during which no controller acts."""
LONG = 12.0
"""Seconds of silence of which the end tells more."""
NOTICED = 8.0
"""Seconds within which a dead link is noticed; until then the PBX's own queue may serve, and all looks well."""
PBX = "restart pbx"
NOTHING = "no fault"


@dataclass
class Fault:
    kind: str
    begin: float
    end: float = 0.0
    """When its cause was over."""
    healed: float = 0.0
    served_again: float | None = None
    ill: str = ""


class Chaos:
    def __init__(self, here: Stage, crowd: Crowd, faults: Faults, chance: random.Random) -> None:
        self._here, self._crowd, self._faults, self._chance = here, crowd, faults, chance
        self.done: list[Fault] = []
        self.since = time.time()

    def run(self) -> None:
        crowd = self._crowd
        crowd.begin(self._here.settings)
        agents = len(crowd.phones)
        full = until(lambda: crowd.talking() >= 0.8 * agents and len(crowd.on) >= 0.9 * crowd.size, 120)
        print(f"{len(crowd.on)} callers, {crowd.talking()} of them talk" + ("" if full else ": not as many as wanted"))
        self._watch(NOTHING, lambda: None)
        kinds = ONLY * FAULTS if ONLY else self._faults.draw(FAULTS)
        for kind in kinds[:FAULTS]:
            gevent.sleep(self._chance.uniform(*PAUSE))
            self._watch(kind, self._faults.kinds[kind])
        if not ONLY or PBX in ONLY:
            gevent.sleep(self._chance.uniform(*PAUSE))
            self._watch(PBX, self._faults.restart_pbx)
        gevent.sleep(5.0)
        crowd.stop()
        until(lambda: not crowd.on, 2 * sum(TALK) + 60)
        crowd.hang_up()
        until(lambda: not crowd.on, 20)

    def _watch(self, kind: str, happens: Callable[[], None]) -> None:
        fault = Fault(kind, time.time())
        self.done.append(fault)
        happens()
        fault.end = time.time()
        fault.served_again = until(lambda: self._crowd.served_again(fault.begin), HEALED)
        fault.ill = self._faults.healed(fault.end) if kind != NOTHING else ""
        fault.healed = time.time()
        self._say(fault)

    def _say(self, fault: Fault) -> None:
        crowd = self._crowd
        ended = [call for call in list(crowd.over) if call.ended_at >= fault.begin]
        drops = [one for one in dropped(ended, crowd.served) if one.at >= fault.begin]
        again = f"{fault.served_again - fault.begin:5.1f}" if fault.served_again else " never"
        print(
            f"{len(self.done) - 1:3} {fault.kind:16} lasted {fault.end - fault.begin:5.1f} s, served again after "
            f"{again} s, all well after {fault.healed - fault.begin:5.1f} s, dropped {len(drops)}, "
            f"silent {len(silent(ended))}, on the line {len(crowd.on)} ({crowd.talking()} talk) {fault.ill}".rstrip()
        )
        for problem in drops[:10]:
            print(f"      {problem.text}")

    # -- the end ------------------------------------------------------------------------------------------------------

    def settle(self) -> list[str]:
        """Waits until history knows everything; what is still there that should not be."""

        def all_known() -> bool:
            with suppress(LiveError, StoreUnavailable):
                recorder = self._here.recorder()
                return float(recorder.get("backlog", 1)) == 0 and pending(self._here.store, self.since) == 0
            return False

        left = [] if until(all_known, HISTORY, every=1.0) else [f"history is not complete after {HISTORY:.0f} s"]
        until(lambda: not any(left_over(self._here.live.snapshot())), 20)
        left += left_over(self._here.live.snapshot())
        channels = until(lambda: "\n0 active channels" in f"\n{self._here.lab.rx('core show channels count')}", 20)
        if not channels:
            left.append("channels on the PBX: " + self._here.lab.rx("core show channels concise"))
        return left

    def outages(self) -> list[Outage]:
        unseen = [one for one in self.done if one.kind in (*UNSEEN, PBX)]
        return [Outage(one.begin, max(one.healed, one.begin + NOTICED) + 1, one.kind == PBX) for one in unseen]

    def fault_of(self, at: float) -> Fault:
        """Under which something happened: the last that had begun."""
        return max((one for one in self.done if one.begin <= at), key=lambda one: one.begin, default=self.done[0])


def report(chaos: Chaos, crowd: Crowd, here: Stage, left: Sequence[str]) -> dict[str, Any]:
    """Prints the table; the closing line."""
    calls = list(crowd.over)
    ledger = balance(calls, crowd.served, here.store, here.settings.recordings_dir, chaos.since, chaos.outages())
    found: dict[int, Counter[str]] = {id(one): Counter() for one in chaos.done}
    for problem in ledger.problems:
        found[id(chaos.fault_of(problem.at))][problem.kind] += 1
    for _, at in silent(calls):
        found[id(chaos.fault_of(at))]["silent"] += 1
    print(f"\n{'fault':20} dropped  lost  doubled  silent  served again, s")
    for kind in dict.fromkeys(one.kind for one in chaos.done):
        some = [one for one in chaos.done if one.kind == kind]
        sums = sum((found[id(one)] for one in some), Counter[str]())
        again = [one.served_again - one.begin for one in some if one.served_again]
        shown = ", ".join(f"{seconds:.1f}" for seconds in again)
        counts = f"{sums['dropped']:7} {sums['lost']:5} {sums['doubled']:8} {sums['silent']:7}"
        print(f"{kind:16} x{len(some):<2} {counts}  {shown}")
    ours = [one for one in chaos.done if one.kind not in (PBX, NOTHING)]
    unexpected = [one for one in ledger.problems if one.kind != "dropped" or chaos.fault_of(one.at).kind != PBX]
    tell(chaos, unexpected, crowd)
    long = [(call.caller, at - SILENCE) for call, at in silent(calls) if call.silence > LONG]
    for caller, begun in [one for one in long if one[0] in ledger.contacts][:20]:
        told = story(ledger.contacts[caller], here.store, begun)
        print(f"SILENT   {caller}, seconds from the beginning of the silence: {told}")
    for text in left:
        print(f"LEFT  {text}")
    totals = sum((found[id(one)] for one in ours), Counter[str]())
    ill = [f"{one.kind}: {one.ill}" for one in chaos.done if one.ill]
    again = [one.served_again - one.begin for one in ours if one.served_again]
    pbx = sum((found[id(one)] for one in chaos.done if one.kind == PBX), Counter[str]())
    kinds = Counter(one.kind for one in unexpected)
    return {
        "bench": "chaos",
        "faults": len(ours),
        "dropped": kinds["dropped"],
        "lost_records": kinds["lost"],
        "doubled": kinds["doubled"],
        "silent_over_5s": totals["silent"],
        "serve_again_s": {"p50": _tenths(percentile(again, 0.5)), "max": _tenths(max(again, default=None))},
        "seed": SEED,
        "calls": len(calls),
        "longest_wait_s": _tenths(max((c.wait or 0.0 for c in calls if c.caller not in ledger.fallback), default=None)),
        "by_the_pbx_alone": len(ledger.fallback),
        "longest_wait_there_s": _tenths(
            max((c.wait or 0.0 for c in calls if c.caller in ledger.fallback), default=None)
        ),
        "dropped_by_pbx_restart": pbx["dropped"],
        "not_healed": ill,
        "left_over": len(left),
    }


def tell(chaos: Chaos, problems: Sequence[Problem], crowd: Crowd) -> None:
    for problem in problems[:60]:
        fault = chaos.fault_of(problem.at)
        after = problem.at - fault.begin
        print(f"{problem.kind.upper():8} {after:6.1f} s after the beginning of {fault.kind}: {problem.text}")
    for call, at in silent(crowd.over)[:40]:
        fault = chaos.fault_of(at)
        print(
            f"SILENT   {at - fault.begin:6.1f} s after the beginning of {fault.kind}: {call.caller} for "
            f"{call.silence:.1f} s, {'while with' if call.served else 'before'} an agent"
        )


def _tenths(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def through(proxies: list[Proxy]) -> Callable[[AnyLab], dict[str, str]]:
    """The environment of processes that reach the PBX through a proxy of ours only."""

    def environment(lab: AnyLab) -> dict[str, str]:
        info = lab.info()
        assert isinstance(info, LabInfo)
        proxies.append(Proxy(info.http_port))
        return {
            "CONTACTCENTRE_ARI_URL": f"http://127.0.0.1:{proxies[0].port}",
            "CONTACTCENTRE_ARI_USER": info.ari_user,
            "CONTACTCENTRE_ARI_SECRET": info.ari_secret,
            "CONTACTCENTRE_PBX_ETC_DIR": info.etc_dir,
            "CONTACTCENTRE_PBX_RECORDINGS_DIR": info.recordings_dir,
        }

    return environment


@contextmanager
def second_controller(here: Stage) -> Iterator[None]:
    """Kept running like the first one, and killed like it when it is the one that acts."""
    programs = [program for program in PROGRAMS if program.name == "controller"]
    with here.log.open("a", buffering=1) as file:
        second = Supervisor(
            programs, lambda _, line: print(f"second     | {line}", file=file), here.supervisor.environment
        )
        second.start()
        try:
            if not until(lambda: any(one.ready for one in standbys(here.live.redis)), 60):
                raise SystemExit("nobody stands by within 60 s")
            yield
        finally:
            second.stop()


def main() -> int:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(level=logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"SEED={SEED} CALLS={CALLS} FAULTS={FAULTS} STANDBY={STANDBY:d}")
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        crowd = Crowd(random.Random(SEED + 1), CALLS, (TALK[0], TALK[1]))  # noqa: S311
        proxies: list[Proxy] = []
        if KEEP:
            Path(KEEP).mkdir(parents=True, exist_ok=True)
            stack.callback(lambda: shutil.copy(directory / "demo.log", Path(KEEP) / "chaos.log"))
        here = stack.enter_context(
            stage(directory, 1.0, print, site(CALLS // 2), register=crowd.register, environment=through(proxies))
        )
        stack.callback(proxies[0].close)
        if STANDBY:
            stack.enter_context(second_controller(here))
        stack.callback(crowd.close)
        chaos = Chaos(here, crowd, Faults(here, proxies[0], chance, crowd.renew), chance)
        chaos.run()
        found = report(chaos, crowd, here, chaos.settle())
    close(found)
    bad = ("dropped", "lost_records", "doubled", "not_healed", "left_over")
    return 1 if any(found[name] for name in bad) else 0


if __name__ == "__main__":
    sys.exit(main())
