"""Which of a node's controllers is the active one, and what it may still do.

All controllers of a node want its lease. One has it and renews it; the others stand by, warm, and watch it. Whoever
loses it may not act any more, and has to find that out before it does anything: so everything that goes to the PBX
(`may_act`) and every write to Redis (`token`) asks here first, and waits for a look at the lease where the last one is
so long ago that another may have it. That is how a process that was frozen, and wakes, does nothing. (What it writes to
Redis all the same is refused there: `live.fencing`.)

A Redis that is away takes the lease from nobody, for nobody else can have it either: who is active goes on.
"""

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import gevent
import structlog
from gevent.event import Event as Flag
from redis import Redis

from contactcentre.live import Held, Lease, LiveError, Stale, Watch
from contactcentre.live.connection import beside, time_of
from contactcentre.live.standbys import Standby, lease_name, say_no_longer, say_standing_by

log = structlog.get_logger(__name__)

RENEW = 0.2
"""Seconds between two renewals."""
TTL = 0.8
"""Seconds that a lease outlives its last renewal in Redis; after so long without a look nothing is done before one."""
GRACE = 0.5
"""Seconds that a stand-by waits for the holder of a lease that has run out: it may be late, not dead."""
POLL = 0.05
"""Seconds between two looks of a stand-by."""
DEADLINE = 0.3
"""Seconds that Redis has for one look."""
SAY = 1.0
"""Seconds between two signs of life of a stand-by."""
SLOW = 0.2
"""The time of a look that took so many seconds does not count: the holder could perhaps not renew either."""


def now() -> float:
    """Seconds of a clock that never jumps and counts also while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Succession:
    """How the lease came to us."""

    predecessor: str
    """The id of the controller before; "" = there was none."""
    planned: bool
    """That one gave it up, or to us. Else it fell silent."""
    began: float
    """By `now()`: when that one acted last; of one that fell silent, when it renewed last."""


class Tenure:
    def __init__(self, redis: "Redis", node: str) -> None:
        """`redis` is the node's client; the lease has connections of its own."""
        self._redis = beside(redis, DEADLINE)
        self.node = node
        self.lease = Lease(self._redis, lease_name(node), TTL)
        self.key, self.id = self.lease.key, self.lease.holder
        self._ready = False
        self.since = time.time()
        """Epoch seconds: since when we stand by or, later, are active."""
        self.lost = False
        self.succession: Succession | None = None
        self._watch = Watch(TTL, GRACE)
        self._hushed = 0.0  # epoch seconds by Redis's clock
        self._looked = float("-inf")  # when the last look began that went well, or the last one ended that failed
        self._hurry, self._seen = Flag(), Flag()
        self._keeper: gevent.Greenlet[..., None] | None = None

    # -- standing by --------------------------------------------------------------------------------------------------

    def await_turn(self, stopped: Flag) -> bool:
        """Returns when the lease is ours; False: `stopped` before. Raises LiveError when Redis cannot be asked at the
        first look; later it is waited for."""
        last, changed = self.lease.look(), now()
        blind = False
        while not stopped.is_set():
            began = now()
            try:
                seen = self.lease.look()
                if (took := now() - began) > SLOW:
                    self._watch.skip(took)
                if self._may_take(seen, began) and self.lease.take(seen):
                    self._looked = began
                    self._begin(seen or last, changed)
                    return True
                if seen is not None and (last is None or (seen.fence, seen.beat) != (last.fence, last.beat)):
                    last, changed = seen, began
                blind = False
            except LiveError as error:
                self._watch.blind()
                if not blind:
                    log.warning("standing by: Redis is away", error=str(error))
                blind = True
            stopped.wait(POLL)
        return False

    def _may_take(self, seen: Held | None, at: float) -> bool:
        handed_over = seen is not None and seen.holder == self.id
        return self._watch.may_take(seen, at) or handed_over

    def _begin(self, last: Held | None, changed: float) -> None:
        note = json.loads(last.note) if last is not None and last.note else {}
        if note:
            ago = max(0.0, time_of(self._redis) - float(note["stopped"]))
            self.succession = Succession(str(note["from"]), planned=True, began=now() - ago)
        else:
            self.succession = Succession(last.holder if last is not None else "", planned=False, began=changed)
        self.since = time.time()

    def warm(self) -> None:
        """From now on we could take over at once."""
        self._ready = True

    @property
    def is_warm(self) -> bool:
        return self._ready

    def keep_saying(self) -> None:
        """For as long as we stand by: tells that we do."""
        while True:
            try:
                say_standing_by(self._redis, self._standby())
            except LiveError as error:
                log.info("no sign of a stand-by: live state is away", error=str(error))
            gevent.sleep(SAY)

    def say_no_longer(self) -> None:
        """We are active, or end."""
        with suppress(LiveError):  # Redis forgets it soon
            say_no_longer(self._redis, self._standby())

    def _standby(self) -> Standby:
        return Standby(self.node, self.id, os.getpid(), socket.gethostname(), self.since, self._ready)

    # -- active -------------------------------------------------------------------------------------------------------

    def keep(self, on_lost: Callable[[], None]) -> None:
        """Renews the lease from now on. `on_lost` is told once that it is another's."""
        self._keeper = gevent.spawn(self._keep, on_lost)

    def _keep(self, on_lost: Callable[[], None]) -> None:
        away = False
        while True:
            began = now()
            try:
                # later another one could have had it, if its own clock and Redis's go right
                if not self.lease.renew(sure=began - self._looked < TTL + GRACE):
                    break
                self._looked, away = began, False
            except LiveError as error:  # nobody else gets it either
                self._looked = now()
                if not away:
                    log.warning("the lease cannot be renewed: live state is away; we go on", error=str(error))
                away = True
            self._tell()
            self._hurry.wait(RENEW)
            self._hurry.clear()
        log.error("another controller has taken over: this one stops", after_seconds=round(now() - self._looked, 1))
        self.lost = True
        self._tell()
        on_lost()

    def _tell(self) -> None:
        seen, self._seen = self._seen, Flag()
        seen.set()

    def _sure(self) -> bool:
        """Whether the lease is ours: known from a look that is not long ago."""
        while self.lease.fence and not self.lost:
            if now() - self._looked < TTL:
                return True
            self.missing()
        return False

    def may_act(self) -> bool:
        """See pbx.protocol.MayAct."""
        return not self._hushed and self._sure()

    def may_take(self) -> bool:
        """Whether calls that come are for us, or for the one we hand over to."""
        if self._hushed:  # nobody looks after the lease any more
            return not self.lost
        return self._sure()

    def token(self) -> str:
        """See live.fencing.Fence."""
        if not self._sure():
            raise Stale("another controller is the active one")
        return self.lease.fence

    def missing(self) -> None:
        """See live.fencing.Fence."""
        self._hurry.set()
        self._seen.wait(4 * DEADLINE)

    # -- giving it up -------------------------------------------------------------------------------------------------

    def hush(self) -> None:
        """Nothing is sent to the PBX any more. What is known may still be written."""
        try:
            self._hushed = time_of(self._redis)
        except LiveError:
            self._hushed = time.time()

    def let_go(self, successor: str = "") -> None:
        """Gives the lease to this stand-by, or to whoever comes. Raises LiveError; then it runs out."""
        if self._keeper is not None:
            self._keeper.kill()
        if not self.lost:
            self.lease.hand_to(successor, json.dumps({"from": self.id, "stopped": self._hushed}))
