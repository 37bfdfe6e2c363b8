"""`contactcentre simulate`."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from contactcentre.cli.group import run
from contactcentre.cli.simulate import command

EXAMPLE = Path(__file__).parents[2] / "dialplans" / "sites" / "example.yaml"
SITE = """
skills: {lang_fr: French}
queues:
  support: {wrap_up: 0, service_level: 20}
agents:
  anna: {skills: {lang_fr: 80}}
  bob: {}
"""
QUICK = ("--aht", "exp:60", "--patience", "exp:90", "--hours", "1", "--replications", "3")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def simulated(*arguments: object) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def numbers(*arguments: object) -> Any:
    return json.loads(simulated(*arguments, "--json"))


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(["simulate", *(str(argument) for argument in arguments)]) == 2
    return capsys.readouterr().err


def test_the_tables_name_their_formulas_and_say_how_sure_they_are(site: Path) -> None:
    told = simulated("--site", site, "--arrivals", "poisson:60/h/support", *QUICK)
    for words in (
        "3 runs of 1 h after 1 h that are not counted, seed 1: 60 contacts an hour",
        "support",
        "anna",
        "all 2 agents",
        "answered_in_time_over_offered; T = 20 s",
        "± 95 % confidence of the mean over 3 independent runs",
        "Erlang A (exponential times, 1.0 Erlangs, 2 agents)",
        "events/s",
    ):
        assert words in told


def test_the_numbers_are_there_for_programs(site: Path) -> None:
    found = numbers("--site", site, "--arrivals", "poisson:60/h", "--agents", "3", *QUICK)
    queue = found["sites"][0]["queues"]["support"]
    assert set(queue) == {
        "offered", "answered", "abandoned", "flow_out", "left_waiting",
        "service_level", "asa", "abandon_rate", "max_wait", "estimate_bias", "estimate_p80",
    }  # fmt: skip
    assert 0 <= queue["service_level"]["low"] <= queue["service_level"]["mean"] <= queue["service_level"]["high"]
    assert queue["offered"]["mean"] == pytest.approx(queue["answered"]["mean"] + queue["abandoned"]["mean"])
    assert list(found["sites"][0]["agents"]) == ["anna", "bob", "anna-2"]
    assert found["difference"] is None
    assert found["events_per_second"] > 0


def test_the_example_site_runs_with_its_own_agents() -> None:
    arrivals = ("--arrivals", "poisson:20/h/support", "--arrivals", "poisson:10/h/sales")
    found = numbers("--site", EXAMPLE, *arrivals, *QUICK, "--ring", "uniform:2,6", "--miss", "0.05")
    assert set(found["sites"][0]["queues"]) == {"support", "sales"}
    assert found["sites"][0]["queues"]["support"]["asa"]["mean"] >= 2


def test_two_sites_stand_side_by_side_with_what_is_significant(site: Path, tmp_path: Path) -> None:
    other = tmp_path / "harder.yaml"
    other.write_text(SITE.replace("service_level: 20", "service_level: 20, requires: lang_fr >= 50"))
    arguments = ("--site", site, "--arrivals", "poisson:50/h/support", *QUICK, "--compare", other)
    found = numbers(*arguments)
    assert [one["site"] for one in found["sites"]] == [str(site), str(other)]
    change = found["difference"]["queues"]["support"]["service_level"]
    assert change["high"] < 0
    told = simulated(*arguments)
    assert "Difference, second minus first, with the same callers" in told
    assert "pts" in told
    assert "yes" in told


def test_a_range_of_agents_is_a_table_to_plan_with(site: Path) -> None:
    arguments = ("--site", site, "--arrivals", "poisson:60/h/support", *QUICK, "--agents", "1-3")
    found = numbers(*arguments)
    assert [one["number_of_agents"] for one in found["sites"]] == [1, 2, 3]
    levels = [one["all_queues"]["service_level"]["mean"] for one in found["sites"]]
    assert levels == sorted(levels)
    told = simulated(*arguments)
    assert "Erlang: level" in told
    lines = [line.split() for line in told.splitlines()[1:]]
    assert [words[0] for words in lines if words and words[0] in ("1", "2", "3")] == ["1", "2", "3"]


def test_a_site_compared_with_itself_differs_in_nothing(site: Path) -> None:
    told = simulated("--site", site, "--arrivals", "poisson:50/h/support", *QUICK, "--compare", site)
    assert "+0.0" in told
    assert "yes" not in told


def test_a_day_of_calls_and_a_roster_come_from_files(site: Path, tmp_path: Path) -> None:
    calls, roster = tmp_path / "calls.csv", tmp_path / "roster.csv"
    calls.write_text("at,queue,handling,patience\n0:05,support,60,\n0:06,support,60,\n0:07,support,60,\n")
    roster.write_text("agent,from,until\nbob,0:10,1:00\n")
    found = numbers(
        "--site", site, "--arrivals", calls, "--agents", roster, "--aht", "const:60", "--hours", 1, "--replications", 1
    )
    assert found["warm_up_hours"] == 0
    assert list(found["sites"][0]["agents"]) == ["bob"]
    assert found["sites"][0]["queues"]["support"]["asa"]["mean"] == pytest.approx((300 + 300 + 300) / 3)
    assert found["sites"][0]["queues"]["support"]["max_wait"]["mean"] == pytest.approx(300)
    assert found["sites"][0]["queues"]["support"]["asa"]["low"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--arrivals", "poisson:60/h/nope", "--aht", "exp:60"), "no queue 'nope'"),
        (("--arrivals", "poisson:many", "--aht", "exp:60"), "'many' is no number"),
        (("--arrivals", "poisson:400", "--aht", "exp:60"), "poisson:400/h"),
        (("--arrivals", "no-such.csv", "--aht", "exp:60"), "cannot read no-such.csv"),
        (("--arrivals", "poisson:60/h", "--aht", "exp:60", "--agents", "no-such.csv"), "cannot read no-such.csv"),
        (("--arrivals", "poisson:60/h", "--aht", "exp"), "--aht"),
        (("--arrivals", "poisson:60/h", "--aht", "never"), "one day"),
        (("--arrivals", "poisson:60/h", "--aht", "exp:60", "--agents", "0"), "--agents"),
        (("--arrivals", "poisson:60/h", "--aht", "exp:60", "--agents", "9-3"), "--agents"),
        (("--arrivals", "poisson:60/h", "--aht", "exp:60", "--agents", "1-99"), "50 numbers"),
        (("--arrivals", "poisson:60/h", "--aht", "exp:60", "--agents", "1-2", "--compare", str(EXAMPLE)), "range"),
        (("--arrivals", "poisson:60/h", "--aht", "exp:60", "--hours", "0"), "--hours"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_exit_code_2(
    arguments: tuple[str, ...], words: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(capsys, "--site", site, *arguments)


def test_a_site_with_a_mistake_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("queues:\n  support: {requires: nope > 5}\n")
    assert "nope" in refused(capsys, "--site", path, "--arrivals", "poisson:1/h", "--aht", "exp:60")
