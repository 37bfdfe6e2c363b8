"""What the benches share: processor time of processes, percentiles, the closing line."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory for one bench, gone afterwards; the databases' own user may look into it."""
    with tempfile.TemporaryDirectory(prefix="contactcentre-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


class Processes:
    """Named process trees and the processor time they have used: what runs now, and what has ended below it."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots

    def seconds(self) -> dict[str, float]:
        """By name; a tree of servers is split by the program's name (`redis`, `postgres`)."""
        parents, used, names = {}, {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    head, _, tail = (entry / "stat").read_text().rpartition(")")
                    fields, pid = tail.split(), int(entry.name)
                    parents[pid], names[pid] = int(fields[1]), head.partition("(")[2]
                    used[pid] = sum(map(int, fields[11:15])) / TICKS  # with children that were waited for
        found: dict[str, float] = {}
        for name, root in self._roots.items():
            for pid in [pid for pid in used if _below(pid, root, parents)]:
                part = next((known for known in SERVERS if names[pid].startswith(known)), name)
                found[part] = found.get(part, 0.0) + used[pid]
        return found


SERVERS = ("redis", "postgres")

_WORK = """
import os, time
numbers = list(range(20_000))
bench = os.getppid()
while os.getppid() == bench:
    time.sleep(0.5)
    begun = time.process_time()
    found = {}
    for n in range(30_000):
        found[n % 977] = found.get(n % 977, 0) + n
    sorted(numbers, key=lambda n: n * 7919 % 20_011)
    print(time.time(), time.process_time() - begun, flush=True)
"""


class Yardstick:
    """How fast the machine is just now: processor time that the same work takes, twice a second, beside what is
    measured. A rented machine's processors become a fifth slower and faster again within minutes, all that runs on them
    alike; figures whose yardsticks differ compare only by their quotients."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with file.open("w") as out:
            self._process = subprocess.Popen([sys.executable, "-c", _WORK], stdout=out)

    def between(self, begin: float, end: float) -> float | None:
        """Milliseconds, the mean of that time (epoch seconds); None where there is none."""
        taken = [float(line.split()[1]) for line in self._file.read_text().splitlines() if begin <= _at(line) < end]
        return round(1000 * sum(taken) / len(taken), 2) if taken else None

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _at(line: str) -> float:
    return float(line.split()[0])


def _below(pid: int, root: int, parents: Mapping[int, int]) -> bool:
    while pid > 1 and pid != root:
        pid = parents.get(pid, 0)
    return pid == root


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
