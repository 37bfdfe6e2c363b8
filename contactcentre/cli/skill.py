"""Skills that queues ask for and agents have."""

import click

from contactcentre.cli.provisioning import (
    Desk,
    comment_option,
    desk,
    dry_run_option,
    stored_site,
    yes_option,
)
from contactcentre.cli.terminal import facts, json_option, listed, plain, print_json
from contactcentre.cli.terminal import show as show_parts
from contactcentre.domain.site import Site
from contactcentre.provision.change import added, found, removed
from contactcentre.provision.load import parse
from contactcentre.provision.uses import users_of


@click.group()
def command() -> None:
    """The site's skills: show and change them."""


_description = click.option("--description", help="What it means.")


@command.command()
@click.argument("name")
@_description
@yes_option
@dry_run_option
@comment_option
def add(name: str, description: str | None, yes: bool, dry_run: bool, comment: str) -> None:
    """Add a skill."""
    with desk(settle=not dry_run) as here:
        _carry_out(here, added(here.site, "skill", name, description or ""), "add", name, yes, dry_run, comment)


@command.command("set")
@click.argument("name")
@_description
@yes_option
@dry_run_option
@comment_option
def set_(name: str, description: str | None, yes: bool, dry_run: bool, comment: str) -> None:
    """Change a skill's description."""
    if description is None:
        raise click.UsageError("nothing to set: give --description")
    with desk(settle=not dry_run) as here:
        found(here.site, "skill", name)
        document = here.site.model_dump(mode="json")
        document["skills"][name] = description
        _carry_out(here, parse(document), "set", name, yes, dry_run, comment)


@command.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show a skill, who has it and what asks for it."""
    site = stored_site()
    row = {"name": name, "description": found(site, "skill", name), **_use(site, name)}
    if as_json:
        print_json(row)
    else:
        show_parts(facts((field.replace("_", " "), plain(value)) for field, value in row.items()))


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the site's skills."""
    site = stored_site()
    rows = [
        {"name": name, "description": description, **_use(site, name)}
        for name, description in sorted(site.skills.items())
    ]
    listed(rows, ("name", "description", "agents"), as_json, "The site has no skills.")


@command.command()
@click.argument("name")
@yes_option
@dry_run_option
@comment_option
def remove(name: str, yes: bool, dry_run: bool, comment: str) -> None:
    """Remove a skill that nothing asks for and nobody has."""
    with desk(settle=not dry_run) as here:
        _carry_out(here, removed(here.site, "skill", name), "remove", name, yes, dry_run, comment)


def _use(site: Site, name: str) -> dict[str, object]:
    agents = {one: agent.skills[name] for one, agent in sorted(site.agents.items()) if name in agent.skills}
    asked = [where for where in users_of(site, "skill", name) if not where.startswith("agents.")]
    return {"agents": agents, "used_by": asked}


def _carry_out(here: Desk, site: Site, verb: str, name: str, yes: bool, dry_run: bool, comment: str) -> None:
    here.carry_out(
        here.plan(site),
        yes=yes,
        dry_run=dry_run,
        comment=comment,
        action=f"skill.{verb}",
        subject=f"skill {name}",
    )
