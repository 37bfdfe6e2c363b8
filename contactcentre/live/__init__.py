"""The live state in Redis: who is where now, atomic reservations, the journal, commands and leases."""

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.routing import Waiting
from contactcentre.live.boxes import BoxCounts, boxes_moved
from contactcentre.live.commands import Commands
from contactcentre.live.connection import connect
from contactcentre.live.errors import (
    Away,
    CommandFailed,
    LiveError,
    LostRace,
    Malformed,
    NoReply,
    NoSuchCall,
    Refused,
    Resync,
    SpoolInUse,
    Stale,
    TooLarge,
)
from contactcentre.live.journal import Journal
from contactcentre.live.leases import Held, Lease, Watch
from contactcentre.live.lines import LineHolders
from contactcentre.live.reader import JournalReader
from contactcentre.live.records import AgentFact, Change, ContactNow, Estimate, Snapshot
from contactcentre.live.signs import Signs, in_use, signs_of_life, unreachable
from contactcentre.live.state import Live

__all__ = [
    "AgentFact",
    "AgentStatus",
    "Away",
    "BoxCounts",
    "Change",
    "CommandFailed",
    "Commands",
    "ContactNow",
    "Estimate",
    "Held",
    "Journal",
    "JournalReader",
    "Lease",
    "LineHolders",
    "Live",
    "LiveError",
    "LostRace",
    "Malformed",
    "NoReply",
    "NoSuchCall",
    "Refused",
    "Resync",
    "Signs",
    "Snapshot",
    "SpoolInUse",
    "Stale",
    "TooLarge",
    "Waiting",
    "Watch",
    "boxes_moved",
    "connect",
    "in_use",
    "signs_of_life",
    "unreachable",
]
