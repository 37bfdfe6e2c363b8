"""`make conformance`: runs the suite of PBX drivers against each PBX and writes docs/conformance.rst.

What a table says comes from the run: which tests passed, which did not, what was skipped and why. A verb's tests are
those that name it in their own text. `python -m tests.pbx.conformance FILE.xml...` writes the page of runs that
pytest has kept with --junitxml.
"""

import ast
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from contactcentre.pbx import protocol

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.rst"
SUITE = sorted(Path(__file__).parent.glob("test_conformance_*.py"))
TITLES = {
    "calls": "Calls",
    "media": "Prompts, music and recordings",
    "voices": "Every voice is heard, one after the other",
    "hands": "Conversations of several, digits, mute, recordings that pause",
    "spies": "Listening, whispering, barging in",
    "take": "Taking over calls that live in the dialplan",
    "keys": "The keys of phones: hold and transfer",
    "lamps": "Message lamps",
    "link": "The link to the PBX, and what holds without it",
}
VERBS = {
    kind: [name for name in vars(getattr(protocol, kind)) if not name.startswith("_") and name not in ("id", "started")]
    for kind in ("Pbx", "Channel", "Bridge", "Tap")
}
HEAD = """.. Written by `make conformance`; what to change is in tests/pbx/conformance.py.

What each PBX does
==================

The drivers for Asterisk and FreeSWITCH give the same verbs, and one suite of tests, ``tests/pbx``, is run against
both: real SIP phones call through a real PBX, and what people hear is measured by its spectrum. This page is written
from such a run by ``make conformance``. Below `Differences`_ is what somebody at a phone, or an administrator, can
notice.

"""
DIFFERENCES = """
What the tests above do not say in a word:

* **A phone's transfer key.** On both the customer stays with us and the controller decides. What was not tried above
  is Asterisk's way (from 20.13 on): the phone is told how the transfer goes, and 603 when it is declined. FreeSWITCH
  tells it 200 or 403 when the controller has decided, and then connects the two again;
  ``tests/pbx/freeswitch/test_transfers.py`` tries that.
* **An attended transfer by the phone's key** (two calls of one phone): FreeSWITCH has told the phone of success
  before we are asked. A transfer that the controller then declines ends the colleague's call as well as the phone's
  own; a customer who is not on hold, and a colleague who still rings, are refused with 403. Consulting with the keys
  of ``features.keys`` is the same on both.
* **A carrier that asks for a transfer** is refused by Asterisk; on FreeSWITCH it hears 200, and nobody is moved.
  ``disable-transfer`` in a SIP profile of the trunks' own refuses there, too.
* **Softphones in the browser** are on both. A password that a browser is given is in force on FreeSWITCH once it has
  read its XML files anew, and then what somebody else has changed in them meanwhile is in force, too.
* **Sounds and music.** FreeSWITCH brings none: what the controller says by itself is spoken by espeak-ng, and a class
  of music is silent for a second each time that all files of its directory were played.
* **Recordings** come as one stereo file from FreeSWITCH and are parted by us; Asterisk makes two.
* **A phone that registers anew** is called at its old address for up to a second on FreeSWITCH.
* **Message lamps.** Phones are told on both. One that asks for it (SUBSCRIBE) needs ``manage-presence`` in its SIP
  profile on FreeSWITCH.
"""


@dataclass
class Outcome:
    """Of one test function on one PBX, all its variants."""

    results: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, None] = field(default_factory=dict)  # in their order

    def __str__(self) -> str:
        passed, together = self.results["passed"], self.results.total()
        why = "; ".join(self.reasons)
        if not together:
            return "not run"
        if passed == together:
            return "yes"
        if self.results["failed"]:
            return f"**no** ({passed} of {together})"
        if self.results["xfailed"]:
            return f"not always: {why}"
        return f"not tried: {why}" if not passed else f"yes ({passed} of {together}; not tried: {why})"


Table = Mapping[tuple[str, str], Mapping[str, Outcome]]
"""(Module, test function) -> PBX -> outcome."""


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Module's short name and function, in the order of the files."""
    for path in SUITE:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield path.stem.removeprefix("test_conformance_"), node


def titles() -> dict[str, str]:
    """Of each part of the suite; one that has none here goes by its name."""
    parts = [path.stem.removeprefix("test_conformance_") for path in SUITE]
    return {name: title for name, title in TITLES.items() if name in parts} | {
        name: name.capitalize() for name in parts if name not in TITLES
    }


def sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def read(*reports: Path) -> tuple[Table, dict[str, str]]:
    """The outcomes in pytest's JUnit reports, and PBX -> its version."""
    table: dict[tuple[str, str], dict[str, Outcome]] = {(module, node.name): {} for module, node in functions()}
    versions: dict[str, str] = {}
    for case in (case for report in reports for case in ElementTree.parse(report).iter("testcase")):
        told = {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
        module = case.get("classname", "").rpartition(".")[2].removeprefix("test_conformance_")
        function, _, variant = case.get("name", "").partition("[")
        pbx = next((name for name in ("asterisk", "freeswitch") if name in variant.rstrip("]").split("-")), "")
        if (module, function) not in table or not pbx:
            continue
        versions.setdefault(pbx, told.get("pbx", ""))
        outcome = table[module, function].setdefault(pbx, Outcome())
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.results["failed"] += 1
        elif skipped is None:
            outcome.results["passed"] += 1
        else:
            outcome.results["xfailed" if skipped.get("type") == "pytest.xfail" else "skipped"] += 1
            outcome.reasons[(skipped.get("message") or "").strip()] = None
    return table, {name: version for name, version in versions.items() if version}


def page(table: Table, versions: Mapping[str, str], day: str) -> str:
    return HEAD + "\n".join(_lines(table, versions, day)) + "\n"


def _lines(table: Table, versions: Mapping[str, str], day: str) -> Iterator[str]:
    pbxs = sorted(versions)
    names = [versions[pbx] for pbx in pbxs]
    yield f"The run of {day}: " + "; ".join(f"{versions[pbx]}: {_summary(table, pbx)}" for pbx in pbxs) + "."
    yield from ("", "Verbs", "-----", "")
    yield "How many of the tests that name a verb hold, of those that were tried:"
    yield ""
    nodes = list(functions())
    rows = []
    for kind, verbs in VERBS.items():
        for verb in verbs:
            mine = [(module, node.name) for module, node in nodes if verb in _called(node)]
            held = [_held(table[key].get(pbx) for key in mine) if mine else "no test of this suite" for pbx in pbxs]
            rows.append((f"``{kind}.{verb}``", *held))
    yield from _table(("verb", *names), rows)
    yield from ("Differences", "-----------", "")
    rows = [
        (sentence(name), *(str(by_pbx.get(pbx, Outcome())) for pbx in pbxs))
        for (_, name), by_pbx in table.items()
        if any(str(by_pbx.get(pbx, Outcome())) != "yes" for pbx in pbxs)
    ]
    yield from _table(("what", *names), rows)
    yield from DIFFERENCES.strip("\n").splitlines()
    for module, title in titles().items():
        yield from ("", title, "-" * len(title), "")
        rows = [
            (sentence(name), *(str(by_pbx.get(pbx, Outcome())).partition(":")[0] for pbx in pbxs))
            for (of, name), by_pbx in table.items()
            if of == module
        ]
        yield from _table(("what", *names), rows)


def _called(node: ast.FunctionDef) -> set[str]:
    return {
        each.func.attr for each in ast.walk(node) if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)
    }


def _held(outcomes: Iterable[Outcome | None]) -> str:
    results: Counter[str] = Counter()
    for outcome in outcomes:
        results += outcome.results if outcome else Counter()
    return f"{results['passed']} of {results.total() - results['skipped']}"


def _summary(table: Table, pbx: str) -> str:
    results: Counter[str] = Counter()
    for by_pbx in table.values():
        results += by_pbx.get(pbx, Outcome()).results
    words = {"passed": "hold", "failed": "do not", "xfailed": "do not always", "skipped": "were not tried"}
    return ", ".join(f"{results[kind]} {text}" for kind, text in words.items() if results[kind])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield ""
    for row in (head, *rows):
        for number, cell in enumerate(row):
            yield f"   {'  ' if number else '* '}- {cell}"
    yield ""


def main() -> int:
    if len(sys.argv) > 1:
        reports = [Path(name) for name in sys.argv[1:]]
    else:
        report = Path(tempfile.mkdtemp()) / "conformance.xml"
        reports = [report]
        suite = [str(path.relative_to(ROOT)) for path in SUITE]
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-o", "junit_family=xunit1", "--junitxml", str(report), *suite],
            cwd=ROOT,
            check=False,
        )
    table, versions = read(*reports)
    if missing := {"asterisk", "freeswitch"} - versions.keys():
        print(f"nothing was written: there is no {' and no '.join(sorted(missing))} here (FREESWITCH_BIN may name one)")
        return 1
    PAGE.write_text(page(table, versions, time.strftime("%Y-%m-%d")))
    print(f"{PAGE.relative_to(ROOT)} is written")
    return int(any(outcome.results["failed"] for by_pbx in table.values() for outcome in by_pbx.values()))


if __name__ == "__main__":
    raise SystemExit(main())
