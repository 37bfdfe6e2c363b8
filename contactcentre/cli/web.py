"""Serve the dashboard and the API."""

import contextlib

import click

from contactcentre import logs
from contactcentre.cli.context import open_services
from contactcentre.cli.port import must_be_free
from contactcentre.settings import Settings


@click.command()
@click.option(
    "--bind", help="Address to listen on (CONTACTCENTRE_WEB_BIND; the loopback address unless told otherwise)."
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port (CONTACTCENTRE_WEB_PORT, 8800).")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
def command(bind: str | None, port: int | None, workers: int) -> None:
    """Serve the dashboard and the API until Ctrl-C or SIGTERM.

    Behind a reverse proxy that speaks https set CONTACTCENTRE_WEB_PROXIES=1 (its X-Forwarded-For, -Proto and
    -Host are then believed, and cookies are marked Secure) and CONTACTCENTRE_WEB_URL to the address users type.
    """
    from contactcentre.store import Store
    from contactcentre.web import build
    from contactcentre.web.server import Server

    given = {name: value for name, value in {"web_bind": bind, "web_port": port}.items() if value is not None}
    settings = Settings(**given)
    logs.configure(settings.log_level, settings.log_format, process="web")
    build.names()
    must_be_free(settings)
    with open_services(settings) as services:
        with contextlib.closing(Store(services.database_url)) as store:
            store.migrate()
        Server(settings, services.database_url, services.redis_url, workers).run()
