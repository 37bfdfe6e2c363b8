"""Handing calls over, and what a call costs: ours against mod_callcenter on the same FreeSWITCH, in one run.

The questions are those of `handover`, which asks them of Asterisk and app_queue:

  hand-over  WAITING callers wait, ten agents serve them; an agent hangs up: when does the next caller's INVITE reach
             that agent's phone?
  cost       processor time of a queued and answered call at RATE calls/s: FreeSWITCH, and everything of ours.
  collapse   the load grows step by step, until a step is not held.

FreeSWITCH is the one that FREESWITCH_BIN names, or the path has. WAITING, HANDOVERS, RATE, SECONDS, STEPS, TALK, QUICK
and ONLY as with `handover`.
"""

import sys

from bench.contest import run
from contactcentre.lab import can_have_freeswitch

if __name__ == "__main__":
    if reason := can_have_freeswitch():
        sys.exit(f"nothing to measure: {reason}")
    run("callcenter", "freeswitch", "mod_callcenter")
