"""The supervisor, with real child processes that crash, refuse to stop and leave children behind."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contactcentre.cli import supervise
from contactcentre.cli.supervise import AlreadyUp, Program, Supervisor, only_one, read_up
from tests.plugins.disks import Disk
from tests.waiting import eventually


@pytest.fixture
def lines() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def supervisor(
    tmp_path: Path, lines: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Supervisor]]:
    """Makes supervisors of small programs; `contactcentre` is a package of the test's own in their directory."""
    monkeypatch.setattr(supervise, "FIRST_PAUSE", 0.05)
    package = tmp_path / "fake" / "contactcentre"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import runpy, sys; runpy.run_path(sys.argv[1] + '.py')\n")
    made: list[Supervisor] = []

    def make(
        deadline: float = 5.0, watchdog: float = 0.0, patience: float = 0.0, healthy: float = 60.0, **programs: str
    ) -> Supervisor:
        paths = []
        for name, code in programs.items():
            path = tmp_path / name
            path.with_suffix(".py").write_text(textwrap.dedent(code))
            paths.append(Program(str(path), (), deadline, watchdog, patience, healthy))
        environment = {"PYTHONPATH": str(package.parent), "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
        made.append(Supervisor(paths, lambda name, line: lines.append((Path(name).name, line)), environment))
        return made[-1]

    yield make
    for one in made:
        one.hurry()
        one.stop()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


WAIT = """
import signal, sys, time
def end(*_):
    print("ending")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready")
while True: time.sleep(60)
"""


def test_children_start_in_order_and_stop_in_the_reverse_one(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]]
) -> None:
    one = supervisor(first=WAIT, second=WAIT)
    one.start()
    eventually(lambda: lines.count(("first", "ready")) == lines.count(("second", "ready")) == 1, "both run")
    assert one.stop() == []
    assert lines[-2:] == [("second", "ending"), ("first", "ending")]
    assert all(child["pid"] is None for child in one.status().values())


def test_a_crashed_child_is_started_again_at_once(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "FIRST_PAUSE", 3600.0)  # the first time it is at once
    one = supervisor(only=WAIT)
    one.start()
    eventually(lambda: ("only", "ready") in lines, "it runs")
    (status,) = one.status().values()
    os.kill(status["pid"], signal.SIGKILL)
    eventually(lambda: lines.count(("only", "ready")) == 2, "it runs again")
    (status,) = one.status().values()
    assert status["restarts"] == 1


def test_a_child_that_fails_at_once_is_tried_ever_less_often(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]]
) -> None:
    one = supervisor(bad="import time; print(time.monotonic()); raise SystemExit(2)")
    with capture_logs() as logs:
        one.start()
        eventually(lambda: len(lines) >= 5, "five tries")
    pauses = [entry["in_seconds"] for entry in logs if "starting it again" in entry["event"]][:4]
    assert pauses == [0, 0.05, 0.1, 0.2]
    at = [float(line) for _, line in lines[:5]]
    assert all(second - first > pause for (first, second), pause in zip(pairwise(at), pauses, strict=True))


def test_one_that_dies_again_and_again_after_it_had_worked_is_started_at_once_each_time(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]]
) -> None:
    one = supervisor(healthy=0.2, bad="import time; print('works'); time.sleep(0.3); raise SystemExit(2)")
    with capture_logs() as logs:
        one.start()
        eventually(lambda: len(lines) >= 4, "four tries")
    assert [entry["in_seconds"] for entry in logs if "starting it again" in entry["event"]][:3] == [0, 0, 0]


def test_one_that_ignores_the_signal_is_killed_after_its_deadline(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]]
) -> None:
    one = supervisor(
        deadline=0.3,
        deaf="import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(600)",
    )
    one.start()
    eventually(lambda: ("deaf", "ready") in lines, "it runs")
    (status,) = one.status().values()
    assert len(one.stop()) == 1
    assert gone(status["pid"])


def test_what_a_killed_child_leaves_in_its_group_is_ended(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]]
) -> None:
    one = supervisor(
        parent="""
        import subprocess, time
        print(subprocess.Popen(["/bin/sleep", "600"]).pid)
        time.sleep(600)
        """
    )
    one.start()
    eventually(lambda: len(lines) == 1, "it has a child")
    grandchild = int(lines[0][1])
    (status,) = one.status().values()
    os.kill(status["pid"], signal.SIGKILL)
    eventually(lambda: gone(grandchild), "the orphan is gone")


def test_no_child_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    code = """
        import sys
        from gevent import monkey; monkey.patch_all()
        import gevent
        from contactcentre.cli.supervise import Program, Supervisor
        one = Supervisor([Program("lab", ("logs", "--help"))], print)
        one._launch(one.children["lab"])
        import signal, subprocess
        from contactcentre.processes import bind_to_parent
        child = subprocess.Popen(["/bin/sleep", "600"], preexec_fn=bind_to_parent(signal.SIGTERM))
        sys.stdout.write(f"{child.pid}\\n"); sys.stdout.flush()
        gevent.sleep(600)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "CONTACTCENTRE_STATE_DIR": str(tmp_path)},
    )
    assert process.stdout
    child = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: gone(child), "the child dies with it")


def test_only_one_up_runs_on_a_state_directory_and_others_can_read_of_it(tmp_path: Path) -> None:
    assert read_up(tmp_path) is None
    code = """
        import sys, pathlib
        from contactcentre.cli.supervise import only_one
        with only_one(pathlib.Path(sys.argv[1])) as write:
            write({"children": {}})
            print("held", flush=True)
            sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    assert read_up(tmp_path) == {"pid": process.pid, "children": {}}
    with pytest.raises(AlreadyUp, match=str(process.pid)), only_one(tmp_path):
        pass
    process.kill()
    process.communicate(timeout=60)
    assert read_up(tmp_path) is None
    with only_one(tmp_path):
        pass


SAYS = """
import os, signal, socket, sys, time
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(word):
    out.sendto(word.encode(), "\\0" + os.environ["NOTIFY_SOCKET"][1:])
"""


def test_one_that_was_ready_and_gives_no_sign_of_life_any_more_is_killed_and_started_again(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]]
) -> None:
    one = supervisor(
        watchdog=0.5, only=SAYS + "say('READY=1')\nprint('ready')\nwhile True: say('WATCHDOG=1'); time.sleep(0.05)"
    )
    one.start()
    eventually(lambda: ("only", "ready") in lines, "it runs")
    (status,) = one.status().values()
    os.kill(status["pid"], signal.SIGSTOP)
    eventually(lambda: lines.count(("only", "ready")) == 2, "it is killed, and runs again")
    assert gone(status["pid"])


def test_one_that_was_never_ready_or_is_about_to_end_may_be_silent(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]]
) -> None:
    one = supervisor(
        watchdog=0.1,
        slow=SAYS + "print('begins')\ntime.sleep(1)\nprint('begun')\ntime.sleep(60)",
        ending=SAYS
        + "say('READY=1'); say('STOPPING=1')\nprint('begins')\ntime.sleep(1)\nprint('ends')\ntime.sleep(60)",
    )
    one.start()
    eventually(lambda: {("slow", "begun"), ("ending", "ends")} <= {*lines}, "both lived longer than the watchdog")
    assert {child["restarts"] for child in one.status().values()} == {0}


def test_the_words_of_a_systemd_above_are_not_handed_on_to_children(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    one = supervisor(only="import os; print(os.environ.get('NOTIFY_SOCKET'), os.environ.get('WATCHDOG_USEC'))")
    one.start()
    eventually(lambda: ("only", "None None") in lines, "it has neither")


def test_one_that_is_silent_because_it_has_much_to_do_is_given_more_time_but_not_for_ever(
    supervisor: Callable[..., Supervisor], lines: list[tuple[str, str]]
) -> None:
    works = "while time.process_time() < 1: pass\nprint('done')\nwhile True: pass"
    one = supervisor(watchdog=0.2, patience=2000.0, only=f"{SAYS}say('READY=1')\n{works}")
    one.start()
    eventually(lambda: ("only", "done") in lines, "it outlives the watchdog while it works")
    assert [child["restarts"] for child in one.status().values()] == [0]
    other = supervisor(watchdog=0.2, patience=0.4, other=f"{SAYS}say('READY=1')\n{works}")
    other.start()
    eventually(lambda: [child["restarts"] > 0 for child in other.status().values()] == [True], "it is killed at last")


def test_a_full_disk_costs_lines_and_no_child(
    supervisor: Callable[..., Supervisor], small_disk: Disk, tmp_path: Path
) -> None:
    """The log and the state lie on it: a child that talks is read on, and one that dies is started again."""
    talker = """
        import pathlib, time
        for n in range(3000):
            print("x" * 100)
        pathlib.Path("done").touch()
        time.sleep(60)
    """
    one = supervisor(talker=talker.replace('"done"', repr(str(tmp_path / "done"))))
    log, state = (
        (small_disk.path / "log").open("w", buffering=1),
        os.open(small_disk.path / "state", os.O_CREAT | os.O_RDWR),
    )
    small_disk.fill()
    with log:
        one._emit = lambda name, line: print(line, file=log)
        one._on_change = lambda _: print(os.pwrite(state, b"x" * 8192, 0))
        with pytest.raises(OSError, match="space"):
            one._on_change(one)
        one.start()
        eventually((tmp_path / "done").exists, "all it says is read, however much")
        before = one.status()
        (name,) = before
        os.kill(before[name]["pid"], signal.SIGKILL)
        eventually(lambda: one.status()[name]["restarts"] == 1, "it is started again")
        small_disk.free()
        one.stop()
    os.close(state)
