"""What the benches share: processor time of processes, percentiles, the closing line."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile, None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def milliseconds(values: Sequence[float]) -> dict[str, float | None]:
    """p50, p99 and the worst of durations in seconds."""
    found = {
        "p50_ms": percentile(values, 0.50),
        "p99_ms": percentile(values, 0.99),
        "max_ms": max(values, default=None),
    }
    return {name: None if value is None else round(value * 1000, 1) for name, value in found.items()}


def close(result: dict[str, Any]) -> None:
    print(json.dumps(result))
