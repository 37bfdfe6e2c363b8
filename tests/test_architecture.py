"""The house's arrows: who may import whom (docs/developer.rst). Read from the source, nothing is run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "contactcentre"

ANYONE = {"settings", "logs", "outages", "processes", "watch", "languages"}
MAY_IMPORT = {
    "domain": set(),
    "pbx": {"domain"} | ANYONE,
    "live": {"domain"} | ANYONE,
    "store": {"domain"} | ANYONE,
    "archive": {"domain", "store"} | ANYONE,  # stored recordings, for all who play or keep them
    "outgoing": {"domain"},  # HTTP to other people's servers, for all who speak to them
    "prompts": {"domain"} | ANYONE,  # what flows play, for who plays it and who looks after it
    "provision": {"domain"} | ANYONE,
    "controller": {"domain", "pbx", "live", "store", "archive", "prompts", "outgoing"} | ANYONE,
    "tasks": {"domain", "live", "store", "archive", "outgoing", "embedded"} | ANYONE,  # jobs open their services
    "web": {"domain", "live", "store", "archive", "prompts", "outgoing", "provision"} | ANYONE,
    "watch": {"settings", "logs"},  # what a process tells of itself: all of them do
    "lab": ANYONE,
    "embedded": ANYONE,
    "demo": {"domain", "live", "store", "provision", "lab", "embedded", "web", "cli"} | ANYONE,
    "cli": {
        "domain", "pbx", "live", "store", "provision", "controller", "tasks", "archive", "prompts", "web", "lab",
        "embedded", "demo", "outgoing",
    } | ANYONE,
    "settings": set(),
    "languages": {"domain"},
    "processes": set(),
    "logs": {"settings", "outages"},
    "outages": set(),
    "__main__": {"cli"},
    "__init__": set(),
}  # fmt: skip

# the pure part: no clock, no network, no files, no greenlets
PURE = {"domain"}
IMPURE_MODULES = {
    "gevent",
    "redis",
    "psycopg",
    "sqlalchemy",
    "socket",
    "subprocess",
    "requests",
    "urllib3",
    "flask",
    "time",
}


def modules() -> Iterator[Path]:
    yield from sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "contactcentre":
                yield from (f"contactcentre.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.ImportFrom) and node.level:
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join((*parts[: -node.level], node.module or ""))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_import_follows_the_arrows() -> None:
    wrong = []
    for path in modules():
        part = part_of(path)
        assert part in MAY_IMPORT, f"{part} is new: say here whom it may import, and in docs/developer.rst why"
        for name in imported(path):
            if name.startswith("contactcentre."):
                other = name.split(".")[1]
                if other != part and other not in MAY_IMPORT[part]:
                    wrong.append(f"{path.relative_to(PACKAGE.parent)} imports {name}")
    assert wrong == []


def test_the_domain_does_no_input_or_output_and_reads_no_clock() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE.parent)} imports {name}"
        for path in modules()
        if part_of(path) in PURE
        for name in imported(path)
        if name.split(".")[0] in IMPURE_MODULES
    ]
    assert wrong == []


def test_only_the_entry_point_patches_for_gevent() -> None:
    # gunicorn's own configuration and Celery's workers are started through that entry point, too
    patching = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and node.attr == "patch_all"
    }
    assert patching == {"cli/__init__.py"}


@pytest.mark.parametrize("word", ["utils", "helpers", "common"])
def test_no_module_has_a_name_that_says_nothing(word: str) -> None:
    assert [path for path in modules() if word in path.with_suffix("").parts] == []
