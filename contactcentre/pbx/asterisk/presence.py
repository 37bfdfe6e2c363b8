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


def stay(request: Callable[..., Any], seconds: float) -> None:
    """See Pbx.stay."""
    pong = request("GET", "asterisk/ping")
    said = pong.get("timestamp") if isinstance(pong, dict) else None
    now = epoch(said) if isinstance(said, str) else time()
    query: Query = {"variable": VARIABLE, "value": str(math.ceil(now + seconds))}
    request("POST", "asterisk/variable", query)
