"""Callers who asked to be called back."""

import click

from contactcentre.cli.contact import plain
from contactcentre.cli.context import open_store
from contactcentre.cli.moments import MOMENT, Clock
from contactcentre.cli.terminal import json_option, listed, print_json
from contactcentre.domain.ids import short
from contactcentre.store.history import MAX_PAGE


@click.group()
def command() -> None:
    """Callers who asked to be called back."""


@command.command("list")
@click.option("--since", default="7d", show_default=True, type=MOMENT, help="Arrived at or after.")
@click.option("--queue", default="", help="Whose agents are to call.")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=100, show_default=True)
@json_option
def list_(since: str, queue: str, limit: int, as_json: bool) -> None:
    """Who waits to be called back, and who has been served.

    Who has waited longest comes first. A request counts as done once its caller, or the number that was left, has
    talked with an agent.
    """
    with open_store() as store:
        clock = Clock.of(store)
        found = store.callbacks(clock.read(since), queue, limit)
    if as_json:
        print_json([plain(one) for one in found])
        return
    rows = [
        {
            "asked": clock.date_and_time(one.at),
            "number": one.number,
            "name": one.caller_name,
            "queue": one.queue,
            "needs": one.requirement,
            "priority": one.priority,
            "language": one.language,
            "done": "" if one.done_at is None else clock.date_and_time(one.done_at),
            "contact": short(one.contact_id),
        }
        for one in found
    ]
    listed(
        rows,
        ("asked", "number", "name", "queue", "needs", "priority", "language", "done", "contact"),
        False,
        "Nobody has asked to be called back.",
    )
