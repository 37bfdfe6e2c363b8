import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gevent import Timeout, spawn
from redis import Redis

from contactcentre.domain.events import Event, Kind
from contactcentre.live import Away, Journal, JournalReader, LiveError, SpoolInUse
from contactcentre.live import spool as spool_module
from contactcentre.live.spool import HEADER, earlier_spools, tenure_spool
from tests.live.conftest import RedisServer


def event(contact_id: str, seq: int, **data: object) -> Event:
    return Event(
        contact_id, seq, 1_795_000_000.25 + seq, Kind.NODE, {"flow": "main", "node": "x", "type": "play"} | data
    )


def recorded(redis: "Redis", ack: bool = True) -> list[Event]:
    """All that is in the stream, as the recorder would take it."""
    reader, found = JournalReader(redis, "recorder", "me"), []
    while entries := reader.read(1000, block=0.01):
        found += [fact for _, fact in entries if isinstance(fact, Event)]
        if ack:
            reader.ack([entry_id for entry_id, _ in entries])
    return found


@contextmanager
def running(journal: Journal) -> Iterator[None]:
    sender = spawn(journal.run)
    yield
    journal.close()
    sender.get(timeout=60)


def first_times(events: list[Event]) -> dict[str, list[int]]:
    """For each contact its numbers in the order in which they came, repetitions left out: the rows of a table with
    the key (contact_id, seq)."""
    rows: dict[str, list[int]] = {}
    for one in events:
        if one.seq not in rows.setdefault(one.contact_id, []):
            rows[one.contact_id].append(one.seq)
    return rows


@pytest.fixture
def journal(redis: "Redis", tmp_path: Path) -> Iterator[Journal]:
    made = Journal(redis, tmp_path / "spool" / "events")
    yield made
    made.release()


def test_an_event_arrives_as_it_was_given(journal: Journal, redis: "Redis") -> None:
    given = event("c1", 1, node='\n"; rm -rf \x00 \u2028 é \U0001f600 \ud800')
    with running(journal):
        journal.append(given)
    assert recorded(redis) == [given]
    assert journal.unsent == 0


def test_what_is_appended_is_in_the_stream_milliseconds_later(journal: Journal, redis: "Redis") -> None:
    reader = JournalReader(redis, "recorder", "me")
    with running(journal):
        for seq in range(1, 4):
            journal.append(event("c1", seq))
            while not (entries := reader.read(block=1.0)):
                pass
            ((_, found),) = entries
            assert found == event("c1", seq)


def test_events_that_were_recorded_are_given_back_and_the_file_is_empty(
    journal: Journal, redis: "Redis", tmp_path: Path
) -> None:
    for seq in range(1, 2001):
        journal.append(event("c1", seq))
    journal.flush()
    assert journal.unsent == 0
    assert journal.unrecorded > 100_000, "sent is not recorded"
    assert len(recorded(redis)) == 2000
    journal.flush()
    assert journal.unrecorded == 0
    assert (tmp_path / "spool" / "events").stat().st_size == HEADER


def test_a_journal_that_is_discarded_leaves_its_events_and_nothing_else(
    server: RedisServer, redis: "Redis", tmp_path: Path
) -> None:
    for number in range(3):  # as a worker does for each recording
        journal = Journal(redis, tmp_path / "spool")
        journal.append(event("contact", number))
        journal.flush()
        journal.discard()
        assert not (tmp_path / "spool").exists()
    assert redis.keys("cc:events*") == ["cc:events"]
    assert [one.seq for one in recorded(redis)] == [0, 1, 2]
    away = Journal(redis, tmp_path / "spool")
    server.kill()
    away.append(event("contact", 3))
    away.discard()
    assert not (tmp_path / "spool").exists()


def test_while_redis_is_away_events_wait_in_the_file_and_come_in_order(
    server: RedisServer, redis: "Redis", journal: Journal
) -> None:
    journal.append(event("c1", 1))
    journal.flush()
    server.kill()
    for seq in range(2, 1001):
        journal.append(event("c1", seq))
    with pytest.raises(Away):
        journal.flush()
    server.start()
    journal.flush()
    assert first_times(recorded(redis)) == {"c1": list(range(1, 1001))}


def test_a_redis_killed_again_and_again_while_events_come_loses_none_and_keeps_their_order(
    server: RedisServer, redis: "Redis", journal: Journal
) -> None:
    contacts, count = [f"c{n}" for n in range(20)], 150

    def restart() -> None:
        for _ in range(4):
            server.kill()
            server.start()

    with running(journal):
        restarting = spawn(restart)
        for seq in range(1, count + 1):
            for contact in contacts:
                journal.append(event(contact, seq))
            if seq % 10 == 0:
                restarting.join(0.01)  # lets the others run
        restarting.get(timeout=60)
    journal.flush()
    assert first_times(recorded(redis)) == {contact: list(range(1, count + 1)) for contact in contacts}


def test_a_redis_that_comes_back_without_its_data_gets_all_that_was_not_recorded_again(
    server: RedisServer, redis: "Redis", journal: Journal
) -> None:
    for seq in range(1, 101):
        journal.append(event("c1", seq))
    journal.flush()
    kept = recorded(redis)
    for seq in range(101, 201):
        journal.append(event("c1", seq))
    journal.flush()
    server.lose_data()
    journal.append(event("c1", 201))
    journal.flush()
    assert first_times(kept + recorded(redis)) == {"c1": list(range(1, 202))}
    assert journal.resent == 1


def test_a_loss_is_noticed_also_when_others_have_added_to_the_stream_since(
    server: RedisServer, redis: "Redis", journal: Journal
) -> None:
    journal.append(event("c1", 1))
    journal.flush()
    server.lose_data()
    redis.xadd("cc:events", {"agent": "a fact of somebody else's"})
    journal.append(event("c1", 2))
    journal.flush()
    assert first_times([one for one in recorded(redis) if one.contact_id]) == {"c1": [1, 2]}
    assert journal.resent == 1


def test_a_redis_that_has_lost_only_what_came_last_gets_it_again(redis: "Redis", journal: Journal) -> None:
    journal.append(event("c1", 1))
    journal.flush()
    kept = {key: redis.dump(key) for key in redis.keys("cc:events*")}
    journal.append(event("c1", 2))
    journal.flush()
    for key, value in kept.items():  # as it was on the disk
        redis.restore(key, 0, value, replace=True)
    redis.xadd("cc:events", {"agent": "a fact of somebody else's"})
    journal.append(event("c1", 3))
    journal.flush()
    assert first_times(recorded(redis)) == {"c1": [1, 2, 3]}


def test_a_loss_is_noticed_also_when_no_new_event_comes(server: RedisServer, redis: "Redis", journal: Journal) -> None:
    journal.append(event("c1", 1))
    journal.flush()
    server.lose_data()
    with running(journal):
        journal.flush()
    assert recorded(redis) == [event("c1", 1)]


def test_a_killed_process_loses_no_event_that_it_had_appended(
    server: RedisServer, redis: "Redis", tmp_path: Path
) -> None:
    command = [sys.executable, str(Path(__file__).with_name("writer.py")), server.url, str(tmp_path / "spool")]
    seen = 0
    for _ in range(3):
        redis.delete("cc:events")
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert writer.stdout
        for line in writer.stdout:
            if int(line) >= 300:
                break
        os.kill(writer.pid, signal.SIGKILL)
        appended = max([300, *(int(line) for line in writer.stdout.read().split())])
        writer.stdout.close()
        writer.wait(60)
        successor = Journal(redis, tmp_path / "spool")
        successor.flush()
        successor.release()
        (rows,) = first_times(recorded(redis)).values()
        assert rows[:appended] == list(range(1, appended + 1))
        seen += appended
    assert seen >= 900


def test_the_next_controller_takes_over_the_files_of_those_before_also_of_one_that_still_writes(
    redis: "Redis", tmp_path: Path
) -> None:
    (tmp_path / "b.7.jsonl").write_text("another node's")
    frozen = Journal(redis, tenure_spool(tmp_path, "a", "20"))
    frozen.append(event("c1", 2))
    with (tmp_path / "a.20.jsonl").open("ab") as file:
        file.write(b'{"contact_id":"c1","seq":3,"at"')  # it was frozen in the midst of it
    before = Journal(redis, tmp_path / "a.jsonl")  # of a version that had one file for all
    before.append(event("c1", 1))
    before.release()
    path = tenure_spool(tmp_path, "a", "100")
    successor = Journal(redis, path)
    earlier = earlier_spools(tmp_path, "a", path)
    assert [one.name for one in earlier] == ["a.jsonl", "a.20.jsonl"], "the oldest first"
    for one in earlier:
        successor.inherit(one)
    frozen.append(event("c1", 9))  # it wakes
    frozen.release()
    successor.append(event("c1", 3))
    successor.flush()
    successor.release()
    assert [one.seq for one in recorded(redis)] == [1, 2, 3]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.100.jsonl", "b.7.jsonl"]


def test_what_history_has_confirmed_is_not_taken_over(redis: "Redis", tmp_path: Path) -> None:
    first = Journal(redis, tenure_spool(tmp_path, "a", "1"))
    for seq in (1, 2):
        first.append(event("c1", seq))
        first.flush()
        if seq == 1:
            redis.xtrim("cc:events", 0)  # as the recorder does
            first.flush()
    first.release()
    redis.delete("cc:events")
    second = Journal(redis, tenure_spool(tmp_path, "a", "2"))
    second.inherit(tmp_path / "a.1.jsonl")
    second.flush()
    second.release()
    assert [one.seq for one in recorded(redis)] == [2]


def test_a_line_cut_by_a_crash_is_left_out_and_hurts_no_other(redis: "Redis", tmp_path: Path) -> None:
    first = Journal(redis, tmp_path / "spool")
    first.append(event("c1", 1))
    first.release()
    with (tmp_path / "spool").open("ab") as file:
        file.write(b'{"contact_id":"c1","seq":2,"at"')
    second = Journal(redis, tmp_path / "spool")
    second.append(event("c1", 3))
    second.flush()
    second.release()
    assert [one.seq for one in recorded(redis)] == [1, 3]
    assert second.refused == 1


@pytest.mark.parametrize("content", [b"", b"garbage", b"0000000000000017", b"9999999999999999\n", b"\x00" * 64])
def test_a_file_that_is_not_ours_or_damaged_at_its_start_is_begun_anew(
    redis: "Redis", tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "spool").write_bytes(content)
    journal = Journal(redis, tmp_path / "spool")
    journal.append(event("c1", 1))
    journal.flush()
    journal.release()
    assert recorded(redis) == [event("c1", 1)]


def test_two_processes_never_share_a_file(journal: Journal, redis: "Redis", tmp_path: Path) -> None:
    with pytest.raises(SpoolInUse, match="belongs to another running process"):
        Journal(redis, tmp_path / "spool" / "events")


def test_a_full_disk_is_survived_in_memory(journal: Journal, redis: "Redis") -> None:
    journal.append(event("c1", 1))
    with no_file_grows_beyond(journal.unrecorded + HEADER + 50):
        for seq in range(2, 10):
            journal.append(event("c1", seq))
    journal.append(event("c1", 10))
    journal.flush()
    assert [one.seq for one in recorded(redis)] == list(range(1, 11))
    assert (journal.unsent, journal.lost) == (0, 0)


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_event_longer_than_a_batch_is_sent_too(journal: Journal, redis: "Redis") -> None:
    journal.append(event("c1", 1))
    journal.append(event("c1", 2, node="x" * 300_000))
    journal.append(event("c1", 3))
    journal.flush()
    assert [one.seq for one in recorded(redis)] == [1, 2, 3]


def test_the_file_stays_small_while_events_never_cease(
    journal: Journal, redis: "Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "COMPACT_BYTES", 20_000)
    found, largest, seq = [], 0, 0
    for _ in range(40):
        for _ in range(50):
            seq += 1
            journal.append(event("c1", seq))
        journal.flush()
        seq += 1
        journal.append(event("c1", seq))  # there is always one under way when the recorder confirms
        found += recorded(redis)
        largest = max(largest, (tmp_path / "spool" / "events").stat().st_size)
    journal.flush()
    found += recorded(redis)
    assert first_times(found) == {"c1": list(range(1, seq + 1))}
    assert largest < 60_000, f"{seq} events went through a file that never had more than {largest} bytes"
    assert not list(tmp_path.rglob("*.new"))


def test_appending_waits_for_nothing_whether_redis_is_there_or_not(server: RedisServer, journal: Journal) -> None:
    with running(journal):
        server.freeze()
        try:
            other = spawn(lambda: None)
            for seq in range(1, 1001):
                journal.append(event("c1", seq))
            assert not other.ready(), "nobody else had a turn meanwhile"
        finally:
            server.thaw()


# the reading side


def test_what_was_not_acknowledged_comes_again_to_the_same_recorder(journal: Journal, redis: "Redis") -> None:
    for seq in (1, 2, 3):
        journal.append(event("c1", seq))
        journal.flush()
    first = JournalReader(redis, "recorder", "me")
    entries = first.read()
    first.ack([entries[0][0]])
    restarted = JournalReader(redis, "recorder", "me")
    again = restarted.read(count=1) + restarted.read(count=1)
    assert [fact for _, fact in again] == [event("c1", 2), event("c1", 3)]
    restarted.ack([entry_id for entry_id, _ in again])
    assert restarted.read(block=0.01) == []
    assert restarted.backlog() == 0


def test_what_a_dead_recorder_left_is_taken_over(
    journal: Journal, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(event("c1", 1))
    journal.flush()
    assert len(JournalReader(redis, "recorder", "dead").read()) == 1
    heir = JournalReader(redis, "recorder", "heir")
    assert heir.read(block=0.01) == [], "not while the other may live"
    monkeypatch.setattr("contactcentre.live.reader.CLAIM_AFTER_SECONDS", 0.0)
    assert [fact for _, fact in heir.read(block=0.01)] == [event("c1", 1)]


def test_an_entry_that_is_no_event_is_put_aside_and_stops_nobody(journal: Journal, redis: "Redis") -> None:
    redis.xadd("cc:events", {"event": '{"contact_id":"c1"}'})
    redis.xadd("cc:events", {"event": '{"contact_id":"c1","seq":1,"at":1,"kind":"no.such.kind","data":{}}'})
    redis.xadd("cc:events", {"agent": '{"agent":"anna","version":"x"}'})
    redis.xadd("cc:events", {"agent": "[]"})
    redis.xadd("cc:events", {"weather": "fine"})
    journal.append(event("c1", 2))
    journal.flush()
    reader = JournalReader(redis, "recorder", "me")
    (entry,) = reader.read()
    assert entry[1] == event("c1", 2)
    reader.ack([entry[0]])
    assert reader.refused == 5
    assert redis.xlen("cc:events:bad") == 5
    assert reader.backlog() == 0


def test_events_that_came_together_are_acknowledged_when_all_are_written(journal: Journal, redis: "Redis") -> None:
    for seq in range(1, 6):
        journal.append(event("c1", seq))
    journal.flush()
    assert redis.xlen("cc:events") == 1
    first = JournalReader(redis, "recorder", "me").read()
    assert [fact for _, fact in first] == [event("c1", seq) for seq in range(1, 6)]
    again = JournalReader(redis, "recorder", "me")
    assert again.read() == first, "none was acknowledged"
    again.ack([entry_id for entry_id, _ in first])
    assert again.backlog() == 0


def test_one_bad_line_among_events_that_came_together_is_put_aside_alone(redis: "Redis") -> None:
    lines = [event("c1", 1).to_json(), '{"contact_id":"c1"}', event("c1", 2).to_json()]
    redis.xadd("cc:events", {"events": "\n".join(lines)})
    reader = JournalReader(redis, "recorder", "me")
    entries = reader.read()
    assert [fact for _, fact in entries] == [event("c1", 1), event("c1", 2)]
    assert [fields for _, fields in redis.xrange("cc:events:bad")] == [{"event": lines[1]}]
    reader.ack([entry_id for entry_id, _ in entries])
    assert reader.backlog() == 0


def test_the_reader_waits_at_most_as_long_as_told_and_names_a_dead_redis(server: RedisServer, redis: "Redis") -> None:
    reader = JournalReader(redis, "recorder", "me")
    with Timeout(30):
        assert reader.read(block=0.1) == []
    server.kill()
    with pytest.raises(LiveError):
        reader.read()
    server.lose_data()
    assert reader.read(block=0.01) == [], "the group is made anew"
