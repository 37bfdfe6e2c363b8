"""One group of commands for each kind of thing in a site: add, set, show, list, remove.

The options are the fields of the thing's model, so a field exists on the command line as soon as it exists at
all. Values are handed on as typed; the model converts them and names what is wrong.
"""

from collections.abc import Callable, Mapping
from typing import Any

import click
from pydantic import BaseModel

from contactcentre.cli.provisioning import (
    comment_option,
    desk,
    dry_run_option,
    stored_site,
    yes_option,
)
from contactcentre.cli.reading import Reader, pairs, readers, steps, words
from contactcentre.cli.terminal import facts, json_option, listed, plain, print_json
from contactcentre.cli.terminal import show as show_parts
from contactcentre.domain.site import Site
from contactcentre.domain.written import descriptions
from contactcentre.provision import SiteError
from contactcentre.provision import change as changes
from contactcentre.provision.uses import users_of

__all__ = ["noun", "pairs", "steps", "words"]


def noun(
    kind: str,
    model: type[BaseModel],
    shown: tuple[str, ...],
    after_removal: Callable[[str], None] = lambda name: None,
    now: Callable[[str], Mapping[str, Any]] = lambda name: {},
) -> click.Group:
    """The group `kind`. `shown` are the columns of `list`; `after_removal` is
    told the name of what was removed, `now` says what `show` tells beside the configuration."""
    section = changes.SECTIONS[kind]
    many = "DIDs" if kind == "did" else section
    one = f"{'an' if kind[0] in 'aeiou' else 'a'} {changes.called(kind)}"
    name_argument = click.argument("name", metavar="NUMBER" if kind == "did" else "NAME")
    read = readers(model)
    options = _options(read, model)

    @click.group(kind, help=f"The site's {many}: show and change them.")
    def group() -> None:
        pass

    @group.command("add", help=f"Add {one}.")
    @name_argument
    @options
    @_changing
    def add(name: str, yes: bool, dry_run: bool, comment: str, **given: Any) -> None:
        value = {field: v for field, v in _values(read, given, {}).items() if v is not None}
        _change(kind, "add", name, lambda site: changes.added(site, kind, name, value), yes, dry_run, comment)

    @group.command("set", help=f"Change {one}; what is not given stays. An empty value means the default.")
    @name_argument
    @options
    @_changing
    def set_(name: str, yes: bool, dry_run: bool, comment: str, **given: Any) -> None:
        def changed(site: Site) -> Site:
            known = changes.name_of(site, kind, name)
            values = _values(read, given, changes.found(site, kind, known).model_dump(mode="json"))
            if not values:
                raise click.UsageError("nothing to set: give at least one option")
            return changes.changed(site, kind, known, values)

        _change(kind, "set", name, changed, yes, dry_run, comment)

    @group.command("show", help=f"Show one {changes.called(kind)}, and what uses it.")
    @name_argument
    @json_option
    def show(name: str, as_json: bool) -> None:
        site = stored_site()
        name = changes.name_of(site, kind, name)
        value = changes.found(site, kind, name).model_dump(mode="json")
        rows = {"name": name, **value, "used_by": users_of(site, kind, name), **now(name)}
        if as_json:
            print_json(rows)
            return
        show_parts(facts((field.replace("_", " "), plain(content)) for field, content in rows.items()))

    @group.command("list", help=f"List the site's {many}.")
    @json_option
    def list_(as_json: bool) -> None:
        things: dict[str, BaseModel] = getattr(stored_site(), section)
        rows = [{"name": name, **thing.model_dump(mode="json")} for name, thing in sorted(things.items())]
        listed(rows, ("name", *shown), as_json, f"The site has no {many}.")

    @group.command("remove", help=f"Remove {one} that nothing uses.")
    @name_argument
    @_changing
    def remove(name: str, yes: bool, dry_run: bool, comment: str) -> None:
        _change(
            kind,
            "remove",
            name,
            lambda site: changes.removed(site, kind, changes.name_of(site, kind, name)),
            yes,
            dry_run,
            comment,
        )
        if not dry_run:
            after_removal(name)

    return group


def _change(
    kind: str, verb: str, name: str, change: Callable[[Site], Site], yes: bool, dry_run: bool, comment: str
) -> None:
    with desk(settle=not dry_run) as here:
        try:
            plan = here.plan(change(here.site))
        except SiteError as error:
            raise click.ClickException(str(error)) from error
        here.carry_out(
            plan, yes=yes, dry_run=dry_run, comment=comment, action=f"{kind}.{verb}", subject=f"{kind} {name}"
        )


def _changing(function: Callable[..., None]) -> Callable[..., None]:
    return yes_option(dry_run_option(comment_option(function)))


def _options(read: Mapping[str, Reader], model: type[BaseModel]) -> Callable[[Any], Any]:
    several = {"NAME=VALUE": " May be given several times; NAME= takes one away."}

    def decorate(function: Any) -> Any:
        for field, reader in reversed(list(read.items())):
            more = several.get(reader.metavar, " May be given several times.")
            dashed = field.replace("_", "-")
            name = f"--{dashed}/--no-{dashed}" if reader.flag else f"--{dashed}"
            function = click.option(
                name,
                field,
                default=None,
                multiple=reader.multiple,
                metavar=None if reader.flag else reader.metavar,
                help=f"{descriptions(model).get(field, '')}{more if reader.multiple else ''}",
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
