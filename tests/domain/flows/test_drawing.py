"""Pictures of flows."""

import re
from itertools import combinations
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from contactcentre.domain.flows.drawing import svg
from contactcentre.domain.flows.graph import circles, mermaid
from contactcentre.domain.flows.layout import layout
from contactcentre.domain.flows.model import Flow
from tests.domain.flows.build import flow

LOOPS = """
lang: {type: menu, prompt: p, choices: {"1": sub, "2": end, "9": lang}, on_timeout: end, on_invalid: lang}
sub: {type: condition, if: 'caller == "<&>"', then: lang, else: end}
"""


def test_a_mermaid_text_names_nodes_and_labels_ways() -> None:
    text = mermaid(flow(LOOPS))
    assert text.startswith("flowchart TD\n    begin((start)) --> n0\n")
    assert 'n0{{"lang<br/>menu"}}' in text
    assert 'n0 -->|"9, invalid"| n0' in text
    assert 'n1{"sub<br/>condition: caller == &quot;&lt;&amp;&gt;&quot;"}' in text


def test_a_drawing_is_well_formed_and_shows_every_node_and_label() -> None:
    root = ElementTree.fromstring(svg(flow(LOOPS)))
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"lang", "sub", "end", "1", "2, timeout", "9, invalid", "then", "else"} <= texts
    assert 'condition: caller == "<&>"' in texts


names = [f"n{number}" for number in range(12)]
graphs = st.dictionaries(
    st.tuples(st.sampled_from(names), st.sampled_from(names)), st.text("abc", max_size=9), max_size=30
)


@settings(max_examples=60)
@given(graphs, st.lists(st.floats(40, 200), min_size=12, max_size=12))
def test_boxes_and_labels_never_lie_on_one_another(ways: dict[tuple[str, str], str], widths: list[float]) -> None:
    made = layout("n0", dict(zip(names, widths, strict=True)), ways, 6.0)
    assert set(made.boxes) == set(names)
    for layer in made.layers:
        for one, two in combinations(layer, 2):
            assert abs(one.x - two.x) >= (one.width + two.width) / 2 - 0.01
        assert all(spot.x - spot.width / 2 >= -0.01 for spot in layer)
    for line in made.lines:
        assert (line.source, line.target) in ways
        ranks = [spot.rank for spot in line.spots]
        step = -1 if line.back else 1
        assert ranks == list(range(ranks[0], ranks[-1] + step, step))
        assert line.spots[1].width >= len(line.label) * 6


@settings(max_examples=60)
@given(graphs)
def test_circles_are_found_where_there_are_some_and_only_there(arrows: dict[tuple[str, str], str]) -> None:
    ways = {name: [target for source, target in arrows if source == name] for name in names}
    found = circles(ways)
    for circle in found:
        assert all(after in ways[before] for before, after in zip(circle, circle[1:] + circle[:1], strict=True))
    left = {name: set(ways[name]) for name in names}
    while loose := [name for name in left if not left[name] & set(left)]:
        for name in loose:
            del left[name]
    assert bool(found) == bool(left)  # what cannot be taken apart has a circle


def test_a_flow_of_a_thousand_nodes_is_drawn() -> None:
    nodes = {
        f"n{number}": {"type": "condition", "if": "caller", "then": f"n{number * 2 + 1}", "else": f"n{number * 2 + 2}"}
        for number in range(499)
    }
    nodes |= {f"n{number}": {"type": "hangup"} for number in range(499, 999)}
    drawn = svg(Flow.parse("big", {"start": "n0", "nodes": nodes}))
    assert len(re.findall('class="box ', drawn)) == 999
