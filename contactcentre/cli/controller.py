"""Drive the PBX of this node: take calls, walk flows, route, record."""

import os
import signal
import sys
from contextlib import closing, suppress
from types import FrameType

import click

from contactcentre import logs
from contactcentre.cli.context import knowing_the_pbx, open_live, open_services
from contactcentre.settings import Settings


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Run the controller of this node until SIGTERM; or stand by, where the node has one already.

    Stopping or killing it drops no call: what talks goes on, what waits waits on, and the next start takes them up.
    Start it twice, on this machine or another one with the same DATABASE_URL and REDIS_URL: the second one takes over
    within two seconds when the first one dies or hangs.
    """
    if context.invoked_subcommand is None and _run():
        os.execv(sys.executable, [sys.executable, "-m", "contactcentre", "controller"])  # noqa: S606


def _run() -> bool:
    """Whether to start anew: as a stand-by, in a process that knows nothing of what was."""
    import holidays  # noqa: F401 - at the first call of a site with public holidays it would hold up all others

    from contactcentre.controller.build import build
    from contactcentre.controller.watched import ESSENTIAL, Watched
    from contactcentre.live import connect
    from contactcentre.store import Store, StoreUnavailable
    from contactcentre.store.last_site import LastSite
    from contactcentre.watch.listener import Listener

    settings = Settings().prepare()
    logs.configure(settings.log_level, settings.log_format, process="controller", node=settings.node)
    with open_services(settings) as services, Store(services.database_url) as store:
        with suppress(StoreUnavailable):  # calls are taken all the same; whoever starts with it brings it up to date
            store.migrate()
        sites = LastSite(store, settings.state_dir)
        controller = build(knowing_the_pbx(settings, sites), store, connect(services.redis_url), sites=sites)

        watched = Watched(controller, store)
        listener = Listener(settings, "controller", watched.parts, ESSENTIAL, watched, controller.pulse)
        listener.start()

        def end(number: int, frame: FrameType | None) -> None:
            controller.again = False
            controller.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        controller.run()
    if controller.failed:
        raise SystemExit(1)
    return controller.again


@command.command()
@click.argument("standby", default="")
def handover(standby: str) -> None:
    """Give the node to its stand-by, without a gap.

    Before an upgrade of the active one. Calls go on; who was active is started anew, with what is installed then,
    and stands by. STANDBY is the id of one, or its beginning (`contactcentre status` names them); needed where there
    are several. Refused where none is ready.
    """
    from contactcentre.live.standbys import hand_over

    settings = Settings()
    with open_live(settings) as live:
        done = hand_over(live.redis, settings.node, standby)
    click.echo(
        f"{settings.node}: {done['from']} handed over to {done['id']} (process {done['pid']} on {done['host']}).\n"
        f"Gap {done['gap'] * 1000:.0f} ms; {done['contacts']} contacts were taken up."
    )


@command.command()
@click.option(
    "--after",
    type=click.FloatRange(min=0),
    help="Seconds without a word of any controller. Default: CONTACTCENTRE_LAST_RESORT.",
)
def release(after: float | None) -> None:
    """Lead who waits to the PBX's own queues.

    The last resort, when no controller comes back: `contactcentre up` does it by itself. Who talks is not touched.
    Refused while a controller is there, or was a moment ago: the callers are its own.
    """
    from contactcentre.cli.last_word import silent_for
    from contactcentre.controller.build import pbx_of
    from contactcentre.controller.last_resort import lead_on
    from contactcentre.domain.site import Site
    from contactcentre.live import Live, LiveError, connect
    from contactcentre.provision.uses import fallback_queue
    from contactcentre.store import Store
    from contactcentre.store.last_site import LastSite

    settings = Settings().prepare()
    with open_services(settings) as services, Store(services.database_url) as store:
        sites = LastSite(store, settings.state_dir)
        settings, site = knowing_the_pbx(settings, sites), sites.site()[1] or Site()
        after = settings.last_resort if after is None else after
        silence = silent_for(settings)
        if silence is None or silence < after:
            when = "no controller was ever there" if silence is None else "a controller is there"
            if silence is not None and silence >= 0:
                when = f"a controller was there {silence:.0f} seconds ago, not {after:g}"
            raise click.UsageError(f"{when}: nobody is led on")
        waits_in: dict[str, str] = {}
        with suppress(LiveError), closing(connect(services.redis_url, timeout=1.0)) as redis:
            for contact in Live(redis).contacts().values():
                if contact.queue in site.queues:
                    waits_in[contact.channels.get("caller", "")] = contact.queue
        queues = {number: fallback_queue(site, number) or "" for number in site.dids}
        done = lead_on(pbx_of(settings, may_take=lambda: False), queues, waits_in)
    left = f"; {done.left} wait on, whose number has no such queue" if done.left else ""
    click.echo(f"{done.led_on} callers were led to the PBX's own queues{left}.")
