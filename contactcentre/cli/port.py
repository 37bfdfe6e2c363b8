"""The dashboard's port: is it free, who answers there?"""

import errno
import socket
import time

import gevent

from contactcentre.settings import Settings

PATIENCE = 5.0
"""Seconds that a dashboard which was just killed may take to let go of its port."""


class PortTaken(Exception):
    """Another program listens where the dashboard should. Says what to do about it."""


def can_listen(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises OSError for what has nothing to do with others: an address
    that is not of this machine, a port that takes more rights."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def must_be_free(settings: Settings) -> None:
    """Raises PortTaken when the dashboard's port does not become free within a few seconds."""
    where = f"{settings.web_bind}:{settings.web_port}"
    deadline = time.monotonic() + PATIENCE
    try:
        while not can_listen(settings.web_bind, settings.web_port):
            if time.monotonic() > deadline:
                raise PortTaken(f"{where} is taken by another program: stop that, or set CONTACTCENTRE_WEB_PORT")
            gevent.sleep(0.1)
    except OSError as error:
        raise PortTaken(f"the dashboard cannot listen on {where}: {error.strerror}") from None


def local_url(settings: Settings) -> str:
    """The dashboard's address as this machine reaches it."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(settings.web_bind, settings.web_bind)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.web_port}"
