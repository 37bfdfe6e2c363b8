"""What a site would do with given callers and agents: staffing and what-if, in virtual time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contactcentre.cli.provisioning import json_option, print_json
from contactcentre.domain import erlang
from contactcentre.domain.metrics import FORMULAS
from contactcentre.domain.routing import RoutingConfig, Waiting
from contactcentre.domain.simulation.arrivals import Listed, Rate, Traffic, parse_poisson, parse_table
from contactcentre.domain.simulation.distributions import AT_ONCE, NEVER, Distribution, NoDistribution
from contactcentre.domain.simulation.people import Habits, Roster, always, parse_roster, staffed
from contactcentre.domain.simulation.report import EVERYTHING, Interval, Measure, Report, Row, difference, report
from contactcentre.domain.simulation.study import Study
from contactcentre.domain.simulation.world import Result
from contactcentre.domain.site import Site
from contactcentre.provision import load

MOST_AGENT_ROWS = 40
_RARE = ("flow_out", "left_waiting")
_ESTIMATES = ("estimate_bias", "estimate_p80")


class Duration(click.ParamType[Distribution]):
    """A distribution of seconds."""

    name = "dist"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Distribution:
        if isinstance(value, Distribution):
            return value
        try:
            return Distribution.parse(str(value))
        except NoDistribution as error:
            self.fail(str(error), param, ctx)


class Finite(Duration):
    """A distribution of seconds that end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Distribution:
        found = super().convert(value, param, ctx)
        if found == NEVER:
            self.fail("this has to end one day: not never", param, ctx)
        return found


@dataclass(frozen=True)
class Simulated:
    """One site's runs and what they say."""

    file: Path
    site: Site
    results: Sequence[Result]
    report: Report


@click.command()
@click.option("--site", "site_file", required=True, type=click.Path(path_type=Path), help="The site file.")
@click.option(
    "--arrivals",
    required=True,
    multiple=True,
    metavar="FILE|poisson:RATE[/h][/QUEUE]",
    help="Who comes: a CSV file, or at random so many each second (/min, /h: minute, hour). Repeatable.",
)
@click.option(
    "--aht", required=True, type=Finite(), help="Handling time, talk and wrap-up: exp:180, lognormal:180,0.8 .."
)
@click.option("--patience", default=NEVER, show_default=True, type=Duration(), help="Until a caller hangs up.")
@click.option(
    "--agents",
    default="site",
    show_default=True,
    metavar="N|FILE|site",
    help="So many with the site's skills in turn; a roster (CSV: agent,from,until); or all agents of the site.",
)
@click.option("--hours", type=click.FloatRange(0.01, 8760), default=8, show_default=True, help="That are counted.")
@click.option(
    "--warm-up",
    type=click.FloatRange(0, 8760),
    help="Hours before that, not counted; 1 where rates never change, 0 otherwise, unless told.",
)
@click.option("--replications", type=click.IntRange(1, 1000), default=10, show_default=True, help="Independent runs.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same callers.")
@click.option("--ring", type=Finite(), default=AT_ONCE, show_default=True, help="Until an agent picks up.")
@click.option("--miss", type=click.FloatRange(0, 0.99), default=0.0, help="Share of offers that agents let ring out.")
@click.option("--compare", type=click.Path(path_type=Path), help="Another site file, with the same callers.")
@json_option
def command(
    site_file: Path,
    arrivals: tuple[str, ...],
    aht: Distribution,
    patience: Distribution,
    agents: str,
    hours: float,
    warm_up: float | None,
    replications: int,
    seed: int,
    ring: Distribution,
    miss: float,
    compare: Path | None,
    as_json: bool,
) -> None:
    """What would happen: service level, waits, abandons and occupancy of a site, days of it in seconds.

    The rules of routing and of agents are the ones that run in the controller. Flows are not walked: contacts
    come straight to their queue. Every number has its 95 % confidence interval.

    \b
    contactcentre simulate --site site.yaml --arrivals poisson:400/h/support --aht exp:180 --patience exp:120
    contactcentre simulate --site site.yaml --arrivals day.csv --aht lognormal:240,0.8 --compare other.yaml
    """
    sites = [(file, load(file)) for file in (site_file, *([compare] if compare else []))]
    who = _who(agents)
    traffic = Traffic(_sources(arrivals, [site for _, site in sites]), aht, patience)
    study = Study(
        traffic,
        lambda site: who(site)[1],
        hours,
        (1.0 if traffic.steady else 0.0) if warm_up is None else warm_up,
        seed,
        replications,
        Habits(ring, miss),
    )
    began = time.perf_counter()
    formula = sites[0][1].settings.service_level_formula
    done = []
    for file, site in sites:
        manned = who(site)[0]
        results = study.run(manned)
        done.append(Simulated(file, manned, results, report(results, formula)))
    seconds = time.perf_counter() - began
    differs = difference(done[0].results, done[1].results, formula) if compare else None
    speed = Speed(
        sum(result.contacts for one in done for result in one.results),
        sum(result.moments for one in done for result in one.results),
        seconds,
    )
    if as_json:
        print_json(_as_json(study, done, differs, speed))
        return
    console = Console(highlight=False, markup=False, soft_wrap=False)
    _introduce(console, study, agents)
    for one in done:
        _show(console, one)
    if differs:
        _show_difference(console, done, differs)
    _explain(console, study, done, speed)


@dataclass(frozen=True)
class Speed:
    contacts: int
    moments: int
    seconds: float


# -- what is asked ---------------------------------------------------------------------------------------------------


def _sources(arrivals: Sequence[str], sites: Sequence[Site]) -> tuple[Rate | Listed, ...]:
    """Every site must have the queues that contacts come to."""
    queues = [name for name in sites[0].queues if all(name in site.queues for site in sites)]
    found: list[Rate | Listed] = []
    for text in arrivals:
        if text.startswith("poisson:"):
            found += parse_poisson(text, queues)
        else:
            found += parse_table(_read(text, "--arrivals"), text, queues)
    return tuple(found)


def _read(file: str, option: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise click.BadParameter(f"cannot read {file}: {why}", param_hint=option) from None


def _who(agents: str) -> Callable[[Site], tuple[Site, Roster]]:
    """--agents: how a site becomes one with these agents, and who of them works when."""
    if agents == "site":
        return lambda site: (site, always(site.agents))
    if agents.isdecimal():
        number = int(agents)
        if not 1 <= number <= erlang.MOST_AGENTS:
            raise click.BadParameter(f"{number} is not from 1 to {erlang.MOST_AGENTS}", param_hint="--agents")
        return lambda site: (made := staffed(site, number), always(made.agents))
    file = agents.removeprefix("roster:")
    text = _read(file, "--agents")
    return lambda site: (site, parse_roster(text, file, site))


# -- for people ------------------------------------------------------------------------------------------------------


def _introduce(console: Console, study: Study, agents: str) -> None:
    hours = f"{study.hours:g} h" + (f" after {study.warm_up:g} h that are not counted" if study.warm_up else "")
    expected = study.traffic.expected(study.until) / study.until * 3600
    who = {"site": "the site's agents"}.get(agents, f"{agents} agents" if agents.isdecimal() else f"roster {agents}")
    console.print(
        f"{study.replications} runs of {hours}, seed {study.seed}: {expected:.0f} contacts an hour, handling time "
        f"{study.traffic.handling}, patience {study.traffic.patience}, {who}",
        style="dim",
        soft_wrap=True,
    )


def _show(console: Console, one: Simulated) -> None:
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


def _show_difference(console: Console, done: Sequence[Simulated], differs: Report) -> None:
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


def _explain(console: Console, study: Study, done: Sequence[Simulated], speed: Speed) -> None:
    formula = FORMULAS[done[0].report.formula]
    lines = [f"Service level: {formula.text.replace('{T}', 'T').replace('{S}', 'S')}, of each queue its own T"]
    lines += [f"{FORMULAS[name].label}: {FORMULAS[name].text}" for name in ("asa", "abandon_rate", "occupancy")]
    lines[0] += f" ({formula.name}; {_thresholds(done[0])})"
    if study.replications > 1:
        lines.append(f"± 95 % confidence of the mean over {study.replications} independent runs")
    else:
        lines.append("One run alone has no confidence interval: --replications 10")
    lines += [text for one in done if (text := _estimates(one, of=one.file.name if len(done) > 1 else ""))]
    if found := _erlang(study, done[0]):
        lines.append(found)
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


def _erlang(study: Study, one: Simulated) -> str:
    """What the textbook says, where the question is the textbook's: one queue, agents who all fit, steady arrivals."""
    queues, roster = study.traffic.queues, study.roster(one.site)
    if len(queues) != 1 or not study.traffic.steady or roster != always(roster):
        return ""
    terms = RoutingConfig.from_site(one.site).terms(Waiting("", queues[0]), 0.0)
    if terms is None or set(terms.fits) != set(roster):
        return ""
    rate = study.traffic.expected(study.until) / study.until
    times = study.traffic.handling.mean + study.habits.pick_up.mean, study.traffic.patience.mean
    found = erlang.outlook(rate, times[0], len(roster), one.site.queues[queues[0]].service_level, times[1])
    name = "Erlang A" if times[1] < float("inf") else "Erlang C"
    if found is None:
        return f"{name}: {rate * times[0]:.1f} Erlangs and {len(roster)} agents, the queue grows for ever"
    return (
        f"{name} (exponential times, {found.traffic:.1f} Erlangs): answered within T ÷ offered "
        f"{found.service_level:.1%}, ASA {found.asa:.1f} s, abandon rate {found.abandons:.1%}, "
        f"occupancy {found.occupancy:.1%}"
    )


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


def _as_json(study: Study, done: Sequence[Simulated], differs: Report | None, speed: Speed) -> dict[str, Any]:
    return {
        "hours": study.hours,
        "warm_up_hours": study.warm_up,
        "replications": study.replications,
        "seed": study.seed,
        "handling": str(study.traffic.handling),
        "patience": str(study.traffic.patience),
        "service_level_formula": done[0].report.formula,
        "sites": [{"site": str(one.file), **_numbers(one.report)} for one in done],
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
