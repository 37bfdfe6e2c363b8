"""Waiting for what no event announces to a test."""

import time
from collections.abc import Callable
from typing import Any

import gevent

PATIENCE = 120.0
"""Seconds that a test waits for what must happen soon, however much else the machine has to do."""
AT_ONCE = 15.0
"""Seconds, with much to spare, in which a controller does what it is told. What only its regular look finds takes up to
60, in which a customer may hear silence."""
LEAST, MOST, SHARE = 0.01, 0.25, 0.05
"""Seconds between two looks, at least and at most, and as a share of what was waited already: a process that starts
needs the processor more than whoever looks whether it is there."""


class NotInTime(AssertionError):
    pass


def eventually(
    look: Callable[[], Any], what: str | Callable[[], object] = "what was waited for", seconds: float = PATIENCE
) -> Any:
    """What `look` answers as soon as it is true; raises NotInTime, which says `what` did not come to be (a function:
    what is so instead). A look is never broken off: that would leave its connection in the midst of something."""
    begun = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - begun
        if waited > seconds:
            raise NotInTime(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        gevent.sleep(min(MOST, max(LEAST, SHARE * waited)))
    return found
