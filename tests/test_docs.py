"""What the documentation points at is there."""

import ast
import re
from pathlib import Path

import pytest

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
