"""callback, as a supervisor runs it."""

import json
import time

from contactcentre.store import Store
from tests.cli.test_contact import Run, migrated, run, store
from tests.store.calls import answered
from tests.store.test_callers import asked

__all__ = ["migrated", "run", "store"]


def test_who_asked_to_be_called_back_is_listed_with_what_the_call_needs(run: Run, store: Store) -> None:
    assert run("callback", "list").strip() == "Nobody has asked to be called back."
    at = time.time() - 3600
    calls = [asked(at, caller="+331", caller_name="a\x1b[2J"), asked(at + 60, "sales", caller="+332")]
    store.record([event for call in (*calls, answered(at + 100, caller="+331")) for event in call.events])
    lines = run("callback", "list").splitlines()
    assert lines[1].split()[2] == "+332", "who still waits comes first"
    assert "lang_fr >= 50" in lines[1]
    assert "\x1b" not in "".join(lines)
    found = json.loads(run("callback", "list", "--queue", "support", "--json"))
    assert [(one["number"], one["done_at"] is None) for one in found] == [("+331", False)]
    assert run("callback", "list", "--since", "30m").strip() == "Nobody has asked to be called back."
