"""Keeps the newest version of the site loaded, and its texts spoken before a caller has to wait for them."""

import signal
import sys
from collections.abc import Callable

import gevent
import structlog
from gevent import subprocess
from gevent.event import Event as Flag

from contactcentre.controller.contact import SiteChanged
from contactcentre.controller.node import Configuration, Node
from contactcentre.live.connection import PREFIX, ask
from contactcentre.live.errors import LiveError
from contactcentre.processes import bind_to_parent
from contactcentre.store import StoreUnavailable

log = structlog.get_logger(__name__)

RELOAD = 5.0
"""Seconds after which a site that could not be loaded is asked for again."""
LOOK = 1.0
"""Seconds between two looks of a stand-by for a newer version."""
PREPARE_DEADLINE = 300.0
WARM_WITHIN = 20.0
"""Seconds that a stand-by waits for its texts before it calls itself ready."""


class SiteKeeper:
    def __init__(
        self, node: Node, load: Callable[[], Configuration], are_spoken: Callable[[Configuration], bool]
    ) -> None:
        """`load` reads the newest configuration from the store. `are_spoken`: is there a sound for every text?"""
        self.load, self._are_spoken = load, are_spoken
        self._node = node
        self._wanted = Flag()
        self._prepared = -1  # of which version the texts are spoken, or about to be

    def published(self, version: int) -> None:
        """Told which version is the newest."""
        if version != self._node.configuration.version:
            self.reload()

    def reload(self) -> None:
        """The newest site is to be loaded, as soon as the store answers."""
        self._wanted.set()

    def run(self) -> None:
        """Loads the site when another version was published. One that cannot be had or read leaves the last one."""
        self.prepare()
        while True:
            self._wanted.wait()
            self._wanted.clear()
            self._reload()

    def stand_by(self, warm: Callable[[], None]) -> None:
        """The same for a controller that only watches Redis. `warm` is told when the texts are spoken, or it takes
        long: what is not spoken then is spoken when a caller is to hear it."""
        self.prepare().join(WARM_WITHIN)
        warm()
        while True:
            try:
                if version := ask(self._node.live.redis, "GET", f"{PREFIX}site"):
                    self.published(int(version))
            except LiveError as error:
                log.info("whether there is a newer site is not known", error=str(error))
            if self._wanted.is_set():
                self._wanted.clear()
                self._reload()
            gevent.sleep(LOOK)

    def _reload(self) -> None:
        node = self._node
        try:
            node.configure(self.load())
        except Exception as error:
            say = log.warning if isinstance(error, StoreUnavailable) else log.exception
            say("site not loaded, trying again", error=str(error))
            gevent.sleep(RELOAD)
            self._wanted.set()
            return
        node.lines.changed()
        node.lamps.changed()
        self.prepare()
        log.info("site loaded", version=node.configuration.version)
        for contact in list(node.contacts.values()):
            contact.post(SiteChanged())

    def prepare(self) -> "gevent.Greenlet[..., None]":
        """Texts are synthesised before a caller has to wait for them; by a process of its own, for calls go on here.
        Whether there are any is looked up here: a process that finds nothing to do takes what a start needs."""
        return self._node.greenlets.spawn("prompts", self._prepare)

    def _prepare(self) -> None:
        configuration, before = self._node.configuration, self._prepared
        self._prepared = configuration.version
        if configuration.version != before and not self._are_spoken(configuration):
            _run_prepare()


def _run_prepare() -> None:
    command = [sys.executable, "-m", "contactcentre", "prompts", "prepare"]
    done = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=bind_to_parent(signal.SIGTERM))
    try:
        if done.wait(PREPARE_DEADLINE):
            log.warning("not all prompts could be prepared", exit_code=done.returncode)
    finally:
        if done.poll() is None:
            done.terminate()
