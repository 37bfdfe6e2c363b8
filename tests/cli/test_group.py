"""The frame of the command line: commands find themselves, errors are one line, and help is quick."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
import redis

from contactcentre.cli import group
from contactcentre.settings import SettingsError

COMMANDS = Path(group.__file__).parent


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    code = (
        "import sys; from contactcentre.cli.group import run; run(['--help']); "
        "print([m for m in sys.modules if m.startswith('contactcentre.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "['contactcentre.cli.group']"
    for name in ("up", "doctor", "status", "lab"):
        assert f"\n  {name} " in done.stdout


def test_every_listed_command_can_be_used() -> None:
    context = click.Context(group.commands)
    names = group.commands.list_commands(context)
    assert len(names) > 5
    for name in names:
        found = group.commands.get_command(context, name)
        assert found is not None, name
        assert (found.help or "").strip(), f"{name} has no help"


@pytest.mark.parametrize("name", ["nonsense", "context", "group", "__init__", "../settings", "a b"])
def test_an_unknown_command_is_bad_input(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert group.run([name]) == 2
    assert "No such command" in capsys.readouterr().err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    errors: list[BaseException] = []

    @click.command()
    def fail() -> None:
        raise errors[0]

    monkeypatch.setattr(group.Commands, "get_command", lambda *_: fail)
    return errors


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (SettingsError("setting node 'X': wrong"), 2, "Error: setting node 'X': wrong\n"),
        (SettingsError("caller \x1b[31m"), 2, "Error: caller \\x1b[31m\n"),
        (redis.ConnectionError("redis://:pw@h refused"), 1, "Error: Redis: redis://:***@h refused."),
        (ZeroDivisionError("oops"), 1, "this is a bug"),
        (KeyboardInterrupt(), 130, ""),
        (click.BadParameter("no such thing"), 2, "no such thing"),
        (SystemExit(3), 3, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], error: BaseException, status: int, said: str
) -> None:
    failing.append(error)
    assert group.run(["x"]) == status
    written = capsys.readouterr().err
    assert said in written
    assert "Traceback" not in written
