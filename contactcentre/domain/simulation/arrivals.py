"""Who calls when: at random with a rate, by a forecast, or exactly as it was.

Each queue draws from random numbers of its own, and a contact's handling time and patience are drawn when it arrives,
whatever becomes of it. So two sites compared with one seed get the very same callers (common random numbers; Law,
"Simulation Modeling and Analysis", chapter 11.2), and their difference is not lost in the noise.
"""

import csv
import heapq
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from operator import attrgetter
from random import Random

from contactcentre.domain.requirements import RequirementError, parse
from contactcentre.domain.simulation.distributions import Distribution, stream

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}

_TIME = re.compile(r"(\d{1,4}):([0-5]\d)(?::([0-5]\d))?")
_LISTED = {"at", "queue"}
_FORECAST = {"from", "until", "queue", "calls"}
_OPTIONAL = {"handling", "patience", "requires", "priority", "group", "prefer", "exclude"}


class NoArrivals(ValueError):
    """The text or the file says nothing about arrivals that could be used. It names the place and the rule."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One contact that will enter a queue."""

    at: float  # seconds since the start
    queue: str
    handling: float  # seconds of talk and wrap-up that it will take an agent
    patience: float  # seconds after which it hangs up if nobody has answered
    requires: str = ""
    priority: int = 0
    group: str = ""
    preferred: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """Contacts at random (a Poisson process) for a queue between two moments (seconds since the start)."""

    queue: str
    per_second: float
    since: float = 0.0
    until: float = inf
    requires: str = ""
    priority: int = 0
    group: str = ""
    preferred: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """One contact that comes exactly then. None: drawn."""

    at: float
    queue: str
    handling: float | None = None
    patience: float | None = None
    requires: str = ""
    priority: int = 0
    group: str = ""
    preferred: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Traffic:
    """All that arrives, and how long contacts take and wait."""

    sources: tuple[Rate | Listed, ...]
    handling: Distribution
    patience: Distribution

    @property
    def queues(self) -> list[str]:
        return sorted({source.queue for source in self.sources})

    @property
    def steady(self) -> bool:
        """The rates never change: then the beginning, when nobody waits yet, is no part of what one wants to know."""
        return all(isinstance(source, Rate) and source.until == inf and source.since == 0 for source in self.sources)

    def expected(self, until: float) -> float:
        """Contacts before `until`, on average."""
        return sum(
            source.per_second * max(0.0, min(source.until, until) - source.since)
            if isinstance(source, Rate)
            else float(source.at < until)
            for source in self.sources
        )

    def end(self) -> float:
        """Seconds after which nobody comes any more; infinity where that is never."""
        return max((s.until if isinstance(s, Rate) else s.at for s in self.sources), default=0.0)

    def arrivals(self, seed: str, until: float) -> Iterator[Arrival]:
        """Everybody who comes before `until`, in the order of time; the same for the same seed."""
        streams = [self._stream(queue, seed, until) for queue in self.queues]
        return heapq.merge(*streams, key=attrgetter("at"))

    def _stream(self, queue: str, seed: str, until: float) -> Iterator[Arrival]:
        random = stream(f"{seed}/{queue}")
        for came in heapq.merge(*self._moments(queue, random, until), key=attrgetter("at")):
            handling, patience = self.handling.draw(random), self.patience.draw(random)
            yield Arrival(
                came.at,
                queue,
                handling if came.handling is None else came.handling,
                patience if came.patience is None else came.patience,
                came.requires,
                came.priority,
                came.group,
                came.preferred,
                came.excluded,
            )

    def _moments(self, queue: str, random: Random, until: float) -> list[Iterable[Listed]]:
        mine = [source for source in self.sources if source.queue == queue]
        listed = sorted((s for s in mine if isinstance(s, Listed) and s.at < until), key=attrgetter("at"))
        rates = [(s, stream(f"{random.random()}")) for s in mine if isinstance(s, Rate)]
        return [listed, *(_poisson(source, own, until) for source, own in rates)]


def _poisson(source: Rate, random: Random, until: float) -> Iterator[Listed]:
    at = source.since
    while source.per_second > 0:
        at += random.expovariate(source.per_second)
        if at >= min(source.until, until):
            return
        asked = (source.requires, source.priority, source.group, source.preferred, source.excluded)
        yield Listed(at, source.queue, None, None, *asked)


def parse_poisson(text: str, queues: Sequence[str]) -> list[Rate]:
    """`poisson:RATE[/UNIT][/QUEUE]`: contacts for each s (as everywhere here), min or h; without a queue the rate is
    shared evenly by all. Raises NoArrivals."""
    words = text.removeprefix("poisson:").split("/")
    unit = words.pop(1) if len(words) > 1 and words[1] in UNITS else "s"
    try:
        per_second = float(words[0]) / UNITS[unit]
    except ValueError:
        raise NoArrivals(f"{text!r}: {words[0]!r} is no number of contacts per {unit}") from None
    if not isfinite(per_second) or per_second <= 0:
        raise NoArrivals(f"{text!r}: the rate is not above 0")
    if len(words) > 2:
        raise NoArrivals(f"{text!r}: expected poisson:RATE, poisson:RATE/h or poisson:RATE/h/QUEUE")
    if not queues:
        raise NoArrivals("the site has no queue")
    wanted = words[1:] or list(queues)
    known(wanted[0], queues, repr(text))
    return [Rate(queue, per_second / len(wanted)) for queue in wanted]


def known(queue: str, queues: Iterable[str], where: str) -> None:
    """Raises NoArrivals unless the site has the queue."""
    if queue not in queues:
        raise NoArrivals(f"{where}: the site has no queue {queue!r} (it has {', '.join(sorted(queues))})")


def parse_table(
    text: str, name: str, queues: Sequence[str], agents: Collection[str] | None = None
) -> list[Rate | Listed]:
    """A CSV table with a header. Either a forecast, `from,until,queue,calls`, or contacts as they came, `at,queue`;
    both with `requires,priority,group,prefer,exclude` (names of `agents` with spaces between) and the second with
    `handling,patience` where that is known. Times are seconds or H:MM[:SS] since the start. Raises NoArrivals, which
    names the line."""
    rows = csv.DictReader(text.lstrip("\ufeff").splitlines(), skipinitialspace=True)
    header = {(word or "").strip() for word in rows.fieldnames or ()}
    forecast = header >= _FORECAST
    needed = _FORECAST if forecast else _LISTED
    if not header >= needed or (unknown := header - needed - _OPTIONAL):
        wrong = f"column {sorted(unknown)[0]!r} is unknown" if header >= needed else "the header does not fit"
        raise NoArrivals(
            f"{name}, line 1: {wrong}; a forecast has from,until,queue,calls, and a list of contacts at,queue and, "
            "where known, handling,patience; both may have requires,priority,group,prefer,exclude"
        )
    found: list[Rate | Listed] = []
    for row in rows:
        where = f"{name}, line {rows.line_num}"
        if None in row or None in row.values():
            raise NoArrivals(f"{where}: expected {len(header)} values")
        cells = {key.strip(): value.strip() for key, value in row.items()}
        known(cells["queue"], queues, where)
        priority = int(_number(cells.get("priority") or "0", "priority", where))
        preferred = _people(cells.get("prefer", ""), agents, f"{where}: prefer")
        excluded = _people(cells.get("exclude", ""), agents, f"{where}: exclude")
        requires = _requirement(cells.get("requires", ""), where)
        asked = (requires, priority, cells.get("group", ""), preferred, excluded)
        if forecast:
            since, until = read_time(cells["from"], where), read_time(cells["until"], where)
            if until <= since:
                raise NoArrivals(f"{where}: until {cells['until']} is not after from {cells['from']}")
            calls = _number(cells["calls"], "calls", where)
            found.append(Rate(cells["queue"], calls / (until - since), since, until, *asked))
        else:
            handling, patience = (
                _number(cells[key], key, where) if cells.get(key) else None for key in ("handling", "patience")
            )
            found.append(Listed(read_time(cells["at"], where), cells["queue"], handling, patience, *asked))
    if not found:
        raise NoArrivals(f"{name}: no contact in it")
    return found


def read_time(text: str, where: str) -> float:
    """Seconds since the start: `90`, `0:01:30`, `8:30`. Raises NoArrivals."""
    if match := _TIME.fullmatch(text):
        return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)
    return _number(text, "time", where)


def _requirement(text: str, where: str) -> str:
    try:
        return text and str(parse(text))
    except RequirementError as error:
        raise NoArrivals(f"{where}: requires {text!r}: {error}") from None


def _people(text: str, agents: Collection[str] | None, where: str) -> tuple[str, ...]:
    names = tuple(text.split())
    for name in names:
        if agents is not None and name not in agents:
            raise NoArrivals(f"{where}: the site has no agent {name!r}")
    return names


def _number(text: str, name: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < inf:
        raise NoArrivals(f"{where}: {name} {text!r} is no number of 0 or more")
    return value
