"""A site file: read, or refused with every problem at once."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from contactcentre.domain.site import Agent, Did, Hours, Music, Period, Queue, RelaxStep, Settings, Site, Trunk
from contactcentre.provision import SiteError, load, parse
from tests.provision.sites import FLOW, document


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(SiteError) as caught:
        load(path)
    return [str(problem).removeprefix(str(path)) for problem in caught.value.problems]


def test_a_site_file_and_its_flow_files_become_a_site(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    written(tmp_path / "flows/main.yaml", yaml.safe_dump(FLOW))
    site = load(written(tmp_path / "site.yaml", yaml.safe_dump(document(flows__main="flows/main.yaml"))))
    assert site == parse(document())


def test_an_empty_file_is_a_mistake_and_a_site_without_anything_is_not(tmp_path: Path) -> None:
    for nothing in ("", "# all gone\n", "---\n"):
        with pytest.raises(SiteError, match="is empty"):
            load(written(tmp_path / "site.yaml", nothing))
    assert load(written(tmp_path / "site.yaml", "{}")) == Site()


def test_of_a_flow_that_cannot_be_read_only_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(SiteError) as refused:
        load(written(tmp_path / "site.yaml", "flows:\n  main: gone.yaml\n"))
    assert [problem.rule for problem in refused.value.problems] == ["file"]


def test_every_problem_is_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = """\
settings: {timezone: Europe/Pariz}
dids:
  +33155500001: {flow: main, fallback_queu: support}
  0033155500001: {flow: mian}
skills: {lang_fr: French, billing: ""}
queues:
  support:
    requires: lang_fr >= 50 and biling
    relax: [{after: 30, requires: lang_fr}, {after: 20, requires: ""}]
  sales: {requires: "lang_fr >=", ring_seconds: 1, agents: [alice, carol]}
agents:
  alice: {full_name: 'Al"ice', skills: {lang_fr: 101}}
  general: {}
hours:
  office: {periods: [{days: mon-fry, open: 08:00, close: 18:00}]}
  shop: {holidays: XX, open: {2026-02-30: [08:00, 12:00]}}
flows:
  main: {start: a, nodes: {a: {type: answer, next: b}, b: {type: queue, queue: suport}}}
"""
    found = refused(written(tmp_path / "site.yaml", text))
    assert [line.split(": ")[0:2] for line in found] == [
        [":1", "settings.timezone"],
        [":3", "dids.+33155500001.fallback_queu"],
        [":4", "dids.0033155500001"],
        [":4", "dids.0033155500001.flow"],
        [":8", "queues.support.requires"],
        [":9", "queues.support.relax.1.after"],
        [":10", "queues.sales.agents.1"],
        [":10", "queues.sales.requires"],
        [":10", "queues.sales.ring_seconds"],
        [":12", "agents.alice.full_name"],
        [":12", "agents.alice.skills.lang_fr"],
        [":13", "agents.general"],
        [":15", "hours.office.periods.0.days"],
        [":16", "hours.shop.holidays"],
        [":16", "hours.shop.open"],
        [":18", "flows.main.nodes.b.queue"],
    ]
    assert found[1].endswith("unknown key; did you mean fallback_queue?")
    assert found[4].endswith("there is no skill biling; did you mean billing?")


def test_a_problem_in_a_flow_file_names_that_file(tmp_path: Path) -> None:
    written(tmp_path / "main.yaml", "start: a\nnodes:\n  a: {type: answer, next: nowhere}\n")
    with pytest.raises(SiteError) as caught:
        load(written(tmp_path / "site.yaml", "flows: {main: main.yaml}"))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(tmp_path / "main.yaml"), 3)
    assert problem.where == "flows.main.nodes.a.next"


def test_a_flow_file_that_is_missing_is_told_on_the_line_that_names_it(tmp_path: Path) -> None:
    found = refused(written(tmp_path / "site.yaml", "flows:\n  main: nowhere.yaml\n"))
    assert found[0].startswith(":2: flows.main: cannot read")


def test_a_site_file_that_cannot_be_read_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    assert "cannot read" in refused(tmp_path / "nowhere.yaml")[0]
    (tmp_path / "latin1.yaml").write_bytes(b"skills: {a: \xe9}")
    assert "is not UTF-8" in refused(tmp_path / "latin1.yaml")[0]
    assert "must be a mapping" in refused(written(tmp_path / "list.yaml", "[1, 2]"))[0]


def test_a_missing_value_hides_no_other_problem() -> None:
    with pytest.raises(SiteError) as caught:
        parse({"trunks": {"t": {}}, "dids": {"100": {}}, "queues": {"q": {"requires": "nope"}}})
    assert [(p.where, p.rule) for p in caught.value.problems] == [
        ("trunks.t.host", "missing"),
        ("dids.100.flow", "missing"),
        ("queues.q.requires", "unknown-skill"),
    ]


HOSTILE = [
    "a\n[evil]",
    "a\r\nb",
    "a\x00b",
    "a;comment",
    'a"b',
    "${EXTEN}",
    "$[1+1]",
    "#include /etc/passwd",
    "#exec /bin/sh",
    "a\u2028b",
    "a\x85b",
    "a\\",
    "<b>",
    "a,System(id)",
    "a)\nexten => s",
    "x" * 600,
]
LISTS = {"match", "codecs", "agents", "closed", "pause_reasons", "prompts"}
# A description goes to pages only, which escape it: there a sign that means something to a PBX is just a sign.
FREE = {("Queue", "description"), ("Settings", "name")}


def texts() -> list[tuple[type, str]]:
    found: list[tuple[type, str]] = []
    for model in (Trunk, Did, RelaxStep, Queue, Agent, Period, Hours, Music, Settings):
        for name, field in model.model_fields.items():
            if "str" in str(field.annotation) and "dict" not in str(field.annotation):
                found.append((model, name))
    return found


BASE: dict[type, dict[str, Any]] = {
    Trunk: {"host": "h"},
    Did: {"flow": "f"},
    RelaxStep: {"after": 1, "requires": ""},
    Period: {"days": "mon", "open": "08:00", "close": "09:00"},
    Music: {"directory": "/x"},
}


@pytest.mark.parametrize(("model", "field"), texts(), ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_field_takes_what_means_something_to_a_pbx(model: type[Any], field: str, value: str) -> None:
    if (model.__name__, field) in FREE and value.isprintable() and len(value) <= 500:
        pytest.skip("free text")
    if field == "full_name" and value in ("a,System(id)", "#include /etc/passwd", "#exec /bin/sh"):
        pytest.skip("stands in quotes")
    if field == "requires" and value == "<b>":
        pytest.skip("two signs of the language, refused by its own reader")
    with pytest.raises(ValueError, match=field):
        model(**{**BASE.get(model, {}), field: (value,) if field in LISTS else value})


@pytest.mark.parametrize("section", ["trunks", "dids", "skills", "queues", "agents", "hours", "music", "flows"])
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_takes_what_means_something_to_a_pbx(section: str, value: str) -> None:
    content: Any = {"trunks": {"host": "h"}, "skills": "", "dids": {"flow": "f"}, "music": {"directory": "/x"}}.get(
        section, {}
    )
    with pytest.raises(SiteError):
        parse({section: {value: content}})


def test_an_error_shows_a_hostile_value_on_one_line() -> None:
    with pytest.raises(SiteError) as caught:
        parse({"agents": {"alice": {"full_name": "A\nERROR root: all is lost\x1b[2J"}}})
    assert str(caught.value).isprintable()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(max_examples=200)
def test_no_document_whatever_is_in_it_does_more_than_be_refused(data: st.DataObject) -> None:
    whole = document()
    holder: Any = whole
    while True:  # walk to any place of a good site, and put anything there
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(values)
    try:
        site = parse(whole)
    except SiteError:
        return
    assert parse(site.model_dump(mode="json")) == site
