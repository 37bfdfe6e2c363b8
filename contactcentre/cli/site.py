"""The whole site: check a file, print what is provisioned, list its versions."""

from dataclasses import asdict
from pathlib import Path

import click
import yaml

from contactcentre.cli.context import open_store
from contactcentre.cli.moments import Clock, iso
from contactcentre.cli.provisioning import read_site
from contactcentre.cli.terminal import counted, json_option, listed, print_json
from contactcentre.domain.site import Site
from contactcentre.provision import SiteError
from contactcentre.provision.change import NotThere


@click.group()
def command() -> None:
    """The whole site as one document."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check a site file; names every problem with its line. Exit code 2 when there is one."""
    try:
        site = read_site(file)
    except SiteError as error:
        if not as_json:
            raise
        print_json([asdict(problem) for problem in error.problems])
        raise click.exceptions.Exit(2) from None
    if as_json:
        print_json([])
        return
    sizes = (site.dids, "DID"), (site.queues, "queue"), (site.agents, "agent"), (site.flows, "flow")
    click.echo(f"{file}: {', '.join(counted(len(things), word) for things, word in sizes)}: no problem")


@command.command()
@click.argument("version", type=click.IntRange(min=1), required=False)
@json_option
def show(version: int | None, as_json: bool) -> None:
    """Print the site, or an earlier version, as a site file."""
    site = _stored(version)
    if as_json:
        print_json(site.model_dump(mode="json"))
        return
    document = site.model_dump(mode="json", exclude_defaults=True)
    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110), nl=False)


@command.command()
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True)
@json_option
def versions(limit: int, as_json: bool) -> None:
    """The versions of the site, newest first."""
    with open_store() as store:
        known = store.site_versions(limit)
        clock = Clock.of(store)
    rows = [
        {
            "version": one.id,
            "at": iso(one.at) if as_json else clock.date_and_time(one.at),
            "by": one.by,
            "comment": one.comment,
        }
        for one in known
    ]
    listed(rows, ("version", "at", "by", "comment"), as_json, "No site is provisioned yet.")


def _stored(version: int | None) -> Site:
    with open_store() as store:
        number, site = store.site(version)
    if site is None or number == 0:
        raise NotThere("no site is provisioned yet: `contactcentre apply site.yaml`")
    return site
