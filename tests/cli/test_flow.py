"""`contactcentre flow check|simulate|graph`."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from contactcentre.cli.flow import command
from contactcentre.cli.group import run

EXAMPLES = Path(__file__).parents[2] / "dialplans" / "flows"
SITE = """
settings: {timezone: Europe/Paris}
skills: {lang_en: English, lang_fr: French}
queues: {sales: {}, support: {}}
hours:
  office: {timezone: Europe/Paris, holidays: FR, periods: [{days: mon-fri, open: "09:00", close: "18:00"}]}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONTACTCENTRE_STATE_DIR", str(tmp_path / "state"))
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def flow(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "flow.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["bilingual", "customer-number"])
def test_the_examples_are_without_a_fault(name: str, site: Path) -> None:
    found = flow("check", EXAMPLES / f"{name}.yaml", "--site", site, "--json")
    assert (found.exit_code, json.loads(found.output)) == (0, [])


def test_problems_are_told_with_file_and_line_and_exit_code_2(tmp_path: Path, site: Path) -> None:
    path = written(
        tmp_path,
        "start: a\n"
        "nodes:\n"
        "  a:\n"
        "    type: menu\n"
        "    prompt: [welcome, no-such-prompt]\n"
        '    choices: {"1": b}\n'
        "    on_timeout: end\n"
        "    on_invalid: end\n"
        "  b: {type: queue, queue: nope}\n"
        "  c: {type: set, next: c}\n"
        "  end: {type: hangup}\n",
    )
    found = flow("check", path, "--site", site)
    assert found.exit_code == 2
    assert found.output.splitlines() == [
        f"{path}:5: nodes.a.prompt: 'no-such-prompt' is a prompt with neither a sound file nor a text in en",
        f"{path}:9: nodes.b.queue: 'nope' the site has no such queue",
        f"{path}:10: nodes.c: cannot be reached from the start",
        f"{path}:10: nodes.c: no way leads from here to an end of the call",
        f"{path}:10: nodes.c: goes round without waiting for anything: c -> c",
    ]


def test_a_flow_that_cannot_be_read_is_told_with_every_reason(tmp_path: Path, site: Path) -> None:
    path = written(tmp_path, "start: a\nnodes:\n  a: {type: play, nxt: a}\n  a: {type: hangup}\n  b: {type: jump}\n")
    found = flow("check", path, "--json")
    assert found.exit_code == 2
    assert sorted((problem["line"], problem["where"]) for problem in json.loads(found.output)) == [
        (3, "nodes.a.next"),
        (3, "nodes.a.nxt"),
        (3, "nodes.a.prompt"),
        (4, "nodes.a"),
        (5, "nodes.b.type"),
    ]


@pytest.mark.parametrize("text", ["", "- a\n", "start: [\n", "\x00", "start: !!python/object:os.system x\n"])
def test_a_file_that_is_no_flow_is_an_error_and_no_crash(text: str, tmp_path: Path, site: Path) -> None:
    found = flow("check", written(tmp_path, text))
    assert found.exit_code == 2
    assert "flow.yaml" in found.output


def test_a_simulated_call_is_told_in_words(site: Path) -> None:
    told = flow("simulate", EXAMPLES / "bilingual.yaml", "--site", site, "--digits", "2,1", "--at", "2026-11-23 10:00")
    assert told.exit_code == 0
    lines = [line.split() for line in told.output.splitlines()]
    assert lines[0] == ["flow", "bilingual,", "Mon", "2026-11-23", "10:00", "CET"]
    assert "Pour le service commercial" in told.output
    assert "waits in queue sales, needs lang_fr >= 50" in told.output


def test_christmas_is_a_holiday_in_a_simulation_too(site: Path) -> None:
    arguments = ("--site", site, "--digits", "1,2", "--at", "2026-12-25 10:00", "--json")
    story = json.loads(flow("simulate", EXAMPLES / "bilingual.yaml", *arguments).output)
    path = [moment["node"] for moment in story["moments"]]
    assert path[:5] == ["answer", "language", "english", "hours", "closed-holiday"]
    assert story["ok"]


def test_lookups_get_what_the_command_line_gives_them() -> None:
    example = EXAMPLES / "customer-number.yaml"
    arguments = (example, "--digits", "123456", "--at", "2026-11-23 10:00", "--json", "--lookup")
    gold = json.loads(flow("simulate", *arguments, 'find={"name": "Ada", "contract": {"tier": "gold"}}').output)
    assert "first" in [moment["node"] for moment in gold["moments"]]
    failed = json.loads(flow("simulate", *arguments, "find=fail").output)
    assert "known" not in [moment["node"] for moment in failed["moments"]]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--digits", "1;2"),
        ("--at", "yesterday"),
        ("--lookup", "find"),
        ("--lookup", "find={"),
        ("--lookup", "find=[]"),
        ("--lookup", "ask={}"),
        ("--queue", "gone"),
    ],
)
def test_bad_arguments_are_refused_with_exit_code_2(wrong: tuple[str, str]) -> None:
    found = flow("simulate", EXAMPLES / "customer-number.yaml", *wrong)
    assert found.exit_code == 2
    assert wrong[0].strip("-") in found.output


def test_a_flow_with_faults_is_not_simulated_or_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "start: a\nnodes:\n  a: {type: play, prompt: x, next: b}\n")
    for verb in ("simulate", "graph"):
        assert run(["flow", verb, str(path)]) == 2
        assert f"{path}:3: nodes.a.next: 'b' is no node of this flow" in capsys.readouterr().err


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = written(tmp_path, 'start: a\nnodes:\n  a: {type: say, text: "x\\e[31m", next: b}\n  b: {type: hangup}\n')
    told = flow("simulate", path)
    assert told.exit_code == 0
    assert "\x1b" not in told.output


def test_a_graph_is_mermaid_text_or_a_drawing(tmp_path: Path) -> None:
    assert flow("graph", EXAMPLES / "bilingual.yaml").output.startswith("flowchart TD\n")
    picture = tmp_path / "flow.svg"
    made = flow("graph", EXAMPLES / "bilingual.yaml", "--format", "svg", "-o", picture)
    assert (made.exit_code, made.output) == (0, "")
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


def test_a_simulation_that_misses_the_site_says_how_to_name_it() -> None:
    example = Path(__file__).parents[2] / "dialplans"
    arguments = ["simulate", str(example / "flows/bilingual.yaml"), "--digits", "1,2"]
    found = CliRunner().invoke(command, arguments)
    assert found.exit_code == 1
    assert "the site has no hours office" in found.output
    assert "--site FILE" in found.output
    assert CliRunner().invoke(command, [*arguments, "--site", str(example / "sites/example.yaml")]).exit_code == 0
