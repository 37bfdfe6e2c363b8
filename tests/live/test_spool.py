"""What is told of spool files that belong to other processes."""

from pathlib import Path

from contactcentre.live.spool import HEADER, Spool, unread_bytes


def test_a_spool_file_that_its_owner_has_just_removed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "worker-1.jsonl"
    assert unread_bytes(path) == 0
    spool = Spool(path)
    spool.append(b'{"contact_id": 1}\n')
    assert unread_bytes(path) == 18
    spool.close()
    path.write_bytes(b"x" * HEADER)
    assert unread_bytes(path) == 0, "and one that is none, neither"
