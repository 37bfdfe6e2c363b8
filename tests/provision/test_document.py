"""YAML with lines, and without YAML 1.1's surprises."""

import pytest

from contactcentre.provision.document import read


def test_a_number_stays_as_it_was_typed() -> None:
    found = read("a: 0123\nb: +33155501\nc: 18:00\nd: 2026-12-25\ne: yes\nf: 1_000\n", "x")
    assert found.data == {
        "a": "0123",
        "b": "+33155501",
        "c": "18:00",
        "d": "2026-12-25",
        "e": "yes",
        "f": "1_000",
    }


def test_in_a_flow_plain_words_have_the_types_of_yaml_1_2() -> None:
    found = read("a: [1, -2, 2.5, true, null, 'true', 0x10, on, 012]", "x", typed=lambda path: True)
    assert found.data == {"a": [1, -2, 2.5, True, None, "true", "0x10", "on", "012"]}


def test_a_key_is_always_text() -> None:
    assert read("choices: {1: a, 0123: b, true: c}", "x", typed=lambda path: True).data == {
        "choices": {"1": "a", "0123": "b", "true": "c"}
    }


def test_every_value_knows_its_line() -> None:
    lines = read("a:\n  b:\n  - c: 1\n  - d: 2\n", "f.yaml").lines
    assert lines["a"] == ("f.yaml", 1)
    assert lines["a.b.1.d"] == ("f.yaml", 4)


def test_a_key_that_appears_twice_is_refused_with_both_lines() -> None:
    (problem,) = read("a: 1\nb: 2\na: 3\n", "f.yaml").problems
    assert str(problem) == "f.yaml:3: a: appears twice, first on line 1"


def test_a_broken_text_is_refused_with_its_line() -> None:
    (problem,) = read("a: 1\nb: [1, 2\nc: }\n", "f.yaml").problems
    assert problem.rule == "yaml"
    assert problem.line == 3


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: !!python/object/apply:os.system ['true']", "tag"),
        ("a: !include secrets.yaml", "tag"),
        ("a: {? [1, 2] : b}", "key"),
        ("a: " + "[" * 60 + "]" * 60, "too-large"),
        ("a: " + "[" * 5000 + "]" * 5000, "yaml"),
        ("a: &a [*a]", "too-large"),
        ("a: 1\n--- \nb: 2", "yaml"),
        ("a: \x07", "yaml"),
        ("x" * 4_000_001, "too-large"),
    ],
)
def test_a_hostile_document_is_refused_in_words(text: str, rule: str) -> None:
    assert rule in {problem.rule for problem in read(text, "x").problems}


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory() -> None:
    levels = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    levels += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert [problem.rule for problem in read("\n".join(levels), "x").problems] == ["too-large"]
