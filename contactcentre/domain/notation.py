"""Records as JSON text. A call is some hundred such texts, so a library reads and writes them that is many times faster
than the standard one; what it refuses (lone surrogates in a caller's name, numbers beyond 64 bits) the standard one
takes."""

import json
from dataclasses import fields, is_dataclass
from typing import Any

import orjson


def _plain(value: Any) -> dict[str, Any]:
    if not is_dataclass(value):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return {field.name: getattr(value, field.name) for field in fields(value)}


_encode = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def encode(value: Any) -> str:
    """Without spaces, in one line; a dataclass is an object of its fields. Raises TypeError for what is no JSON; of
    numbers that are none (NaN, infinity) it makes null."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return _encode(value)


def encode_line(value: Any) -> bytes:
    """The same as a line of a file, which ends in a line feed."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return f"{_encode(value)}\n".encode()


def decode(text: str | bytes | bytearray | memoryview) -> Any:
    """Whole numbers beyond 64 bits become floats. Raises ValueError for what is no JSON, RecursionError for what is
    nested too deeply."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text if isinstance(text, str) else bytes(text))
