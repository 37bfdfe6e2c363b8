"""`{{ name }}` in texts: plain substitution of variables, nothing else, so that what a caller sends stays
text."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import quote

from contactcentre.domain.flows.actions import Scalar

MAX_TEXT = 1000
"""Characters that a variable, and a text made of variables, holds at most."""
MAX_URL = 8000

_SLOT = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")


def names(template: str) -> frozenset[str]:
    """The variables it uses. Raises ValueError for a brace that belongs to no variable."""
    rest = _SLOT.sub("", template)
    if "{{" in rest or "}}" in rest:
        raise ValueError("has a {{ or }} that belongs to no variable: write {{ name }}")
    return frozenset(_SLOT.findall(template))


def fill(
    template: str, variables: Mapping[str, Scalar], quoted: Callable[[str], str] = str, limit: int = MAX_TEXT
) -> str:
    """`template` with each variable's value (nothing where it is not set) through `quoted`, cut at
    `limit`."""
    return _SLOT.sub(lambda slot: quoted(text(variables.get(slot[1], ""))), template)[:limit]


def url_quoted(value: str) -> str:
    """For any place in a URL's path or query. `..` and `.` alone would climb in a path, so they are left
    out."""
    return quote(value, safe="") if value.strip(".") else ""


def clean(value: str) -> str:
    """A text as a variable keeps it: no control characters or halves of characters (databases refuse some of
    them), cut at MAX_TEXT."""
    return "".join(sign for sign in value[:MAX_TEXT] if unicodedata.category(sign) not in ("Cc", "Cs"))


def text(value: Scalar) -> str:
    """A value as a flow's author writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
