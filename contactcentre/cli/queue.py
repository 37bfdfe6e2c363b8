"""Queues: where contacts wait for an agent."""

import time
from dataclasses import asdict

import click

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.moments import MOMENT, Clock
from contactcentre.cli.noun import noun
from contactcentre.cli.terminal import json_option, listed, print_json
from contactcentre.cli.voicemail import waiting_in
from contactcentre.domain.site import Queue

command = noun(
    "queue",
    Queue,
    {
        "description": "What it is for.",
        "requires": "Skills its contacts need, like: lang_fr >= 50 and billing.",
        "relax": "From so many seconds of waiting on, this is enough. May be given several times.",
        "agents": "Its members (everybody who has the skills).",
        "strategy": "Who of several free agents is asked; Asterisk's and FreeSWITCH's names too (longest-idle).",
        "ring_at_most": "Agents whose phones ring at once for one contact, with ringall (10).",
        "ring_more_every": "Seconds until one more phone rings, with ring-progressively (10).",
        "priority": "0 to 1000; higher goes first among queues (0).",
        "ageing": "Points of priority that a contact gains a minute; 0 = none, then priority is strict (0).",
        "groups": "Points on top for a group of contacts, such as gold=20. May be given several times.",
        "music": "Class of music on hold (default).",
        "prefer_for": "Seconds that a contact's preferred agents have it for themselves (20).",
        "ring_seconds": "How long an agent's phone rings (20).",
        "misses_allowed": "Missed offers in a row before the agent is paused; 0 = never (2).",
        "retry_delay": "Seconds before an agent who missed is offered again (5).",
        "reject_delay": "Seconds before an agent who rejected is offered again (retry-delay).",
        "busy_delay": "Seconds before an agent whose phone was busy is offered again (retry-delay).",
        "auto_answer": "Ask the agent's phone to answer by itself (no).",
        "announce_to_agent": "Prompt that the agent hears before being joined with the caller.",
        "wrap_up": "Seconds of after-call work (15).",
        "dispositions": "How contacts may have ended, like solved=Solved. May be given several times.",
        "disposition_required": "An agent ends wrap-up by saying one (no).",
        "script": "A question that agents fill in, like order=Order number. May be given several times.",
        "screen_pop": "Address that agents open for a contact, like https://crm.example.com/?phone={caller}.",
        "screen_pop_at": "click, ring or answer: opens by itself when it rings or is answered (click).",
        "max_wait": "Seconds after which the flow goes on; 0 = never (0).",
        "max_length": "Contacts that may wait; 0 = no limit (0).",
        "join_empty": "May contacts enter when nobody is there: yes, no, strict, loose or Asterisk's conditions (yes).",
        "leave_when_empty": "Do they leave when nobody is there: no, yes, strict, loose or conditions (no).",
        "announce_position": "Seconds between announcements of the position; 0 = never (0).",
        "announce_first": "Seconds until the first announcement (announce-position).",
        "announce_prompt": "Prompt before the position.",
        "announce_wait": "Say the estimated wait too, where enough is known (no).",
        "position_only_improves": "Never say a worse position than before (yes).",
        "prompts": "Prompts that waiting callers hear in turn.",
        "prompts_every": "Seconds between two of them (60).",
        "keys": "Key and where it leads, like 1=voicemail:support or 2=callback. May be given several times.",
        "overflow": "Where contacts go, like timeout=queue:sales, full=callback, empty=voicemail:support.",
        "overflow_priority": "Points that a contact which overflows takes along to another queue (0).",
        "service_level": "Seconds within which contacts should be answered (20).",
        "record": "Record its conversations (yes).",
        "record_share": "Percent of its contacts that are recorded (100).",
        "record_on_demand": "Agents and supervisors may begin a recording (yes).",
        "record_announce": "Prompt that a customer hears before a recording begins (the site's).",
        "record_announce_all": "Agents and others who are recorded hear it too (as the site says).",
        "record_beep": "Both hear a beep every so many seconds while recorded; 0 = never (0).",
        "review_messages": "Who leaves a message in its box may hear it and say it again first (no).",
        "retention_days": "Days that recordings are kept; 0 = for ever (90).",
    },
    ("requires", "agents", "ring_seconds", "wrap_up", "service_level"),
    now=waiting_in,
)


@command.command()
@click.option("--since", default="today", show_default=True, type=MOMENT, help="Said at or after.")
@click.option("--until", type=MOMENT, help="Said before.")
@json_option
def dispositions(since: str, until: str | None, as_json: bool) -> None:
    """How often each disposition was said.

    How contacts ended, in their agents' words. Of each contact and queue the last that was said counts.
    """
    with open_store() as store:
        clock = Clock.of(store)
        found = store.count_said(clock.read(since), clock.read(until) if until else time.time())
    rows = [{"queue": one.queue, "code": one.code, "disposition": one.label, "contacts": one.number} for one in found]
    listed(rows, ("queue", "code", "disposition", "contacts"), as_json, "Nobody has said any.")


@command.command()
@click.option("--since", default="7d", show_default=True, type=MOMENT, help="Said to callers at or after.")
@json_option
def estimates(since: str, as_json: bool) -> None:
    """Estimated waits, and how wrong they were.

    What was said to callers is held against what they waited until an agent was offered, of those who were
    answered: bias is the mean of said minus waited, and four of five were at most "within" off. Nothing is
    estimated where too little is known.
    """
    with open_store() as store:
        past = store.told_errors(Clock.of(store).read(since), time.time())
    with open_live() as live:
        now = live.estimates()
    found = {queue: (now.get(queue), past.get(queue)) for queue in sorted({*now, *past})}
    if as_json:
        print_json(
            {
                queue: {"seconds": one.seconds if one else None, "past": asdict(error) if error else None}
                for queue, (one, error) in found.items()
            }
        )
        return
    rows = [
        {
            "queue": queue,
            "next caller": "" if one is None or one.seconds is None else f"{one.seconds:.0f} s",
            "said": error.number if error else 0,
            "bias": f"{error.bias:+.0f} s" if error else "",
            "within": f"{error.p80:.0f} s" if error else "",
        }
        for queue, (one, error) in found.items()
    ]
    listed(rows, ("queue", "next caller", "said", "bias", "within"), False, "No controller runs, and nothing was said.")
