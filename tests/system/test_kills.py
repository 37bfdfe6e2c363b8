"""Each of our processes is killed, or hangs, while people talk and wait: it comes back, and no call notices."""

import os
import signal
import time

import pytest

from tests.system.centre import ENGLISH, FRENCH, Centre
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def back(centre: Centre, name: str, killed_at: float) -> bool:
    """Whether the process works again, by its own word where it gives one."""
    if centre.processes()[name]["pid"] is None:
        return False
    match name:
        case "controller":
            signs = centre.controller_signs()
            return bool(signs.get("pid") == centre.processes()[name]["pid"] and signs.get("linked"))
        case "recorder":
            return (
                float(centre.here.recorder().get("at", 0)) > float(centre.processes()[name]["started_at"]) > killed_at
            )
        case "web":
            return centre.page_answers()
    return True


WAYS = [
    *((name, signal.SIGKILL) for name in ("controller", "recorder", "worker", "web")),
    ("controller", signal.SIGSTOP),
]


@pytest.mark.parametrize(("name", "way"), WAYS, ids=[f"{name}-{way.name}" for name, way in WAYS])
def test_a_killed_or_hung_process_comes_back_and_those_who_talk_wait_or_choose_notice_nothing(
    centre: Centre, name: str, way: signal.Signals
) -> None:
    centre.on_duty("bruno", "emma")
    choosing = centre.dial(talk=None, patience=None)
    calls = [centre.support(language, talk=None, patience=None) for language in (FRENCH, ENGLISH) * 2]
    talking, waiting = centre.until_some_wait(calls, 2)
    centre.until_at(choosing, "language")
    before = centre.processes()[name]

    killed_at = time.time()
    os.kill(before["pid"], way)
    eventually(lambda: centre.processes()[name]["restarts"] == before["restarts"] + 1, f"{name} is started again")
    eventually(lambda: back(centre, name, killed_at), f"{name} works again")
    assert [call.result for call in (*calls, choosing)] == [None] * 5, "everybody is still on the line"
    assert centre.waiting() == {call.plan.caller for call in waiting}

    choosing.send_digits("1,2")
    for call in talking:
        call.hang_up()
    for call in (*waiting, choosing):
        call.until("person", 60)
        call.hang_up()
    assert {result.ended_by for result in centre.results()} == {"us"}
    account = centre.over()
    assert account.problems == ()
    assert account.summary["recordings"] == len(centre.calls)
    assert account.summary["outcomes"] == {"answered": len(centre.calls)}
