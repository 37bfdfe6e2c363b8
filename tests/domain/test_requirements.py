import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.requirements import ANY, RequirementError, combine, parse

SKILLS = ("lang_fr", "lang_en", "billing", "vip-care")
COMPARISONS = st.tuples(
    st.sampled_from(SKILLS), st.sampled_from([">=", "<=", "==", "!=", ">", "<", "="]), st.integers(1, 99)
).map(lambda c: f"{c[0]} {c[1]} {c[2]}")
EXPRESSIONS = st.recursive(
    COMPARISONS | st.sampled_from(SKILLS),
    lambda inner: st.one_of(
        inner.map(lambda e: f"not ({e})"),
        st.tuples(inner, inner).map(" and ".join),
        st.tuples(inner, inner).map(" or ".join),
        inner.map(lambda e: f"({e})"),
    ),
    max_leaves=12,
)
LEVELS = st.dictionaries(st.sampled_from(SKILLS), st.integers(0, 100))


@given(EXPRESSIONS, st.dictionaries(st.sampled_from(["anna", "bob", "carla"]), LEVELS))
def test_who_fulfils_it_is_found_by_skill_as_it_is_found_one_by_one(text: str, team: dict[str, dict[str, int]]) -> None:
    having: dict[str, dict[str, int]] = {}
    for name, levels in team.items():
        for skill, level in levels.items():
            having.setdefault(skill, {})[name] = level
    need = parse(text)
    assert need.among(having, frozenset(team)) == {name for name, levels in team.items() if need.matches(levels)}


def test_levels_are_compared_and_joined_as_they_read() -> None:
    need = parse("lang_fr >= 50 and billing")
    assert need.matches({"lang_fr": 50, "billing": 1})
    assert not need.matches({"lang_fr": 49, "billing": 1})
    assert not need.matches({"lang_fr": 90})
    assert need.skills == {"lang_fr", "billing"}


def test_and_binds_closer_than_or_and_parentheses_closer_than_both() -> None:
    assert parse("a or b and c").matches({"a": 1})
    assert not parse("(a or b) and c").matches({"a": 1})
    assert parse("not a and b").matches({"b": 1})
    assert not parse("not (a or b)").matches({"b": 1})


@pytest.mark.parametrize("text", ["", "  ", "any", "ANY"])
def test_an_empty_requirement_and_the_word_any_ask_for_nothing(text: str) -> None:
    assert parse(text).is_any
    assert parse(text).matches({})
    assert parse(text).why_not({}) == ""


def test_an_agent_without_a_skill_has_level_zero() -> None:
    assert parse("billing == 0").matches({})
    assert parse("not billing").matches({})
    assert parse("billing < 10").matches({})


def test_why_not_says_what_is_needed_and_what_is_there() -> None:
    need = parse("lang_fr >= 50 and billing and not (vip or gold)")
    assert need.why_not({"lang_fr": 20, "billing": 3}) == "needs lang_fr >= 50, has 20"
    assert need.why_not({"lang_fr": 60}) == "needs billing, has none"
    assert need.why_not({"lang_fr": 20, "vip": 1}) == (
        "needs lang_fr >= 50, has 20; needs billing, has none; needs not (vip or gold), has gold none, vip 1"
    )
    assert parse("a >= 10 or b").why_not({"a": 5}) == "needs a >= 10 or b, has a 5, b none"


def test_the_score_is_the_weakest_link_of_and_and_the_best_fulfilled_branch_of_or() -> None:
    assert parse("a >= 10 and b").score({"a": 70, "b": 30}) == 30
    assert parse("a >= 80 or b").score({"a": 70, "b": 30}) == 30
    assert parse("a or b").score({"a": 70, "b": 30}) == 70
    assert parse("a and not b").score({"a": 70}) == 70
    assert ANY.score({"a": 70}) == 0


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("lang_fr >=", 11, "a level from 0 to 100"),
        ("lang_fr >= 101", 12, "a level from 0 to 100"),
        ("lang_fr >= 99999999999999", 12, "a level from 0 to 100"),
        ("lang_fr >= x", 12, "a level from 0 to 100"),
        ("lang_fr billing", 9, "`and`, `or` or the end"),
        ("(lang_fr", 9, "`)`"),
        ("lang_fr)", 8, "`and`, `or` or the end"),
        ("and", 1, "a skill, `not` or `(`"),
        ("a and", 6, "a skill, `not` or `(`"),
        ("50 >= a", 1, "a skill, `not` or `(`"),
        ("a ; rm -rf", 3, "a skill, a level, an operator or a parenthesis"),
        ("a > 100", 3, "a comparison that can be true"),
        ("a < 0", 3, "a comparison that can be true"),
    ],
)
def test_a_wrong_expression_names_the_column_and_what_was_expected(text: str, column: int, expected: str) -> None:
    with pytest.raises(RequirementError) as caught:
        parse(text)
    assert (caught.value.column, caught.value.expected) == (column, expected)
    assert f"column {column}: expected {expected}" in str(caught.value)


@pytest.mark.parametrize("text", ["(" * 100 + "a" + ")" * 100, "not " * 100 + "a", "a and " * 300 + "a"])
def test_an_expression_too_deep_or_too_long_is_refused_and_not_recursed_into(text: str) -> None:
    with pytest.raises(RequirementError, match="at most"):
        parse(text)


@given(st.text(max_size=60) | st.text("ab (>=<!)9andort", max_size=40))
def test_any_text_is_a_requirement_or_a_requirement_error(text: str) -> None:
    column = 1
    try:
        need = parse(text)
        assert parse(str(need)) == need
    except RequirementError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


@given(EXPRESSIONS, LEVELS)
def test_the_plainest_form_means_the_same(text: str, levels: dict[str, int]) -> None:
    need = parse(text)
    assert parse(str(need)).matches(levels) == need.matches(levels)


@given(EXPRESSIONS, EXPRESSIONS, LEVELS)
def test_a_combination_asks_for_both(one: str, other: str, levels: dict[str, int]) -> None:
    both = combine(parse(one), parse(other))
    assert both.matches(levels) == (parse(one).matches(levels) and parse(other).matches(levels))
    assert parse(str(both)).matches(levels) == both.matches(levels)


@given(EXPRESSIONS, LEVELS)
def test_a_reason_is_given_exactly_when_it_does_not_match(text: str, levels: dict[str, int]) -> None:
    need = parse(text)
    assert (need.why_not(levels) == "") == need.matches(levels)
    assert 0 <= need.score(levels) <= 100
