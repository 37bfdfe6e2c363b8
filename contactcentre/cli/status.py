"""Shows processes, PBX link, queues, agents and the history's lag on one screen."""

import contextlib
import json

import click
from rich.console import Console

from contactcentre.cli.context import knowing_the_pbx, open_services
from contactcentre.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Show the contact centre as it is now, on one screen."""
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
        click.echo(json.dumps(seen.to_json(), indent=2))
    else:
        Console().print(screen(seen))
