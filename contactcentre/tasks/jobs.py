"""What a worker does. Each job finds the state of things by itself, so it may run twice, late, or after
another one died."""

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Task, shared_task
from celery.signals import beat_embedded_init, worker_init, worker_process_init
from kombu.exceptions import OperationalError

from contactcentre import logs
from contactcentre.archive import BadKeys, BadName, LostKey, Shelf
from contactcentre.live import Journal, LiveError, connect
from contactcentre.processes import bind_to_parent
from contactcentre.settings import Settings
from contactcentre.store import NoSuchRecording, Store, StoreUnavailable
from contactcentre.tasks.app import ASSEMBLE, REASSEMBLE, RETENTION, SWEEP, assemble_soon
from contactcentre.tasks.audio import BadAudio, NotReady
from contactcentre.tasks.keeping import Keeper
from contactcentre.tasks.pbx_files import PbxAway, pbx_files

RETRY_SECONDS = (1, 2, 4, 8, 15, 30)
"""Pauses between the tries to assemble a recording; the PBX closes its files some moments after the call's
end."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""A disk that takes nothing now may later: its recordings are never given up, the originals stay where they are."""
LEFT_OVER_SECONDS = 180.0
"""A recording that ended so long ago and is neither stored nor failed has lost its task."""

LATER: dict[str, Any] = {
    "autoretry_for": (StoreUnavailable, LiveError),
    "retry_kwargs": {"max_retries": 12},
    "default_retry_delay": 300,
}
"""A night's job that finds PostgreSQL or Redis away is tried again for an hour."""

log = logs.get(__name__)


class Workshop:
    """What the jobs of this process need. Connections are made after the fork, by whoever needs them first."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._database_url = self._redis_url = ""
        self._store: Store | None = None
        self._owner = 0
        self.bind: Callable[[], None] = lambda: None
        """Called in a process that Celery has forked: it dies with this one."""

    def open(self, settings: Settings, database_url: str, redis_url: str) -> None:
        self._settings, self._database_url, self._redis_url = settings, database_url, redis_url
        self.bind = bind_to_parent(signal.SIGKILL)

    @property
    def settings(self) -> Settings:
        if self._settings is None:
            raise RuntimeError("Workshop.open comes first")
        return self._settings

    @property
    def store(self) -> Store:
        if self._store is None or self._owner != os.getpid():
            self._store, self._owner = Store(self._database_url, pool_size=1), os.getpid()
        return self._store

    @property
    def redis_url(self) -> str:
        return self._redis_url

    @contextmanager
    def keeper(self) -> Iterator[Keeper]:
        """A keeper whose facts are in Redis when the block ends. Raises LiveError when Redis does not take
        them."""
        spool = self.settings.state_dir / "spool" / f"worker-{os.getpid()}.jsonl"
        redis = connect(self._redis_url, connections=2)
        journal = Journal(redis, spool)
        try:
            files = pbx_files(self.settings, self.settings.state_dir / "worker" / "fetched")
            shelf = Shelf.of(self.store, self.settings)
            yield Keeper(self.store, journal, shelf, files, self.settings.recording_format)
            journal.flush()
        finally:
            journal.discard()  # the job runs again and says again what Redis did not take
            redis.close()


workshop = Workshop()


@worker_process_init.connect  # type: ignore[untyped-decorator]
@beat_embedded_init.connect  # type: ignore[untyped-decorator]
def _die_with_the_worker(**_: Any) -> None:
    workshop.bind()


@worker_init.connect  # type: ignore[untyped-decorator]
def _clear(**_: Any) -> None:
    """Removes spools of killed workers; their jobs run again and say everything again."""
    for spool in Path(workshop.settings.state_dir / "spool").glob("worker-*.jsonl"):
        if not Path(f"/proc/{spool.stem.removeprefix('worker-')}").exists():
            spool.unlink(missing_ok=True)


@shared_task(bind=True, name=ASSEMBLE, max_retries=len(RETRY_SECONDS))  # type: ignore[untyped-decorator]
def assemble(task: "Task[..., None]", recording: str) -> None:
    """Makes one stereo file of a recording that has ended, stores it and notes the fact, whatever comes of
    it."""
    tries = task.request.retries
    last = tries >= len(RETRY_SECONDS)
    pause = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
    try:
        contact_id, found = workshop.store.recording(recording)
        with workshop.keeper() as keeper:
            try:
                made = keeper.store_recording(contact_id, found, last_try=last)
            except (NotReady, OSError) as error:
                if not last or isinstance(error, PbxAway) or (isinstance(error, OSError) and error.errno in NO_ROOM):
                    raise
                keeper.failed(contact_id, recording, str(error))
                return
            except (BadAudio, BadName) as error:
                keeper.failed(contact_id, recording, str(error))
                return
        if made is not None:
            log.info(
                "recording stored", contact_id=contact_id, recording=recording, seconds=made.seconds, bytes=made.bytes
            )
    except (NotReady, OSError, BadKeys, LostKey, StoreUnavailable, LiveError, NoSuchRecording) as error:
        if last:
            log.error("recording left for later", recording=recording, error=str(error))
            return
        log.info("recording not ready", recording=recording, reason=str(error), again_in=pause)
        raise task.retry(exc=error, countdown=pause) from error


@shared_task(name=REASSEMBLE)  # type: ignore[untyped-decorator]
def assemble_left_over() -> int:
    """Gives recordings whose task was lost a new one. Somebody asks again in a minute."""
    try:
        left = workshop.store.unfinished_recordings(time.time() - LEFT_OVER_SECONDS)
        for recording in left:
            assemble_soon(recording)
    except (StoreUnavailable, OperationalError) as error:
        log.info("recordings without a task not looked for", error=str(error))
        return 0
    if left:
        log.warning("recordings had no task", number=len(left))
    return len(left)


@shared_task(name=RETENTION, **LATER)  # type: ignore[untyped-decorator]
def retention() -> int:
    """Deletes recordings that are older than their queue's `retention_days`."""
    with workshop.keeper() as keeper:
        retired = keeper.retire(workshop.store.site()[1], time.time())
    log.info("retention", deleted=retired)
    return retired


@shared_task(name=SWEEP, **LATER)  # type: ignore[untyped-decorator]
def sweep_pbx() -> int:
    """Deletes our files on the PBX that nobody needs any more."""
    with workshop.keeper() as keeper:
        swept = keeper.sweep(time.time())
    log.info("sweep", deleted=swept)
    return swept
