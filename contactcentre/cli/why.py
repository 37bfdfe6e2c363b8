"""Why a contact got its agent or waits for one, and why an agent gets no calls."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from contactcentre.cli.context import open_services
from contactcentre.cli.moments import Clock, iso
from contactcentre.cli.terminal import json_option, print_json, said
from contactcentre.domain.story import Line
from contactcentre.live import Live, connect
from contactcentre.store import Store
from contactcentre.web.why import WhyAgent, WhyContact, Whys

_TIMES = {"at", "since", "meanwhile"}
"""Fields that are times; all other numbers are durations, counts and points."""


@click.command()
@click.argument("contact", required=False)
@click.option("--agent", metavar="NAME", help="Instead: why this agent gets the calls it gets, or none.")
@json_option
def command(contact: str | None, agent: str | None, as_json: bool) -> None:
    """Why CONTACT got the agent it got, or waits for one.

    CONTACT is its id, or the beginning of it. Tells when it entered each queue, what it required, who was
    considered, who was cut and by which rule, who got it, and which offers were missed; for a contact that waits,
    also what routing finds now.

    Of an agent: what keeps it from calls now, today's time in each state, the last offers and what became of them,
    and how many contacts of its queues went to others meanwhile, by which rule.
    """
    if (contact is None) is (agent is None):
        raise click.UsageError("name a contact, or an agent with --agent")
    with _whys() as (whys, clock):
        told: WhyContact | WhyAgent = whys.contact(contact) if contact is not None else whys.agent(agent or "")
    if as_json:
        print_json(_plain(told.model_dump(mode="json")))
    elif isinstance(told, WhyContact):
        _tell_contact(told, clock)
    else:
        _tell_agent(told)


@contextmanager
def _whys() -> Iterator[tuple[Whys, Clock]]:
    with open_services() as services, Store(services.database_url) as store:
        store.migrate()
        client = connect(services.redis_url)
        try:
            yield Whys(store, Live(client), time.time), Clock.of(store)
        finally:
            client.close()


def _tell_contact(told: WhyContact, clock: Clock) -> None:
    screen = _screen()
    arrived = f", {clock.date_and_time(told.steps[0].at)}" if told.steps else ": nothing of it is in the history yet"
    screen.print(Text(f"Contact {told.contact}{arrived}", style="bold"))
    for line in told.steps:
        _say(screen, line, clock)
    _block(screen, "Now", told.now_lines)


def _tell_agent(told: WhyAgent) -> None:
    screen = _screen()
    _block(screen, "", told.now_lines)
    _block(screen, "Looking back", told.shift.lines)


def _block(screen: Console, title: str, lines: Sequence[str]) -> None:
    if title and lines:
        screen.print(Text(f"\n{title}", style="bold"))
    for line in lines:
        screen.print(said(line))


def _screen() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def _say(screen: Console, line: Line, clock: Clock) -> None:
    screen.print(Text.assemble((clock.time(line.at), "dim"), "  ", said(line.text)))
    for text in line.because:
        screen.print(said(f"          {text}", "dim"))


def _plain(value: Any, name: str = "") -> Any:
    """For programs: times as ISO 8601."""
    if isinstance(value, dict):
        return {key: _plain(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return iso(value) if name in _TIMES and value is not None else value
