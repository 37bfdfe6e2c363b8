"""Queues: where contacts wait for an agent."""

from contactcentre.cli.noun import noun
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
        "wrap_up": "Seconds of after-call work (15).",
        "max_wait": "Seconds after which the flow goes on; 0 = never (0).",
        "max_length": "Contacts that may wait; 0 = no limit (0).",
        "join_empty": "May contacts enter when nobody is there: yes, no, strict, loose or Asterisk's conditions (yes).",
        "leave_when_empty": "Do they leave when nobody is there: no, yes, strict, loose or conditions (no).",
        "announce_position": "Seconds between announcements of the position; 0 = never (0).",
        "announce_prompt": "Prompt before the position.",
        "service_level": "Seconds within which contacts should be answered (20).",
        "record": "Record its conversations (yes).",
        "retention_days": "Days that recordings are kept; 0 = for ever (90).",
    },
    ("requires", "agents", "ring_seconds", "wrap_up", "service_level"),
)
