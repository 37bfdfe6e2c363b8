"""Two who were just to be connected when their controller could send nothing more."""

import pytest

from contactcentre.pbx.errors import LinkDown
from contactcentre.pbx.events import LinkUp
from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx
from contactcentre.pbx.protocol import Bridge, Pbx
from tests.pbx.bed import Bed, Heard
from tests.pbx.scene import Scene


@pytest.fixture
def bed(bed: Bed) -> Bed:
    if bed.leaves_transfers:
        pytest.skip("a bridge of Asterisk's is its own, not a name in our books")
    return bed


def interrupted(pbx: Pbx, bridge: Bridge, scene: Scene, allowed: list[bool]) -> None:
    """The channels' variables have it that they are in the bridge, and that was all that could be sent."""
    assert isinstance(pbx, FreeSwitchPbx)
    arrange = pbx.places._arrange

    def stopped(there: object) -> None:
        allowed[0] = False
        arrange(there)  # type: ignore[arg-type]

    pbx.places._arrange = stopped  # type: ignore[method-assign]
    with pytest.raises(LinkDown):
        bridge.add(*(party.channel for party in scene.everybody))


@pytest.mark.parametrize("connected", [False, True])
def test_the_next_controller_is_told_who_is_connected_and_not_who_was_to_be(scene: Scene, connected: bool) -> None:
    bed, allowed = scene.bed, [True]
    bed.pbx.stop()
    first, second, nodes = bed.new_pbx(lambda: allowed[0]), bed.new_pbx(), Heard()
    first.start(nodes)
    nodes.next(LinkUp)
    bed.pbx, bed.nodes = first, nodes
    customer, anna = scene.customer(), scene.agent("anna")
    bridge = first.bridge(bed.name("bridge"))
    if connected:
        bridge.add(customer.channel, anna.channel)
    else:
        interrupted(first, bridge, scene, allowed)
    heir = Heard()
    second.start(heir)
    try:
        heir.next(LinkUp)
        there = second.inventory().bridges[bridge.id].channels
        assert set(there) == ({customer.channel.id, anna.channel.id} if connected else set())
        both = [second.adopt(party.channel.id, party.inbox) for party in scene.everybody]
        second.bridge(bridge.id).add(*both)
        assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}
        assert set(second.inventory().bridges[bridge.id].channels) == {channel.id for channel in both}
    finally:
        first.stop()
        second.stop()
