"""Check everything the contact centre stands on, and say what to do about each finding."""

from dataclasses import asdict
from functools import partial

import click
from rich.table import Table
from rich.text import Text

from contactcentre.cli import (
    examine,
    examine_freeswitch,
    examine_pbx,
    examine_phones,
    examine_recordings,
    terminal,
)
from contactcentre.cli.context import knowing_the_pbx, open_services
from contactcentre.cli.examine import Finding, Level, all_of, fail
from contactcentre.domain.site import Site
from contactcentre.embedded import EmbeddedError, Services
from contactcentre.logs import printable
from contactcentre.settings import Settings, SettingsError, without_password

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


@click.command()
@terminal.json_option
def command(as_json: bool) -> int:
    """Check the PBX, Redis, PostgreSQL, files, clocks, disk and ports.

    Changes nothing. Exit code 1 when there is anything to repair.
    """
    found = findings(Settings().prepare())
    if as_json:
        terminal.print_json([asdict(one) for one in found])
    else:
        show(found)
    return int(any(one.level is Level.FAIL for one in found))


def findings(settings: Settings) -> list[Finding]:
    """All findings, in the order they are shown."""
    found: list[Finding] = []
    site: Site | None = None
    unclear: list[Finding] = []
    try:
        with open_services(settings) as services:
            try:
                settings, site = _knowing_the_pbx(settings, services)
            except SettingsError as error:
                unclear.append(fail("pbx", str(error), "either says which PBX this node drives, not both"))
            found += all_of("controller", partial(examine.controller, settings, services))
            found += all_of("redis", partial(examine.redis_server, services))
            found += all_of("postgresql", partial(examine.postgres, services))
            found += all_of("recording keys", partial(examine_recordings.keys, settings, services))
            found += all_of("message lamps", partial(examine_pbx.lamps, settings, services))
            found += all_of("softphones", partial(examine_phones.softphones, settings, services))
    except EmbeddedError as error:
        found.append(fail("services", str(error), "see the log named there, or set DATABASE_URL and REDIS_URL"))
    pbx = partial(examine_freeswitch.freeswitch, settings, site)
    if settings.pbx != "freeswitch":
        pbx = partial(examine_pbx.pbx, settings)
    found = (unclear or all_of("pbx", pbx)) + found
    found += all_of("files", partial(examine.files, settings))
    found += all_of("dashboard", partial(examine.dashboard, settings))
    return [Finding(one.subject, one.level, printable(without_password(one.text)), one.advice) for one in found]


def _knowing_the_pbx(settings: Settings, services: Services) -> tuple[Settings, Site | None]:
    """Raises SettingsError when site and settings name two PBXs."""
    from contactcentre.store import Store

    try:
        with Store(services.database_url) as store:
            return knowing_the_pbx(settings, store), store.site()[1]
    except SettingsError:
        raise
    except Exception:  # what is wrong is found just after
        return settings, None


def show(found: list[Finding]) -> None:
    """A table for people: what is wrong comes with what to do."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for one in found:
        text = Text(one.text)
        if one.advice:
            text.append(f"\n→ {one.advice}", style="bold")
        table.add_row(Text(one.level.value, style=_STYLES[one.level]), one.subject, text)
    counts = {level: sum(one.level is level for one in found) for level in Level}
    summary = f"{counts[Level.OK]} fine, {counts[Level.WARN]} to look at, {counts[Level.FAIL]} to repair"
    terminal.show(table, f"\n{summary}")
