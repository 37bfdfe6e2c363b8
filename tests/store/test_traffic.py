"""Which ways calls went through a flow."""

import pytest

from contactcentre.domain.events import Kind
from contactcentre.store import Store
from contactcentre.store import traffic as module
from contactcentre.store.traffic import FlowTraffic
from tests.store.calls import DAY, Call


def came(store: Store, at: float, *nodes: str, flow: str = "main") -> Call:
    """A call that went from node to node; `other:NODE` is one of another flow."""
    call = Call(at)
    for second, name in enumerate(nodes):
        elsewhere, _, node = name.rpartition(":")
        call.add(second, Kind.NODE, flow=elsewhere or flow, node=node, type="menu")
        call.add(second, Kind.CHOSE, node=node, choice="1")
    store.record(call.ended(30).events)
    return call


def test_each_way_is_counted_as_often_as_it_was_gone(store: Store) -> None:
    came(store, DAY + 10, "welcome", "menu", "support")
    came(store, DAY + 20, "welcome", "menu", "menu", "sales")
    came(store, DAY + 30, "welcome")
    came(store, DAY + 40, "other:start", "other:ask", "welcome", "menu", "other:bye")
    came(store, DAY - 10, "welcome", "menu")  # the day before
    assert store.flow_traffic("main", DAY) == FlowTraffic(
        4,
        {"welcome": 4, "menu": 4, "support": 1, "sales": 1},
        {("welcome", "menu"): 3, ("menu", "support"): 1, ("menu", "menu"): 1, ("menu", "sales"): 1},
    )
    assert store.flow_traffic("other", DAY) == FlowTraffic(1, {"start": 1, "ask": 1, "bye": 1}, {("start", "ask"): 1})
    assert store.flow_traffic("nobody", DAY) == FlowTraffic(0, {}, {})


def test_on_a_long_day_the_latest_are_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for second in range(5):
        came(store, DAY + second, "welcome", "old" if second < 2 else "new")
    monkeypatch.setattr(module, "MOST_CONTACTS", 3)
    assert store.flow_traffic("main", DAY).ways == {("welcome", "new"): 3}
