"""gevent's patching first, as in our processes; and pytest-xdist beside it, whose own threads may not be patched.

Loaded with `-p` (setup.cfg), before anything that would import what is to be patched. Where pytest-xdist shares the
tests out, this process runs none: its threads read pipes, and a patched one would stop the others. A worker is
patched; there the thread that hears what to run next is older than the patching, and native.
"""

import os
import time
from collections import deque
from typing import Any

import gevent
import pytest
from gevent import monkey


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    known = early_config.known_args_namespace
    shares_out = "PYTEST_XDIST_WORKER" not in os.environ and (known.numprocesses or known.tx)
    if not shares_out:
        monkey.patch_all()


def pytest_sessionstart(session: pytest.Session) -> None:
    for plugin in session.config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            plugin.torun = _ToRun()


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        # execnet waits at last for its native thread, by an event that is gevent's: the hub must not run dry meanwhile
        gevent.spawn(_tick)


def _tick() -> None:
    while True:  # the others may have tests for minutes yet
        time.sleep(0.05)


class _ToRun:
    """xdist.remote.TestQueue without locks: theirs would be gevent's, which a native thread must not touch.

    Filled by the native thread, emptied by the tests' (both are atomic), whose greenlets go on while it waits.
    """

    def __init__(self) -> None:
        self._items: deque[Any] = deque()

    def put(self, item: Any) -> None:
        self._items.append(item)

    def get(self) -> Any:
        while not self._items:
            time.sleep(0.002)
        return self._items.popleft()
