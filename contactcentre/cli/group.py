"""Finds the commands and turns every named error into one clear line and an exit code."""

import ast
import contextlib
import importlib
import os
import pkgutil
import pwd
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

_DIRECTORY = Path(__file__).parent
DEBUG = "CONTACTCENTRE_DEBUG"

FAILURES = frozenset(
    {
        "contactcentre.cli.port.PortTaken",
        "contactcentre.prompts.speech.SpeechError",
        "contactcentre.demo.stage.DemoError",
        "contactcentre.embedded.places.EmbeddedError",
        "contactcentre.lab.errors.LabTimeout",
        "contactcentre.lab.errors.NoAsterisk",
        "contactcentre.lab.errors.PhoneError",
        "contactcentre.live.errors.Away",
        "contactcentre.live.errors.CommandFailed",
        "contactcentre.live.errors.LostRace",
        "contactcentre.live.errors.NoReply",
        "contactcentre.live.errors.Refused",
        "contactcentre.pbx.errors.PbxError",
        "contactcentre.provision.apply.ApplyFailed",
        "contactcentre.provision.apply.ReloadRefused",
        "contactcentre.provision.target.PbxUnreachable",
        "contactcentre.store.database.StoreUnavailable",
        "contactcentre.tasks.pbx_files.PbxAway",
    }
)
"""Errors of ours that say that something did not work; all others refuse what was asked for."""


def _has_command(tree: ast.Module) -> bool:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "command":
            return True
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "command" for target in targets):
            return True
    return False


class Commands(click.Group):
    """Every module here with a `command`, imported when that is used; help only reads its docstring."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._summaries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = cmd_name.replace("-", "_")
        if not module.isidentifier() or module.startswith("_") or not (_DIRECTORY / f"{module}.py").is_file():
            return None
        found = getattr(importlib.import_module(f"contactcentre.cli.{module}"), "command", None)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if found := sorted(self._summaries().items()):
            with formatter.section("Commands"):
                formatter.write_dl(found)

    def _summaries(self) -> dict[str, str]:
        found = {}
        for module in pkgutil.iter_modules([str(_DIRECTORY)]):
            tree = ast.parse((_DIRECTORY / f"{module.name}.py").read_bytes())
            if _has_command(tree):
                summary = (ast.get_docstring(tree) or "").partition("\n")[0]
                found[module.name.replace("_", "-")] = summary
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="contactcentre")
def commands() -> None:
    """A contact centre on the PBX you already have."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command. 0 done; 1 failed, or a finding; 2 bad input or a refusal that says why; 130 interrupted.

    No tracebacks unless CONTACTCENTRE_DEBUG=1.
    """
    try:
        result = commands.main(args=list(arguments), prog_name="contactcentre", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code if isinstance(error, click.UsageError) else 2
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:  # `contactcentre contact list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except Exception as error:
        # with what it stands on, more than half of the time that help would take
        from contactcentre.logs import printable
        from contactcentre.settings import without_password

        if os.environ.get(DEBUG):
            traceback.print_exc()
        text = "\n       ".join(printable(without_password(line.strip())) for line in explain(error).splitlines())
        click.echo(f"Error: {text}", err=True)
        return 2 if is_named(error) and not has_failed(error) else 1


def _system(error: OSError) -> str:
    """What the system refused, and for whom it would not have."""
    if not error.strerror:
        return str(error)
    text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, PermissionError) and error.filename:
        path = Path(os.fsdecode(error.filename))
        there = next((one for one in (path, *path.parents) if os.path.lexists(one)), path)
        with contextlib.suppress(OSError, KeyError):
            owner = pwd.getpwuid(there.stat().st_uid).pw_name
            if owner != pwd.getpwuid(os.geteuid()).pw_name:
                text += f". It belongs to {owner}: run this as {owner}, or name another CONTACTCENTRE_STATE_DIR"
    return text


def is_named(error: Exception) -> bool:
    """True for the errors this package defines: they say what is wrong in words a user understands."""
    return type(error).__module__.startswith("contactcentre.")


def has_failed(error: Exception) -> bool:
    """True when asking again later, or after a repair, may work; False when the wish itself is refused."""
    return any(f"{cls.__module__}.{cls.__qualname__}" in FAILURES for cls in type(error).__mro__)


def explain(error: Exception) -> str:
    """One error in the user's words."""
    family = {cls.__module__.partition(".")[0] for cls in type(error).__mro__}
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if type(error).__qualname__ == "StoreUnavailable":
        return f"PostgreSQL is away: {first}. `contactcentre doctor` checks it."
    if is_named(error):
        return str(error) or type(error).__name__
    if "redis" in family:
        return f"Redis: {first}. Is REDIS_URL right? `contactcentre doctor` checks it."
    if family & {"sqlalchemy", "psycopg"}:
        return f"PostgreSQL: {first}. Is DATABASE_URL right? `contactcentre doctor` checks it."
    if isinstance(error, OSError):
        return _system(error)
    return f"{type(error).__name__}: {first} (this is a bug; {DEBUG}=1 shows where)"
