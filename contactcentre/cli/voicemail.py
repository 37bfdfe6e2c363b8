"""Messages that callers left: claim, hear, done, hand over."""

import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import click

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.moments import Clock, iso, seconds
from contactcentre.cli.terminal import actor, json_option, listed, print_json
from contactcentre.domain.ids import short
from contactcentre.domain.voicemail import BoxCount, MessageState, Step
from contactcentre.live import BoxCounts, LiveError, boxes_moved
from contactcentre.store import BoxMessage, Store
from contactcentre.store.history import MAX_PAGE

MESSAGE = click.argument("message", metavar="MESSAGE")
NOTE = click.option("--note", default="", help="A word for those who come after.")
COLUMNS = ("message", "box", "came", "caller", "length", "state", "by", "note")


@click.group("voicemail")
def command() -> None:
    """Messages that callers left: claim, hear, done, hand over.

    MESSAGE is an id, or its beginning. `recording export` gives its sound to those who may listen.
    """


@command.command("list")
@click.option("--box", "boxes", multiple=True, help="Of this queue or agent. Several times.")
@click.option("--state", type=click.Choice([state.value for state in MessageState]), help="Only such.")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=50, show_default=True)
@json_option
def list_(boxes: tuple[str, ...], state: str | None, limit: int, as_json: bool) -> None:
    """Messages: to look after first, the oldest of them first."""
    with open_store() as store:
        clock = Clock.of(store)
        found = store.messages(boxes or None, state or "", limit)
    if as_json:
        return print_json([_plain(one) for one in found])
    return listed([_row(one, clock) for one in found], COLUMNS, False, "No messages.")


@command.command("boxes")
@json_option
def boxes(as_json: bool) -> None:
    """What waits in each box."""
    with open_store() as store:
        clock, counts = Clock.of(store), store.boxes(time.time())
    rows = [{"box": name, **asdict(count)} for name, count in sorted(counts.items())]
    if as_json:
        return print_json([{**row, "oldest": iso(row["oldest"])} for row in rows])
    told = [{**row, "oldest": clock.date_and_time(row["oldest"])} for row in rows]
    return listed(told, ("box", "new", "claimed", "oldest"), False, "No messages.")


@command.command()
@MESSAGE
@json_option
def show(message: str, as_json: bool) -> None:
    """One message, and all that was done with it."""
    with open_store() as store:
        clock, found = Clock.of(store), store.message(message)
        entries = [e for e in store.audit_entries(subject=found.id) if e.action.startswith("voicemail.")]
    steps = [{**e.detail, "at": iso(e.at), "who": e.actor, "did": e.action.removeprefix("voicemail.")} for e in entries]
    if as_json:
        return print_json({**_plain(found), "steps": steps})
    listed([_row(found, clock)], COLUMNS, False)
    for entry in reversed(entries):
        note = f": {entry.detail['note']}" if entry.detail.get("note") else ""
        to = f" to {entry.detail['to']}" if entry.detail.get("to") else ""
        did = entry.action.removeprefix("voicemail.").replace("_", " ")
        click.echo(f"{clock.date_and_time(entry.at)}  {entry.actor}: {did}{to}{note}")
    return None


def waiting_in(box: str) -> dict[str, int]:
    """For `show` of a queue or agent: its box as it was told last; nothing where the live state is away."""
    with suppress(LiveError), open_live() as live:
        count = BoxCounts(live.redis).all().get(box, BoxCount())
        return {"new_messages": count.new, "claimed_messages": count.claimed}
    return {}


def _step(message: str, verb: Step, by: str, as_json: bool, **more: Any) -> None:
    with open_store() as store:
        clock = Clock.of(store)
        if to := more.get("to", ""):
            _check_box(store, to)
        who = actor()
        try:
            done = store.take_step(message, verb, by or who, time.time(), over_others=not by, actor=who, **more)
        except ValueError as wrong:
            raise click.BadParameter(str(wrong), param_hint="--note") from None
        with open_live() as live:
            boxes_moved(live.redis)
    if as_json:
        print_json(_plain(done))
    else:
        listed([_row(done, clock)], COLUMNS, False)


BY = click.option("--by", default="", metavar="AGENT", help="On whose behalf; without it a supervisor's, over others'.")


@command.command()
@MESSAGE
@BY
@json_option
def claim(message: str, by: str, as_json: bool) -> None:
    """Look after a message for half an hour, and nobody else."""
    _step(message, Step.CLAIM, by, as_json)


@command.command()
@MESSAGE
@BY
@json_option
def release(message: str, by: str, as_json: bool) -> None:
    """Give a claimed message back."""
    _step(message, Step.RELEASE, by, as_json)


@command.command()
@MESSAGE
@BY
@NOTE
@json_option
def done(message: str, by: str, note: str, as_json: bool) -> None:
    """The message needs nobody any more."""
    _step(message, Step.DONE, by, as_json, note=note)


@command.command()
@MESSAGE
@BY
@NOTE
@json_option
def reopen(message: str, by: str, note: str, as_json: bool) -> None:
    """A message that was done needs somebody again."""
    _step(message, Step.REOPEN, by, as_json, note=note)


@command.command("hand-over")
@MESSAGE
@click.argument("box")
@BY
@NOTE
@json_option
def hand_over(message: str, box: str, by: str, note: str, as_json: bool) -> None:
    """Put a message into another BOX: a queue's or an agent's."""
    _step(message, Step.HAND_OVER, by, as_json, to=box, note=note)


def _check_box(store: Store, box: str) -> None:
    _, site = store.site()
    if site is None or (box not in site.queues and box not in site.agents):
        raise click.BadParameter(f"the site has no queue and no agent {box!r}", param_hint="BOX")


def _row(one: BoxMessage, clock: Clock) -> dict[str, Any]:
    caller = one.caller or "withheld"
    return {
        "message": short(one.id),
        "box": one.message.box,
        "came": clock.date_and_time(one.at),
        "caller": f"{caller} ({one.caller_name})" if one.caller_name else caller,
        "length": seconds(one.seconds),
        "state": one.message.state.value,
        "by": one.message.owner,
        "note": one.message.note,
    }


def _plain(one: BoxMessage) -> dict[str, Any]:
    message = one.message
    return {
        "message": one.id,
        "contact": one.contact_id,
        "box": message.box,
        "at": iso(one.at),
        "caller": one.caller,
        "caller_name": one.caller_name,
        "seconds": one.seconds,
        "state": message.state.value,
        "by": message.owner,
        "since": iso(message.since or None),
        "note": message.note,
        "audio": one.audio,
    }
