"""Agents: who they are and what they can do, and what they are doing now."""

import time
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.noun import listed, noun
from contactcentre.cli.provisioning import actor, desk, json_option, print_json
from contactcentre.domain.agents import AgentStatus, Verb
from contactcentre.domain.site import Agent, Site
from contactcentre.lab import Lab
from contactcentre.provision.change import NotThere, found
from contactcentre.provision.uses import endpoint_of
from contactcentre.settings import Settings

command = noun(
    "agent",
    Agent,
    {
        "full_name": "The person's name, shown to whom the agent calls.",
        "skills": "A skill and its level, 0 to 100, like lang_fr=80; lang_fr= takes it away. Several times.",
        "endpoint": "SIP account, where it is not the agent's name; one that the PBX has already is used as it is.",
        "number": "Internal number.",
    },
    ("full_name", "number", "endpoint", "skills"),
)


@command.command()
@click.argument("name")
@json_option
def login(name: str, as_json: bool) -> None:
    """Log an agent in: contacts may come."""
    _step(name, Verb.LOGIN, as_json)


@command.command()
@click.argument("name")
@json_option
def logout(name: str, as_json: bool) -> None:
    """Log an agent out; during a call, when it is over."""
    _step(name, Verb.LOGOUT, as_json)


@command.command()
@click.argument("name")
@click.option("--reason", default="", help="One of the site's pause reasons (the first).")
@json_option
def pause(name: str, reason: str, as_json: bool) -> None:
    """Give an agent no contacts for a while; during a call, when it is over."""
    _step(name, Verb.PAUSE, as_json, reason)


@command.command()
@click.argument("name")
@json_option
def unpause(name: str, as_json: bool) -> None:
    """End a pause or wrap-up."""
    _step(name, Verb.UNPAUSE, as_json)


@command.command()
@click.argument("name", required=False)
@json_option
def status(name: str | None, as_json: bool) -> None:
    """What an agent, or everybody, is doing now."""
    site = _site()
    if name:
        found(site, "agent", name)
    with open_live() as live:
        known = live.agents()
    now = time.time()
    names = [name] if name else sorted(site.agents)
    rows = [_told(known.get(one) or AgentStatus(one), now) for one in names]
    if as_json and name:
        print_json(rows[0])
    else:
        listed(rows, ("name", "state", "for_seconds", "reason", "queue", "contact_id", "calls"), as_json)


@command.command()
@click.argument("name")
@click.option("--reveal", is_flag=True, help="Show the password too; this is kept in the audit log.")
@json_option
def secret(name: str, reveal: bool, as_json: bool) -> None:
    """The settings for an agent's SIP phone."""
    settings = Settings()
    with desk(settle=False) as here:
        found(here.site, "agent", name)
        endpoint = endpoint_of(here.site, name)
        password = here.store.secret(f"agent/{name}")
        if password is None:
            raise NotThere(f"agent {name} has no secret yet: `contactcentre apply` makes one")
        if reveal:
            here.store.audit(actor(), "agent.secret", f"agent {name}")
    shown = {
        "server": _sip_server(settings),
        "user": endpoint,
        "password": password if reveal else "(add --reveal to see it)",
        "codecs": "alaw, ulaw",
        "dtmf": "RFC 4733",
        "number": here.site.agents[name].number or "",
    }
    if as_json:
        print_json({"name": name, **shown, "password": password if reveal else None})
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for field, value in shown.items():
        table.add_row(field, value or "-")
    Console(highlight=False, markup=False).print(table)


def _step(name: str, verb: Verb, as_json: bool, reason: str = "") -> None:
    site = _site()
    found(site, "agent", name)
    arguments = {}
    if verb is Verb.PAUSE:
        reasons = site.settings.pause_reasons
        reason = reason or (reasons[0] if reasons else "")
        if reason not in reasons:
            raise click.BadParameter(f"{reason!r} is not one of: {', '.join(reasons)}", param_hint="--reason")
        arguments = {"reason": reason}
    with open_live() as live:
        now = time.time()
        after = live.change(name, verb, now, **arguments)
    if as_json:
        print_json(_told(after, now))
        return
    then = {"": "", "logout": ", logged out when this is over"}.get(after.then, f", {after.then} when this is over")
    click.echo(f"{name} is {after.state.value}{f' ({after.reason})' if after.reason else ''}{then}")


def _site() -> Site:
    with open_store() as store:
        _, site = store.site()
    return site or Site()


def _told(status: AgentStatus, now: float) -> dict[str, object]:
    """What may be shown: everything but the offer's token."""
    told = asdict(status)
    del told["token"]
    return {**told, "for_seconds": round(now - status.since) if status.since else None}


def _sip_server(settings: Settings) -> str:
    running = Lab(settings.state_dir / "lab").status()
    return f"{running.sip_host}:{running.sip_port}" if running else "this PBX"
