"""The PBXs that the conformance suite runs against."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from contactcentre.lab import FreeswitchLab, Lab, can_have_asterisk, can_have_freeswitch
from tests.pbx.bed import AsteriskBed, Bed
from tests.pbx.freeswitch.bed import FreeSwitchBed
from tests.pbx.scene import Scene
from tests.plugins.lab import running


@pytest.fixture(scope="package")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An Asterisk of this package's own: its dialplan is not that of a contact centre."""
    yield from running(Lab(tmp_path_factory.mktemp("pbx")), can_have_asterisk())


@pytest.fixture(scope="package")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    """A FreeSWITCH of this package's own."""
    yield from running(FreeswitchLab(tmp_path_factory.mktemp("pbx-freeswitch")), can_have_freeswitch())


BEDS = {"asterisk": AsteriskBed, "freeswitch": FreeSwitchBed}


@pytest.fixture(params=BEDS)
def bed(request: pytest.FixtureRequest, record_property: Callable[[str, str], None]) -> Iterator[Bed]:
    """A PBX whose driver is linked, without a single channel before and after the test."""
    lab = request.getfixturevalue(request.param)
    record_property("pbx", f"{lab.title} {lab.info().version}")
    bed = BEDS[request.param](lab)
    bed.start()
    yield bed
    bed.pbx.stop()
    bed.quiet()


@pytest.fixture
def scene(bed: Bed, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(bed, tmp_path, stack)
        bed.hang_up_all()


@pytest.fixture
def left_to_us(bed: Bed) -> None:
    """What becomes of a transfer key on a PBX that does not leave it to us is tested with that PBX."""
    if not bed.leaves_transfers:
        pytest.skip("this PBX transfers by itself")
