from collections.abc import Iterator

import pytest

from contactcentre.pbx.asterisk import AsteriskPbx
from contactcentre.pbx.events import LinkUp
from tests.pbx.asterisk.fake import SECRET, USER, FakeAri
from tests.pbx.bed import Heard


@pytest.fixture
def ari() -> Iterator[FakeAri]:
    fake = FakeAri()
    yield fake
    fake.close()


@pytest.fixture
def pbx(ari: FakeAri) -> Iterator[AsteriskPbx]:
    pbx = AsteriskPbx("node1", ari.url, USER, SECRET)
    yield pbx
    pbx.stop()


@pytest.fixture
def nodes(pbx: AsteriskPbx) -> Heard:
    """The driver is linked; what it tells the node."""
    nodes = Heard()
    pbx.start(nodes)
    nodes.next(LinkUp)
    return nodes
