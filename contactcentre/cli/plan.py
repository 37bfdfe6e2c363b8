"""Show what `apply` would change on the PBX."""

from pathlib import Path

import click

from contactcentre.cli.provisioning import desk, outline, plan_as_json, read_site
from contactcentre.cli.terminal import json_option


@click.command()
@click.argument("site_file", required=False, type=click.Path(path_type=Path))
@click.option("--exit-code", is_flag=True, help="End with 1 when something would change.")
@json_option
def command(site_file: Path | None, exit_code: bool, as_json: bool) -> None:
    """Show what `apply` would change; nothing is changed.

    With SITE_FILE, against that file; without, whether the PBX's files still are as the stored site says. The
    PBX need not run. Secrets are not shown.
    """
    wanted = read_site(site_file) if site_file else None
    with desk(wanted, settle=False) as here:
        plan = here.plan(wanted or here.site)
        click.echo(plan_as_json(plan) if as_json else outline(plan))
        if exit_code and not plan.empty:
            raise click.exceptions.Exit(1)
