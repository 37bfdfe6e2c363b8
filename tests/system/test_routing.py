"""Calls through the example's bilingual IVR: the right agent, the history, and why."""

from itertools import pairwise
from typing import Any

import pytest

from contactcentre.domain.events import Kind
from contactcentre.lab.phones import IGNORE
from tests.system.centre import ENGLISH, FRENCH, SUPPORT, Centre
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def tiles_its_life(found: dict[str, Any]) -> bool:
    """Whether the parts of a contact's time follow each other from its arrival to its end."""
    parts = [part for part in found["segments"] if part["kind"] != "wrap_up"]
    ends = [found["contact"]["arrived"], *(part["ended"] for part in parts)]
    begins = [*(part["started"] for part in parts), found["contact"]["ended"]]
    return ends == begins


def test_a_french_caller_is_led_by_digits_to_the_agent_who_speaks_french_and_history_tells_all_of_it(
    centre: Centre,
) -> None:
    centre.on_duty("emma", "david", "bruno")  # both before bruno have been idle longer
    call = centre.support(FRENCH, name="Zoë O'Connor")
    result = call.wait(40)
    assert result.served
    assert result.ended_by == "us"
    centre.phones["bruno"].wait_calls()
    assert centre.phones["emma"].calls == centre.phones["david"].calls == []

    centre.settle()
    (row,) = centre.ask_json("contact", "list", "--since", "1h", "--caller", call.plan.caller)["contacts"]
    assert row["outcome"] == "answered"
    assert (row["did"], row["agent"], row["queue"], row["ended_by"]) == (SUPPORT, "bruno", "support", "caller")
    assert row["caller_name"] == "Zoë O'Connor"

    found = centre.ask_json("contact", "show", row["id"])
    assert tiles_its_life(found), found["segments"]
    kinds = [part["kind"] for part in found["segments"]]
    assert kinds[:4] == ["ivr", "queue", "ring", "talk"]
    assert kinds[-1] == "wrap_up"
    assert {leg["role"] for leg in found["legs"]} == {"caller", "agent"}
    chosen = [event["data"] for event in found["events"] if event["kind"] == "flow.chose"]
    assert [(one["node"], one["choice"]) for one in chosen if one["node"] != "hours"] == [
        ("language", "2"),
        ("menu", "2"),
    ]
    moments = [event["at"] for event in found["events"] if event["seq"]]
    assert all(before <= after for before, after in pairwise(moments))
    assert abs(found["contact"]["talk"] - 2.0) < 1.0

    plain = centre.ask("contact", "show", row["id"])
    assert "bruno" in plain
    assert "Where the time went" in plain

    why = centre.ask("why", row["id"])
    for words in (
        f"{call.plan.caller} (Zoë O'Connor) called {SUPPORT}",
        "entered queue support",
        "lang_fr >= 50",
        "bruno was chosen: longest-idle",
        "emma (needs lang_fr >= 50, has none)",
        "bruno got it after",
        "answered (hung up by the caller)",
    ):
        assert words in why, why


def test_why_tells_of_a_caller_who_waits_what_keeps_them_waiting(centre: Centre) -> None:
    centre.on_duty("emma", "bruno")
    (busy,), (call,) = centre.until_some_wait([centre.support(FRENCH, talk=None) for _ in "12"], 1)
    id = centre.id_of(call)
    eventually(lambda: decided(centre, id), "history knows what routing found")
    why = centre.ask("why", id)
    for words in (
        "Nobody was chosen",
        "waits in queue support",
        "It is number 1 in its queue",
        "Nobody gets it now: nobody who fits is free for it",
        "Talking: bruno (",
        "emma (needs lang_fr >= 50",
        "the queue's part is relaxed to technical or billing",
    ):
        assert words in why, why
    assert centre.ask_json("contact", "show", id)["contact"]["ended"] is None
    busy.hang_up()
    call.until("person", 60)
    call.hang_up()
    assert "bruno got it after" in told_at_the_end(centre, id)


def test_why_names_the_agent_who_did_not_answer_and_the_one_who_got_it_then(centre: Centre) -> None:
    centre.on_duty("david", "chloe")
    centre.phones["david"].behave(answer=IGNORE)
    call = centre.sales(ENGLISH)
    assert call.wait(40).served
    why = told_at_the_end(centre, centre.id_of(call))
    for words in (
        "david was chosen: longest-idle",
        "david did not answer after 3",
        "The contact kept its place in the queue.",
        "chloe was chosen",
        "1 of 2 offers missed",
    ):
        assert words in why, why
    assert why.index("david did not answer") < why.index("chloe got it")
    found = centre.ask_json("contact", "show", centre.id_of(call))
    assert tiles_its_life(found)
    (visit,) = found["visits"]
    assert (visit["offers"], visit["missed"], visit["agent"]) == (2, 1, "chloe")


def decided(centre: Centre, id: str) -> bool:
    return any(event.kind is Kind.DECISION for event in centre.store.events(id))


def told_at_the_end(centre: Centre, id: str) -> str:
    """What `why` says once history knows the end."""
    centre.settle()
    return centre.ask("why", id)
