"""The lab as a fixture: a real Asterisk that ends with the tests, however they end."""

from collections.abc import Iterator

import pytest

from contactcentre.lab import Lab, can_have_asterisk


def _running(state_dir: object) -> Iterator[Lab]:
    if reason := can_have_asterisk():
        pytest.skip(reason)
    lab = Lab(str(state_dir))
    lab.start(until_parent_dies=True)
    yield lab
    lab.stop()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One Asterisk for all tests of this process. What a test provisions there, it gives names of its own."""
    yield from _running(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def fresh_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An Asterisk for one test alone (a third of a second): with nothing provisioned, free to be killed."""
    yield from _running(tmp_path_factory.mktemp("fresh-lab"))
