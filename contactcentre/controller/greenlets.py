"""The registry that owns every greenlet of the controller: nothing is spawned and forgotten."""

from collections.abc import Callable
from typing import Any

import gevent
import structlog
from gevent import Greenlet

log = structlog.get_logger(__name__)


class Greenlets:
    """Spawns greenlets under a name, reports their deaths, ends them all together."""

    def __init__(self, on_failure: Callable[[str], None] = lambda name: None) -> None:
        """`on_failure(name)` is told when an essential greenlet died: the process must not live on without it."""
        self._running: dict[Greenlet[..., Any], str] = {}
        self._on_failure = on_failure
        self.stopping = False  # an essential greenlet that returns now does what it should

    def __len__(self) -> int:
        return len(self._running)

    def names(self) -> list[str]:
        return sorted(self._running.values())

    def spawn(self, name: str, run: Callable[..., Any], *args: Any, essential: bool = False) -> "Greenlet[..., Any]":
        greenlet: Greenlet[..., Any] = gevent.spawn(self._guard, name, essential, run, *args)
        self._running[greenlet] = name
        greenlet.rawlink(self._forget)
        return greenlet

    def stop(self, deadline: float = 5.0) -> None:
        """Kills all and waits `deadline` seconds at most for their clean-up."""
        current = gevent.getcurrent()
        gevent.killall([g for g in self._running if g is not current], timeout=deadline)

    def _forget(self, greenlet: "Greenlet[..., Any]") -> None:
        self._running.pop(greenlet, None)

    def _guard(self, name: str, essential: bool, run: Callable[..., Any], *args: Any) -> None:
        try:
            run(*args)
        except Exception:
            log.exception("greenlet failed", greenlet=name)
        else:
            if not essential or self.stopping:
                return
            log.error("essential greenlet returned", greenlet=name)
        if essential:
            self._on_failure(name)
