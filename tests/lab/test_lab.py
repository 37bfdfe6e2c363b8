"""The life of the lab's Asterisk: starting, dying, stopping, and what it leaves behind."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from contactcentre.lab import Lab, LabError, LabNotRunning
from contactcentre.lab.process import alive, with_arguments
from tests.lab.conftest import eventually


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


def test_its_log_has_no_error_or_warning_after_a_start(fresh_lab: Lab) -> None:
    assert [line for line in fresh_lab.logs() if "ERROR" in line or "WARNING" in line] == []


def test_prompts_are_there_in_english_french_and_spanish(fresh_lab: Lab) -> None:
    for language in ("en", "fr", "es"):
        assert (Path(fresh_lab.info().sounds_dir) / language / "vm-goodbye.gsm").is_file()


def test_what_listens_for_calls_or_requests_does_so_on_loopback_only(fresh_lab: Lab) -> None:
    pid = fresh_lab.info().pid
    seen = subprocess.run(["ss", "-lntpH"], capture_output=True, text=True, check=True).stdout.splitlines()
    addresses = [line.split()[3] for line in seen if f"pid={pid}," in line]
    assert addresses == [f"127.0.0.1:{fresh_lab.info().http_port}"]


def test_starting_twice_is_starting_once(fresh_lab: Lab) -> None:
    assert fresh_lab.start() == fresh_lab.info() == Lab(fresh_lab.directories.state).start()


def test_two_processes_that_start_it_at_once_get_the_same_one(fresh_lab: Lab) -> None:
    fresh_lab.stop()
    program = "import sys; from contactcentre.lab import Lab; print(Lab(sys.argv[1]).start().pid)"
    command = [sys.executable, "-c", program, str(fresh_lab.directories.state)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    pids = {int(racer.communicate(timeout=60)[0]) for racer in racers}
    assert pids == {fresh_lab.info().pid}


def test_a_killed_lab_is_seen_as_such_and_comes_back_at_the_same_addresses(fresh_lab: Lab) -> None:
    before = fresh_lab.info()
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: not alive(before.pid), "the killed process is gone")
    assert fresh_lab.status() is None
    with pytest.raises(LabNotRunning):
        fresh_lab.rx("core show version")
    after = fresh_lab.start(until_parent_dies=True)
    assert after.pid != before.pid
    assert (after.ari_url, after.ari_secret, after.sip_port) == (before.ari_url, before.ari_secret, before.sip_port)


def test_a_port_taken_meanwhile_is_replaced_by_another(fresh_lab: Lab) -> None:
    before = fresh_lab.info()
    fresh_lab.stop()
    with socket.socket() as http, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        http.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        http.bind(("127.0.0.1", before.http_port))
        http.listen()
        sip.bind(("127.0.0.1", before.sip_port))
        after = fresh_lab.start(until_parent_dies=True)
        assert after.http_port != before.http_port
        assert after.sip_port != before.sip_port
        assert requests.get(f"{after.ari_url}/asterisk/ping", auth=(after.ari_user, after.ari_secret), timeout=5).ok


def test_an_asterisk_whose_lab_file_is_lost_or_garbled_is_ended_before_a_new_one_starts(fresh_lab: Lab) -> None:
    before = fresh_lab.info()
    (fresh_lab.directories.state / "lab.json").write_text('{"pid": "garbage')
    assert fresh_lab.status() is None
    after = fresh_lab.start(until_parent_dies=True)
    assert not alive(before.pid)
    assert with_arguments("-f", "-C", str(fresh_lab.directories.etc / "asterisk.conf")) == {after.pid}


def test_a_foreign_process_with_the_old_pid_is_neither_taken_for_the_lab_nor_harmed(fresh_lab: Lab) -> None:
    fresh_lab.stop()
    kept = fresh_lab.directories.state / "lab.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"pid": os.getpid()}))
    assert fresh_lab.status() is None
    assert fresh_lab.stop() is False


def test_after_stop_no_process_is_left_and_what_was_provisioned_stays(fresh_lab: Lab) -> None:
    fresh_lab.handsets()
    (fresh_lab.directories.provisioned / "queues.conf").write_text("; mine\n")
    handsets = fresh_lab.handsets().pid
    pid = fresh_lab.info().pid
    assert fresh_lab.stop() is True
    assert not alive(pid)
    assert not alive(handsets)
    assert fresh_lab.stop() is False
    fresh_lab.start(until_parent_dies=True)
    assert (fresh_lab.directories.provisioned / "queues.conf").read_text() == "; mine\n"


def test_a_lab_bound_to_its_parent_dies_with_it(fresh_lab: Lab, tmp_path: Path) -> None:
    program = (
        "import os, sys; from contactcentre.lab import Lab\n"
        "print(Lab(sys.argv[1]).start(until_parent_dies=True).pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    eventually(lambda: not alive(int(done.stdout)), "Asterisk died with its parent")


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
