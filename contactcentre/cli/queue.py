"""Queues: where contacts wait for an agent."""

import time
from dataclasses import asdict

import click

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.moments import MOMENT, Clock
from contactcentre.cli.noun import noun
from contactcentre.cli.terminal import json_option, listed, print_json
from contactcentre.cli.voicemail import waiting_in
from contactcentre.domain.site import Queue

command = noun(
    "queue",
    Queue,
    ("requires", "agents", "ring_seconds", "wrap_up", "service_level"),
    now=waiting_in,
)


@command.command()
@click.option("--since", default="today", show_default=True, type=MOMENT, help="Said at or after.")
@click.option("--until", type=MOMENT, help="Said before.")
@json_option
def dispositions(since: str, until: str | None, as_json: bool) -> None:
    """How often each disposition was said.

    How contacts ended, in their agents' words. Of each contact and queue the last that was said counts.
    """
    with open_store() as store:
        clock = Clock.of(store)
        found = store.count_said(clock.read(since), clock.read(until) if until else time.time())
    rows = [{"queue": one.queue, "code": one.code, "disposition": one.label, "contacts": one.number} for one in found]
    listed(rows, ("queue", "code", "disposition", "contacts"), as_json, "Nobody has said any.")


@command.command()
@click.option("--since", default="7d", show_default=True, type=MOMENT, help="Said to callers at or after.")
@json_option
def estimates(since: str, as_json: bool) -> None:
    """Estimated waits, and how wrong they were.

    What was said to callers is held against what they waited until an agent was offered, of those who were
    answered: bias is the mean of said minus waited, and four of five were at most "within" off. Nothing is
    estimated where too little is known.
    """
    with open_store() as store:
        past = store.told_errors(Clock.of(store).read(since), time.time())
    with open_live() as live:
        now = live.estimates()
    found = {queue: (now.get(queue), past.get(queue)) for queue in sorted({*now, *past})}
    if as_json:
        print_json(
            {
                queue: {"seconds": one.seconds if one else None, "past": asdict(error) if error else None}
                for queue, (one, error) in found.items()
            }
        )
        return
    rows = [
        {
            "queue": queue,
            "next caller": "" if one is None or one.seconds is None else f"{one.seconds:.0f} s",
            "said": error.number if error else 0,
            "bias": f"{error.bias:+.0f} s" if error else "",
            "within": f"{error.p80:.0f} s" if error else "",
        }
        for queue, (one, error) in found.items()
    ]
    listed(rows, ("queue", "next caller", "said", "bias", "within"), False, "No controller runs, and nothing was said.")
