"""docs/conformance.rst, which is written from a run of the suite, says all of it, and what was."""

from pathlib import Path

import pytest

from tests.pbx.conformance import DIFFERENCES, PAGE, VERBS, Outcome, functions, page, read, sentence, titles

REPORT = """<testsuites><testsuite>
<testcase classname="tests.pbx.test_conformance_calls" name="test_digits_come_in_their_order[asterisk]">
  <properties><property name="pbx" value="Asterisk 22.1"/></properties></testcase>
<testcase classname="tests.pbx.test_conformance_calls" name="test_digits_come_in_their_order[freeswitch]">
  <properties><property name="pbx" value="FreeSWITCH 1.11"/></properties><failure message="no"/></testcase>
<testcase classname="tests.pbx.test_conformance_take" name="test_the_agent_of_such_a_call_can_be_taken_as_well[queue-freeswitch]">
  <properties/><skipped type="pytest.skip" message="there is none"/></testcase>
<testcase classname="tests.pbx.test_conformance_take" name="test_the_agent_of_such_a_call_can_be_taken_as_well[plain-freeswitch]"/>
<testcase classname="tests.pbx.test_conformance_link" name="test_phones_that_come_and_go_are_noticed[asterisk]">
  <skipped type="pytest.xfail" message="sometimes"/></testcase>
</testsuite></testsuites>"""  # noqa: E501


def test_every_test_of_the_suite_is_in_the_page_and_nothing_else_is() -> None:
    cells = {line.strip().removeprefix("* ").removeprefix("- ") for line in PAGE.read_text().splitlines()}
    missing = [node.name for _, node in functions() if sentence(node.name) not in cells]
    assert missing == [], "run `make conformance`"
    known = {sentence(node.name) for _, node in functions()} | {"what", "verb"}
    firsts = {line.removeprefix("   * - ") for line in PAGE.read_text().splitlines() if line.startswith("   * - ")}
    assert {first for first in firsts if not first.startswith("``")} <= known, "run `make conformance`"


def test_the_page_was_written_from_a_run_against_both_in_which_every_test_was_run() -> None:
    text = PAGE.read_text()
    assert "Asterisk 22" in text
    assert "FreeSWITCH 1." in text
    assert "not run" not in text
    assert "**no**" not in text
    assert DIFFERENCES.strip() in text


def test_every_part_of_the_suite_and_every_verb_is_in_the_page() -> None:
    text = PAGE.read_text()
    assert [title for title in titles().values() if f"\n{title}\n---" not in text] == []
    assert [
        f"{kind}.{verb}" for kind, verbs in VERBS.items() for verb in verbs if f"``{kind}.{verb}``" not in text
    ] == []


def test_what_failed_was_skipped_or_only_holds_at_times_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    table, versions = read(tmp_path / "report.xml")
    assert versions == {"asterisk": "Asterisk 22.1", "freeswitch": "FreeSWITCH 1.11"}
    digits = table["calls", "test_digits_come_in_their_order"]
    assert (str(digits["asterisk"]), str(digits["freeswitch"])) == ("yes", "**no** (0 of 1)")
    taken = table["take", "test_the_agent_of_such_a_call_can_be_taken_as_well"]
    assert str(taken["freeswitch"]) == "yes (1 of 2; not tried: there is none)"
    assert str(table["link", "test_phones_that_come_and_go_are_noticed"]["asterisk"]) == "not always: sometimes"
    text = page(table, versions, "2026-01-01")
    assert "   * - digits come in their order\n     - yes\n     - **no** (0 of 1)" in text
    assert "Asterisk 22.1: 1 hold, 1 do not always; FreeSWITCH 1.11: 1 hold, 1 do not, 1 were not tried" in text


@pytest.mark.parametrize("kind", ["passed", "failed", "skipped", "xfailed"])
def test_an_outcome_is_never_told_as_better_than_it_was(kind: str) -> None:
    outcome = Outcome()
    outcome.results[kind] += 1
    assert (str(outcome) == "yes") is (kind == "passed")
