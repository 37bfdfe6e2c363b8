"""What holds for every command."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def no_log() -> None:
    """Short commands have none, whatever a test before has set up: what is told would stand in their answer."""
    structlog.reset_defaults()
