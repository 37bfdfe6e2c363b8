"""What the documentation points at is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from contactcentre.cli.group import commands

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted((ROOT / "docs").rglob("*.rst"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    missing = []
    for file, name in re.findall(r"``(tests/[\w/]+\.py)::(test_\w+)``", document.read_text()):
        path = ROOT / file
        known = ast.walk(ast.parse(path.read_bytes())) if path.is_file() else ()
        if name not in {node.name for node in known if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{file}::{name}")
    assert missing == []


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "README.rst"], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_names_exists_with_its_options(document: Path) -> None:
    text = document.read_text()
    named = re.findall(r"``contactcentre ([^`]+)``", text) + re.findall(r"(?m)^ +contactcentre ([^#\n]+)", text)
    assert [wrong for line in named for wrong in _wrong(" ".join(line.split()))] == []


def test_every_picture_is_shown_somewhere_and_every_one_that_is_shown_is_there() -> None:
    shown = {name for one in DOCUMENTS for name in re.findall(r"screenshots/([\w-]+\.webp)", one.read_text())}
    there = {path.name: path.stat().st_size for path in (ROOT / "docs/screenshots").iterdir()}
    assert shown == there.keys()
    assert max(there.values()) <= 150 * 1024
    assert sum(there.values()) <= 6_000_000


def _wrong(line: str) -> Iterator[str]:
    """What is not there of a line like `agent login NAME --device webrtc; agent logout NAME`."""
    known = set(commands.list_commands(click.Context(commands)))
    for number, part in enumerate(line.split("; ")):
        words = part.split()
        if words[0] not in known and number:
            continue  # goes on in words
        found: click.Command | None = commands
        while isinstance(found, click.Group) and words:
            found = found.get_command(click.Context(found), words.pop(0).rstrip(",.:"))
        if found is None:
            yield part
            continue
        options = {option for one in found.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
        yield from (f"{part}: {word}" for word in words if word.startswith("--") and word.rstrip(",.") not in options)
