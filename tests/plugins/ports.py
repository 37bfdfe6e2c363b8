"""Ports for servers that a test starts."""

import pytest

from contactcentre.lab.ports import free_port


@pytest.fixture
def unused_port() -> int:
    """A TCP port on 127.0.0.1 that nobody else is given meanwhile, in whatever process of tests."""
    return free_port()
