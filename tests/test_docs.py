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


LEVEL_2 = """
2.1.1-12 2.2.1-3 2.3.1-3 2.4.1-5 2.5.1-7 2.6.1-3 2.7.1-6 2.8.1-7 2.9.1-3 2.10.1-4 3.1.1-1 3.2.1-4 3.3.1-4 3.4.1-5
3.5.1-3 3.7.1-1 4.1.1-3 4.1.5-5 4.2.1-2 4.3.1-3 5.1.1-5 5.2.1-8 5.3.1-10 5.4.1-3 5.5.1-4 6.1.1-3 6.2.1-6 6.3.1-2
6.4.1-2 7.1.1-4 7.2.1-2 7.3.1-1 7.3.3-4 7.4.1-3 8.1.1-4 8.2.1-3 8.3.1-8 9.1.1-3 9.2.1-4 10.2.1-2 10.3.1-3 11.1.1-8
12.1.1-3 12.2.1-1 12.3.1-6 12.4.1-2 12.5.1-2 12.6.1-1 13.1.1-1 13.1.3-5 13.2.1-3 13.2.5-6 13.3.1-2 13.4.1-2
14.1.1-4 14.2.1-6 14.3.2-3 14.4.1-7 14.5.1-4
"""
"""The requirements of OWASP's ASVS 4.0.3 for level 2, chapters 2 to 14: first-last of each section."""


def test_every_requirement_of_level_2_is_answered_once_with_a_test_or_a_reason() -> None:
    wanted = []
    for section, first, last in re.findall(r"(\d+\.\d+)\.(\d+)-(\d+)", LEVEL_2):
        wanted += [f"{section}.{number}" for number in range(int(first), int(last) + 1)]
    answers = re.findall(r"(?m)^\* (\d+\.\d+\.\d+): (.+)$", (ROOT / "docs/security.rst").read_text())
    assert [number for number, _ in answers] == wanted
    reasons = ("**Not met**: ", "*Does not apply*: ")
    assert [number for number, said in answers if "::test_" not in said and not said.startswith(reasons)] == []
