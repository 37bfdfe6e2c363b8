"""What an account sees of the live page that is limited to queues."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.metrics import Counts
from contactcentre.domain.routing import Waiting
from contactcentre.live import ContactNow, Live
from contactcentre.live.records import Change
from contactcentre.web.fanout import EVERYTHING, Fanout
from contactcentre.web.limited import Limited
from tests.web.test_board import NOW, board
from tests.web.test_fanout import Reader, fanout

__all__ = ["fanout"]

BILLING = frozenset({"billing"})

queues = st.sampled_from(["", "support", "billing", "gone"])
contacts = st.sampled_from(["c1", "c2", "c3"])
states = st.one_of(
    st.tuples(
        st.just("contact"),
        contacts,
        st.none() | st.builds(lambda queue: ContactNow("c", "node1", "talking", caller="+336", queue=queue), queues),
    ),
    st.tuples(
        st.just("waiting"),
        contacts,
        st.none() | st.builds(lambda queue, at: Waiting("c", queue, arrived=at, entered=at), queues, st.floats(1, 9)),
    ),
    st.tuples(
        st.just("agent"),
        st.sampled_from(["anna", "ben", "dev", "stranger"]),
        st.builds(
            lambda state, queue, contact: AgentStatus("a", state, 1, 5, "", contact, queue),
            st.sampled_from(AgentState),
            queues,
            contacts,
        ),
    ),
)


@given(st.lists(st.lists(states, min_size=1, max_size=4), max_size=12))
def test_the_changes_lead_to_what_is_seen_at_once_whatever_happens(steps: list[list[tuple[str, str, Any]]]) -> None:
    whole = board()
    told = Limited(whole, BILLING)
    known = told.snapshot(NOW).model_dump()
    for step in steps:
        changed = told.change(whole.apply([Change("", *one) for one in step], NOW))
        for kind in ("queues", "agents", "contacts"):
            rows = changed.model_dump()[kind] if changed else {}
            assert all(row is not None or key in known[kind] for key, row in rows.items()), "nobody else is named"
            known[kind] = {key: row for key, row in {**known[kind], **rows}.items() if row is not None}
        if changed and changed.totals:
            known["totals"] = changed.totals.model_dump()
        assert known == Limited(whole, BILLING).snapshot(NOW).model_dump()
        assert "support" not in json.dumps({kind: known[kind] for kind in ("queues", "agents")})
        assert {row["queue"] for row in known["contacts"].values()} <= BILLING


def test_totals_are_those_of_the_accounts_queues() -> None:
    whole = board(
        agents={
            "ben": AgentStatus("ben", AgentState.PAUSED, 1, NOW),
            "anna": AgentStatus("anna", AgentState.PAUSED, 1),
        },
        waiting={
            "a": Waiting("a", "support", arrived=NOW - 50, entered=NOW - 50),
            "b": Waiting("b", "billing", arrived=NOW - 9, entered=NOW - 9),
        },
        contacts={"b": ContactNow("b", "node1", "queue", queue="billing"), "i": ContactNow("i", "node1", "ivr")},
    )
    whole.load_today({"support": Counts(answered=5), "billing": Counts(answered=1, abandoned=1)}, NOW)
    totals = Limited(whole, BILLING).snapshot(NOW).totals
    assert (totals.waiting, totals.oldest, totals.contacts, totals.today.offered) == (1, NOW - 9, 1, 2)
    assert (totals.agents.paused, totals.agents.logged_out) == (1, 2)  # ben, dev and elif answer billing
    assert Limited(whole, frozenset({"support", "billing"})).snapshot(NOW).totals.waiting == whole.totals.waiting


class LimitedReader(Reader):
    def __init__(self, fanout: Fanout, last_id: str = "") -> None:
        super().__init__(fanout, last_id, BILLING)


def test_the_stream_tells_of_a_call_while_it_is_in_the_accounts_queues(fanout: Fanout, live: Live) -> None:
    reader, everything = LimitedReader(fanout), Reader(fanout)
    reader.wait(lambda: "snapshot" in reader.events)
    assert set(reader.queues) == {"billing"}
    live.put_contact(ContactNow("c1", "node1", "queue", queue="support", caller="+33611111111"))
    everything.wait(lambda: "c1" in everything.contacts)
    live.put_contact(ContactNow("c2", "node1", "queue", queue="billing"))
    reader.wait(lambda: "c2" in reader.contacts)
    assert set(reader.contacts) == {"c2"}, "what came before was of another queue"
    live.put_contact(ContactNow("c1", "node1", "queue", queue="billing"))
    live.put_contact(ContactNow("c2", "node1", "queue", queue="support"))
    reader.wait(lambda: set(reader.contacts) == {"c1"})
    fanout.leave(reader.client)
    live.drop_contact("c1")
    everything.wait(lambda: "c1" not in everything.contacts)
    back = LimitedReader(fanout, reader.last_id)
    back.wait(lambda: "snapshot" in back.events)
    assert back.contacts == {}
    fanout.leave(back.client)
    assert list(fanout._audiences) == [EVERYTHING], "nothing is kept for a limit that nobody has who looks"


def test_who_is_limited_and_comes_back_at_once_gets_what_was_missed(fanout: Fanout, live: Live) -> None:
    stays, reader = LimitedReader(fanout), LimitedReader(fanout)
    live.put_contact(ContactNow("c1", "node1", "queue", queue="billing"))
    reader.wait(lambda: "c1" in reader.contacts)
    fanout.leave(reader.client)
    live.drop_contact("c1")
    stays.wait(lambda: not stays.contacts and "change" in stays.events)
    back = LimitedReader(fanout, reader.last_id)
    back.contacts = reader.contacts
    back.wait(lambda: not back.contacts)
    assert "snapshot" not in back.events
