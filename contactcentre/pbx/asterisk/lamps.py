"""Message lamps: how many messages wait, told to agents' phones (RFC 3842).

ARI's own way (`mailboxes`) needs a module that cannot be there together with Asterisk's voicemail, and that no
distribution ships. So the PBX's dialplan says it, by MinivmMWI, which tells every phone of the mailbox
NAME@contactcentre and lives beside any voicemail. The PBX remembers what was said until it is restarted: phones that
register later are told.
"""

import re
from collections.abc import Iterator, Mapping

from contactcentre.pbx.errors import Refused

CONTEXT, EXTENSION = "contactcentre-messages", "show"
VARIABLE = "MESSAGE_COUNTS"
AT_ONCE = 25
"""Agents in one request; the dialplan's texts hold 4,096 characters."""

_name = re.compile(r"[a-z][a-z0-9_-]{0,39}").fullmatch


def batches(counts: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """What the dialplan reads: `anna:2:0+bert:0:1`. Raises Refused for what is no agent's name."""
    if wrong := [name for name in counts if not _name(name)]:
        raise Refused(f"agent {wrong[0][:100]!r}: no name")
    texts = [f"{name}:{int(new)}:{int(old)}" for name, (new, old) in sorted(counts.items())]
    for begin in range(0, len(texts), AT_ONCE):
        yield "+".join(texts[begin : begin + AT_ONCE])
