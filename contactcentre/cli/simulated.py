"""A simulation's numbers, for people and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contactcentre.domain import erlang
from contactcentre.domain.metrics import FORMULAS
from contactcentre.domain.routing import RoutingConfig, Waiting
from contactcentre.domain.simulation.people import always
from contactcentre.domain.simulation.report import EVERYTHING, Interval, Measure, Report, Row
from contactcentre.domain.simulation.study import Study
from contactcentre.domain.simulation.world import Result
from contactcentre.domain.site import Site

MOST_AGENT_ROWS = 40
_RARE = ("flow_out", "left_waiting")
_ESTIMATES = ("estimate_bias", "estimate_p80")


@dataclass(frozen=True)
class Simulated:
    """One site's runs and what they say."""

    file: Path
    site: Site
    results: Sequence[Result]
    report: Report


@dataclass(frozen=True)
class Speed:
    contacts: int
    moments: int
    seconds: float


def introduce(console: Console, study: Study, agents: str) -> None:
    hours = f"{study.hours:g} h" + (f" after {study.warm_up:g} h that are not counted" if study.warm_up else "")
    expected = study.traffic.expected(study.until) / study.until * 3600
    number = agents.replace("-", "").isdecimal()
    who = {"site": "the site's agents"}.get(agents, f"{agents} agents" if number else f"roster {agents}")
    console.print(
        f"{study.replications} runs of {hours}, seed {study.seed}: {expected:.0f} contacts an hour, handling time "
        f"{study.traffic.handling}, patience {study.traffic.patience}, {who}",
        style="dim",
        soft_wrap=True,
    )


def show(console: Console, one: Simulated) -> None:
    console.print(Text(f"\n{one.file}", style="bold"))
    used = {name: row for name, row in one.report.queues.items() if name == EVERYTHING or _mean(row, "offered")}
    if len(used) == 2:  # one queue, and the same again as all
        used.pop(EVERYTHING)
    console.print(_table("Queue", "all queues", used, hide=_RARE, two_lines=True))
    agents = {name: row for name, row in one.report.agents.items() if name}
    shown = dict(list(agents.items())[:MOST_AGENT_ROWS])
    shown[EVERYTHING] = one.report.agents[EVERYTHING]
    console.print(_table("Agent", f"all {len(agents)} agents", shown))
    if len(agents) > MOST_AGENT_ROWS:
        console.print(f"{len(agents) - MOST_AGENT_ROWS} more agents: --json has them all", style="dim")


def _table(
    kind: str, everything: str, rows: Mapping[str, Row], hide: Sequence[str] = (), two_lines: bool = False
) -> Table:
    """`hide`: columns to leave out where they are 0 in every row. `two_lines`: the confidence below its number."""
    measures = [
        measure
        for measure in next(iter(rows.values()))
        if measure.name not in _ESTIMATES  # have a line of their own
        and (measure.name not in hide or any(_mean(row, measure.name) for row in rows.values()))
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(kind, no_wrap=True)
    for measure in measures:
        table.add_column(measure.label.replace(" ", "\n"), justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(name or everything, *(_cell(row[measure], measure, two_lines) for measure in measures))
    return table


def show_staffing(console: Console, study: Study, done: Sequence[Simulated]) -> None:
    """One line for each number of agents."""
    wanted = (("queues", "service_level"), ("queues", "asa"), ("queues", "abandon_rate"), ("agents", "occupancy"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Agents", justify="right", no_wrap=True)
    for title in ("service level", "ASA", "abandon rate", "occupancy", "Erlang: level"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in done:
        rows: list[Row] = [getattr(one.report, section)[EVERYTHING] for section, _ in wanted]
        cells = [
            next(_cell(value, measure) for measure, value in row.items() if measure.name == name)
            for row, (_, name) in zip(rows, wanted, strict=True)
        ]
        found = _erlang(study, one)
        level = f"{found.service_level:.1%}".replace("%", " %") if found else "–"
        table.add_row(str(len(one.site.agents)), *cells, level)
    console.print()
    console.print(table)


def show_difference(console: Console, done: Sequence[Simulated], differs: Report) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "number"):
        table.add_column(title, no_wrap=True)
    stems = [one.file.stem for one in done]
    titles = stems if stems[0] != stems[1] else [str(one.file) for one in done]
    for title in (*titles, "difference"):
        table.add_column(title, justify="right", overflow="fold")
    table.add_column("signi-\nficant")
    for everything, section in (("all queues", "queues"), ("all agents", "agents")):
        rows: Mapping[str, Row] = getattr(differs, section)
        for name, row in rows.items():
            if section == "agents" and name:
                continue
            title = name or everything
            for measure, change in row.items():
                before, after = (getattr(one.report, section)[name][measure] for one in done)
                if change is None or not (before.mean or after.mean):
                    continue
                verdict = Text("yes", style="bold yellow") if change.significant else Text("no", style="dim")
                cells = _cell(before, measure), _cell(after, measure), _cell(change, measure, sign="+")
                table.add_row(title, measure.label, *cells, verdict if change.half is not None else "")
                title = ""
    console.print(Text("\nDifference, second minus first, with the same callers", style="bold"))
    console.print(table)


def explain(console: Console, study: Study, done: Sequence[Simulated], speed: Speed) -> None:
    formula = FORMULAS[done[0].report.formula]
    lines = [f"Service level: {formula.text.replace('{T}', 'T').replace('{S}', 'S')}, of each queue its own T"]
    lines += [f"{FORMULAS[name].label}: {FORMULAS[name].text}" for name in ("asa", "abandon_rate", "occupancy")]
    lines[0] += f" ({formula.name}; {_thresholds(done[0])})"
    if study.replications > 1:
        lines.append(f"± 95 % confidence of the mean over {study.replications} independent runs")
    else:
        lines.append("One run alone has no confidence interval: --replications 10")
    kind = "A" if study.traffic.patience.mean < inf else "C"
    alone = len({one.file for one in done}) == len(done)  # not one site with several numbers of agents
    if alone:
        lines += [text for one in done if (text := _estimates(one, of=one.file.name if len(done) > 1 else ""))]
    if alone and (found := _erlang(study, done[0])):
        lines.append(
            f"Erlang {kind} (exponential times, {found.traffic:.1f} Erlangs, {found.agents} agents): "
            f"answered within T ÷ offered {found.service_level:.1%}, ASA {found.asa:.1f} s, "
            f"abandon rate {found.abandons:.1%}, occupancy {found.occupancy:.1%}"
        )
    lines.append(
        f"{speed.contacts:,} contacts and {speed.moments:,} events in {speed.seconds:.1f} s: "
        f"{speed.moments / speed.seconds:,.0f} events/s"
    )
    console.print()
    for line in lines:
        console.print(line, style="dim", soft_wrap=True)


def _thresholds(one: Simulated) -> str:
    used = {
        name: queue.service_level
        for name, queue in one.site.queues.items()
        if _mean(one.report.queues[name], "offered")
    }
    if len(set(used.values())) == 1:
        return f"T = {next(iter(used.values())):g} s"
    return "T: " + ", ".join(f"{name} {seconds:g} s" for name, seconds in used.items())


def _estimates(one: Simulated, of: str) -> str:
    """How good the estimated waits would have been."""
    bias, p80 = (
        next(value for measure, value in one.report.queues[EVERYTHING].items() if measure.name == name)
        for name in _ESTIMATES
    )
    if bias is None or p80 is None:
        return ""
    return (
        f"Estimated wait, if told to who has to wait{f' ({of})' if of else ''}: on average {bias.mean:+.0f} s off, "
        f"four of five at most {p80.mean:.0f} s"
    )


def _erlang(study: Study, one: Simulated) -> erlang.Outlook | None:
    """What the textbook says, where the question is the textbook's: one queue, agents who all fit, steady arrivals.
    Also None where its queue would grow for ever."""
    queues, roster = study.traffic.queues, study.roster(one.site)
    if len(queues) != 1 or not study.traffic.steady or roster != always(roster):
        return None
    terms = RoutingConfig.from_site(one.site).terms(Waiting("", queues[0]), 0.0)
    if terms is None or set(terms.fits) != set(roster):
        return None
    rate = study.traffic.expected(study.until) / study.until
    busy = study.traffic.handling.mean + study.habits.pick_up.mean
    threshold, patience = one.site.queues[queues[0]].service_level, study.traffic.patience.mean
    return erlang.outlook(rate, busy, len(roster), threshold, patience)


def _mean(row: Row, name: str) -> float:
    return next((value.mean for measure, value in row.items() if measure.name == name and value), 0.0)


def _cell(value: Interval | None, measure: Measure, two_lines: bool = False, sign: str = "") -> str:
    """`80.9 % ±1.2`; with `sign` "+" it is a difference, and of shares in points: `+3.1 pts ±0.4`."""
    if value is None:
        return "–"
    factor = 100 if measure.unit == "%" else 1
    digits = 0 if abs(value.mean * factor) >= 1000 else 1
    unit = "pts" if sign and measure.unit == "%" else measure.unit
    text = f"{value.mean * factor:{sign},.{digits}f} {unit}".rstrip()
    if value.half is not None:
        text += f"{chr(10) if two_lines else ' '}±{value.half * factor:,.{digits}f}"
    return text


# -- for programs ----------------------------------------------------------------------------------------------------


def as_json(study: Study, done: Sequence[Simulated], differs: Report | None, speed: Speed) -> dict[str, Any]:
    return {
        "hours": study.hours,
        "warm_up_hours": study.warm_up,
        "replications": study.replications,
        "seed": study.seed,
        "handling": str(study.traffic.handling),
        "patience": str(study.traffic.patience),
        "service_level_formula": done[0].report.formula,
        "sites": [
            {"site": str(one.file), "number_of_agents": len(one.site.agents), **_numbers(one.report)} for one in done
        ],
        "difference": _numbers(differs) if differs else None,
        "contacts": speed.contacts,
        "events": speed.moments,
        "seconds": round(speed.seconds, 3),
        "events_per_second": round(speed.moments / speed.seconds),
    }


def _numbers(found: Report) -> dict[str, Any]:
    return {
        "queues": {name: _row(row) for name, row in found.queues.items() if name},
        "all_queues": _row(found.queues[EVERYTHING]),
        "agents": {name: _row(row) for name, row in found.agents.items() if name},
        "all_agents": _row(found.agents[EVERYTHING]),
    }


def _row(row: Row) -> dict[str, Any]:
    """Shares are fractions, durations seconds; low and high are the ends of the 95 % interval."""
    return {
        measure.name: value and {"mean": value.mean, "low": value.low, "high": value.high, "runs": value.runs}
        for measure, value in row.items()
    }
