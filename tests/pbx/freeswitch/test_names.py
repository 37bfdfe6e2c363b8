"""docs/esl.rst, which users of greenswitch read, has every public name of the two modules, and no other."""

import inspect
import re
from pathlib import Path

import pytest

from contactcentre.pbx.freeswitch.inbound import InboundESL
from contactcentre.pbx.freeswitch.outbound import OutboundESLServer, OutboundSession

PAGE = (Path(__file__).parents[3] / "docs/esl.rst").read_text()
TABLE = PAGE.partition("Every name\n")[2].partition("What is different")[0]


@pytest.mark.parametrize("kind", [InboundESL, OutboundESLServer, OutboundSession])
def test_every_public_name_is_in_the_page(kind: type) -> None:
    _, _, part = TABLE.partition(f"``{kind.__name__}``")
    names = {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}
    assert {name for name in names if not re.search(rf"``{name}\b", part)} == set()


def test_every_name_in_the_page_is_there() -> None:
    named = set(re.findall(r"``([a-z_]+)(?=``|\()", TABLE))
    there = {name for kind in (InboundESL, OutboundESLServer, OutboundSession) for name in dir(kind)}
    source = "".join(inspect.getsource(kind) for kind in (InboundESL, OutboundESLServer, OutboundSession))
    words = {"with"}
    assert {name for name in named - words if name not in there and not re.search(rf"\b{name}\b", source)} == set()
