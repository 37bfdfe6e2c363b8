"""What is broken, one thing at a time, and whether everything works again: killed and hung processes of ours, a cut and
a dead link to the PBX, Redis and PostgreSQL restarted or away, Redis emptied, the PBX restarted.
"""

import contextlib
import json
import os
import random
import signal
from collections.abc import Callable
from typing import Any

import gevent
import requests

from bench.crowd import until
from contactcentre.demo.stage import Stage
from contactcentre.embedded.outage import Name, Servers
from contactcentre.lab import lab_of
from contactcentre.lab.link import Proxy
from contactcentre.live import LiveError
from contactcentre.live.connection import PREFIX, ask
from contactcentre.store import StoreUnavailable

AWAY = float(os.environ.get("AWAY", "30"))
"""Seconds that a database is away, where it is away and not restarted."""
UNDER_WAY = 50_000
"""Bytes of facts that Redis may lack: a controller so busy has always some that came in this moment."""
HEALED = 180.0
"""Seconds within which everything must work again."""


class Faults:
    """All that can be done to one contact centre. Each fault returns when its cause is over; `healed` then waits."""

    def __init__(self, here: Stage, proxy: Proxy, chance: random.Random, renew: Callable[[], None]) -> None:
        """proxy: between our controllers and the PBX. renew: phones register again."""
        self._here, self._proxy, self._chance, self._renew = here, proxy, chance, renew
        self.kinds: dict[str, Callable[[], None]] = {
            "kill controller": lambda: self._kill(self._controller()),
            "kill recorder": lambda: self._kill(self._pid("recorder")),
            "kill web": lambda: self._kill(self._pid("web")),
            "kill worker": lambda: self._kill(self._pid("worker")),
            "hang controller": self._hang,
            "cut link": self._cut,
            "dead link": self._go_dead,
            "restart redis": lambda: self._away("redis"),
            "empty redis": lambda: self._away("redis", empty=True),
            "redis away": lambda: self._away("redis", AWAY),
            "restart postgres": lambda: self._away("postgres"),
            "postgres away": lambda: self._away("postgres", AWAY),
        }

    def draw(self, number: int) -> list[str]:
        """So many kinds in random order, none again before all have been."""
        drawn: list[str] = []
        while len(drawn) < number:
            drawn += self._chance.sample(list(self.kinds), len(self.kinds))
        return drawn[:number]

    # -- ours ---------------------------------------------------------------------------------------------------------

    def _pid(self, name: str) -> int:
        return int(until(lambda: self._here.supervisor.status()[name]["pid"], HEALED))

    def _controller(self) -> int:
        """The one that acts: it says so itself, so a stand-by is not meant."""
        return int(self._signs().get("pid") or self._pid("controller"))

    def _signs(self) -> dict[str, Any]:
        with contextlib.suppress(LiveError):
            return dict(
                json.loads(ask(self._here.live.redis, "GET", f"{PREFIX}node:{self._here.settings.node}") or "{}")
            )
        return {}

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def _hang(self) -> None:
        pid = self._controller()
        os.kill(pid, signal.SIGSTOP)
        gevent.sleep(self._chance.uniform(3.0, 8.0))
        with contextlib.suppress(ProcessLookupError):  # killed meanwhile by who watches over it
            os.kill(pid, signal.SIGCONT)

    # -- the link -----------------------------------------------------------------------------------------------------

    def _cut(self) -> None:
        self._proxy.cut()
        gevent.sleep(self._chance.uniform(0.1, 3.0))
        self._proxy.mend()

    def _go_dead(self) -> None:
        self._proxy.go_dead()
        gevent.sleep(self._chance.uniform(0.1, 3.0))
        self._proxy.mend()  # for new connections

    # -- databases ----------------------------------------------------------------------------------------------------

    def _away(self, name: Name, seconds: float = 0.0, *, empty: bool = False) -> None:
        """Half of the times it is asked to end, else it is killed."""
        polite = signal.SIGTERM if name == "redis" else signal.SIGINT
        with Servers(self._here.settings.state_dir).away(
            name, self._chance.choice([polite, signal.SIGKILL]), empty=empty
        ):
            gevent.sleep(seconds)

    # -- the PBX ------------------------------------------------------------------------------------------------------

    def restart_pbx(self) -> None:
        """With another object than the one that has the phones, which would take them along."""
        lab = lab_of(self._here.settings)
        lab.stop()
        lab.start(until_parent_dies=True)
        gevent.sleep(1.0)
        self._renew()

    # -- and then -----------------------------------------------------------------------------------------------------

    def healed(self, since: float) -> str:
        """Waits until everything of ours says that it works, later than `since` (epoch seconds); "", or what does
        not."""
        if until(lambda: not self._ill(since), 30, every=0.2):
            return ""
        print(f"      not well after 30 s: {self._ill(since)}")
        return "" if until(lambda: not self._ill(since), HEALED - 30, every=0.2) else self._ill(since)

    def _ill(self, since: float) -> str:
        here = self._here
        if gone := [name for name, child in here.supervisor.status().items() if child["pid"] is None]:
            return f"{', '.join(gone)} does not run"
        try:
            signs, recorder = self._signs(), here.recorder()
            here.store.ping()
        except (LiveError, StoreUnavailable) as error:
            return str(error)
        if not signs.get("linked") or float(signs.get("at", 0)) < since:
            return "the controller has no link"
        if float(signs.get("unsent", 0)) > UNDER_WAY:
            return "the controller has facts that Redis does not have"
        if float(recorder.get("at", 0)) < since or float(recorder.get("lag", 0)) > 5:
            return f"the recorder is behind: {recorder}"
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{here.settings.web_port}/readyz", timeout=2).status_code == 200:
                return ""
        return "the dashboard does not answer"
