"""Bring the PBX to a site, wholly or not at all; or roll back."""

from pathlib import Path

import click

from contactcentre.cli.provisioning import Desk, comment_option, desk, dry_run_option, read_site, yes_option
from contactcentre.provision import Plan, plan_removal
from contactcentre.provision.change import NotThere

PREVIOUS = -1


@click.command()
@click.argument("site_file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--rollback",
    type=click.IntRange(min=PREVIOUS),
    is_flag=False,
    flag_value=PREVIOUS,
    metavar="[VERSION]",
    help="Back to a version of the site, by default the one before the newest; 0 = as before the first apply.",
)
@yes_option
@dry_run_option
@comment_option
def command(site_file: Path | None, rollback: int | None, yes: bool, dry_run: bool, comment: str) -> None:
    """Bring the PBX to SITE_FILE, or to the stored site when none is given.

    Shows the plan, asks, writes the files, reloads what changed and asks the PBX whether all is there. If
    anything fails, every file is put back and reloaded. A version of the site is kept for each apply.
    """
    if site_file and rollback is not None:
        raise click.UsageError("a site file and --rollback exclude each other")
    wanted = read_site(site_file) if site_file else None
    with desk(wanted, settle=not dry_run) as here:
        if rollback is not None:
            here, plan, action, subject = back(here, rollback)
        else:
            plan = here.plan(wanted or here.site)
            action, subject = "site.apply", str(site_file or "")
        here.carry_out(plan, yes=yes, dry_run=dry_run, comment=comment, action=action, subject=subject)


def back(here: Desk, version: int) -> tuple[Desk, Plan, str, str]:
    """The desk before the PBX of that version, the plan, and action and subject for the audit log. Raises NotThere."""
    number = here.version - 1 if version == PREVIOUS else version
    if here.version == 0:
        raise NotThere("nothing was applied yet: there is nothing to go back to")
    if number >= here.version:
        raise NotThere(f"there is no version {number} to go back to: the site is at version {here.version}")
    subject = f"version {number}"
    if number == 0:
        return here, plan_removal(here.target, here.site), "site.rollback", subject
    _, site = here.store.site(number)
    there = here.before(site or here.site)
    return there, there.plan(site or here.site), "site.rollback", subject
