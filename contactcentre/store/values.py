"""What PostgreSQL can hold of the texts that callers send."""

import math
import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: Any) -> Any:
    """The value with U+FFFD for NUL and lone surrogates, which neither `text` nor `jsonb` takes: a caller's
    strange name must not keep a fact out of the history. Raises ValueError for what is no JSON (NaN,
    infinity, other types)."""
    match value:
        case str():
            return value if value.isprintable() else _UNSTORABLE.sub("\ufffd", value)
        case dict():
            return {storable(str(key)): storable(item) for key, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is no number that can be stored")
        case None | bool() | int() | float():
            return value
    raise ValueError(f"{type(value).__name__} cannot be stored")
