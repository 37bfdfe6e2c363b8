"""Many rows in one statement: they travel as one JSON text that PostgreSQL takes apart itself, which costs a small part
of what a statement, or a parameter, for each value would.

Rows are dictionaries in the tables' terms: times in epoch seconds, ids as texts. All columns that a row lacks keep the
table's default where `columns` leaves them out.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from contactcentre.domain.notation import encode
from contactcentre.store.tables import Epoch

Row = dict[str, Any]

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    if rows:
        connection.exec_driver_sql(_insert(table, tuple(rows[0])), (encode(rows),))


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> set[tuple[Any, ...]]:
    """Adds the rows whose key is free; returns the keys of those. Ids are texts, times epoch seconds."""
    statement = f"{_insert(table, tuple(rows[0]))} ON CONFLICT DO NOTHING RETURNING {_key(table)}"
    return {tuple(row) for row in connection.exec_driver_sql(statement, (encode(rows),))}


def upsert(connection: sa.Connection, table: sa.Table, owner: str, rows: Sequence[Row]) -> None:
    """Adds or replaces rows; one whose `owner` is another one stays as it is."""
    if rows:
        connection.exec_driver_sql(_upsert(table, owner, tuple(rows[0])), (encode(rows),))


def delete(connection: sa.Connection, table: sa.Table, contact_ids: Sequence[str]) -> None:
    """All rows of these contacts."""
    statement = f'DELETE FROM "{table.name}" WHERE contact_id = ANY(CAST(%s AS uuid[]))'  # noqa: S608 (a table of ours)
    connection.exec_driver_sql(statement, (list(contact_ids),))


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
    shown = {sa.Uuid: 'CAST("{}" AS text)', Epoch: 'CAST(extract(epoch FROM "{}") AS double precision)'}
    return ", ".join(shown.get(type(column.type), '"{}"').format(column.name) for column in table.primary_key)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
