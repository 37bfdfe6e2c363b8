"""What is told of spool files that belong to other processes."""

from pathlib import Path

import pytest

from contactcentre.live.spool import HEADER, Spool, unread_bytes
from tests.plugins.disks import Disk


def test_a_spool_file_that_its_owner_has_just_removed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "worker-1.jsonl"
    assert unread_bytes(path) == 0
    spool = Spool(path)
    spool.append(b'{"contact_id": 1}\n')
    assert unread_bytes(path) == 18
    spool.close()
    path.write_bytes(b"x" * HEADER)
    assert unread_bytes(path) == 0, "and one that is none, neither"


def line(n: int) -> bytes:
    return b'{"contact_id": %08d, "and": "%s"}\n' % (n, b"x" * 900)


def read_all(spool: Spool) -> bytes:
    found, offset = b"", spool.start
    while block := spool.read(offset, 1 << 16):
        found, offset = found + block, offset + len(block)
    return found


def fits(spool: Spool, one: bytes) -> bool:
    try:
        spool.append(one)
    except OSError:
        return False
    return True


def test_a_full_disk_takes_no_line_or_a_whole_one_and_goes_on_when_there_is_room(small_disk: Disk) -> None:
    spool = Spool(small_disk.path / "spool.jsonl")
    spool.append(line(0))
    small_disk.fill()
    taken = [line(0)]
    n = 0
    while fits(spool, line(n := n + 1)):  # what is left of the last page
        taken.append(line(n))
    assert read_all(spool) == b"".join(taken)
    small_disk.free()
    spool.append(line(100))
    assert read_all(spool) == b"".join([*taken, line(100)])
    spool.close()


def test_a_spool_that_cannot_be_rewritten_on_a_full_disk_loses_nothing_and_is_rewritten_later(
    small_disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contactcentre.live.spool.COMPACT_BYTES", 100_000)
    spool = Spool(small_disk.path / "spool.jsonl")
    for n in range(900):
        spool.append(line(n))
    small_disk.fill(leave=20_000)  # for part of a copy
    each = len(line(0))
    assert spool.release_until(HEADER + 500 * each) == 0
    assert read_all(spool) == b"".join(line(n) for n in range(500, 900)), "not a byte is lost"
    assert not (small_disk.path / "spool.jsonl.new").exists()
    assert spool.release_until(HEADER + 501 * each) == 0, "nor is it tried again at once"
    small_disk.free()
    moved = spool.release_until(HEADER + 700 * each)
    assert moved == 700 * each
    assert (small_disk.path / "spool.jsonl").stat().st_size == HEADER + 200 * each
    assert read_all(spool) == b"".join(line(n) for n in range(700, 900))
    spool.close()
    assert read_all(Spool(small_disk.path / "spool.jsonl")) == b"".join(line(n) for n in range(700, 900))
