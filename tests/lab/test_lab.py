"""The life of the lab's Asterisk: starting, dying, stopping, and what it leaves behind."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from contactcentre.lab import Lab, LabError, LabNotRunning
from contactcentre.lab.process import alive, with_arguments
from tests.plugins.lab import revived, running
from tests.waiting import eventually


def test_a_started_lab_answers_over_ari_with_the_secret_of_its_owners_file(fresh_lab: Lab) -> None:
    info = fresh_lab.info()
    said = requests.get(f"{info.ari_url}/asterisk/info", auth=(info.ari_user, info.ari_secret), timeout=5).json()
    assert said["system"]["version"] == info.version
    assert requests.get(f"{info.ari_url}/asterisk/info", auth=(info.ari_user, "guess"), timeout=5).status_code == 401
    kept = Path(info.state_dir) / "lab.json"
    assert json.loads(kept.read_text())["ari_secret"] == info.ari_secret
    for file in (kept, Path(info.etc_dir) / "ari.conf"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"{info.sip_port}" in fresh_lab.rx("pjsip show transports")


def test_prompts_are_there_in_english_french_and_spanish(fresh_lab: Lab) -> None:
    for language in ("en", "fr", "es"):
        assert (Path(fresh_lab.info().sounds_dir) / language / "vm-goodbye.gsm").is_file()


def test_two_processes_that_start_it_at_once_get_the_same_one(fresh_lab: Lab) -> None:
    fresh_lab.stop()
    program = "import sys; from contactcentre.lab import Lab; print(Lab(sys.argv[1]).start().pid)"
    command = [sys.executable, "-c", program, str(fresh_lab.directories.state)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    pids = {int(racer.communicate(timeout=60)[0]) for racer in racers}
    assert pids == {fresh_lab.info().pid}


def test_an_asterisk_whose_lab_file_is_lost_or_garbled_is_ended_before_a_new_one_starts(fresh_lab: Lab) -> None:
    before = fresh_lab.info()
    (fresh_lab.directories.state / "lab.json").write_text('{"pid": "garbage')
    assert fresh_lab.status() is None
    after = fresh_lab.start(until_parent_dies=True)
    assert not alive(before.pid)
    assert with_arguments("-f", "-C", str(fresh_lab.directories.etc / "asterisk.conf")) == {after.pid}


def test_a_lab_bound_to_its_parent_dies_with_it(fresh_lab: Lab, tmp_path: Path) -> None:
    program = (
        "import os, sys; from contactcentre.lab import Lab\n"
        "print(Lab(sys.argv[1]).start(until_parent_dies=True).pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    eventually(lambda: not alive(int(done.stdout)), "Asterisk died with its parent")


def test_a_shared_lab_that_dies_in_a_test_says_how_and_is_there_again_where_it_was(tmp_path: Path) -> None:
    shared = running(Lab(tmp_path), None)
    lab = next(shared)
    before = lab.info()
    assert revived(lab) == ""
    lab.stop()
    by_a_test = lab.start(until_parent_dies=True)
    assert revived(lab) == ""
    os.kill(by_a_test.pid, signal.SIGSEGV)
    eventually(lambda: lab.status() is None, "Asterisk died")
    with pytest.raises(LabNotRunning, match="Asterisk has ended: SIGSEGV"):
        lab.info()
    said = revived(lab)
    assert said.startswith("the lab's Asterisk died in this test (SIGSEGV), its last words:\n")
    assert "Asterisk" in said.partition(":\n")[2]
    after = lab.info()
    assert after.pid not in (before.pid, by_a_test.pid)
    assert (after.sip_port, after.ari_url) == (by_a_test.sip_port, by_a_test.ari_url)
    assert list(shared) == []
    assert lab.status() is None


def test_a_state_directory_asterisk_could_not_use_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="too long for a control socket"):
        Lab(tmp_path / ("x" * 100))
    with pytest.raises(LabError, match="';' and control characters"):
        Lab("/tmp/a;b")


def test_a_lab_that_never_ran_is_not_running_and_stopping_it_creates_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "none")
    assert lab.status() is None
    assert lab.stop() is False
    assert not (tmp_path / "none").exists()
