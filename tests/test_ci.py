"""Tests that fail run once more, alone: what becomes of a run then."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1] / ".ci" / "tests"

AT_THE_SECOND_TIME = """
from pathlib import Path

def test_that_passes_at_the_second_time():
    seen = Path("seen")
    first = not seen.exists()
    seen.touch()
    assert not first, "the words of the first failure"
"""
NEVER = "def test_that_never_passes(): raise ValueError('again')"
ALWAYS = "from pathlib import Path\ndef test_that_passes(): Path('passed').open('a').write('.')"
HANGS = """
import gevent

def test_that_waits_for_ever():
    gevent.sleep(3600)
"""
GONE = """
import pytest
from pathlib import Path

@pytest.mark.parametrize("name", [] if Path("looked").exists() else ["once"])
def test_that_is_there_once(name):
    Path("looked").touch()
    raise ValueError
"""
BROKEN = "import a_module_that_is_not_there"


def run(at: Path, again: int, *tests: str, processes: int = 0, options: str = "") -> tuple[int, str]:
    """The exit code, and all that was written."""
    (at / "pytest.ini").write_text(f"[pytest]\naddopts = -p no:anyio -p no:schemathesis -p no:randomly {options}\n")
    for number, text in enumerate(tests):
        (at / f"test_{number}.py").write_text(text)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "AGAIN"))}
    done = subprocess.run(
        [TESTS, sys.executable, "-n", str(processes)],
        cwd=at,
        env={**outside, "AGAIN": str(again), "PYTHONPATH": str(TESTS.parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def unsteady(said: str) -> list[str]:
    return [line.rpartition("::")[2] for line in said.splitlines() if line.startswith("UNSTEADY: ")]


@pytest.mark.parametrize("processes", [0, 2])
def test_who_passes_at_the_second_time_is_listed_and_fails_nothing(tmp_path: Path, processes: int) -> None:
    code, said = run(tmp_path, 10, ALWAYS, AT_THE_SECOND_TIME, processes=processes)
    assert (code, unsteady(said)) == (0, ["test_that_passes_at_the_second_time"]), said
    assert "the words of the first failure" in said
    assert (tmp_path / "passed").read_text() == ".", "who passed does not run again"


def test_who_fails_again_fails_the_run(tmp_path: Path) -> None:
    code, said = run(tmp_path, 10, NEVER, AT_THE_SECOND_TIME)
    assert (code, unsteady(said)) == (1, ["test_that_passes_at_the_second_time"]), said


def test_when_more_have_failed_than_may_run_again_none_does(tmp_path: Path) -> None:
    code, said = run(tmp_path, 1, NEVER, AT_THE_SECOND_TIME)
    assert (code, unsteady(said)) == (1, []), said
    assert "More than 1 tests failed" in said


def test_one_that_hangs_fails_and_the_others_of_its_process_run(tmp_path: Path) -> None:
    hangs = "-p tests.plugins.greenlets -p tests.plugins.hangs --timeout=20"
    code, said = run(tmp_path, 0, HANGS + ALWAYS, options=f"{hangs} -o timeout=2", processes=1)
    assert (code, "1 failed, 1 passed" in said) == (1, True), said
    assert "it hung: not done after 2 s" in said
    assert "What every greenlet and thread did" in said


def test_nothing_runs_again_unless_one_asks_for_it(tmp_path: Path) -> None:
    code, said = run(tmp_path, 0, AT_THE_SECOND_TIME)
    assert (code, unsteady(said)) == (1, []), said


@pytest.mark.parametrize("broken", [GONE, BROKEN], ids=["a test that is not there any more", "a file without tests"])
def test_who_cannot_be_run_again_fails_the_run(tmp_path: Path, broken: str) -> None:
    code, said = run(tmp_path, 10, ALWAYS, AT_THE_SECOND_TIME, broken)
    assert (code != 0, "test_that_is_there_once" in unsteady(said)) == (True, False), said


def test_where_nothing_failed_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / ".pytest_cache/v/cache").mkdir(parents=True)
    (tmp_path / ".pytest_cache/v/cache/lastfailed").write_text('{"test_9.py::test_of_an_earlier_run": true}')
    code, said = run(tmp_path, 10, ALWAYS)
    assert (code, unsteady(said)) == (0, []), said
