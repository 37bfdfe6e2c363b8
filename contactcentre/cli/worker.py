"""Do what may take long: assemble recordings, delete them when their time is over."""

import logging
import warnings
from functools import partial

import click

from contactcentre import logs
from contactcentre.cli.context import knowing_the_pbx, open_services
from contactcentre.processes import stay
from contactcentre.settings import Settings


@click.command()
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1, 64), help="Jobs at the same time.")
@click.option(
    "--beat/--no-beat", default=True, show_default=True, help="Also start the nightly jobs: in one worker only."
)
def command(processes: int, beat: bool) -> None:
    """Run the worker until SIGTERM; jobs that run are finished first."""
    from celery.exceptions import SecurityWarning
    from celery.signals import setup_logging

    from contactcentre.store import Store
    from contactcentre.tasks.app import app, connect_broker
    from contactcentre.tasks.broker import listen
    from contactcentre.tasks.jobs import workshop

    settings = Settings().prepare()
    logs.configure(settings.log_level, settings.log_format, process="worker", node=settings.node)
    # it warns of pickle under root; our tasks take JSON and nothing else
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # each task three times; ours say what came of it
    for chatty in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    setup_logging.connect(lambda **_: None, weak=False)  # ours are configured
    listen()
    with open_services(settings) as services:
        with Store(services.database_url) as store:
            store.migrate()
            settings = knowing_the_pbx(settings, store)
        connect_broker(services.celery_url)
        workshop.open(settings, services.database_url, services.redis_url)
        watch(settings, services.database_url, services.redis_url)
        state = settings.state_dir / "worker"
        state.mkdir(exist_ok=True)
        worker = app.Worker(
            hostname=f"worker@{settings.node}",
            concurrency=processes,
            pool="prefork",
            beat=beat,
            schedule_filename=str(state / "schedule"),
            loglevel=settings.log_level.upper(),
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        stay()
        worker.start()
    raise SystemExit(worker.exitcode or 0)


def watch(settings: Settings, database_url: str, redis_url: str) -> None:
    """Health and metrics, from the moment that the worker takes tasks; the processes for these leave the port alone."""
    from celery.signals import worker_process_init, worker_ready, worker_shutting_down

    from contactcentre.live import connect
    from contactcentre.store import Store
    from contactcentre.tasks.watched import WatchedWorker, parts
    from contactcentre.watch.listener import Listener
    from contactcentre.watch.systemd import READY, STOPPING, notify

    store, redis = Store(database_url, pool_size=1), connect(redis_url, connections=4)
    listener = Listener(
        settings, "worker", partial(parts, store, redis), ("redis", "postgresql"), WatchedWorker(redis, store)
    )
    worker_ready.connect(lambda **_: listener.start(), weak=False)
    worker_ready.connect(lambda **_: notify(READY), weak=False)
    worker_shutting_down.connect(lambda **_: notify(STOPPING), weak=False)
    worker_process_init.connect(lambda **_: listener.leave(), weak=False)
