"""Write what happens into the history: from the Redis stream to PostgreSQL."""

import signal
import threading
from functools import partial
from types import FrameType

import click

from contactcentre import logs
from contactcentre.cli.context import open_services
from contactcentre.settings import Settings


@click.command()
def command() -> None:
    """Run the recorder until SIGTERM. It may be stopped or killed at any moment: facts wait in the stream."""
    from contactcentre.archive import KeySource, Signing
    from contactcentre.live import BoxCounts, connect
    from contactcentre.outgoing import Reach
    from contactcentre.store import Store
    from contactcentre.tasks.alerting import LOOK_SECONDS, Alerter
    from contactcentre.tasks.app import assemble_soon, connect_broker, deliver_soon, look_up_soon
    from contactcentre.tasks.counting import BoxTeller
    from contactcentre.tasks.lookups import Lookups
    from contactcentre.tasks.recorder import Recorder
    from contactcentre.tasks.watched import WatchedRecorder, parts
    from contactcentre.watch.listener import Listener

    settings = Settings().prepare()
    logs.configure(settings.log_level, settings.log_format, process="recorder", node=settings.node)
    with open_services(settings) as services, Store(services.database_url) as store:
        connect_broker(services.celery_url)
        redis = connect(services.redis_url)
        boxes = BoxTeller(store, BoxCounts(redis))
        lookups = Lookups(store, redis, Signing(store, KeySource.of(settings)), Reach())

        def begun(contacts: list[str]) -> None:
            _, site = store.site()
            if site is not None and site.settings.customer_lookup is not None:
                lookups.wanted(contacts)
                look_up_soon()

        recorder = Recorder(
            store, redis, f"recorder@{settings.node}", assemble_soon, boxes=boxes, sending=deliver_soon, begun=begun
        )
        watched = WatchedRecorder(recorder, store)
        Listener(settings, "recorder", partial(parts, store, redis), ("redis", "postgresql"), watched).start()

        over, watch = threading.Event(), Alerter(store, connect(services.redis_url))
        watching = threading.Thread(target=watch.run, args=(over,), name="alerts", daemon=True)
        watching.start()

        def end(number: int, frame: FrameType | None) -> None:
            recorder.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        recorder.run()
        over.set()
        watching.join(timeout=2 * LOOK_SECONDS)
