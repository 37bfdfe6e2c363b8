"""Contacts: what happened to each caller."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from contactcentre.cli import why
from contactcentre.cli.context import open_store
from contactcentre.cli.moments import MOMENT, Clock, iso, seconds
from contactcentre.cli.reading import pairs
from contactcentre.cli.terminal import actor, facts, json_option, narrow, print_json, said
from contactcentre.cli.terminal import show as show_parts
from contactcentre.domain.contacts import Contact, ContactHistory
from contactcentre.domain.events import Direction, Event, Outcome
from contactcentre.domain.ids import short
from contactcentre.domain.results import Wish, of_queue
from contactcentre.domain.site import Queue
from contactcentre.store import Note
from contactcentre.store.history import MAX_PAGE
from contactcentre.web.timeline import NOISE, line

_TIMES = {
    *("at", "arrived", "answered", "queued", "connected", "started", "entered", "left", "ended"),
    *("stored_at", "failed_at", "deleted_at", "callback_at", "called_at"),
}
"""Fields of history's records that are times; all other numbers are seconds or counts."""
BLINK = 0.1
"""Seconds; parts of a contact's time shorter than this are not worth a line (JSON has them)."""
_COLOURS = {"answered": "green", "abandoned": "red", "lost": "bold red", "": "cyan"}


@click.group("contact")
def command() -> None:
    """Contacts: what happened to each caller."""


@command.command("list")
@click.option(
    "--since", type=MOMENT, default="24h", show_default=True, help="Arrived at or after: 2026-11-23, today, 2h."
)
@click.option("--until", type=MOMENT, help="Arrived before.")
@click.option("--queue", default="", help="Passed through this queue.")
@click.option("--agent", default="", help="Talked with this agent.")
@click.option("--caller", default="", help="The caller's number as it came.")
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]), help="How it ended.")
@click.option("--disposition", default="", help="Said of it; - where an agent talked and nobody has said any.")
@click.option("--live/--ended", default=None, help="Only those that have not ended, or that have.")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=50, show_default=True)
@click.option("--cursor", default="", help="The next page: what the last line of this one says.")
@json_option
def list_(
    since: str,
    until: str | None,
    queue: str,
    agent: str,
    caller: str,
    outcome: str | None,
    disposition: str,
    live: bool | None,
    limit: int,
    cursor: str,
    as_json: bool,
) -> None:
    """Contacts, the latest first."""
    with open_store() as store:
        clock = Clock.of(store)
        page = store.contacts(
            since=clock.read(since),
            until=clock.read_or_none(until),
            queue=queue,
            agent=agent,
            caller=caller,
            outcome=outcome or "",
            disposition=disposition,
            live=live,
            limit=limit,
            cursor=cursor,
        )
    if as_json:
        print_json({"contacts": [plain(contact) for contact in page.contacts], "cursor": page.cursor})
        return
    if not page.contacts:
        click.echo("No contacts.")
        return
    table = Table(box=None, pad_edge=False)
    left_out = ("waited", "talked") if narrow() else ()
    rows = [_row(contact, clock, narrow()) for contact in page.contacts]
    for name in (name for name in rows[0] if name not in left_out):
        table.add_column(name, no_wrap=name in ("arrived", "id"), overflow="fold")
    for row in rows:
        table.add_row(*(text for name, text in row.items() if name not in left_out))
    show_parts(table)
    if page.cursor:
        click.echo(f"More: --cursor {page.cursor}")


@command.command("show")
@click.argument("contact")
@json_option
def show(contact: str, as_json: bool) -> None:
    """One contact: what happened, its legs and the parts of its time. CONTACT is its id or the beginning of
    it."""
    with open_store() as store:
        clock = Clock.of(store)
        history = store.history(contact)
        events, notes = store.events(history.contact.id), store.notes(history.contact.id)
    if as_json:
        print_json(everything(history, events, notes))
        return
    _facts(history, clock)
    _notes(notes)
    _timeline(events, clock)
    _parts(history, clock)


@command.command("result")
@click.argument("contact")
@click.option("--disposition", help="Its code; an empty one: none after all.")
@click.option("--queue", help="One that it passed through (the last).")
@click.option("--note", help="The whole note.")
@click.option("--answer", "answers", multiple=True, metavar="NAME=TEXT", help="To the queue's script. Several times.")
@click.option("--callback-at", help="When to call back, where the disposition promises that: '2026-11-23 14:30'.")
@click.option("--number", help="Which number to call back (the caller's).")
def result(
    contact: str,
    disposition: str | None,
    queue: str | None,
    note: str | None,
    answers: tuple[str, ...],
    callback_at: str | None,
    number: str | None,
) -> None:
    """Say how a contact ended, or write about it.

    It is a fact of the contact, with who said it, and in the audit log. What is not given stays.
    """
    with open_store() as store:
        clock = Clock.of(store)
        history = store.history(contact)
        its = history.contact
        if queue is not None and queue not in its.queues:
            raise click.BadParameter(
                f"{its.id} passed through: {', '.join(its.queues) or 'none'}", param_hint="--queue"
            )
        try:
            at = clock.read(callback_at) if callback_at else 0.0
        except ValueError:
            raise click.BadParameter("write it as '2026-11-23 14:30'", param_hint="--callback-at") from None
        known = store.result(*of_queue(history, queue))
        wish = Wish(disposition, note, pairs(answers, None), at, number or (its.caller if at else ""))
        _, site = store.site()
        rules = (site.queues.get(known.queue) if site is not None else None) or Queue()
        by = actor()
        after = store.say(known, rules, wish, by, time.time())
        if after is not known:
            store.audit(by, "contact.result", its.id, {"queue": known.queue, "disposition": after.code})


command.add_command(why.command, "why")


def _notes(notes: Sequence[Note]) -> None:
    """What was written down, where something was."""
    table = facts([])
    for note in notes:
        for label, text in (("note", note.note), *((one.label, one.value) for one in note.answers.values())):
            if text:
                table.add_row(Text(label, style="bold"), said(f"{text} ({note.queue}, {note.by})"))
    if table.row_count:
        show_parts(table)


def _row(contact: Contact, clock: Clock, is_narrow: bool) -> dict[str, Text]:
    outcome = contact.outcome or "live"
    arrived = clock.day_and_minute if is_narrow else clock.date_and_time
    return {
        "arrived": Text(arrived(contact.arrived)),
        "id": Text(short(contact.id)),
        "caller": said(contact.caller or "withheld"),
        "queues": said(", ".join(contact.queues)),
        "agents": said(", ".join(contact.agents)),
        "waited": Text(seconds(contact.waited) if contact.queues else ""),
        "talked": Text(seconds(contact.talk) if contact.agents else ""),
        "outcome": Text(outcome.replace("_", " "), style=_COLOURS.get(contact.outcome, "")),
    }


def _facts(history: ContactHistory, clock: Clock) -> None:
    contact = history.contact
    name = f" ({contact.caller_name})" if contact.caller_name else ""
    music = contact.hold + contact.consult >= BLINK
    told: dict[str, str] = {
        "contact": contact.id,
        "caller": f"{contact.caller or 'withheld'}{name}",
        "called": f"by an agent ({contact.node})"
        if contact.direction == Direction.OUTBOUND
        else f"{contact.did} (flow {contact.flow}, {contact.node})",
        "arrived": clock.date_and_time(contact.arrived),
        "ended": f"{clock.date_and_time(contact.ended)} {contact.outcome.replace('_', ' ')}, by {contact.ended_by}"
        if contact.ended is not None
        else "not yet",
        "queues": ", ".join(contact.queues),
        "agents": ", ".join(contact.agents),
        "times": f"waited {seconds(contact.waited)} (ringing {seconds(contact.ring)}), "
        f"talked {seconds(contact.talk)}"
        + (f" (on hold {seconds(contact.hold)}, consulting {seconds(contact.consult)})" if music else "")
        + f", wrap-up {seconds(contact.wrap_up)}",
        "transferred": contact.transferred_to,
        "disposition": contact.disposition,
        "missing": ", ".join(f"facts {first} to {last}" for first, last in contact.missing),
    }
    table = facts((label, text) for label, text in told.items() if text)
    for recording in history.recordings:
        state = f"{recording.state} {recording.path} {seconds(recording.seconds)} {recording.error}".strip()
        table.add_row(Text("recording", style="bold"), said(f"{recording.id}: {state}"))
    show_parts(table)


def _timeline(events: list[Event], clock: Clock) -> None:
    table = Table(
        title="What happened", title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False
    )
    for event in (event for event in events if event.kind not in NOISE):
        told = line(event.at, event.kind, event.data)
        table.add_row(Text(str(event.seq or "+"), style="dim"), Text(clock.time(event.at)), said(told.text))
        for more in told.more:
            table.add_row("", "", said(f"  {more}", "dim"))
    show_parts("", table)


def _parts(history: ContactHistory, clock: Clock) -> None:
    legs = Table(title="Legs", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("role", "endpoint", "started", "answered", "ended", "cause", "leg"):
        legs.add_column(column)
    for leg in history.legs:
        times = (clock.time(at) for at in (leg.started, leg.answered, leg.ended))
        legs.add_row(leg.role, said(leg.endpoint), *times, str(leg.cause or ""), said(leg.leg))
    parts = Table(title="Where the time went", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("from", "part", "lasting", "queue", "agent"):
        parts.add_column(column)
    for part in history.segments:
        if part.ended is not None and part.ended - part.started < BLINK:
            continue
        lasting = "goes on" if part.ended is None else seconds(part.ended - part.started)
        parts.add_row(
            clock.time(part.started), part.kind.replace("_", " "), lasting, said(part.queue), said(part.agent)
        )
    agents = Table(title="What the agents did", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("from", "agent", "part", "lasting", "customer"):
        agents.add_column(column)
    for took in history.participations:
        lasting = "goes on" if took.ended is None else seconds(took.ended - took.started)
        whose = "theirs" if took.had_customer else "another's"
        agents.add_row(clock.time(took.started), said(took.agent), took.kind.value, lasting, whose)
    if history.legs:
        show_parts("", legs)
    show_parts("", parts)
    if len(history.participations) > 1:
        show_parts("", agents)


def everything(history: ContactHistory, events: list[Event], notes: Sequence[Note]) -> dict[str, Any]:
    """All that is known of a contact, for JSON."""
    found: dict[str, Any] = {"contact": plain(history.contact)}
    for name in ("legs", "segments", "participations", "visits", "recordings", "voicemails", "said"):
        found[name] = [plain(part) for part in getattr(history, name)]
    found["notes"] = [{**asdict(note), "at": iso(note.at)} for note in notes]
    found["events"] = [{"seq": e.seq, "at": iso(e.at), "kind": e.kind.value, "data": dict(e.data)} for e in events]
    return found


def plain(record: Any) -> dict[str, Any]:
    """One of history's records for JSON: times as ISO 8601 in UTC, durations in seconds."""
    found: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name in _TIMES:
            value = iso(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        found[field.name] = value
    return found
