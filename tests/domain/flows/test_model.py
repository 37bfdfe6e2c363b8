"""Reading a flow: what is accepted, and that everything wrong is told at once."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.flows.model import NODE_TYPES, Flow, read
from contactcentre.domain.flows.problems import FlowError


def problems(text: str) -> list[tuple[str, str, str]]:
    found, problems = read("test", yaml.safe_load(text))
    assert found is None
    return [(problem.node, problem.field, problem.rule) for problem in problems]


def rule(node: str) -> str:
    """The one rule that the node `n` (YAML) breaks."""
    fields = yaml.safe_load(node)
    others = {name: {"type": "hangup"} for name in ("end", "other")}
    _, found = read("test", {"start": "n", "nodes": {"n": fields, **others}})
    assert len(found) == 1, found
    return f"{found[0].field}: {found[0].rule}"


def test_every_problem_is_told_at_once_with_node_field_value_and_rule() -> None:
    with pytest.raises(FlowError) as caught:
        Flow.parse(
            "test",
            yaml.safe_load("""
            start: helo
            colour: red
            nodes:
              hello: {type: play, next: menu}
              menu: {type: menu, prompt: p, choices: {A: hello, "2": nowhere}, on_timeout: 5, on_invalid: menu,
                     retries: -1}
              strange: {type: dance}
              nothing: 3
              wait: {type: queue, queue: Support!, requires: "lang_fr >=", on_timout: menu}
            """),
        )
    told = [str(problem) for problem in caught.value.problems]
    for expected in [
        "flow.colour: is not known here",
        "flow.nodes.nothing: 3 must be a mapping",
        "flow.start: 'helo' is no node of this flow; did you mean hello?",
        "node hello.prompt: is required",
        "node menu.choices.A: 'A' must be keys: 1 to 8 of 0-9, * and #",
        "node menu.choices.2: 'nowhere' is no node of this flow",
        "node menu.on_timeout: 5 must be a text",
        "node menu.retries: -1 must be greater than or equal to 0",
        "node strange.type: 'dance' is no node type: one of answer, play, say, menu, collect",
        "node wait.queue: 'Support!' must be a name",
        "node wait.requires: 'lang_fr >=' column",
        "node wait.on_timout: is no field of this node type: it has type, note, queue",
    ]:
        assert any(line.startswith(expected) for line in told), (expected, told)
    assert "did you mean hello?" in str(caught.value)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("{type: say, next: end}", "needs exactly one of text, number, digits, date, time; has none"),
        ("{type: say, text: a, number: 1, next: end}", "has text, number"),
        ("{type: say, text: 'Hello {{ name', next: end}", "{{ or }} that belongs to no variable"),
        ("{type: say, text: '{{ Name }}', next: end}", "{{ or }} that belongs to no variable"),
        ("{type: play, prompt: [], next: end}", "at least 1 item"),
        ("{type: play, prompt: 'sound:../../etc/passwd', next: end}", "must match"),
        ("{type: play, prompt: [{sound: /etc/passwd}], next: end}", "must match"),
        ("{type: play, prompt: [{sound: beep, language: fr}], next: end}", "sound takes no language"),
        ("{type: set, vars: {date: x}, next: end}", "is kept by the flow itself"),
        ("{type: set, vars: {Big: x}, next: end}", "must be a variable's name"),
        ("{type: set, language: klingon, next: end}", "must match"),
        ("{type: set, skills: {lang_fr: 101}, next: end}", "less than or equal to 100"),
        ("{type: condition, if: 'a = 1', then: end, else: other}", "column 3: '=' is not understood"),
        ("{type: hours, hours: {timezone: Nowhere}, open: end, closed: other}", "timezone 'Nowhere' is no time zone"),
        ("{type: collect, prompt: p, var: x, pattern: '[0-9]+', next: end, %s}", "pattern"),
        ("{type: collect, prompt: p, var: x, min_digits: 5, max_digits: 4, next: end, %s}",
         "min_digits 5 is more than max_digits 4"),
        ("{type: menu, prompt: p, choices: {'1#': end}, terminators: '#', %s}", "terminators"),
        ("{type: lookup, url: 'ftp://x/', %f}", "must begin with http:// or https://"),
        ("{type: lookup, url: 'file:///etc/passwd', %f}", "must begin with http://"),
        ("{type: lookup, url: 'http://{{ caller }}/', %f}", "a host that contains no variable"),
        ("{type: lookup, url: 'http://a{{ caller }}/', %f}", "a host that contains no variable"),
        ("{type: lookup, url: 'http://me:secret@a/', %f}", "user or password"),
        ("{type: lookup, url: 'http://a/b c', %f}", "spaces or control characters"),
        ("{type: lookup, url: 'http://a:99999/', %f}", "is no URL"),
        ("{type: transfer, to: 'number:{{ digits }}'}", "without variables"),
        ("{type: transfer, to: 'pigeon:x'}", "must be agent:NAME"),
        ("{type: queue, queue: support, on_key: {A: end}}", "must be one key"),
        ("{type: hangup, cause: rude}", "is no cause"),
        ("{type: hangup, cause: 200}", "less than or equal to 127"),
        ("{type: answer}", "next: is required"),
    ],
)  # fmt: skip
def test_a_value_that_breaks_a_rule_is_refused(node: str, expected: str) -> None:
    assert expected in rule(
        node.replace("%s", "on_timeout: end, on_invalid: end").replace("%f", "next: end, on_failed: other")
    )


def test_yaml_that_reads_keys_as_numbers_means_the_same() -> None:
    flow = Flow.parse(
        "t",
        yaml.safe_load("""
        start: m
        nodes:
          m: {type: menu, prompt: p, choices: {1: q}, on_timeout: q, on_invalid: q}
          q: {type: queue, queue: support, on_key: {2: m}}
        """),
    )
    assert [edge.label for edge in flow.nodes["m"].edges()] == ["1", "timeout", "invalid"]
    assert [edge.label for edge in flow.nodes["q"].edges()] == ["key 2"]


@pytest.mark.parametrize("data", [None, [], "flow", 3, {}, {"start": "a"}, {"start": "a", "nodes": []}])
def test_what_is_no_flow_at_all_is_refused(data: Any) -> None:
    with pytest.raises(FlowError):
        Flow.parse("t", data)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from(sorted({name for node in NODE_TYPES.values() for name in node.model_fields} | {"if", "else"}))


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.dictionaries(fields, anything | st.sampled_from([*NODE_TYPES, "a", "p"]), max_size=8) | anything,
        max_size=4,
    ),
    anything,
)
def test_any_data_is_either_a_flow_or_a_list_of_problems(nodes: Any, start: Any) -> None:
    flow, problems = read("t", {"start": start, "nodes": nodes})
    assert (flow is None) == bool(problems)
    assert all(str(problem) for problem in problems)
