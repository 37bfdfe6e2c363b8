"""How commands print: the same tables everywhere, and nothing that a caller sent moves an admin's terminal."""

from collections.abc import Iterable
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contactcentre.logs import printable

WIDE = 200
"""Columns where a file or a program reads: lines are not to be broken for it."""


def console() -> Console:
    """Plain text. As wide as the terminal; wide enough for every table where there is none."""
    found = Console(highlight=False, markup=False)
    return found if found.is_terminal else Console(highlight=False, markup=False, width=WIDE)


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
