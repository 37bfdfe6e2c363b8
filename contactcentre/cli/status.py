"""Show processes, PBX link, queues, agents and the history's lag on one screen."""

import contextlib

import click

from contactcentre.cli.context import knowing_the_pbx, open_services
from contactcentre.cli.terminal import json_option, print_json, show
from contactcentre.settings import Settings


@click.command()
@json_option
def command(as_json: bool) -> int:
    """Show the contact centre as it is now, on one screen.

    Exit code 1 when the PBX, the controller, the recorder or a process of `contactcentre up` is away.
    """
    from contactcentre.cli.overview import gather, screen
    from contactcentre.cli.supervise import read_up
    from contactcentre.live import Live, connect
    from contactcentre.live.connection import PREFIX, ask
    from contactcentre.store import Store

    settings = Settings()
    with (
        open_services(settings) as services,
        Store(services.database_url) as store,
        contextlib.closing(connect(services.redis_url)) as client,
    ):
        store.migrate()
        answer = ask(client, "HGETALL", f"{PREFIX}recorder")
        up = read_up(settings.state_dir)
        children = None if up is None else up.get("children", {})
        seen = gather(knowing_the_pbx(settings, store), store, Live(client), dict(answer), children)
    if as_json:
        print_json(seen.to_json())
    else:
        show(screen(seen))
    return 0 if seen.well else 1
