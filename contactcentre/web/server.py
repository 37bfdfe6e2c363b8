"""Runs the application under gunicorn: gevent inside, no control socket, a graceful stop."""

import os
import sys
from functools import partial
from typing import Any

import gevent
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from contactcentre import logs
from contactcentre.processes import stay
from contactcentre.settings import Settings
from contactcentre.watch.listener import Listener
from contactcentre.watch.pulse import Pulse
from contactcentre.watch.systemd import SignsOfLife
from contactcentre.web import watched
from contactcentre.web.app import WebServices, create_app

GRACEFUL_SECONDS = 5
CONNECTIONS = 4000
"""Of one process; each open live page holds one."""

log = logs.get(__name__)


class Server(BaseApplication):  # type: ignore[misc]
    """`Server(settings, database_url, redis_url).run()` serves until SIGTERM or SIGINT, then raises SystemExit."""

    def __init__(self, settings: Settings, database_url: str, redis_url: str, workers: int = 1) -> None:
        self._settings, self._urls, self._workers = settings, (database_url, redis_url), workers
        self._services: WebServices | None = None
        super().__init__()

    def load_config(self) -> None:
        host = self._settings.web_bind
        for name, value in {
            "bind": f"[{host}]:{self._settings.web_port}" if ":" in host else f"{host}:{self._settings.web_port}",
            "workers": self._workers,
            "worker_class": "gevent",
            "worker_connections": CONNECTIONS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "keepalive": 2,  # idle connections of browsers would hold a stop up for as long
            "forwarded_allow_ips": "",  # settings.web_proxies says whom we believe
            "control_socket_disable": True,  # it would lie in the home directory, open to every process of this user
            "logger_class": _Log,
            "post_worker_init": self._started,
            "worker_exit": self._ended,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Called in each worker process, after the fork: no connection is shared."""
        self._services = WebServices.connect(self._settings, *self._urls)
        app = create_app(self._services)
        self._services.fanout.start()
        return app

    def _started(self, worker: Any) -> None:
        log.info("web serves", url=f"http://{self._settings.web_bind}:{self._settings.web_port}/", pid=worker.pid)
        stay()
        gevent.spawn(self._watch, worker)
        if (web := self._services) is not None:
            pulse = Pulse(SignsOfLife())
            gevent.spawn(pulse.run)
            essential = ("postgresql", "redis", "live")
            tells = watched.WatchedWeb(web), pulse
            Listener(self._settings, "web", partial(watched.parts, web), essential, *tells).start()

    def _watch(self, worker: Any) -> None:
        """Ends the live streams as soon as the worker is told to stop: otherwise they would hold it up to the last."""
        while worker.alive:
            gevent.sleep(0.2)
        if self._services is not None:
            self._services.fanout.stop()

    def _ended(self, arbiter: Any, worker: Any) -> None:
        """Leaves the worker's process here. It was forked in the middle of its parent's work, which must not be
        cleaned up twice."""
        stopped = sys.exc_info()[1]
        if self._services is not None:
            self._services.close()
        sys.stderr.flush()
        os._exit(stopped.code if isinstance(stopped, SystemExit) and isinstance(stopped.code, int) else 0)


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's own lines go where all lines go (`logs.configure`)."""

    def setup(self, cfg: Any) -> None:
        self.access_log.disabled = True
        self.error_log.propagate = True
