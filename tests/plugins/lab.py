"""The lab as a fixture: a real Asterisk, or a real FreeSWITCH, that ends with the tests, however they end."""

from collections.abc import Iterator
from typing import Any, TypeVar

import pytest

from contactcentre.lab import FreeswitchLab, Lab, can_have_asterisk, can_have_freeswitch
from contactcentre.lab.switch import Switch

S = TypeVar("S", bound=Switch[Any])


PBXS = [
    pytest.param(name, marks=pytest.mark.skipif(reason is not None, reason=reason or ""))
    for name, reason in (("asterisk", can_have_asterisk()), ("freeswitch", can_have_freeswitch()))
]
"""For `parametrize`: tests that start a whole contact centre on each PBX that can be had here."""


def _running(lab: S, reason: str | None) -> Iterator[S]:
    if reason:
        pytest.skip(reason)
    lab.start(until_parent_dies=True)
    yield lab
    lab.stop()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One Asterisk for all tests of this process. What a test provisions there, it gives names of its own."""
    yield from _running(Lab(tmp_path_factory.mktemp("lab")), can_have_asterisk())


@pytest.fixture(scope="session")
def freeswitch_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    """One FreeSWITCH for all tests of this process."""
    yield from _running(FreeswitchLab(tmp_path_factory.mktemp("freeswitch-lab")), can_have_freeswitch())


@pytest.fixture
def fresh_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An Asterisk for one test alone (a third of a second): with nothing provisioned, free to be killed."""
    yield from _running(Lab(tmp_path_factory.mktemp("fresh-lab")), can_have_asterisk())


@pytest.fixture
def fresh_freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    """A FreeSWITCH for one test alone (some seconds): with nothing provisioned, free to be killed."""
    yield from _running(FreeswitchLab(tmp_path_factory.mktemp("fresh-freeswitch")), can_have_freeswitch())
