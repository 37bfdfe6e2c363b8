"""Drive the PBX of this node: take calls, walk flows, route, record."""

import signal
from types import FrameType

import click

from contactcentre import logs
from contactcentre.cli.context import knowing_the_pbx, open_services
from contactcentre.settings import Settings


@click.command()
def command() -> None:
    """Run the controller of this node until SIGTERM.

    Stopping or killing it drops no call: what talks goes on, what waits waits on, and the next start takes them up.
    """
    import holidays  # noqa: F401 - at the first call of a site with public holidays it would hold up all others

    from contactcentre.controller.build import build
    from contactcentre.controller.watched import ESSENTIAL, Watched
    from contactcentre.live import SpoolInUse, connect
    from contactcentre.store import Store
    from contactcentre.watch.listener import Listener

    settings = Settings().prepare()
    logs.configure(settings.log_level, settings.log_format, process="controller", node=settings.node)
    with open_services(settings) as services, Store(services.database_url) as store:
        store.migrate()
        try:
            controller = build(knowing_the_pbx(settings, store), store, connect(services.redis_url))
        except SpoolInUse:
            raise click.ClickException(
                f"a controller of {settings.node} runs already on {settings.state_dir}: `contactcentre status`"
            ) from None

        watched = Watched(controller, store)
        listener = Listener(settings, "controller", watched.parts, ESSENTIAL, watched, controller.pulse)
        listener.start()

        def end(number: int, frame: FrameType | None) -> None:
            controller.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        controller.run()
    if controller.failed:
        raise SystemExit(1)
