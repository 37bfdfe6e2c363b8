"""The database: its schema, facts that were refused, and deriving history again."""

import click

from contactcentre.cli.context import open_services
from contactcentre.cli.moments import Clock, iso
from contactcentre.cli.terminal import json_option, print_json
from contactcentre.logs import printable
from contactcentre.store import Store
from contactcentre.store.history import MAX_PAGE


@click.group("db")
def command() -> None:
    """The database: its schema, facts that were refused, and deriving history again."""


@command.command("upgrade")
def upgrade() -> None:
    """Bring the schema to this program's version. Safe to run at any time, also twice at once."""
    with open_services() as services, Store(services.database_url) as store:
        before, _ = store.schema_version()
        after = store.migrate()
    click.echo(f"schema {after}" + (" (as it was)" if before == after else f", was {before or 'empty'}"))


@command.command("status")
@json_option
def status(as_json: bool) -> None:
    """Say which version the schema has. Exit code 1 when it is not this program's."""
    with open_services() as services, Store(services.database_url) as store:
        server = store.ping()
        have, need = store.schema_version()
    if as_json:
        print_json({"server": server, "schema": have, "needed": need})
    else:
        click.echo(f"PostgreSQL {server}, schema {have or 'empty'}" + ("" if have == need else f"; needed: {need}"))
    raise SystemExit(0 if have == need else 1)


@command.command("rejected")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), default=20, show_default=True)
@json_option
def rejected(limit: int, as_json: bool) -> None:
    """Facts that could not be stored, and why; the latest first."""
    with open_services() as services, Store(services.database_url) as store:
        store.migrate()
        clock = Clock.of(store)
        found = store.rejected(limit)
    if as_json:
        print_json([{"at": iso(at), "fact": text, "error": error} for at, text, error in found])
        return
    for at, text, error in found:
        click.echo(f"{clock.date_and_time(at)}  {printable(error)}\n    {printable(text)}")
    if not found:
        click.echo("None: every fact was stored.")


@command.command("refold")
def refold() -> None:
    """Derive the history again from the stored facts.

    That is contacts, legs, segments, queue visits and recordings. For use after an upgrade that changed a rule;
    the facts themselves are never changed.
    """
    with open_services() as services, Store(services.database_url) as store:
        store.migrate()
        done, cursor = 0, ""
        while True:
            page = store.contacts(limit=MAX_PAGE, cursor=cursor)
            store.refold([contact.id for contact in page.contacts])
            done, cursor = done + len(page.contacts), page.cursor
            if not cursor:
                break
    click.echo(f"{done} contacts derived again")
