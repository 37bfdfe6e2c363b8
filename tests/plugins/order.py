"""Where several processes share the tests out, the long files begin first, so that none is left over at the end."""

import os

import pytest

LONG = ("system", "demo", "cli", "controller", "web", "pbx", "embedded", "provision", "lab", "tasks")
"""Directories of tests, those with long files first; others are done in seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    below = item.nodeid.split("/")[1]
    return LONG.index(below) if below in LONG else len(LONG)
