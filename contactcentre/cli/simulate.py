"""What a site would do with given callers and agents: staffing and what-if, in virtual time."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from contactcentre.cli import simulated
from contactcentre.cli.simulated import Simulated, Speed
from contactcentre.cli.terminal import json_option, print_json
from contactcentre.domain.erlang import MOST_AGENTS
from contactcentre.domain.simulation.arrivals import Listed, Rate, Traffic, parse_poisson, parse_table
from contactcentre.domain.simulation.distributions import AT_ONCE, NEVER, Distribution, NoDistribution
from contactcentre.domain.simulation.people import Habits, Roster, always, parse_roster, staffed
from contactcentre.domain.simulation.report import difference, report
from contactcentre.domain.simulation.study import Study
from contactcentre.domain.site import Site
from contactcentre.provision import load

MOST_NUMBERS = 50
"""Of agents, in one table."""


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
    metavar="N|N-M|FILE|site",
    help="So many with the site's skills in turn, or each number from N to M; a roster (CSV: agent,from,until); "
    "or all agents of the site.",
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
@click.option("--reject", type=click.FloatRange(0, 0.99), default=0.0, help="Share of offers that agents decline.")
@click.option("--busy", type=click.FloatRange(0, 0.99), default=0.0, help="Share of offers that find the phone busy.")
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
    reject: float,
    busy: float,
    compare: Path | None,
    as_json: bool,
) -> None:
    """What would happen: service level, waits, abandons and occupancy of a site, days of it in seconds.

    The rules of routing and of agents are the ones that run in the controller. Flows are not walked: contacts
    come straight to their queue. Every number has its 95 % confidence interval.

    \b
    contactcentre simulate --site site.yaml --arrivals poisson:400/h/support --aht exp:180 --patience exp:120
    contactcentre simulate --site site.yaml --arrivals poisson:400/h/support --aht exp:180 --agents 20-28
    contactcentre simulate --site site.yaml --arrivals day.csv --aht lognormal:240,0.8 --compare other.yaml
    """
    sites = [(file, load(file)) for file in (site_file, *([compare] if compare else []))]
    staff = _staff(agents)
    if miss + reject + busy >= 1:
        raise click.UsageError("--miss, --reject and --busy together must be below 1, or nobody would ever answer")
    if len(staff.numbers) > 1 and compare:
        raise click.UsageError("--compare takes one number of agents, not a range")
    traffic = Traffic(_sources(arrivals, [site for _, site in sites]), aht, patience)
    study = Study(
        traffic,
        staff.roster,
        hours,
        (1.0 if traffic.steady else 0.0) if warm_up is None else warm_up,
        seed,
        replications,
        Habits(ring, miss, reject, busy),
    )
    began = time.perf_counter()
    formula = sites[0][1].settings.service_level_formula
    done = []
    for file, site in sites:
        for manned in [staffed(site, number) for number in staff.numbers] or [site]:
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
        print_json(simulated.as_json(study, done, differs, speed))
        return
    console = Console(highlight=False, markup=False, soft_wrap=False)
    simulated.introduce(console, study, agents)
    if len(staff.numbers) > 1:
        simulated.show_staffing(console, study, done)
    else:
        for one in done:
            simulated.show(console, one)
    if differs:
        simulated.show_difference(console, done, differs)
    simulated.explain(console, study, done, speed)


# -- what is asked ---------------------------------------------------------------------------------------------------


def _sources(arrivals: Sequence[str], sites: Sequence[Site]) -> tuple[Rate | Listed, ...]:
    """Every site must have the queues that contacts come to."""
    queues = [name for name in sites[0].queues if all(name in site.queues for site in sites)]
    agents = {name for site in sites for name in site.agents}
    found: list[Rate | Listed] = []
    for text in arrivals:
        if text.startswith("poisson:"):
            found += parse_poisson(text, queues)
        else:
            found += parse_table(_read(text, "--arrivals"), text, queues, agents)
    return tuple(found)


def _read(file: str, option: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise click.BadParameter(f"cannot read {file}: {why}", param_hint=option) from None


@dataclass(frozen=True)
class Staff:
    """--agents: how many (none = the site's own), and who of a site works when."""

    numbers: Sequence[int]
    roster: Callable[[Site], Roster]


def _staff(agents: str) -> Staff:
    if agents == "site":
        return Staff((), lambda site: always(site.agents))
    if found := re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", agents):
        fewest, most = int(found[1]), int(found[2] or found[1])
        if not 1 <= fewest <= most <= MOST_AGENTS:
            raise click.BadParameter(f"{agents} is not from 1 to {MOST_AGENTS}", param_hint="--agents")
        if most - fewest >= MOST_NUMBERS:
            raise click.BadParameter(f"{agents} is more than {MOST_NUMBERS} numbers", param_hint="--agents")
        return Staff(range(fewest, most + 1), lambda site: always(site.agents))
    file = agents.removeprefix("roster:")
    text = _read(file, "--agents")
    return Staff((), lambda site: parse_roster(text, file, site))
