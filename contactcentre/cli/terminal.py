"""How commands print: the same tables everywhere, and nothing that a caller sent moves an admin's terminal."""

import getpass
import json
import os
from collections.abc import Iterable
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contactcentre.logs import printable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

NARROW = 100
"""Columns of a terminal that do not hold all columns of a list of calls."""
WIDE = 200
"""Columns where a file or a program reads: lines are not to be broken for it."""


def console() -> Console:
    """Plain text. As wide as the terminal; wide enough for every table where there is none."""
    found = Console(highlight=False, markup=False)
    return found if found.is_terminal else Console(highlight=False, markup=False, width=WIDE)


def narrow() -> bool:
    """Whether this is a terminal on which tables of calls show their most important columns only."""
    return console().width < NARROW


def said(text: str, style: str = "") -> Text:
    """What others may have chosen, on a terminal: no control characters, no markup."""
    return Text(printable(text), style=style)


def show(*parts: Any) -> None:
    """Prints each part on lines of its own, without the blanks that tables have at the ends of lines."""
    for part in parts:
        out = console()
        if out.is_terminal:
            out.print(part)
            continue
        with out.capture() as captured:
            out.print(part)
        click.echo("\n".join(line.rstrip() for line in captured.get().split("\n")), nl=False)


def facts(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values, one pair a line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows:
        table.add_row(Text(name, style="bold"), said(value))
    return table


def listed(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool, nothing: str = "None.") -> None:
    """Prints rows as a table of some columns, or all of them as JSON; `nothing` says that there are none."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(nothing)
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(said(plain(row[column])) for column in columns))
    show(table)


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


def counted(count: int, thing: str) -> str:
    """`1 queue`, `2 queues`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def actor() -> str:
    """Who does this, for the audit log."""
    name = os.environ.get("SUDO_USER") or ""
    if not name:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = f"uid {os.getuid()}"
    return f"cli:{name}"
