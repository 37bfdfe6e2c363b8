"""Alerts: which queues are not well, and who looks after it."""

import time
from dataclasses import asdict

import click

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.moments import MOMENT, Clock, iso
from contactcentre.cli.terminal import actor, json_option, listed, print_json
from contactcentre.domain.ids import short
from contactcentre.live.alerts import acknowledge as taken


class NoSuchAlert(click.ClickException):
    exit_code = 2


@click.group("alert")
def command() -> None:
    """Alerts: which queues are not well, and who looks after it.

    Rules are the queue's: `queue set NAME --alerts crowd="waiting > 10 for 30"`.
    """


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Alerts that are raised now, the oldest first."""
    with open_store() as store, open_live() as live:
        clock = Clock.of(store)
        found = sorted((one for one in live.alerts().values() if one.raised_at), key=lambda one: one.raised_at)
    if as_json:
        return print_json([asdict(one) for one in found])
    rows = [
        {
            "queue": one.queue,
            "alert": one.name,
            "because": one.words,
            "since": clock.date_and_time(one.raised_at),
            "by": one.acknowledged_by,
            "id": short(one.id),
        }
        for one in found
    ]
    return listed(rows, ("queue", "alert", "because", "since", "by", "id"), False, "All queues are well.")


@command.command("past")
@click.option("--since", type=MOMENT, default="1d", show_default=True)
@json_option
def past(since: str, as_json: bool) -> None:
    """What became of alerts, newest first."""
    with open_store() as store:
        clock = Clock.of(store)
        found, _ = store.alert_facts(clock.read(since), limit=1000)
    if as_json:
        return print_json([{**asdict(one), "at": iso(one.at)} for one in found])
    rows = [{**asdict(one), "at": clock.date_and_time(one.at)} for one in found]
    return listed(rows, ("at", "queue", "name", "state", "value", "limit", "by"), False, "No alerts.")


@command.command("acknowledge")
@click.argument("id")
def acknowledge(id: str) -> None:
    """Say that one looks after an alert. ID may be its beginning."""
    with open_store() as store, open_live() as live:
        ids = [one.id for one in live.alerts().values() if one.raised_at and one.id.startswith(id)]
        if len(ids) != 1:
            raise NoSuchAlert(f"{id!r} is {'no alert' if not ids else 'the beginning of several alerts'}: alert list")
        alarm, done = taken(live.redis, ids[0], actor(), time.time())
        if alarm is None:
            raise NoSuchAlert("it is over")
        if not done:
            raise NoSuchAlert(f"{alarm.acknowledged_by} looks after it already")
        store.audit(actor(), "alert.acknowledge", alarm.id, {"queue": alarm.queue, "alert": alarm.name})
