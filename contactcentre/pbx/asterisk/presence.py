"""Until when the dialplan leads callers to us: a global variable, in seconds of the PBX's own clock.

A controller that hangs leaves its websocket open, and with it the application registered: Stasis() would take calls
that nobody answers. Asterisk itself notices nothing, its websocket waits for no answer to anything.
"""

import math
from collections.abc import Callable
from time import time
from typing import Any

from contactcentre.pbx.asterisk.protocol import Query
from contactcentre.pbx.asterisk.translate import epoch

VARIABLE = "CONTACTCENTRE_UNTIL"
ANSWERS = "CONTACTCENTRE_ANSWERS"
ANSWERED = 1.5
"""Seconds for which the dialplan may answer callers before we have them; a second more at most, for it compares whole
ones. Whom it answers for a controller that hangs hears silence; so this is shorter than what UNTIL promises."""


def stay(request: Callable[..., Any], seconds: float, answers: bool) -> None:
    """See Pbx.stay."""
    pong = request("GET", "asterisk/ping")
    said = pong.get("timestamp") if isinstance(pong, dict) else None
    now = epoch(said) if isinstance(said, str) else time()
    answered = math.floor(now + min(seconds, ANSWERED)) if answers else 0
    for variable, value in ((ANSWERS, answered), (VARIABLE, math.ceil(now + seconds))):
        query: Query = {"variable": variable, "value": str(value)}
        request("POST", "asterisk/variable", query)
