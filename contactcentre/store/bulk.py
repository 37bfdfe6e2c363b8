"""Many rows in one statement: they travel as one JSON text that PostgreSQL takes apart itself, which costs a small part
of what a statement, or a parameter, for each value would.

Rows are dictionaries in the tables' terms: times in epoch seconds, ids as texts. All columns that a row lacks keep the
table's default where `columns` leaves them out.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from contactcentre.domain.notation import encode
from contactcentre.store.tables import Epoch

Row = dict[str, Any]

_SERVERS_FAULT = ("08", "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE that are no fault of the data: connection, deadlock, resources, shutdown, system,
internal."""

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    if rows:
        connection.exec_driver_sql(_insert(table, tuple(rows[0])), (encode(rows),))


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> set[tuple[Any, ...]] | None:
    """Adds the rows whose key is free; returns the keys of those, or None: all were. Ids are texts, times epoch
    seconds. A key that comes twice is free once."""
    columns = tuple(rows[0])
    added = f"{_insert(table, columns)} ON CONFLICT DO NOTHING RETURNING {_key(table)}"
    # One row comes back where all is well: the driver's work for each costs more than the counting.
    found = "SELECT CASE WHEN count(*) < %s THEN json_agg(added) END, count(*) FROM added"
    statement = f"WITH added AS ({added}) {found}"
    keys, number = connection.exec_driver_sql(statement, (encode(rows), len(rows))).one()
    if number == len(rows):
        return None
    return {tuple(key.values()) for key in keys or ()}


def upsert(connection: sa.Connection, table: sa.Table, owner: str, rows: Sequence[Row]) -> None:
    """Adds or replaces rows; one whose `owner` is another one stays as it is."""
    if rows:
        connection.exec_driver_sql(_upsert(table, owner, tuple(rows[0])), (encode(rows),))


def delete(connection: sa.Connection, table: sa.Table, contact_ids: Sequence[str]) -> None:
    """All rows of these contacts."""
    statement = f'DELETE FROM "{table.name}" WHERE contact_id = ANY(CAST(%s AS uuid[]))'  # noqa: S608 (a table of ours)
    connection.exec_driver_sql(statement, (list(contact_ids),))


def bisected(
    connection: sa.Connection,
    items: Sequence[Any],
    write: Callable[[Sequence[Any]], None],
    refuse: Callable[[str, Exception], None],
) -> None:
    """Writes all at once; where the database refuses a value, in halves, until only what it refuses is left out."""
    if not items:
        return
    try:
        with connection.begin_nested():
            write(items)
    except sa.exc.DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or "08"
        if state[:2] in _SERVERS_FAULT:
            raise
        if len(items) == 1:
            refuse(repr(items[0]), error)
            return
        half = len(items) // 2
        bisected(connection, items[:half], write, refuse)
        bisected(connection, items[half:], write, refuse)


@cache
def _insert(table: sa.Table, columns: tuple[str, ...]) -> str:
    kinds = {name: table.c[name].type for name in columns}
    given = ", ".join(f'"{name}" {_given(kind)}' for name, kind in kinds.items())
    taken = ", ".join(f'to_timestamp("{n}")' if isinstance(kind, Epoch) else f'"{n}"' for n, kind in kinds.items())
    source = f"json_to_recordset(CAST(%s AS json)) AS given({given})"
    return f'INSERT INTO "{table.name}" ({_quoted(columns)}) SELECT {taken} FROM {source}'  # noqa: S608 (names of ours)


def _given(kind: sa.types.TypeEngine[Any]) -> str:
    """The type that a column has in the JSON text: times are numbers there."""
    return "double precision" if isinstance(kind, Epoch) else kind.compile(dialect=_dialect)


@cache
def _upsert(table: sa.Table, owner: str, columns: tuple[str, ...]) -> str:
    key = [column.name for column in table.primary_key]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in key)
    owned = f'"{table.name}"."{owner}" = excluded."{owner}"'
    return f"{_insert(table, columns)} ON CONFLICT ({_quoted(key)}) DO UPDATE SET {changes} WHERE {owned}"


@cache
def _key(table: sa.Table) -> str:
    """The key's columns as Python has them."""
    shown = {sa.Uuid: 'CAST("{0}" AS text)', Epoch: 'CAST(extract(epoch FROM "{0}") AS double precision)'}
    texts = (shown.get(type(column.type), '"{0}"') + ' AS "{0}"' for column in table.primary_key)
    return ", ".join(text.format(column.name) for text, column in zip(texts, table.primary_key, strict=True))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
