"""Until when the dialplan leads callers to us: a global variable, in seconds of the PBX's own clock.

`socket` connects to a controller that hangs as to any other (the kernel takes the connection), and waits for ever.
"""

import math
from collections.abc import Callable

from contactcentre.pbx.errors import Refused

VARIABLE = "contactcentre_until"


def stay(request: Callable[[str], str], seconds: float) -> None:
    """See Pbx.stay."""
    now = request("strepoch").strip()
    if not now.isdecimal():
        raise Refused(f"strepoch answers {now[:50]!r}")
    request(f"global_setvar {VARIABLE}={math.ceil(int(now) + seconds)}")
