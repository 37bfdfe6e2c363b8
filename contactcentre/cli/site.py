"""The whole site: check a file, show or export what is provisioned, and its versions."""

from datetime import UTC, datetime
from pathlib import Path

import click
import yaml

from contactcentre.cli.context import open_store
from contactcentre.cli.noun import listed
from contactcentre.cli.provisioning import json_option, print_json, read_site
from contactcentre.domain.site import Site
from contactcentre.provision.change import NotThere


@click.group()
def command() -> None:
    """The whole site as one document."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a site file; names every problem with its line."""
    site = read_site(file)
    click.echo(
        f"{file}: {len(site.dids)} DIDs, {len(site.queues)} queues, {len(site.agents)} agents, "
        f"{len(site.flows)} flows: no problem"
    )


@command.command()
@click.argument("version", type=click.IntRange(min=1), required=False)
@json_option
def show(version: int | None, as_json: bool) -> None:
    """Print the provisioned site, or an earlier version, as a site file."""
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
    rows = [{"version": one.id, "at": _told(one.at, as_json), "by": one.by, "comment": one.comment} for one in known]
    listed(rows, ("version", "at", "by", "comment"), as_json)


def _stored(version: int | None) -> Site:
    with open_store() as store:
        number, site = store.site(version)
    if site is None or number == 0:
        raise NotThere("no site is provisioned yet: `contactcentre apply site.yaml`")
    return site


def _told(at: float, as_json: bool) -> object:
    return at if as_json else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
