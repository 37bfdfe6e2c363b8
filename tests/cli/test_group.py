"""The frame of the command line: commands find themselves, errors are one line, and help is quick."""

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest
import redis

from contactcentre.cli import group
from contactcentre.pbx.errors import LinkDown
from contactcentre.settings import SettingsError
from contactcentre.store import StoreUnavailable

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
        (StoreUnavailable("connection refused"), 1, "Error: PostgreSQL is away: connection refused. "),
        (LinkDown("the PBX is away"), 1, "Error: the PBX is away\n"),
        (SettingsError("caller \x1b[31m"), 2, "Error: caller \\x1b[31m\n"),
        (redis.ConnectionError("redis://:pw@h refused"), 1, "Error: Redis: redis://:***@h refused."),
        (FileNotFoundError(2, "No such file or directory", "/x"), 1, "Error: /x: No such file or directory\n"),
        (PermissionError(13, "Permission denied", "/etc/shadow"), 1, "Error: /etc/shadow: Permission denied"),
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


def test_no_summary_is_cut_on_a_terminal_of_80_columns() -> None:
    def summaries(found: click.Command, context: click.Context) -> str:
        if not isinstance(found, click.Group):
            return ""
        here = found.get_help(context).partition("Commands:")[2]
        inside = ((found.get_command(context, name), name) for name in found.list_commands(context))
        return here + "".join(
            summaries(one, click.Context(one, parent=context, info_name=name, terminal_width=80))
            for one, name in inside
            if one
        )

    assert "..." not in summaries(group.commands, click.Context(group.commands, terminal_width=80))


def test_every_error_that_counts_as_a_failure_exists() -> None:
    for name in group.FAILURES:
        module, _, cls = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), cls), Exception)


@pytest.mark.parametrize("heavy", ["sqlalchemy", "pydantic", "structlog", "rich", "flask", "celery", "yaml", "alembic"])
def test_help_is_quick_because_it_imports_nothing_heavy(heavy: str) -> None:
    assert heavy not in _imported("--help")


@pytest.mark.parametrize(
    "command", ["agent list", "contact list", "user list", "plan", "status", "doctor", "lab status"]
)
def test_a_short_command_does_not_import_what_only_others_need(command: str) -> None:
    found = _imported(*command.split(), "--help")
    assert not found & {"alembic", "celery", "flask", "gunicorn", "holidays", "zxcvbn"}


def _imported(*arguments: str) -> set[str]:
    code = f"import sys; from contactcentre.cli.group import run; run({list(arguments)!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_what_belongs_to_somebody_else_is_said_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "users.lock"
    file.touch()
    refused = PermissionError(13, "Permission denied", str(file))
    assert "It belongs to" not in group.explain(refused)
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    assert "run this as" in group.explain(refused)
    assert "CONTACTCENTRE_STATE_DIR" in group.explain(refused)
