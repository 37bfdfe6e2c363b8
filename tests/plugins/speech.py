"""What was spoken for one test is there for the others: the bundled texts take a processor ten seconds."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Spoken = Callable[[Path], Path]


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    """`spoken(state)` is the fresh state directory, with what was spoken in any other, also by other processes."""
    base = tmp_path_factory.getbasetemp()
    kept = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "spoken"
    kept.mkdir(exist_ok=True)

    def lend(state: Path) -> Path:
        prompts = state / "prompts"
        prompts.mkdir(mode=0o777)
        (prompts / "tts").symlink_to(kept)
        return state

    return lend
