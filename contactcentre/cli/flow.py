"""Check, try out and draw an IVR flow."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from contactcentre import provision
from contactcentre.domain.flows.check import check
from contactcentre.domain.flows.drawing import svg
from contactcentre.domain.flows.graph import mermaid
from contactcentre.domain.flows.model import Flow, read
from contactcentre.domain.flows.problems import Problem as FlowProblem
from contactcentre.domain.flows.problems import shorten
from contactcentre.domain.flows.simulate import Script, Simulation, moment_of, script_problems, simulate
from contactcentre.domain.flows.spoken import text_of
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.site import Site
from contactcentre.logs import printable
from contactcentre.prompts.speech import Prompts, bundled_texts
from contactcentre.provision import document
from contactcentre.provision.problems import Problem, SiteError, placed
from contactcentre.settings import Settings

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
site_option = click.option(
    "--site",
    "site_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Look up queues, hours, skills and other flows in this site file.",
)


@click.group()
def command() -> None:
    """Check, try out and draw an IVR flow, without a PBX."""


@command.command("check")
@file_argument
@site_option
@json_option
def check_command(file: Path, site_file: Path | None, as_json: bool) -> None:
    """Say everything that is wrong with the flow in FILE. Exit code 2 when anything is; warnings alone are no
    failure."""
    flow, problems, lines = _read(file)
    site = _site(site_file)
    if flow is not None:
        prompts = Prompts(Settings().prompts_dir)
        problems = [*problems, *_placed(check(flow, site, prompts.knows), lines, file)]
    errors = sum(error for _, error in problems)
    if as_json:
        click.echo(json.dumps([{**asdict(problem), "error": error} for problem, error in problems], indent=2))
    else:
        for problem, error in problems:
            click.echo(printable(str(problem) if error else f"{problem} (warning)"))
        if not errors and flow is not None:
            warned = f", {len(problems)} to look at" if problems else ""
            click.echo(f"{file}: {len(flow.nodes)} nodes, no errors{warned}")
    if errors:
        raise click.exceptions.Exit(2)


@command.command("simulate")
@file_argument
@site_option
@json_option
@click.option("--digits", default="", help="What the caller presses, an entry for each question: 1,12345#,,hangup.")
@click.option("--at", "moment", default="", help="When the call comes, by the site's clock: 2026-12-25 10:00.")
@click.option("--caller", default="+33155501234", show_default=True, help="The caller's number.")
@click.option("--did", default="", help="The number dialled.")
@click.option("--language", default="", help="What the DID says; the flow's own wins.")
@click.option("--lookup", "lookups", multiple=True, metavar="NODE=JSON|fail", help="What a lookup gets.")
@click.option(
    "--queue",
    "queues",
    default="answered",
    show_default=True,
    help="How waiting ends, in turn: answered, timeout, full, empty, key:1, hangup.",
)
@click.option("--transfers-fail", is_flag=True, help="Nobody answers a transfer.")
def simulate_command(
    file: Path,
    site_file: Path | None,
    as_json: bool,
    digits: str,
    moment: str,
    caller: str,
    did: str,
    language: str,
    lookups: tuple[str, ...],
    queues: str,
    transfers_fail: bool,
) -> None:
    """Walk through the flow in FILE as a caller would.

    Prints what happens at each node. Exit code 1 when the call could not be led to an end.
    """
    flow, problems, _ = _read(file)
    if flow is None:
        raise SiteError(problem for problem, _ in problems)
    site = _site(site_file) or Site()
    entries = tuple(entry.strip() for entry in digits.split(",")) if digits else ()
    ways = tuple(way.strip() for way in queues.split(","))
    if wrong := script_problems(entries, ways):
        raise click.UsageError("; ".join(wrong))
    answers = dict(map(_lookup, lookups))
    nodes = {name for name, node in flow.nodes.items() if node.type == "lookup"}
    if strange := sorted(set(answers) - nodes) if not site.flows else []:  # others may be in the site's flows
        raise click.UsageError(f"--lookup {strange[0]}: the flow has no such lookup node")
    script = Script(entries, ways, answers, transfers_fail)
    zone = ZoneInfo(site.settings.timezone)
    texts = bundled_texts()
    walker = Walker(flow, site, {"caller": caller, "caller_name": "", "did": did}, language=language)
    story = simulate(walker, script, _moment(moment, zone), lambda name, spoken: text_of(texts.get(name, {}), spoken))
    click.echo(json.dumps(asdict(story), indent=2, ensure_ascii=False) if as_json else _told(story, zone))
    if not story.ok:
        if site_file is None:
            click.echo("Queues, hours and other flows of a site are known with --site FILE.", err=True)
        raise click.exceptions.Exit(1)


@command.command("graph")
@file_argument
@site_option
@click.option("--format", "style", type=click.Choice(["mermaid", "svg"]), default="mermaid", show_default=True)
@click.option("-o", "--output", type=click.File("w", encoding="utf-8", atomic=True), default="-", help="A file.")
def graph_command(file: Path, site_file: Path | None, style: str, output: Any) -> None:
    """Draw the flow in FILE.

    With a site also the ways out that its queues have themselves."""
    flow, problems, _ = _read(file)
    if flow is None:
        raise SiteError(problem for problem, _ in problems)
    draw: Callable[[Flow, Site | None], str] = svg if style == "svg" else mermaid
    output.write(draw(flow, _site(site_file)))


Found = list[tuple[Problem, bool]]
"""Problems, and whether each is an error."""


def _read(file: Path) -> tuple[Flow | None, Found, dict[str, tuple[str, int]]]:
    """The flow, or None and why not, and the lines of everything in the file."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        return None, [(Problem("", "encoding", "is not UTF-8", str(file)), True)], {}
    written = document.read(text, str(file), typed=lambda path: True)
    found: Found = [(problem, True) for problem in written.problems]
    if written.problems and written.data is None:  # no YAML: nothing more to say
        return None, found, written.lines
    flow, problems = read(re.sub(r"[^a-z0-9_-]", "_", file.stem.lower()), written.data)
    found += _placed(problems, written.lines, file)
    return (None if found else flow), found, written.lines


def _placed(problems: list[FlowProblem], lines: dict[str, tuple[str, int]], file: Path) -> Found:
    found = [(replace(placed(_problem(problem), lines), file=str(file)), problem.error) for problem in problems]
    return sorted(found, key=lambda pair: pair[0].line)


def _problem(problem: FlowProblem) -> Problem:
    value = "" if problem.value is None else f"{shorten(problem.value)} "
    return Problem(".".join(problem.path), "flow", value + problem.rule)


def _site(file: Path | None) -> Site | None:
    return provision.load(file) if file is not None else None


def _lookup(text: str) -> tuple[str, dict[str, Any] | None]:
    name, equals, answer = text.partition("=")
    if not equals:
        raise click.UsageError(f"--lookup {text!r}: must be NODE=JSON or NODE=fail")
    if answer == "fail":
        return name, None
    try:
        values = json.loads(answer)
    except ValueError as error:
        raise click.UsageError(f"--lookup {name}: is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise click.UsageError(f"--lookup {name}: must be a JSON object, such as {{}}")
    return name, values


def _moment(text: str, zone: ZoneInfo) -> float:
    if not text:
        return time.time()
    try:
        return moment_of(text, zone)
    except ValueError as error:
        raise click.UsageError(f"--at {error}") from None


def _told(story: Simulation, zone: ZoneInfo) -> str:
    """The path in words. Names and texts may come from a caller, so control characters are shown as such."""
    width = max((len(f"{moment.node} ({moment.type})") for moment in story.moments), default=0)
    lines: list[str] = []
    flow = ""
    for moment in story.moments:
        if moment.flow != flow:
            flow = moment.flow
            lines.append(f"flow {flow}, {datetime.fromtimestamp(moment.at, zone):%a %Y-%m-%d %H:%M %Z}")
        said = []
        for index in range(max(len(moment.heard), len(moment.did))):
            said += [f'hears "{heard}"' for heard in moment.heard[index : index + 1]]
            said += moment.did[index : index + 1]
        said += [f"{name} = {value}" for name, value in moment.set.items()]
        if moment.choice:
            said.append(f"-> {moment.choice}")
        clock = f"{datetime.fromtimestamp(moment.at, zone):%H:%M:%S}"
        title = f"{moment.node} ({moment.type})".ljust(width)
        first, *rest = said or [""]
        lines.append(f"  {clock}  {title}  {first}".rstrip())
        lines += [f"{'':{width + 14}}{line}" for line in rest]
    lines.append(f"  {story.ending}")
    return "\n".join(printable(line) for line in lines)
