"""Values out of an event's data, which is what some version of a controller wrote: one of the wrong type counts as not
known."""

from collections.abc import Mapping
from typing import Any


def text_of(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    return value if isinstance(value, str) else ""


def number_of(data: Mapping[str, Any], key: str) -> float:
    value = data.get(key, 0.0)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def integer_of(data: Mapping[str, Any], key: str, bits: int = 31) -> int:
    number = number_of(data, key)
    return int(number) if abs(number) < 2**bits else 0


def mapping_of(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}
