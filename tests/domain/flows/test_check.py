"""What a flow that can be read is told to be wrong with."""

import pytest
import yaml

from contactcentre.domain.flows.check import check
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.site import Site
from tests.domain.flows.build import SITE, flow


def errors(nodes: str, site: Site | None = SITE, **outline: object) -> list[str]:
    return [str(problem) for problem in check(flow(nodes, **outline), site) if problem.error]


def warnings(nodes: str, site: Site | None = SITE) -> list[str]:
    return [str(problem) for problem in check(flow(nodes), site) if not problem.error]


def test_a_good_flow_has_no_problems() -> None:
    nodes = """
    m: {type: menu, prompt: p, choices: {"1": q}, on_timeout: end, on_invalid: end}
    q: {type: queue, queue: support, requires: lang_fr >= 50, on_timeout: end, on_full: end}
    """
    assert check(flow(nodes), SITE) == []


def test_a_node_that_nothing_leads_to_is_told() -> None:
    assert errors("a: {type: play, prompt: p, next: end}\nlonely: {type: play, prompt: p, next: end}") == [
        "node lonely: cannot be reached from the start"
    ]


@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        ("a: {type: set, next: a}", "a -> a"),
        ("a: {type: answer, next: b}\nb: {type: set, next: a}", "a -> b -> a"),
        ("a: {type: condition, if: caller, then: a, else: end}", "a -> a"),
        ("a: {type: hours, hours: office, open: end, closed: a}", "a -> a"),
        ("a: {type: lookup, url: 'http://h/', next: end, on_failed: a}", "a -> a"),
        ("a: {type: queue, queue: sales, on_full: a, on_empty: a}", "a -> a"),
        ("a: {type: transfer, to: 'agent:anna', on_failed: a}", "a -> a"),
        ("a: {type: transfer, to: 'flow:test'}", "a -> a"),
    ],
)
def test_a_circle_in_which_nothing_takes_time_is_an_error(nodes: str, path: str) -> None:
    told = [error for error in errors(nodes) if "without waiting" in error]
    assert told == [f"node a: goes round without waiting for anything: {path}"]


@pytest.mark.parametrize(
    "nodes",
    [
        "a: {type: menu, prompt: p, choices: {'1': a}, on_timeout: end, on_invalid: a}",
        "a: {type: queue, queue: support, on_timeout: b, on_full: end}\nb: {type: play, prompt: p, next: a}",
        "a: {type: lookup, url: 'http://h/', next: end, on_failed: b}\nb: {type: play, prompt: p, next: a}",
    ],
)
def test_a_circle_that_waits_is_none(nodes: str) -> None:
    assert errors(nodes) == []


def test_a_circle_through_other_flows_is_found() -> None:
    back = {"start": "x", "nodes": {"x": {"type": "transfer", "to": "flow:test"}}}
    site = SITE.model_copy(update={"flows": {"back": back}})
    told = errors("a: {type: transfer, to: 'flow:back'}", site)
    assert "node a: goes round without waiting for anything: a -> back/x -> a" in told


def test_ways_that_lead_nowhere_are_told_once() -> None:
    told = errors(
        """
        a: {type: menu, prompt: p, choices: {"1": b, "2": end}, on_timeout: end, on_invalid: end}
        b: {type: play, prompt: p, next: c}
        c: {type: play, prompt: p, next: b}
        """
    )
    assert told == ["node b: no way leads from here to an end of the call (nor from c)"]


def test_a_dead_line_that_would_stay_for_ever_is_a_warning() -> None:
    nodes = "a: {type: menu, prompt: p, choices: {'1': end}, on_timeout: b, on_invalid: b}\nb: {type: set, next: a}"
    assert errors(nodes) == []
    assert warnings(nodes) == ["warning: node a: a caller who does nothing goes round for ever: a -> b -> a"]


def test_branches_that_the_site_makes_necessary_are_asked_for() -> None:
    nodes = "q: {type: queue, queue: support, on_key: {'1': t}}\nt: {type: transfer, to: 'number:12'}"
    assert [error for error in errors(nodes) if "required" in error] == [
        "node q.on_timeout: is required: callers wait 300 seconds at most",
        "node q.on_full: is required: the queue holds 10 at most",
        "node t.on_failed: is required: number:12 may be busy or not answer",
    ]
    assert not [error for error in errors("q: {type: queue, queue: sales, next: end}") if "required" in error]


def test_names_that_the_site_does_not_have_are_told() -> None:
    told = errors(
        """
        s: {type: set, skills: {lang_es: 50}, next: h}
        h: {type: hours, hours: never, open: q, closed: t}
        q: {type: queue, queue: billing, requires: cobol and lang_fr}
        t: {type: transfer, to: "agent:bob", on_failed: t2}
        t2: {type: transfer, to: "queue:nope", on_failed: t3}
        t3: {type: transfer, to: "flow:nope", on_failed: t4}
        t4: {type: transfer, to: "did:999", on_failed: end}
        """
    )
    assert told == [
        "node s.skills.lang_es: 'lang_es' the site has no such skill",
        "node h.hours: 'never' the site has no such opening hours",
        "node q.queue: 'billing' the site has no such queue",
        "node q.requires: 'cobol' the site has no such skill",
        "node t.to: 'bob' the site has no such agent",
        "node t2.to: 'nope' the site has no such queue",
        "node t3.to: 'nope' the site has no such flow",
        "node t4.to: '999' the site has no such DID",
    ]


def test_without_a_site_names_are_not_judged() -> None:
    assert errors("q: {type: queue, queue: billing}\n", None) == ["node end: cannot be reached from the start"]


def test_a_variable_that_nothing_sets_is_a_warning() -> None:
    nodes = """
    a: {type: say, text: "Hello {{ nmae }} {{ caller }} {{ weekday }}", next: b}
    b: {type: condition, if: 'tier == "gold" and number is set', then: c, else: end}
    c: {type: collect, var: number, prompt: p, next: end, on_timeout: end, on_invalid: end}
    """
    assert warnings(nodes) == [
        "warning: node a.text: 'nmae' is a variable that nothing sets",
        "warning: node b.if: 'tier' is a variable that nothing sets",
    ]


BILINGUAL = """
start: m
prompts: {welcome: {en: Welcome}, both: {en: Both, fr: Les deux}, only-fr: {fr: Oui}}
nodes:
  m:
    type: menu
    prompt: [welcome, recorded, {prompt: only-fr, language: fr}]
    choices: {"1": e, "2": f}
    on_timeout: e
    on_invalid: e
  e: {type: set, language: en, next: p}
  f: {type: set, language: fr-CA, next: p}
  p: {type: play, prompt: [both, welcome, nobody], next: end}
  end: {type: hangup}
"""


def test_a_prompt_needs_a_sound_or_a_text_in_each_language_in_which_a_caller_can_hear_it() -> None:
    parsed = Flow.parse("test", yaml.safe_load(BILINGUAL))
    told = [str(problem) for problem in check(parsed, SITE, lambda name, language: name == "recorded")]
    missing = "is a prompt with neither a sound file nor a text in"
    assert told == [
        f"node p.prompt: 'nobody' {missing} en",
        f"node p.prompt: 'welcome' {missing} fr-CA",
        f"node p.prompt: 'nobody' {missing} fr-CA",
    ]


def test_the_languages_of_the_dids_that_lead_to_a_flow_count() -> None:
    site = SITE.model_copy(
        update={"dids": {"0800": SITE.dids["0800"].model_copy(update={"flow": "test", "language": "es"})}}
    )
    told = check(flow("a: {type: play, prompt: p, next: end}"), site, lambda name, language: False)
    assert [str(problem) for problem in told] == [
        "node a.prompt: 'p' is a prompt with neither a sound file nor a text in es"
    ]


def test_what_is_sensitive_is_neither_spoken_nor_copied_nor_sent_in_an_address() -> None:
    nodes = """
    a: {type: collect, prompt: p, var: card, sensitive: true, next: b, on_timeout: c, on_invalid: end}
    b: {type: lookup, url: "https://h/{{ card }}", method: POST, body: {n: "{{ card }}"}, next: d, on_failed: end}
    c: {type: collect, prompt: p, var: card, next: b, on_timeout: end, on_invalid: end}
    d: {type: say, digits: "{{ card }}", next: e}
    e: {type: set, vars: {copy: "{{ card }}"}, next: f}
    f: {type: condition, if: card is set, then: end, else: end}
    """
    told = [error for error in errors(nodes) if "sensitive" in error]
    assert [error.split(":")[0] for error in told] == ["node b.url", "node c.sensitive", "node d.digits", "node e.vars"]
    assert "lookup's body and in conditions only" in told[0]
    assert warnings(nodes.replace("https", "http")) == [
        "warning: node b.url: 'http://h/{{ card }}' sends what is sensitive without encryption"
    ]
    assert any("prompts.p.en" in error for error in errors(nodes, prompts={"p": {"en": "Your {{ card }}"}}))


def test_a_review_needs_the_prompts_that_tell_its_keys() -> None:
    reviewed = flow("v: {type: voicemail, box: support, review: true, next: end}")
    assert check(reviewed, SITE, lambda prompt, language: True) == []
    told = [str(one) for one in check(reviewed, SITE, lambda prompt, language: prompt == "message-review")]
    assert len(told) == 1
    assert "message-review-last" in told[0]
