"""The screen that `status` and the demo show."""

import io
import time

import pytest
from rich.console import Console

from contactcentre.cli.overview import Overview, for_people, screen
from contactcentre.live import Signs
from contactcentre.live.standbys import Standby
from contactcentre.web import rows

NOW = time.time()


def shown(seen: Overview, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(screen(seen))
    return stream.getvalue()


def overview(**changes: object) -> Overview:
    board = rows.Snapshot(
        now=NOW,
        site=rows.SiteFacts(name="x"),
        queues={
            "support": rows.QueueRow(
                name="support",
                threshold=20,
                waiting=2,
                oldest=NOW - 75,
                estimate=rows.Estimate(seconds=130),
                agents=rows.Counts(talking=1, paused=1),
                today=rows.Today(offered=10, answered=8, abandoned=1, service_level=0.8),
            )
        },
        agents={
            "anna": rows.AgentRow(
                name="anna", state="talking", since=NOW - 30, queue="support", caller_text="+33\x1b[31m1"
            ),
            "ben": rows.AgentRow(name="ben", state="paused", since=NOW - 4000, reason="lunch"),
        },
        contacts={},
        totals=rows.Totals(),
    )
    facts = {
        "at": NOW,
        "processes": {"controller": {"pid": 1, "started_at": NOW - 90, "restarts": 2}},
        "pbx": "Asterisk 22",
        "connected": True,
        "board": board,
        "recorder": {"at": NOW - 1, "lag": 0.2, "backlog": 3.0},
    }
    return Overview(**{**facts, **changes})  # type: ignore[arg-type]


def test_a_queue_an_agent_and_a_process_are_each_on_one_line() -> None:
    text = shown(overview(), width=80)
    lines = [line.split() for line in text.splitlines()]
    assert ["support", "2", "1:15", "2:10", "0", "0", "1", "0", "1", "10", "8", "1", "80%", "20", "s"] in lines
    assert any(line[:4] == ["ben", "paused", "(lunch)", "1:06:40"] for line in lines)
    assert "controller (1:30, 2 restarts)" in text
    assert "0.2 s behind, 3 facts waiting" in text


def test_who_is_active_and_who_stands_by_is_named_and_since_when() -> None:
    own = Signs("node1", NOW, True, id="11aa22bb", pid=7, host="left", active=NOW - 90)
    seen = overview(
        own=own,
        standbys=(
            Standby("node1", "33cc44dd", 8, "right", NOW - 5, True),
            Standby("node1", "55ee66ff", 9, "x", NOW, False),
        ),
    )
    text = shown(seen)
    assert "11aa22bb (process 7 on left) for 1:30" in text
    assert "node1, 33cc44dd (process 8 on right) for 5 s, ready" in text
    assert "node1, 55ee66ff (process 9 on x) for 0 s, not ready yet" in text
    told = seen.to_json()
    assert told["active"] == {"since": NOW - 90, "id": "11aa22bb", "pid": 7, "host": "left"}
    assert [one["ready"] for one in told["standbys"]] == [True, False]


def test_boxes_with_new_messages_are_named() -> None:
    seen = overview()
    assert "New messages" not in shown(seen)
    queue, agent = seen.board.queues["support"], seen.board.agents["ben"]
    board = seen.board.model_copy(
        update={
            "queues": {"support": queue.model_copy(update={"messages": 3})},
            "agents": {"ben": agent.model_copy(update={"messages": 1})},
        }
    )
    assert "New messages: ben 1, support 3" in shown(overview(board=board))
    assert overview(board=board).to_json()["queues"]["support"]["messages"] == 3


def test_what_a_caller_sent_reaches_the_terminal_without_its_codes() -> None:
    assert "\x1b" not in shown(overview())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"processes": None}, "contactcentre up does not run here"),
        ({"connected": False}, "no controller connected"),
        ({"recorder": {}}, "the recorder does not run"),
        ({"recorder": {"at": NOW - 60}}, "the recorder does not run"),
        ({"spool_bytes": 512}, "512 bytes of facts"),
        ({"processes": {"web": {"pid": None, "started_at": NOW, "restarts": 1}}}, "web (down, 1 restart)"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, object], said: str) -> None:
    assert said in shown(overview(**changes))


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59.4, "59 s"), (60, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (2e5, "2 d")]
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert for_people(seconds) == text


def test_an_agent_on_duty_whose_phone_is_away_is_shown_as_such() -> None:
    text = shown(overview(unreachable={"ben": 5.0, "cleo": 6.0}))
    assert "paused (lunch), phone not registered" in text
    assert text.count("phone not registered") == 1
    assert overview(unreachable={"ben": 5.0}).to_json()["unreachable"] == {"ben": 5.0}


def test_what_is_away_makes_the_whole_unwell() -> None:
    assert overview().well
    assert not overview(connected=False).well
    assert not overview(recorder={}).well
    assert not overview(processes={"web": {"pid": None, "started_at": NOW, "restarts": 1}}).well
    assert overview(processes=None).well  # they may run on other machines, each alone
