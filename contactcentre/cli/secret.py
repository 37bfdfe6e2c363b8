"""Passwords of phones, trunks, the ARI user, the event socket and web services that flows ask."""

import sys
from collections.abc import Iterator
from typing import Any

import click

from contactcentre.cli.context import open_store
from contactcentre.cli.terminal import actor, json_option, listed
from contactcentre.domain.site import Site
from contactcentre.provision.change import NotThere
from contactcentre.provision.secrets import check_name, check_value, generate, needed


@click.group()
def command() -> None:
    """Passwords of phones, trunks, the ARI user, the event socket and web services that flows ask.

    Their names are agent/NAME, trunk/NAME, ari/contactcentre, and esl/contactcentre for the event socket
    of a FreeSWITCH: what is changed of these reaches the PBX with the next `apply`. A flow's lookup with
    `secret: NAME` sends http/NAME, a minute after it is changed here at the latest.
    """


@command.command("set")
@click.argument("name")
def set_(name: str) -> None:
    """Set a secret.

    Asked for at a terminal, else read from standard input. Never given as an argument.
    """
    check_name(name)
    if sys.stdin.isatty():
        value = str(click.prompt("Secret", hide_input=True, confirmation_prompt=True))
    else:
        value = sys.stdin.read(4096).rstrip("\r\n")
    _store(name, check_value(value), "secret.set")


@command.command()
@click.argument("name")
def rotate(name: str) -> None:
    """Replace a secret by a new random one."""
    check_name(name)
    with open_store() as store:
        _, site = store.site()
        if store.secret(name) is None and name not in needed(site or Site())[0]:
            raise NotThere(f"there is no secret {name}, and nothing needs one")
    _store(name, generate(), "secret.rotate")


@command.command()
@click.argument("name")
@click.option("--reveal", is_flag=True, help="Show it; this is kept in the audit log.")
def show(name: str, reveal: bool) -> None:
    """Print a secret, with --reveal."""
    with open_store() as store:
        value = store.secret(check_name(name))
        if value is None:
            raise NotThere(f"there is no secret {name}")
        if not reveal:
            raise click.ClickException("add --reveal to see it; this is kept in the audit log")
        store.audit(actor(), "secret.show", name)
    click.echo(value)


@command.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a secret."""
    with open_store() as store:
        if not store.remove_secret(check_name(name)):
            raise NotThere(f"there is no secret {name}")
        store.audit(actor(), "secret.remove", name)
    click.echo(f"{name} is removed")


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Which secrets there are, and which are missing. No values."""
    with open_store() as store:
        known = {
            name for name in store.secrets() if not name.startswith(("webhook/", "lookup/"))
        }  # made and shown elsewhere
        _, site = store.site()
    own, given = needed(site or Site())
    given += sorted({f"http/{name}" for flow in (site or Site()).flows.values() for name in _sent(flow)})
    states = {name: "set" if name in known else "made by apply when needed" for name in own}
    states |= {name: "set" if name in known else "missing" for name in given}
    states |= {name: "not needed" for name in known if name not in states}
    rows = [{"name": name, "state": state} for name, state in sorted(states.items())]
    listed(rows, ("name", "state"), as_json, "None, and none is needed.")


def _sent(flow: Any) -> Iterator[str]:
    """The secrets that a flow's lookups name."""
    nodes = flow.get("nodes", {}) if isinstance(flow, dict) else {}
    for node in nodes.values():
        if isinstance(node, dict) and node.get("type") == "lookup" and node.get("secret"):
            yield str(node["secret"])


def _store(name: str, value: str, action: str) -> None:
    with open_store() as store:
        store.set_secret(name, value)
        store.audit(actor(), action, name)
    soon = (
        "lookups send it within a minute" if name.startswith("http/") else "`contactcentre apply` brings it to the PBX"
    )
    click.echo(f"{name} is set; {soon}")
