import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_up import processes_of
from tests.plugins.lab import PBXS
from tests.plugins.speech import Spoken
from tests.system.centre import Centre, eventually, running


@pytest.fixture(scope="package", params=PBXS)
def shared_centre(request: pytest.FixtureRequest, spoken: Spoken) -> Iterator[Centre]:
    """One contact centre on each PBX for all system tests: lab, services, our four processes, six phones."""
    # short, and not below pytest's own directory, which the account that PostgreSQL runs as under root cannot enter
    with tempfile.TemporaryDirectory(prefix="cc-sys-", dir="/tmp") as directory:
        state = spoken(Path(directory))
        state.chmod(0o755)
        with running(state, request.param) as centre:
            yield centre
            killed = centre.here.supervisor.stop()
            assert killed == [], f"every process of ours ends when it is asked to\n{centre.log()[-5000:]}"
        eventually(lambda: not processes_of(state), lambda: f"left running: {processes_of(state)}")


@pytest.fixture
def centre(shared_centre: Centre) -> Iterator[Centre]:
    """Nobody is on duty and nobody has called; afterwards nothing is left of the test's calls."""
    shared_centre.begin()
    told = len(shared_centre.log())
    yield shared_centre
    for call in shared_centre.calls:
        if call.result is None:
            call.hang_up()
    problems = shared_centre.over().problems
    assert problems == ()
    assert "Traceback" not in shared_centre.log()[told:], shared_centre.log()[told:]
