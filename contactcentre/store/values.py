"""What PostgreSQL can hold of the texts that callers send."""

import math
import re
from contextlib import suppress
from typing import Any

from contactcentre.domain.notation import decode, encode

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PERHAPS = re.compile(r"\\u|null|NaN|Infinity")
"""In a JSON text: there may be something that cannot be stored in the values that it was made of."""


def storable(value: Any) -> Any:
    """The value as JSON has it, with U+FFFD for NUL and lone surrogates, which neither `text` nor `jsonb` takes: a
    caller's strange name must not keep a fact out of the history. Raises ValueError for what is no JSON (NaN, infinity,
    other types)."""
    if isinstance(value, dict):  # to look through its text costs a tenth of walking through it
        with suppress(TypeError, ValueError, RecursionError):
            if _PERHAPS.search(text := encode(value)) is None:
                return decode(text)
    return _storable(value)


def _storable(value: Any) -> Any:
    match value:
        case str():
            return value if value.isprintable() else _UNSTORABLE.sub("\ufffd", value)
        case dict():
            return {_storable(str(key)): _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is no number that can be stored")
        case None | bool() | int() | float():
            return value
    raise ValueError(f"{type(value).__name__} cannot be stored")
