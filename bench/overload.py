"""At how many calls a second a controller no longer keeps up, and what becomes of callers then.

The load grows step by step, as in `handover`; each step is run twice: with every call let in, and with the limit of
lateness that is the default. For each: how late the controller was (its own numbers), how many callers were served,
turned away, or neither, and how long it took until an agent's phone rang for those who were served.

STEPS=60,90,120,150 (calls/s) SECONDS=20 (of each); QUICK=1 is a short look. The last line is JSON.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any

os.environ.setdefault("ONLY", "collapse")  # of what `contest` can ask, and so needs agents for

from bench import contest
from bench.contest import SECONDS, STEPS, TALKS, Bench, quiet, site
from bench.measure import Yardstick, close, scratch
from bench.sipp import Sipp, media_port, phone, register, sip_port
from contactcentre.demo.stage import stage
from contactcentre.lab import AnyLab
from contactcentre.settings import Settings
from tests.watch.scrape import four_ports, scrape, value


def late(families: Mapping[str, Any], before: Mapping[str, Any], share: float) -> float:
    """Below how many seconds this share of the looks between the two was late: the bound of a bucket."""
    (family,) = [one for name, one in families.items() if name == "contactcentre_hub_lag_seconds"]
    bounds = [one.labels["le"] for one in family.samples if one.name.endswith("_bucket")]
    counts = {le: _bucket(families, le) - _bucket(before, le) for le in bounds}
    total = counts["+Inf"]
    return next((float(le) for le in bounds if counts[le] >= share * total), float("inf"))


def _bucket(families: Mapping[str, Any], le: str) -> float:
    return float(value(families, "hub_lag_seconds_bucket", le=le))


def step(bench: Bench, base: int, rate: float) -> dict[str, Any]:
    before = scrape(base, "controller")
    done = bench.load("ours", rate)
    after = scrape(base, "controller")

    def more(sample: str, **labels: str) -> int:
        return int(value(after, sample, **labels) - value(before, sample, **labels))

    refused = more("contacts_ended_total", outcome="overload")
    return {
        "offered": rate,
        "served": round(done["served"] / max(1, done["calls"]), 3),
        "turned_away": round(refused / max(1, done["calls"]), 3),
        "late_p50_s": late(after, before, 0.5),
        "late_p99_s": late(after, before, 0.99),
        "decision_p99_below_s": _below(after, before, "decision_seconds"),
        **{f"invite_{name}": number for name, number in done["invite_to_invite"].items()},
        "controller_cpu_ms": done["cpu_ms_per_call"].get("controller"),
    }


def _below(after: Mapping[str, Any], before: Mapping[str, Any], name: str) -> float:
    samples = [one for family in after.values() for one in family.samples if one.name == f"contactcentre_{name}_bucket"]
    counts = {s.labels["le"]: s.value - value(before, f"{name}_bucket", le=s.labels["le"]) for s in samples}
    return next((float(le) for le in counts if counts[le] >= 0.99 * counts["+Inf"]), float("inf"))


@contextmanager
def running(lag: str) -> Iterator[tuple[Bench, int]]:
    base = four_ports()
    os.environ["CONTACTCENTRE_WATCH_PORT"], os.environ["CONTACTCENTRE_OVERLOAD_LAG"] = str(base), lag
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        media, socket = media_port()
        stack.enter_context(closing(socket))
        phones: dict[str, Sipp] = {}

        def registered(lab: AnyLab, secrets: Mapping[str, str]) -> None:
            info = lab.info()
            pbx = f"{info.sip_host}:{info.sip_port}"
            for group, talk in TALKS.items():
                users = {name: secret for name, secret in secrets.items() if name.startswith(group)}
                port = sip_port()
                register(users, (info.sip_host, info.sip_port), port)
                script = phone(contest.RING, talk)
                phones[group] = Sipp(directory, f"phones-{group}", script, pbx, media, "-p", str(port))
                stack.callback(phones[group].stop)

        here = stack.enter_context(stage(directory, 1.0, print, site(), register=registered))
        quiet(here.lab)
        yardstick = Yardstick(directory / "yardstick")
        stack.callback(yardstick.stop)
        yield Bench(directory, here, phones, media, "asterisk", yardstick), base


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(level=logging.WARNING)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, lag in (("all_let_in", "0"), ("limited", str(Settings.model_fields["overload_lag"].default))):
        found[name] = []
        with running(lag) as (bench, base):
            for rate in STEPS:
                found[name].append(step(bench, base, rate))
                print(f"{name:10}", found[name][-1])
    close({"bench": "overload", "seconds": SECONDS, **found})


if __name__ == "__main__":
    main()
