"""Why a contact got its agent or waits for one, and why an agent gets no calls."""

import time
from collections.abc import Mapping

import click
from rich.console import Console
from rich.text import Text

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.moments import Clock, iso
from contactcentre.cli.terminal import json_option, print_json, said
from contactcentre.domain.explain import explain, why_agent
from contactcentre.domain.routing import RoutingConfig
from contactcentre.domain.site import Site
from contactcentre.domain.story import Line, tell
from contactcentre.live import LiveError, Signs, signs_of_life, unreachable
from contactcentre.provision.change import found
from contactcentre.store import NoSuchContact


@click.command()
@click.argument("contact", required=False)
@click.option("--agent", metavar="NAME", help="Instead: why this agent gets the calls it gets, or none.")
@json_option
def command(contact: str | None, agent: str | None, as_json: bool) -> None:
    """Why CONTACT got the agent it got, or waits for one.

    CONTACT is its id, or the beginning of it. Tells when it entered each queue, what it required, who was
    considered, who was cut and by which rule, who got it, and which offers were missed; for a contact that waits,
    also what routing finds now.
    """
    if (contact is None) is (agent is None):
        raise click.UsageError("name a contact, or an agent with --agent")
    if agent is not None:
        _tell_agent(agent, as_json)
    elif contact is not None:
        _tell_contact(contact, as_json)


def _tell_agent(name: str, as_json: bool) -> None:
    with open_store() as store:
        _, site = store.site()
    found(site or Site(), "agent", name)
    assert site is not None
    with open_live() as live:
        waiting, agents, signs = live.waiting(), live.agents(), signs_of_life(live.redis)
    config, away = RoutingConfig.from_site(site), dict.fromkeys(unreachable(signs), False)
    lines = why_agent(name, waiting.values(), agents, config, time.time(), away)
    if not any(one.linked for one in signs.values()):
        lines.append(
            "No controller with a link to its PBX is alive: nobody is routed until one is (`contactcentre up`)."
        )
    if as_json:
        print_json({"agent": name, "now": lines})
        return
    for line in lines:
        _screen().print(said(line))


def _tell_contact(contact: str, as_json: bool) -> None:
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
    screen = _screen()
    arrived = f", {clock.date_and_time(lines[0].at)}" if lines else ": nothing of it is in the history yet"
    screen.print(Text(f"Contact {id}{arrived}", style="bold"))
    for line in lines:
        _say(screen, line, clock)
    if now:
        screen.print(Text("\nNow", style="bold"))
    for text in now:
        screen.print(said(text))


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
            waiting, agents, signs = live.waiting(), live.agents(), signs_of_life(live.redis)
    except LiveError as error:
        return [f"What routing finds now cannot be told: {error}."]
    if contact_id not in waiting:
        return []
    # its own controller decides on it, by the phones that this one can ring
    own = signs.get(waiting[contact_id].node)
    away = dict.fromkeys(own.unreachable if own and own.linked else (), False)
    lines = explain(contact_id, waiting.values(), agents, RoutingConfig.from_site(site), time.time(), away)
    return lines + _without_a_controller(waiting[contact_id].node, signs)


def _without_a_controller(node: str, signs: Mapping[str, Signs]) -> list[str]:
    own = signs.get(node)
    if own is None:
        return [f"But no controller of {node} is alive: nobody is offered this contact until it starts again."]
    if not own.linked:
        return [f"But the controller of {node} has no link to its PBX: it comes back to this contact when it has."]
    return []


def _screen() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def _say(screen: Console, line: Line, clock: Clock) -> None:
    screen.print(Text.assemble((clock.time(line.at), "dim"), "  ", said(line.text)))
    for text in line.because:
        screen.print(said(f"          {text}", "dim"))
