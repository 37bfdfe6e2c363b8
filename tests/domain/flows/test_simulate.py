"""A flow tried out without a PBX."""

from contactcentre.domain.flows.simulate import MOST_STEPS, Script, Simulation, script_problems, simulate
from contactcentre.domain.flows.walk import Walker
from tests.domain.flows.build import AT, SITE, flow


def told(nodes: str, script: Script, at: float = AT) -> Simulation:
    caller = {"caller": "+33155501234", "caller_name": "", "did": "0800"}
    return simulate(Walker(flow(nodes), SITE, caller), script, at)


FLOW = """
a: {type: answer, next: m}
m: {type: menu, prompt: p, retries: 1, choices: {"1": c, "2": q}, on_timeout: end, on_invalid: end}
c: {type: collect, prompt: q, var: n, min_digits: 2, max_digits: 4, next: l, on_timeout: end, on_invalid: end}
l: {type: lookup, url: "http://h/{{ n }}", fields: {name: name}, next: s, on_failed: end}
s: {type: say, text: "Hello {{ name }}", next: q}
q: {type: queue, queue: sales, requires: lang_fr, on_timeout: v, next: t}
v: {type: voicemail, box: sales, next: end}
t: {type: transfer, to: "agent:anna", on_failed: end}
"""


def test_each_entry_answers_one_question_and_the_story_is_told_node_by_node() -> None:
    story = told(FLOW, Script(("1", "123#"), lookups={"l": {"name": "Ada"}}))
    assert [(moment.node, moment.choice) for moment in story.moments] == [
        ("a", ""),
        ("m", "1"),
        ("c", ""),
        ("l", "ok"),
        ("s", ""),
        ("q", "answered"),
        ("t", "done"),
    ]
    by_node = {moment.node: moment for moment in story.moments}
    assert by_node["m"].heard == ["Prompt p"]
    assert by_node["m"].did == ["presses 1"]
    assert by_node["c"].did == ["presses 123#"]
    assert by_node["c"].set == {"n": "123"}
    assert by_node["l"].did == ["GET http://h/123", "it answers"]
    assert by_node["s"].heard == ["Hello Ada"]
    assert by_node["q"].did == ["waits in queue sales, needs lang_fr", "talks with an agent"]
    assert by_node["t"].did == ["talks with agent anna"]
    assert story.ok
    assert story.ending == "we hang up (cause 16)"


def test_a_caller_who_says_nothing_any_more_runs_into_timeouts() -> None:
    story = told(FLOW, Script(("", "")))
    assert [moment.node for moment in story.moments] == ["a", "m", "end"]
    assert story.moments[1].heard == ["Prompt p", "Prompt p"]
    assert story.moments[1].did == ["presses nothing for 5 seconds"] * 2


def test_keys_typed_ahead_answer_the_next_question() -> None:
    story = told(FLOW, Script(("112#",), lookups={"l": None}))
    assert [(moment.node, moment.choice) for moment in story.moments][1:4] == [("m", "1"), ("c", ""), ("l", "failed")]
    assert story.moments[2].did == ["presses 12#"]


def test_a_caller_can_hang_up_at_a_question_and_in_a_queue() -> None:
    assert told(FLOW, Script(("hangup",))).ending == "the caller hangs up"
    assert told(FLOW, Script(("2",), ("hangup",))).ending == "the caller hangs up while waiting"


def test_a_stay_in_a_queue_ends_as_the_script_says() -> None:
    story = told(FLOW, Script(("2",), ("timeout",)))
    assert [moment.node for moment in story.moments] == ["a", "m", "q", "v", "end"]
    assert story.moments[3].did == ["leaves a message in sales"]


def test_time_passes_so_that_a_late_caller_finds_us_closed() -> None:
    nodes = """
    p: {type: queue, queue: sales, max_wait: 3600, on_timeout: h}
    h: {type: hours, hours: office, open: end, closed: end}
    """
    assert told(nodes, Script(queues=("timeout",)), AT + 6.5 * 3600).moments[1].choice == "closed"
    assert told(nodes, Script(queues=("timeout",)), AT).moments[1].choice == "open"


def test_a_flow_that_gets_stuck_or_does_not_end_is_told_in_the_result() -> None:
    stuck = told("a: {type: set, next: a}", Script())
    assert not stuck.ok
    assert "goes round without waiting" in stuck.ending
    endless = told("a: {type: play, prompt: p, next: a}", Script())
    assert not endless.ok
    assert f"{MOST_STEPS} steps" in endless.ending
    unknown = told("h: {type: hours, hours: never, open: end, closed: end}", Script())
    assert unknown.ending == "the site has no hours never"


def test_entries_that_mean_nothing_are_refused() -> None:
    assert script_problems(["1", "", "12#", "AB", "hangup"], ["answered", "key:1", "hangup"]) == []
    assert len(script_problems(["x", "1 2", "hang"], ["left", "key", "key:x", "timeout:1"])) == 7
