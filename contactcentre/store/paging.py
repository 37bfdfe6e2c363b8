"""Pages of a list that grows while it is read: a cursor names the last row of a page by what the list is sorted by, so
no row is shown twice or left out, whatever came meanwhile."""

import re
import uuid
from typing import Any

import sqlalchemy as sa

_TIMED = re.compile(r"(\d{1,11}\.\d{6})_(\S{1,80})")


class BadCursor(ValueError):
    """The text is no cursor that a page of this list gave out."""

    def __init__(self, text: str) -> None:
        super().__init__(f"cursor: {text[:60]!r} is none that a page of this list gave out")


def cursor_at(at: float, id: str) -> str:
    """After this row, of a list sorted by a time (epoch seconds, kept to the microsecond) and an id."""
    return f"{at:.6f}_{id}"


def after(cursor: str, at: sa.ColumnElement[Any], id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """The rows after the cursor's, the latest first. Raises BadCursor."""
    return sa.tuple_(at, id) < sa.tuple_(*position(cursor, at, id))


def position(cursor: str, at: sa.ColumnElement[Any], id: sa.ColumnElement[Any]) -> tuple[Any, Any]:
    """What the cursor says of these two columns. Raises BadCursor."""
    match = _TIMED.fullmatch(cursor)
    if not match:
        raise BadCursor(cursor)
    if isinstance(id.type, sa.Uuid):
        try:
            uuid.UUID(match[2])
        except ValueError:
            raise BadCursor(cursor) from None
    return sa.literal(float(match[1]), at.type), sa.literal(match[2], id.type)
