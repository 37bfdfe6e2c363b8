"""Numbers with their confidence, and how two sites differ.

The runs of a study are independent (each has random numbers of its own), so a number's 95 % confidence interval is
that of Student's t over the runs' values: mean +- t(n-1) s / sqrt(n) (Law, "Simulation Modeling and Analysis", chapter
9.4, replication/deletion). Two sites get the same callers run by run, and the interval is that of the differences
within each run (paired t, chapter 10.2): what both have in common cancels out. A difference is called significant where
its interval does not hold 0; of twenty differences between equals one will look so by chance.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from contactcentre.domain import metrics
from contactcentre.domain.estimate import error_of
from contactcentre.domain.metrics import AgentTime, Counts
from contactcentre.domain.simulation.world import Result

# The 97.5 % points of Student's t for 1 to 30 degrees of freedom (any table of it).
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip

EVERYTHING = ""
"""The name under which all queues together, or all agents together, are reported."""


def student_t(freedom: int) -> float:
    """The 97.5 % point of Student's t. Above 30 by its expansion around the normal distribution (Abramowitz and Stegun
    26.7.5), right to three digits there."""
    if freedom < 1:
        raise ValueError("at least 2 values are needed")
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


@dataclass(frozen=True, slots=True)
class Interval:
    """The mean of so many runs, and how far from it the truth may lie with 95 % confidence."""

    mean: float
    half: float | None  # None: one run has no confidence
    runs: int

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half

    @property
    def significant(self) -> bool:
        """0 is outside."""
        return self.half is not None and abs(self.mean) > self.half

    def holds(self, value: float) -> bool:
        return self.half is not None and abs(value - self.mean) <= self.half


def interval(values: Iterable[float | None]) -> Interval | None:
    """None where no run has a value (a service level of nobody). Runs without one are left out."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    half = student_t(len(known) - 1) * stdev(known) / sqrt(len(known)) if len(known) > 1 else None
    return Interval(fmean(known), half, len(known))


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a queue or an agent."""

    name: str
    label: str
    unit: str  # "%" for shares, "s", or "" for counts


QUEUE_MEASURES: Mapping[Measure, Callable[[Counts, str], float | None]] = {
    Measure("offered", "offered", ""): lambda counts, _: float(counts.offered),
    Measure("answered", "answered", ""): lambda counts, _: float(counts.answered),
    Measure("abandoned", "abandoned", ""): lambda counts, _: float(counts.abandoned),
    Measure("flow_out", "flow-out", ""): lambda counts, _: float(counts.flow_out),
    Measure("left_waiting", "left waiting", ""): lambda counts, _: float(counts.waiting),
    Measure("service_level", "service level", "%"): lambda counts, formula: metrics.service_level(formula, counts),
    Measure("asa", "ASA", "s"): lambda counts, _: metrics.asa(counts),
    Measure("abandon_rate", "abandon rate", "%"): lambda counts, _: metrics.abandon_rate(counts),
    Measure("max_wait", "max wait", "s"): lambda counts, _: counts.wait_longest,
}
BIAS = Measure("estimate_bias", "estimate: bias", "s")
P80 = Measure("estimate_p80", "estimate: p80 error", "s")
AGENT_MEASURES: Mapping[Measure, Callable[[AgentTime], float | None]] = {
    Measure("calls", "calls", ""): lambda time: float(time.calls),
    Measure("occupancy", "occupancy", "%"): metrics.occupancy,
    Measure("utilisation", "utilisation", "%"): metrics.utilisation,
}

Row = Mapping[Measure, Interval | None]


@dataclass(frozen=True, slots=True)
class Report:
    """Queues and agents, each with its numbers; `EVERYTHING` is all of them together."""

    queues: Mapping[str, Row]
    agents: Mapping[str, Row]
    formula: str  # of the service level, see metrics.FORMULAS


def report(results: Sequence[Result], formula: str) -> Report:
    """Raises metrics.UnknownFormula."""
    return _report([_values(result, formula) for result in results], formula)


def difference(first: Sequence[Result], second: Sequence[Result], formula: str) -> Report:
    """second - first, run by run, for the queues and agents that both have. `formula`: the service level of both."""
    pairs = [(_values(a, formula), _values(b, formula)) for a, b in zip(first, second, strict=True)]
    return _report([_minus(a, b) for a, b in pairs], formula)


_Values = Mapping[str, Mapping[str, Mapping[Measure, float | None]]]


def _values(result: Result, formula: str) -> _Values:
    """One run: "queues" or "agents" -> name -> measure -> value."""
    queues = {**result.queues, EVERYTHING: sum(result.queues.values(), Counts())}
    told = {**result.estimates, EVERYTHING: [pair for pairs in result.estimates.values() for pair in pairs]}
    agents = {**result.agents, EVERYTHING: together(result.agents.values())}
    return {
        "queues": {
            name: {measure: get(counts, formula) for measure, get in QUEUE_MEASURES.items()} | _errors(told[name])
            for name, counts in queues.items()
        },
        "agents": {n: {m: get(time) for m, get in AGENT_MEASURES.items()} for n, time in agents.items()},
    }


def _errors(told: Iterable[tuple[float, float]]) -> dict[Measure, float | None]:
    """How wrong the estimated waits were that callers could have been told on arrival."""
    error = error_of(told)
    return {BIAS: None, P80: None} if error is None else {BIAS: error.bias, P80: error.p80}


def together(times: Iterable[AgentTime]) -> AgentTime:
    """The time of several agents."""
    all_of = list(times)
    paused: dict[str, float] = {}
    for time in all_of:
        for reason, seconds in time.paused.items():
            paused[reason] = paused.get(reason, 0.0) + seconds
    return AgentTime(
        available=sum(time.available for time in all_of),
        offered=sum(time.offered for time in all_of),
        talking=sum(time.talking for time in all_of),
        wrap_up=sum(time.wrap_up for time in all_of),
        paused=paused,
        calls=sum(time.calls for time in all_of),
    )


def _minus(first: _Values, second: _Values) -> _Values:
    return {
        kind: {
            name: {measure: _subtract(row[measure], value) for measure, value in second[kind][name].items()}
            for name, row in first[kind].items()
            if name in second[kind]
        }
        for kind in first
    }


def _subtract(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else second - first


def _report(runs: Sequence[_Values], formula: str) -> Report:
    def rows(kind: str) -> dict[str, Row]:
        names = runs[0][kind] if runs else {}
        return {
            name: {measure: interval(run[kind][name][measure] for run in runs) for measure in names[name]}
            for name in names
        }

    return Report(rows("queues"), rows("agents"), formula)
