"""The life of a lab's PBX, whichever it is: starting, dying, stopping, and what it leaves behind."""

import json
import os
import signal
import socket
import subprocess
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import pytest

from contactcentre.lab import FreeswitchInfo, LabInfo, LabNotRunning
from contactcentre.lab.process import alive, with_arguments
from contactcentre.lab.switch import Switch, SwitchInfo
from tests.waiting import eventually


@pytest.fixture(params=["fresh_lab", "fresh_freeswitch"], ids=["asterisk", "freeswitch"])
def fresh(request: pytest.FixtureRequest) -> Switch[Any]:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def control_port(info: SwitchInfo) -> int:
    """Where it takes commands."""
    if isinstance(info, LabInfo):
        return info.http_port
    assert isinstance(info, FreeswitchInfo)
    return info.esl_port


def addresses(info: SwitchInfo) -> dict[str, Any]:
    """All but what a new process has of its own."""
    return {name: value for name, value in asdict(info).items() if name not in ("pid", "started_at")}


def test_its_log_has_no_error_after_a_start(fresh: Switch[Any]) -> None:
    words = ("ERROR", "WARNING") if isinstance(fresh.info(), LabInfo) else ("[ERR]", "[CRIT]")
    assert [line for line in fresh.logs() if any(word in line for word in words)] == []


def test_what_it_listens_on_is_loopback_and_its_own(fresh: Switch[Any]) -> None:
    info = fresh.info()
    seen = subprocess.run(["ss", "-lntpH"], capture_output=True, text=True, check=True).stdout.splitlines()
    there = {line.split()[3] for line in seen if f"pid={info.pid}," in line}
    own = {f"127.0.0.1:{control_port(info)}", f"127.0.0.1:{info.sip_port}", urlsplit(info.ws_url).netloc}
    assert f"127.0.0.1:{control_port(info)}" in there <= own


def test_starting_twice_is_starting_once(fresh: Switch[Any]) -> None:
    assert fresh.start() == fresh.info() == type(fresh)(fresh.directories.state).start()


def test_a_killed_one_is_seen_as_gone_and_comes_back_at_the_same_addresses(fresh: Switch[Any]) -> None:
    before = fresh.info()
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: not alive(before.pid), "the killed process is gone")
    assert fresh.status() is None
    with pytest.raises(LabNotRunning):
        fresh.rx("version")
    after = fresh.start(until_parent_dies=True)
    assert after.pid != before.pid
    assert addresses(after) == addresses(before)


def test_ports_taken_meanwhile_are_replaced_by_others(fresh: Switch[Any]) -> None:
    before = fresh.info()
    fresh.stop()
    with socket.socket() as control, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        control.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        control.bind(("127.0.0.1", control_port(before)))
        control.listen()
        sip.bind(("127.0.0.1", before.sip_port))
        after = fresh.start(until_parent_dies=True)
        assert control_port(after) != control_port(before)
        assert after.sip_port != before.sip_port
        with socket.create_connection(("127.0.0.1", control_port(after)), 5):
            pass


def test_a_foreign_process_with_the_old_pid_is_neither_taken_for_it_nor_harmed(fresh: Switch[Any]) -> None:
    fresh.stop()
    kept = fresh.directories.state / "lab.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"pid": os.getpid()}))
    assert fresh.status() is None
    assert fresh.stop() is False


def test_after_stop_no_process_is_left_and_what_was_provisioned_stays(fresh: Switch[Any]) -> None:
    mine = fresh.directories.provisioned / "mine.conf"
    mine.write_text("; mine\n")
    handsets, pid = fresh.handsets().pid, fresh.info().pid
    assert fresh.stop() is True
    assert not alive(pid)
    assert not alive(handsets)
    assert with_arguments(*fresh._mark()) == set()
    assert fresh.stop() is False
    fresh.start(until_parent_dies=True)
    assert mine.read_text() == "; mine\n"
