"""One group of commands for each kind of thing in a site: add, set, show, list, remove.

The options are the fields of the thing's model, so a field exists on the command line as soon as it exists at
all. Values are handed on as typed; the model converts them and names what is wrong.
"""

from collections.abc import Callable, Mapping
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from contactcentre.cli.provisioning import (
    comment_option,
    desk,
    dry_run_option,
    json_option,
    print_json,
    yes_option,
)
from contactcentre.cli.reading import Reader, pairs, readers, steps, words
from contactcentre.domain.site import Site
from contactcentre.provision import SiteError
from contactcentre.provision import change as changes
from contactcentre.provision.uses import users_of

__all__ = ["noun", "pairs", "steps", "words"]


def noun(
    kind: str,
    model: type[BaseModel],
    about: Mapping[str, str],
    shown: tuple[str, ...],
    after_removal: Callable[[str], None] = lambda name: None,
) -> click.Group:
    """The group `kind`. `about` explains each field, `shown` are the columns of `list`; `after_removal` is
    told the name of what was removed."""
    section = changes.SECTIONS[kind]
    one = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    read = readers(model)
    options = _options(read, about)

    @click.group(kind, help=f"The site's {section}: show and change them.")
    def group() -> None:
        pass

    @group.command("add", help=f"Add {one}.")
    @click.argument("name")
    @options
    @_changing
    def add(name: str, yes: bool, dry_run: bool, comment: str, **given: Any) -> None:
        value = {field: v for field, v in _values(read, given, {}).items() if v is not None}
        _change(kind, "add", name, lambda site: changes.added(site, kind, name, value), yes, dry_run, comment)

    @group.command("set", help=f"Change {one}; what is not given stays. An empty value means the default.")
    @click.argument("name")
    @options
    @_changing
    def set_(name: str, yes: bool, dry_run: bool, comment: str, **given: Any) -> None:
        def changed(site: Site) -> Site:
            now = changes.found(site, kind, name).model_dump(mode="json")
            values = _values(read, given, now)
            if not values:
                raise click.UsageError("nothing to set: give at least one option")
            return changes.changed(site, kind, name, values)

        _change(kind, "set", name, changed, yes, dry_run, comment)

    @group.command("show", help=f"Show one {kind}, and what uses it.")
    @click.argument("name")
    @json_option
    def show(name: str, as_json: bool) -> None:
        with desk(settle=False) as here:
            value = changes.found(here.site, kind, name).model_dump(mode="json")
            used_by = users_of(here.site, kind, name)
        if as_json:
            print_json({"name": name, **value, "used_by": used_by})
            return
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_row("name", name)
        for field, content in value.items():
            table.add_row(field, plain(content))
        table.add_row("used by", plain(used_by))
        Console(highlight=False, markup=False).print(table)

    @group.command("list", help=f"List the site's {section}.")
    @json_option
    def list_(as_json: bool) -> None:
        with desk(settle=False) as here:
            things: dict[str, BaseModel] = getattr(here.site, section)
            rows = [{"name": name, **thing.model_dump(mode="json")} for name, thing in sorted(things.items())]
        listed(rows, ("name", *shown), as_json)

    @group.command("remove", help=f"Remove {one} that nothing uses.")
    @click.argument("name")
    @_changing
    def remove(name: str, yes: bool, dry_run: bool, comment: str) -> None:
        _change(kind, "remove", name, lambda site: changes.removed(site, kind, name), yes, dry_run, comment)
        if not dry_run:
            after_removal(name)

    return group


def listed(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    """Prints rows as a table of some columns, or all of them as JSON."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("none")
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(plain(row[column]) for column in columns))
    Console(highlight=False, markup=False).print(table)


def plain(value: Any) -> str:
    """A value of the site as a person reads it."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(f"({plain(item)})" if isinstance(item, dict) else plain(item) for item in value)
    return str(value)


def _change(
    kind: str, verb: str, name: str, change: Callable[[Site], Site], yes: bool, dry_run: bool, comment: str
) -> None:
    with desk(settle=not dry_run) as here:
        try:
            plan = here.plan(change(here.site))
        except SiteError as error:
            raise click.UsageError(str(error)) from error
        here.carry_out(
            plan, yes=yes, dry_run=dry_run, comment=comment, action=f"{kind}.{verb}", subject=f"{kind} {name}"
        )


def _changing(function: Callable[..., None]) -> Callable[..., None]:
    return yes_option(dry_run_option(comment_option(function)))


def _options(read: Mapping[str, Reader], about: Mapping[str, str]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for field, reader in reversed(list(read.items())):
            dashed = field.replace("_", "-")
            name = f"--{dashed}/--no-{dashed}" if reader.flag else f"--{dashed}"
            function = click.option(
                name,
                field,
                default=None,
                multiple=reader.multiple,
                metavar=None if reader.flag else reader.metavar,
                help=about.get(field, ""),
            )(function)
        return function

    return decorate


def _values(read: Mapping[str, Reader], given: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, as the model takes it; None = the default."""
    values: dict[str, Any] = {}
    for field, typed in given.items():
        if typed is None or typed == ():
            continue
        values[field] = read[field].read(typed, now.get(field))
    return values
