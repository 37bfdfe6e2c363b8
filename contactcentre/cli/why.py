"""Why a contact got its agent, or waits for one."""

import time

import click
from rich.console import Console
from rich.text import Text

from contactcentre.cli.contact import said
from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.moments import Clock, iso
from contactcentre.cli.provisioning import json_option, print_json
from contactcentre.domain.explain import explain
from contactcentre.domain.routing import RoutingConfig
from contactcentre.domain.site import Site
from contactcentre.domain.story import Line, tell
from contactcentre.live import LiveError
from contactcentre.store import NoSuchContact


@click.command()
@click.argument("contact")
@json_option
def command(contact: str, as_json: bool) -> None:
    """Why CONTACT (its id, or the beginning of it) got the agent it got, or waits for one.

    Tells when it entered each queue, what it required, who was considered, who was cut and by which rule, who
    got it, and which offers were missed; for a contact that waits, also what routing finds now.
    """
    with open_store() as store:
        _, site = store.site()
        clock = Clock.of(store)
        try:
            history = store.history(contact)
            id, ended, lines = (
                history.contact.id,
                history.contact.ended,
                tell(history, store.events(history.contact.id)),
            )
        except NoSuchContact:  # the recorder may be behind
            if (waits := _waiting(contact)) is None:
                raise
            id, ended, lines = waits, None, []
    now = _now(id, site) if ended is None else []
    if as_json:
        steps = [{"at": iso(line.at), "text": line.text, "because": list(line.because)} for line in lines]
        print_json({"contact": id, "steps": steps, "now": now})
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)
    arrived = f", {clock.date_and_time(lines[0].at)}" if lines else ": nothing of it is in the history yet"
    console.print(Text(f"Contact {id}{arrived}", style="bold"))
    for line in lines:
        _say(console, line, clock)
    if now:
        console.print(Text("\nNow", style="bold"))
    for text in now:
        console.print(said(text))


def _waiting(beginning: str) -> str | None:
    """The one waiting contact whose id begins so (at least 4 characters, as in the history)."""
    wanted = beginning.strip().lower()
    try:
        with open_live() as live:
            found = [id for id in live.waiting() if len(wanted) >= 4 and id.startswith(wanted)]
    except LiveError:
        return None
    return found[0] if len(found) == 1 else None


def _now(contact_id: str, site: Site | None) -> list[str]:
    """What routing would decide at this moment, if it waits."""
    if site is None:
        return []
    try:
        with open_live() as live:
            waiting, agents = live.waiting(), live.agents()
    except LiveError as error:
        return [f"What routing finds now cannot be told: {error}."]
    if contact_id not in waiting:
        return []
    return explain(contact_id, waiting.values(), agents, RoutingConfig.from_site(site), time.time(), {})


def _say(console: Console, line: Line, clock: Clock) -> None:
    console.print(Text.assemble((clock.time(line.at), "dim"), "  ", said(line.text)))
    for text in line.because:
        console.print(said(f"          {text}", "dim"))
