"""The worker as users run it: a process of its own, a real broker, a real store."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from contactcentre.archive import KeySource, Signing
from contactcentre.cli import group
from contactcentre.domain.notation import decode
from contactcentre.domain.site import Queue, Site
from contactcentre.domain.webhooks import Webhook
from contactcentre.embedded import Services
from contactcentre.live import connect
from contactcentre.outgoing import Reach
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.tasks import jobs
from contactcentre.tasks.app import (
    REASSEMBLE,
    RETENTION,
    app,
    assemble_soon,
    connect_broker,
    deliver_soon,
    look_up_soon,
)
from contactcentre.tasks.lookups import KEY_NAME, Lookups
from contactcentre.tasks.recorder import Recorder
from tests.outgoing.servers import serving
from tests.plugins.disks import Disk
from tests.store.calls import recorded_call
from tests.tasks.waves import channels, power, tone

pytestmark = pytest.mark.slow


@pytest.fixture
def recorder(store: Store, services: Services, redis: "Redis") -> Iterator[Recorder]:
    connect_broker(services.celery_url)
    with connect(services.redis_url) as client:
        yield Recorder(store, client, "test", assemble_soon)


@pytest.fixture
def pbx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "pbx"
    directory.mkdir()
    monkeypatch.setenv("CONTACTCENTRE_PBX_RECORDINGS_DIR", str(directory))
    return directory


@contextmanager
def worker(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "contactcentre", "worker", "--processes", "1"]
    log = settings.state_dir / "worker.log"
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True) as process:
        try:
            yield process
        except BaseException:
            print(log.read_text()[-5000:])
            raise
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                print(log.read_text()[-5000:])
                raise


def until(recorder: Recorder, condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Records what comes until the condition is true."""
    end = time.monotonic() + seconds
    recorder.step(0.1)
    while not condition():
        assert time.monotonic() < end, "not in time"
        recorder.step(0.1)


def state(store: Store, recording: str) -> str:
    return store.recording(recording)[1].state


def test_a_recorded_call_becomes_a_stereo_file_also_when_its_files_come_late(
    settings: Settings, store: Store, recorder: Recorder, redis: "Redis", pbx: Path
) -> None:
    for recording in ("r1", "r2"):
        for event in recorded_call(recording).events:
            redis.xadd("cc:events", {"event": event.to_json()})
    tone(pbx / "r1-left.wav", 440, 2)
    tone(pbx / "r1-right.wav", 1000, 2)
    with worker(settings) as process:
        until(recorder, lambda: state(store, "r1") == "stored")
        assert state(store, "r2") == "ended"
        tone(pbx / "r2-left.wav", 440, 2)
        tone(pbx / "r2-right.wav", 1000, 2)
        until(recorder, lambda: state(store, "r2") == "stored")
        process.terminate()
        assert process.wait(60) == 0
    for recording in ("r1", "r2"):
        left, right = channels(settings.recordings_dir / store.recording(recording)[1].path)
        assert power(left[:16000], 440) > 0.95
        assert power(right[4000:], 1000) > 0.95
    assert list(pbx.iterdir()) == []


def test_what_is_no_sound_is_a_recorded_failure_that_can_be_tried_again(
    settings: Settings, store: Store, recorder: Recorder, redis: "Redis", pbx: Path
) -> None:
    for event in recorded_call("bad").events:
        redis.xadd("cc:events", {"event": event.to_json()})
    for side in ("left", "right"):
        (pbx / f"bad-{side}.wav").write_bytes(b"no sound at all, sorry")
    with worker(settings):
        until(recorder, lambda: state(store, "bad") == "failed")
        assert "no WAV" in store.recording("bad")[1].error
        for side in ("left", "right"):
            tone(pbx / f"bad-{side}.wav", 440, 1)  # somebody has mended it
        assert group.run(["recording", "retry", "--failed"]) == 0
        until(recorder, lambda: state(store, "bad") == "stored")


def test_the_nightly_job_deletes_what_its_queue_keeps_no_longer(
    settings: Settings, store: Store, recorder: Recorder, redis: "Redis", pbx: Path
) -> None:
    store.save_site(Site(queues={"support": Queue(retention_days=1)}), "test")
    for recording, age in (("old", 2), ("new", 0.5)):
        for event in recorded_call(recording, time.time() - age * 86400).events:
            redis.xadd("cc:events", {"event": event.to_json()})
        for side in ("left", "right"):
            tone(pbx / f"{recording}-{side}.wav", 440, 1)
    with worker(settings):
        until(recorder, lambda: state(store, "old") == state(store, "new") == "stored")
        app.send_task(RETENTION, ignore_result=True)  # what beat does at night
        until(recorder, lambda: state(store, "old") == "deleted")
    assert [path.stem for path in settings.recordings_dir.rglob("*.wav")] == ["new"]
    assert store.audit_entries(subject="old")[0].action == "recording.delete"


def test_killed_with_a_task_in_its_hands_it_leaves_no_process_and_no_recording_behind(
    settings: Settings, store: Store, recorder: Recorder, redis: "Redis", pbx: Path
) -> None:
    for event in recorded_call("r3").events:
        redis.xadd("cc:events", {"event": event.to_json()})
    with worker(settings) as process:
        until(recorder, lambda: redis.hlen("unacked") > 0)
        leader = os.getpgid(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        until(recorder, lambda: not alive(leader))
    tone(pbx / "r3-left.wav", 440, 2)
    tone(pbx / "r3-right.wav", 1000, 2)
    assert store.unfinished_recordings(time.time()) == ["r3"]
    with worker(settings):
        app.send_task(REASSEMBLE, ignore_result=True)  # what beat does every minute
        until(recorder, lambda: state(store, "r3") == "stored")


def alive(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_disk_that_is_full_for_longer_than_all_tries_costs_no_recording(
    settings: Settings,
    store: Store,
    recorder: Recorder,
    redis: "Redis",
    services: Services,
    database_url: str,
    pbx: Path,
    small_disk: Disk,
) -> None:
    for event in recorded_call("r1").events:
        redis.xadd("cc:events", {"event": event.to_json()})
    until(recorder, lambda: state(store, "r1") == "ended")
    for side in ("left", "right"):
        tone(pbx / f"r1-{side}.wav", 440, 30)
    there = settings.model_copy(update={"recordings_dir": small_disk.path, "pbx_recordings_dir": pbx})
    jobs.workshop.open(there, database_url, services.redis_url)
    small_disk.fill()
    jobs.assemble.apply(("r1",), retries=len(jobs.RETRY_SECONDS))
    until(recorder, lambda: recorder.step(0.1) == 0)
    assert state(store, "r1") == "ended", "neither stored nor given up"
    assert sorted(path.name for path in pbx.iterdir()) == ["r1-left.wav", "r1-right.wav"]
    assert "r1" in store.unfinished_recordings(time.time()), "it is given a new task now and then"
    small_disk.free()
    jobs.assemble.apply(("r1",))
    until(recorder, lambda: state(store, "r1") == "stored")
    assert list(pbx.iterdir()) == []


def test_webhooks_are_told_by_a_worker_and_customers_looked_up(
    settings: Settings,
    store: Store,
    services: Services,
    redis: "Redis",
    pbx: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONTACTCENTRE_HTTP_ALLOW", "127.0.0.0/8")
    signing = Signing(store, KeySource.of(settings))
    connect_broker(services.celery_url)
    call = recorded_call("r9", time.time(), caller="+33612407755")
    with serving(lambda _: (200, {}, b'{"name": "Marie"}')) as server, connect(services.redis_url) as client:
        store.save_site(Site.model_validate({"settings": {"customer_lookup": {"url": server.url}}}), "test")
        store.add_webhook(Webhook("crm", server.url, ("contact.ended",)), "test", time.time())
        for name in ("crm", KEY_NAME):
            signing.make(name)
        lookups = Lookups(store, client, signing, Reach())

        def begun(contacts: list[str]) -> None:
            lookups.wanted(contacts)
            look_up_soon()

        def known() -> bool:
            if redis.exists("cc:lookups:rest"):  # the answer took longer than two seconds here: once more
                redis.delete("cc:lookups:rest", *redis.keys("cc:lookups:of:*"))
                begun([call.id])
            return store.customer_of("+33612407755") is not None

        recorder = Recorder(store, client, "test", sending=deliver_soon, begun=begun)
        with worker(settings):
            for event in call.events:
                redis.xadd("cc:events", {"event": event.to_json()})
            until(recorder, lambda: store.webhook("crm").delivered == 1, 120)
            until(recorder, known, 120)
    assert {decode(one.body)["type"] for one in server.got} == {"contact.ended", "customer.lookup"}
