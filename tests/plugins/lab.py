"""The lab as a fixture: a real Asterisk, or a real FreeSWITCH, that ends with the tests, however they end.

One that many tests share and that dies in one of them lets that one fail, says how, and is there again for the next.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import pytest

from contactcentre.lab import FreeswitchLab, Lab, can_have_asterisk, can_have_freeswitch
from contactcentre.lab.process import alive, ending
from contactcentre.lab.switch import Switch

S = TypeVar("S", bound=Switch[Any])


PBXS = [
    pytest.param(name, marks=pytest.mark.skipif(reason is not None, reason=reason or ""))
    for name, reason in (("asterisk", can_have_asterisk()), ("freeswitch", can_have_freeswitch()))
]
"""For `parametrize`: tests that start a whole contact centre on each PBX that can be had here."""


_shared: dict[Switch[Any], int] = {}
"""Those that no test may kill, and the process that each had when it was last seen."""

LAST_WORDS = 15
"""So many lines of its log and of its console are shown when one has died."""


def running(lab: S, reason: str | None, *, shared: bool = True) -> Iterator[S]:
    """For a fixture's `yield from`. `reason`: why there can be none. Who is not `shared` may be killed."""
    if reason:
        pytest.skip(reason)
    pid = lab.start(until_parent_dies=True).pid
    if shared:
        _shared[lab] = pid
    yield lab
    _shared.pop(lab, None)
    lab.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    try:
        yield
    finally:
        if died := "\n".join(filter(None, map(revived, list(_shared)))):
            pytest.fail(died, pytrace=False)


def revived(lab: Switch[Any]) -> str:
    """Starts a shared one again, on the ports it had, if it has died; how that was, "" = it runs."""
    if (pid := _shared[lab]) and alive(pid):
        return ""
    if (restarted := lab.status()) is not None:  # by a test
        _shared[lab] = restarted.pid
        return ""
    how = ending(pid) or "nobody knows how"  # which waits until it is gone, and its ports are free
    words = [*lab.logs(last=LAST_WORDS), "and on its console:"]
    words += (lab.directories.log / "console").read_text(errors="replace").splitlines()[-LAST_WORDS:]
    _shared[lab] = lab.start(until_parent_dies=True).pid
    said = "\n  ".join(words)
    return f"the lab's {lab.title} died in this test ({how}), its last words:\n  {said}"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One Asterisk for all tests of this process. What a test provisions there, it gives names of its own."""
    yield from running(Lab(tmp_path_factory.mktemp("lab")), can_have_asterisk())


@pytest.fixture(scope="session")
def freeswitch_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    """One FreeSWITCH for all tests of this process."""
    yield from running(FreeswitchLab(tmp_path_factory.mktemp("freeswitch-lab")), can_have_freeswitch())


@pytest.fixture
def fresh_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An Asterisk for one test alone (a third of a second): with nothing provisioned, free to be killed."""
    yield from running(Lab(tmp_path_factory.mktemp("fresh-lab")), can_have_asterisk(), shared=False)


@pytest.fixture
def fresh_freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    """A FreeSWITCH for one test alone (some seconds): with nothing provisioned, free to be killed."""
    yield from running(FreeswitchLab(tmp_path_factory.mktemp("fresh-freeswitch")), can_have_freeswitch(), shared=False)
