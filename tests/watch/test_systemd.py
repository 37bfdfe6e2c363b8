"""What a service manager hears, on a real socket of its kind."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactcentre.watch.systemd import ALIVE, READY, SignsOfLife, notify


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        name = str(tmp_path / "notify") if request.param == "path" else f"@cc-test-{id(tmp_path)}"
        ear.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        ear.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield ear


def test_a_word_arrives(manager: socket.socket) -> None:
    assert notify(READY)
    assert manager.recv(100) == b"READY=1"


def test_signs_of_life_come_several_times_within_the_time_that_is_allowed_and_no_more_often(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3600000000")
    signs = SignsOfLife()
    assert signs.every == 900
    for _ in range(5):
        signs()
    assert manager.recv(100) == ALIVE.encode()
    manager.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_nobody_who_listens_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert not notify(READY)
    SignsOfLife()()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify(READY)
