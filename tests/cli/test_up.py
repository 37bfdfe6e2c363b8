"""`up` as a whole: four real processes on a real Asterisk, killed and brought back, and nothing left at the end."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contactcentre.lab import can_have_asterisk
from tests import waiting
from tests.plugins.speech import Spoken

pytestmark = pytest.mark.skipif(can_have_asterisk() is not None, reason=can_have_asterisk() or "")


class Up:
    """`contactcentre up --lab` in a process of its own, with a state directory of its own."""

    def __init__(self, state: Path, port: int) -> None:
        self.environment = {
            **os.environ,
            "CONTACTCENTRE_STATE_DIR": str(state),
            "CONTACTCENTRE_WEB_PORT": str(port),
            "CONTACTCENTRE_LOG_FORMAT": "json",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "contactcentre", "up", "--lab"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "contactcentre", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment,
        )

    def status(self) -> dict[str, Any]:
        done = self.command("status", "--json")
        assert done.returncode in (0, 1), done.stderr
        return dict(json.loads(done.stdout))

    def said(self) -> str:
        return "\n".join(self.lines[-60:])


def eventually(up: Up, check: Callable[[], object], what: str, seconds: float = 120) -> None:
    waiting.eventually(check, lambda: f"{what}\n{up.said()}", seconds)


def processes_of(state: Path) -> list[str]:
    """Whatever still has to do with the state directory, by its arguments or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            arguments, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:  # it has ended
            continue
        if str(state).encode() in arguments + environment:
            found.append(arguments.decode(errors="replace").replace("\0", " "))
    return found


@pytest.fixture
def up(unused_port: int, spoken: Spoken) -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="contactcentre-up-", dir="/tmp") as directory:
        state = Path(directory)
        state.chmod(0o755)
        one = Up(spoken(state), unused_port)
        yield one
        if one.process.poll() is None:
            one.process.terminate()
        try:
            one.process.wait(60)
        finally:
            one.process.kill()
        eventually(one, lambda: not processes_of(state), f"nothing is left: {processes_of(state)}")


@pytest.mark.slow
def test_up_runs_everything_brings_back_what_is_killed_and_leaves_nothing(up: Up) -> None:
    eventually(up, lambda: any("/welcome#" in line for line in up.lines), "the first run's link")
    eventually(up, lambda: any("web serves" in line for line in up.lines), "the dashboard")
    eventually(up, lambda: up.status()["pbx"]["connected"], "the controller is connected")
    status = up.status()
    assert set(status["processes"]) == {"controller", "recorder", "worker", "web"}
    assert all(child["pid"] for child in status["processes"].values())
    eventually(up, lambda: up.status()["recorder"]["running"], "the recorder runs")

    again = up.command("up", "--lab")
    assert again.returncode == 2
    assert f"process {up.process.pid}" in again.stderr

    for name in ("controller", "web", "recorder", "worker"):
        before = status["processes"][name]["pid"]
        os.kill(before, signal.SIGKILL)
        eventually(up, lambda name=name: up.status()["processes"][name]["restarts"] == 1, f"{name} is started again")  # type: ignore[misc]
    eventually(up, lambda: all(child["pid"] for child in up.status()["processes"].values()), "all run again")
    eventually(up, lambda: up.status()["pbx"]["connected"], "the new controller is connected")
    eventually(up, lambda: up.command("doctor", "--json").returncode == 0, "and all is well")

    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(60) == 0, up.said()
    assert any('"stopped"' in line and '"killed": []' in line for line in up.lines), up.said()


@pytest.mark.slow
def test_a_killed_up_takes_everything_of_ours_along(up: Up) -> None:
    eventually(up, lambda: any("web serves" in line for line in up.lines), "the dashboard")
    up.process.kill()
    up.process.wait(60)
    state = Path(up.environment["CONTACTCENTRE_STATE_DIR"])

    def ours() -> list[str]:
        return [line for line in processes_of(state) if "asterisk" not in line]

    eventually(up, lambda: not ours(), f"no process of ours is left: {ours()}")
    # the PBX is not ours to stop: calls go on
    assert processes_of(state)
    assert up.command("lab", "stop").returncode == 0


def test_up_without_a_pbx_says_how_to_name_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "contactcentre", "up"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "CONTACTCENTRE_STATE_DIR": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "CONTACTCENTRE_ARI_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_up_on_a_lab_without_a_freeswitch_says_what_is_missing(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "FREESWITCH_BIN"}
    done = subprocess.run(
        [sys.executable, "-m", "contactcentre", "up", "--lab"],
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **environment,
            "CONTACTCENTRE_STATE_DIR": str(tmp_path),
            "CONTACTCENTRE_PBX": "freeswitch",
            "PATH": str(tmp_path),
        },
    )
    assert done.returncode == 2
    assert "no FreeSWITCH on PATH" in done.stderr
    assert "FREESWITCH_BIN" in done.stderr
    assert "Traceback" not in done.stderr
    assert processes_of(tmp_path) == []
