"""Handing calls over, and what a call costs: ours against app_queue on the same Asterisk, in one run.

Three questions, each asked of our controller and then, with the controller gone, of the PBX's own Queue():

  hand-over  WAITING callers wait, ten agents serve them; an agent hangs up: when does the next caller's INVITE reach
             that agent's phone? Who was served is followed by a new caller some moments later.
  cost       processor time of a queued and answered call at 40 calls/s: Asterisk, and everything of ours (controller,
             recorder, worker, web, Redis, PostgreSQL), idle costs included. Taken in the middle of the load, when as
             many calls end as begin; both sides in turns, for the machine becomes faster and slower (`yardstick_ms`).
  collapse   the load grows step by step until one is not held, and then between the two until the limit is known by
             one call a second. A load is held when 97 % of its callers are answered, 99 % of the agents' phones are
             called within 1.5 s of the caller's INVITE, and as many calls are begun as were asked for.

What both have in common with `callcenter` is in `contest`.

WAITING=200,500 HANDOVERS=500 ROUNDS=3 (of cost) RATE=40 SECONDS=24 (of each step) STEPS=70,80,90,100,110,120
TALK=5-8 (seconds); QUICK=1 is a short look at everything; ONLY=handover,cost,collapse.
"""

from bench.contest import run

if __name__ == "__main__":
    run("handover", "asterisk", "app_queue")
