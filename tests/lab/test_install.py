"""Where the lab's Asterisk comes from, and what is said when there is none."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from contactcentre.lab import Lab, LabTimeout, NoAsterisk, can_have_asterisk, install
from contactcentre.lab.install import debian_mirror, fetched_root, file_lock, find_asterisk, system_asterisk


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no Asterisk, no mmdebstrap and no cache; the directory is all of its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.delenv("LAB_ASTERISK_ROOT", raising=False)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(install, "KEYRING", Path(__file__))
    return programs


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_without_asterisk_and_mmdebstrap_it_says_what_to_install(empty_machine: Path, tmp_path: Path) -> None:
    reason = can_have_asterisk()
    assert reason is not None
    assert "apt install mmdebstrap" in reason
    with pytest.raises(NoAsterisk, match="apt install mmdebstrap"):
        Lab(tmp_path / "lab").start()


def test_without_debians_keys_it_says_what_to_install(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(empty_machine / "mmdebstrap", "exit 0")
    monkeypatch.setattr(install, "KEYRING", empty_machine / "none.gpg")
    with pytest.raises(NoAsterisk, match="apt install debian-archive-keyring"):
        find_asterisk()


def test_a_failed_fetch_tells_why_and_leaves_nothing_that_could_be_taken_for_a_whole_one(empty_machine: Path) -> None:
    _program(empty_machine / "mmdebstrap", 'echo "E: no route to the mirror" >&2; exit 1')
    with pytest.raises(NoAsterisk, match="no route to the mirror"):
        fetched_root()
    with pytest.raises(NoAsterisk, match="no route to the mirror"):
        fetched_root()


def test_the_mirror_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTACTCENTRE_DEBIAN_MIRROR", "http://mirror.example/debian")
    assert debian_mirror() == "http://mirror.example/debian"
    monkeypatch.delenv("CONTACTCENTRE_DEBIAN_MIRROR")
    assert debian_mirror().endswith("/debian")


def test_a_lock_waits_for_its_holder_and_is_freed_by_the_holders_death(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from contactcentre.lab.install import file_lock\n"
        "with file_lock(Path(sys.argv[1]), 5): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LabTimeout, match="locked by another process"), file_lock(tmp_path / "lock", 0.2):
            pass
        holder.kill()
        with file_lock(tmp_path / "lock", 5):
            pass


@pytest.fixture
def real_asterisk() -> Path:
    if reason := can_have_asterisk():
        pytest.skip(reason)
    if system_asterisk():
        pytest.skip("this machine's own Asterisk is used")
    return fetched_root()


def test_an_asterisk_on_the_path_is_used_with_its_own_modules(
    real_asterisk: Path, empty_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = " ".join(f"'{word}'" for word in install.unpacked(real_asterisk).command)
    _program(empty_machine / "asterisk", f'exec {command} "$@"')
    found = system_asterisk(real_asterisk)
    assert found is not None
    assert found.command == (str(empty_machine / "asterisk"),)
    monkeypatch.setattr("contactcentre.lab.lab.find_asterisk", lambda: found)
    with Lab(tmp_path / "lab") as lab:
        assert "Asterisk 2" in lab.rx("core show version")


def test_an_asterisk_too_old_or_broken_is_passed_over(empty_machine: Path) -> None:
    _program(empty_machine / "asterisk", "echo Asterisk 16.28.0")
    assert system_asterisk() is None
    _program(empty_machine / "asterisk", "echo 'error while loading shared libraries' >&2; exit 127")
    assert system_asterisk() is None


def test_a_tree_named_in_the_environment_is_used_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_ASTERISK_ROOT", str(tmp_path))
    with pytest.raises(NoAsterisk, match="usr/sbin/asterisk: No such file"):
        find_asterisk()


def test_a_fetched_tree_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/asterisk").write_bytes(b"not a program")
    with pytest.raises(NoAsterisk, match="not a 64-bit ELF program"):
        install.unpacked(tmp_path)
