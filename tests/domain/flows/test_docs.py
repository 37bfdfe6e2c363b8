"""The manual says what the classes say."""

import re
from pathlib import Path

import pytest

from contactcentre.domain.flows.model import NODE_TYPES
from contactcentre.domain.flows.talking import Asking

TEXT = (Path(__file__).parents[3] / "docs" / "flows.rst").read_text("utf-8")


def section(kind: str) -> str:
    found = re.search(rf"^{kind}\n~+\n(.*?)(?=^[a-z]+\n~+\n|^[A-Z][a-z ]+\n-+\n)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/flows.rst has no section {kind}"
    return found[1]


@pytest.mark.parametrize("kind", NODE_TYPES)
def test_every_field_of_every_node_type_is_described(kind: str) -> None:
    fields = {info.alias or name for name, info in NODE_TYPES[kind].model_fields.items()} - {"type", "note"}
    missing = {field for field in fields if f"``{field}``" not in section(kind)}
    assert not missing


@pytest.mark.parametrize("kind", NODE_TYPES)
def test_no_field_is_described_that_does_not_exist(kind: str) -> None:
    described = set(re.findall(r"``([a-z_]+)``", "\n".join(re.findall(r"^(``.*)$", section(kind), re.MULTILINE))))
    fields = {info.alias or name for name, info in NODE_TYPES[kind].model_fields.items()}
    assert described <= fields | set(Asking.model_fields)
