"""Ways out of a queue that the queue itself has, and what a contact takes along to the next one."""

import json

import pytest

from contactcentre.domain.flows.actions import (
    Action,
    Callback,
    Digits,
    Done,
    Enqueue,
    Gather,
    Hangup,
    Left,
    Play,
    Reason,
    Recorded,
    Resume,
    Transfer,
    TransferFailed,
    Voicemail,
)
from contactcentre.domain.flows.check import check
from contactcentre.domain.flows.drawing import svg
from contactcentre.domain.flows.graph import mermaid
from contactcentre.domain.flows.leaving import callable_number
from contactcentre.domain.flows.simulate import Script, simulate
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.site import Site
from tests.domain.flows.build import AT, SITE, Call, flow

BUSY = "w: {type: queue, queue: busy}"


def site(**queues: dict[str, object]) -> Site:
    return Site.model_validate({**SITE.model_dump(mode="json"), "queues": queues})


def test_a_queue_leads_on_where_the_flows_node_does_not() -> None:
    call, action = Call.of(BUSY)
    assert isinstance(action, Enqueue)
    assert (action.keys, action.leave_when_empty) == ("12345", True)
    message = call.step(Left("empty"))
    assert isinstance(message, Voicemail)
    assert (message.box, message.speech[0].value) == ("box", "leave-message")
    assert call.step(Recorded(5)) == Hangup()
    assert call.path == ["w", "busy/empty"]
    assert call.choices == ["empty", "recorded"]


def test_a_way_of_the_flows_node_goes_before_the_queues() -> None:
    call, action = Call.of(
        """
        w: {type: queue, queue: busy, on_empty: said, on_key: {"9": said, "1": said}}
        said: {type: play, prompt: p, next: end}
        """
    )
    assert isinstance(action, Enqueue)
    assert action.keys == "912345"
    assert isinstance(call.step(Left("key", "1")), Play)
    call, _ = Call.of(
        "w: {type: transfer, to: 'queue:busy', on_failed: said}\nsaid: {type: play, prompt: p, next: end}"
    )
    assert isinstance(call.step(Left("full")), Play)


@pytest.mark.parametrize("node", [BUSY, "w: {type: transfer, to: 'queue:busy'}"])
def test_a_transfer_to_a_queue_has_the_queues_ways_too(node: str) -> None:
    call, _ = Call.of(node)
    assert isinstance(call.step(Left("key", "3")), Transfer)
    call, _ = Call.of(node)
    assert isinstance(call.step(Left("key", "4")), Play), "the other flow's first node"
    assert ("contact.transferred", {"to": "flow:other", "by": "", "how": "flow"}) in call.notes


def test_who_overflows_takes_points_along_and_never_gains_them_twice_or_for_the_same_queue() -> None:
    there = site(
        a={"overflow": {"timeout": "queue:b"}, "overflow_priority": 7},
        b={"overflow": {"timeout": "queue:a", "full": "queue:c"}, "overflow_priority": 3},
        c={},
    )
    call, action = Call.of("s: {type: set, priority: 1, next: w}\nw: {type: queue, queue: a}", site=there)
    seen = []
    for reason in ("timeout", "timeout", "timeout", "full"):
        assert isinstance(action, Enqueue)
        seen.append((action.queue, action.priority))
        action = call.step(Left(reason))
    assert seen == [("a", 1), ("b", 8), ("a", 4), ("b", 8)]
    assert isinstance(action, Enqueue)
    assert (action.queue, action.priority) == ("c", 11)
    call, _ = Call.of("w: {type: queue, queue: a, on_key: {'1': v}}\nv: {type: queue, queue: c}", site=there)
    action = call.step(Left("key", "1"))
    assert isinstance(action, Enqueue)
    assert action.priority == 0, "who chose to leave has not overflowed"


def test_what_a_key_leads_to_and_fails_leads_back_to_waiting() -> None:
    call, waiting = Call.of("w: {type: queue, queue: busy, requires: lang_fr, priority: 2}")
    assert call.step(Left("key", "3")) == Transfer("agent", "anna", language="en")
    assert call.step(TransferFailed("busy")) == waiting
    assert isinstance(call.step(Left("key", "1")), Voicemail)
    assert call.step(Recorded(ok=False)) == waiting
    call.step(Left("key", "5"))
    assert call.step(Left("full")) == waiting, "the other queue turns away and has no way of its own"
    assert call.step(Left("timeout")) == Enqueue("sales", language="en", priority=7)
    assert call.step(Left("timeout")) == Hangup(turned_away=True), "after an overflow there is no way back"


def test_a_key_whose_way_is_taken_away_while_the_caller_waits_does_not_cost_the_caller_the_place() -> None:
    call, waiting = Call.of(BUSY)
    assert isinstance(waiting, Enqueue)
    call.walker.site = site(busy={})
    again = call.step(Left("key", "1"))
    assert isinstance(again, Enqueue)
    assert (again.queue, again.keys) == ("busy", "")


def test_a_way_that_is_added_while_the_caller_waits_is_taken() -> None:
    call, _ = Call.of("w: {type: queue, queue: sales}")
    call.walker.site = site(sales={"overflow": {"timeout": "voicemail:late"}})
    action = call.step(Left("timeout"))
    assert isinstance(action, Voicemail)
    assert action.box == "late"


def test_who_asks_to_be_called_back_is_asked_nothing_and_keeps_skills_and_priority() -> None:
    call, _ = Call.of("s: {type: set, skills: {lang_fr: 50}, priority: 4, next: w}\nw: {type: queue, queue: busy}")
    asked = call.step(Left("key", "2"))
    assert isinstance(asked, Callback)
    assert (asked.queue, asked.number, asked.skills, asked.priority) == ("busy", "+33155501234", {"lang_fr": 50}, 4)
    assert asked.speech[0].value == "callback-noted"
    assert call.step(Done()) == Hangup()


@pytest.mark.parametrize("caller", ["", "anonymous", "12", "+33 1; DROP TABLE", "9" * 30, "*43", "１２３４"])
def test_who_withholds_the_number_waits_on_or_is_turned_away(caller: str) -> None:
    call, waiting = Call.of(BUSY, caller=caller)
    assert call.step(Left("key", "2")) == waiting
    assert call.step(Left("full")) == Hangup(turned_away=True)


def test_a_number_is_called_as_it_is_dialled() -> None:
    assert callable_number("+33 (0)1-55.50/12") == "+3301555012"
    assert callable_number("++33155501234") == ""


def test_a_flow_can_ask_for_the_number_first() -> None:
    call, action = Call.of(
        """
        c: {type: collect, prompt: p, var: reach, min_digits: 5, next: later, on_timeout: end, on_invalid: end}
        later: {type: callback, queue: sales, number: "{{ reach }}", prompt: q, next: end, on_failed: c}
        """
    )
    assert isinstance(action, Gather)
    action = call.step(Digits("0155501234", Reason.TERMINATOR))
    assert isinstance(action, Callback)
    assert (action.number, action.speech[0].text) == ("0155501234", "Prompt q")


def test_preferred_and_excluded_agents_and_the_group_come_from_set_and_from_the_queue_node() -> None:
    call, action = Call.of(
        """
        s: {type: set, vars: {manager: carla}, group: gold, prefer: ["{{ manager }}", "{{ caller_name }}"],
            exclude: ["{{ caller }}", dora], next: w}
        w: {type: queue, queue: sales, prefer: [anna], exclude: [carla], prefer_last_agent: true, on_timeout: v}
        v: {type: transfer, to: "queue:support"}
        """
    )
    assert isinstance(action, Enqueue)
    assert (action.group, action.preferred, action.excluded) == ("gold", ("anna", "carla"), ("carla", "dora"))
    assert action.last_agent
    action = call.step(Left("timeout"))
    assert isinstance(action, Enqueue)
    assert (action.group, action.preferred, action.excluded, action.last_agent) == (
        "gold",
        ("carla",),
        ("dora",),
        False,
    )


@pytest.mark.parametrize("group", ["gold", "GOLD; x", "", "-"])
def test_a_group_from_a_variable_that_is_no_name_is_none(group: str) -> None:
    _, action = Call.of('w: {type: queue, queue: sales, group: "{{ tier }}"}', tier=group)
    assert isinstance(action, Enqueue)
    assert action.group == ("gold" if group == "gold" else "")


@pytest.mark.parametrize("steps", [[], [Left("key", "1")], [Left("key", "5"), Left("key", "1")], [Left("timeout")]])
def test_a_walk_is_taken_over_at_any_place(steps: list[Left]) -> None:
    start = "s: {type: set, group: gold, prefer: [anna], exclude: [dora], next: w}\nw: {type: queue, queue: busy}"
    call, action = Call.of(start)
    for result in steps:
        action = call.step(result)
    saved = json.loads(json.dumps(call.walker.save()))
    other = Walker.restore(saved, SITE, {"test": call.walker.flow})
    assert other.step(Resume(), AT) == action
    assert other.save() == call.walker.save()


def test_a_walk_that_an_earlier_version_saved_is_taken_over() -> None:
    call, action = Call.of(BUSY)
    saved = call.walker.save()
    for new in ("overflowed", "group", "preferred", "excluded", "back"):
        del saved[new]
    assert Walker.restore(saved, SITE, {"test": call.walker.flow}).step(Resume(), AT) == action


def test_a_caller_at_a_place_that_is_gone_after_a_restart_begins_the_flow_anew() -> None:
    call, waiting = Call.of(BUSY)
    call.step(Left("key", "1"))
    there = site(busy={})
    other = Walker.restore(call.walker.save(), there, {"test": call.walker.flow})
    assert _queue(other.step(Resume(), AT)) == _queue(waiting) == "busy"


def _queue(action: Action) -> str:
    assert isinstance(action, Enqueue)
    return action.queue


def told(nodes: str, there: Site = SITE, error: bool = True) -> list[str]:
    return [str(problem) for problem in check(flow(nodes), there) if problem.error is error and problem.node != "end"]


def test_the_check_asks_for_no_way_that_the_queue_has() -> None:
    assert told(BUSY) == []


def test_a_circle_through_a_queues_own_ways_is_found() -> None:
    there = site(sales={"overflow": {"full": "flow:again"}}, next={"overflow": {"empty": "queue:sales"}})
    again = {"start": "x", "nodes": {"x": {"type": "transfer", "to": "flow:test"}}}
    there = there.model_copy(update={"flows": {"again": again}})
    path = "w -> sales/full -> again/x -> w"
    assert told("w: {type: queue, queue: sales}", there) == [f"node w: goes round without waiting for anything: {path}"]
    there = there.model_copy(update={"flows": {"again": {"start": "x", "nodes": {"x": {"type": "hangup"}}}}})
    assert told("w: {type: queue, queue: sales}", there) == []


def test_names_of_people_and_groups_are_looked_up_and_those_of_variables_are_not() -> None:
    nodes = """
    s: {type: set, prefer: [zoe, "{{ caller }}"], group: platinum, next: w}
    w: {type: queue, queue: sales, exclude: [anna, yan], group: gold}
    """
    assert told(nodes) == [
        "node s.prefer: 'zoe' the site has no such agent",
        "node w.exclude: 'yan' the site has no such agent",
    ]
    assert told(nodes, error=False) == ["warning: node s.group: 'platinum' is a group to which no queue gives points"]
    assert told("c: {type: callback, queue: nope}") == [
        "node c.on_failed: is required: a caller may withhold the number",
        "node c.queue: 'nope' the site has no such queue",
    ]


def test_a_drawing_with_the_site_shows_the_queues_own_ways() -> None:
    drawn = flow("w: {type: queue, queue: busy, on_timeout: end}")
    text = mermaid(drawn, SITE)
    assert '"busy/full<br/>callback: busy"' in text
    assert '"busy/5<br/>queue: support"' in text
    assert "busy/timeout" not in text
    assert 'n0 -->|"key 2"|' in text
    assert "busy/full" not in mermaid(drawn)
    assert "busy/full" in svg(drawn, SITE)


def test_a_simulation_shows_the_queues_own_ways() -> None:
    caller = {"caller": "+33155501234", "caller_name": "", "did": ""}
    story = simulate(Walker(flow(BUSY), SITE, caller), Script(queues=("key:2",)), AT)
    assert [(moment.node, moment.type, moment.choice) for moment in story.moments] == [
        ("w", "queue", "key 2"),
        ("busy/2", "callback", "requested"),
    ]
    assert story.moments[1].did == ["is to be called back at +33155501234 by queue busy"]
    assert story.ending == "we hang up (cause 16)"
