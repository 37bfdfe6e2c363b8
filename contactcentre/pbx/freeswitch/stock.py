"""What is there on the PBX now: its channels, with the variables by which we know our own again.

FreeSWITCH's list of channels is a table that follows what happens by some tenths of a second. So our channels are also
noted in its memory (mod_hash) as they come, where the controller after this one finds them; each is asked for itself.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from contactcentre.domain.notation import decode
from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.freeswitch import translate
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.link import Pending
from contactcentre.pbx.freeswitch.names import is_end
from contactcentre.pbx.protocol import ChannelInfo

NOTE, DROP = "hash insert", "hash delete"
"""Apis that note a channel, and forget it: `NOTE/APP/CHANNEL/1`."""

Stocked = Mapping[str, str]
"""One channel: headers as in an event."""


def rows(link: Connection) -> list[Mapping[str, Any]]:
    """Every channel's row of `show channels`. Raises LinkDown, Deadline."""
    found = decoded(link.job("show channels as json")).get("rows")
    return [row for row in found or () if isinstance(row, dict) and isinstance(row.get("uuid"), str)]


def take_stock(link: Connection, app: str, known: Iterable[str]) -> dict[str, Stocked]:
    """Channels that are just going are left out. Raises LinkDown, Deadline."""
    noted = link.send(f"hash_dump db {app}")
    ids = dict.fromkeys([*(row["uuid"] for row in rows(link)), *_noted(noted, app), *known])
    asked = {channel_id: link.send(f"uuid_dump {channel_id} json") for channel_id in ids}
    stock: dict[str, Stocked] = {}
    for channel_id, pending in asked.items():
        try:
            channel = decoded(pending.wait())
        except (Gone, Refused):
            continue
        stock[link.names.of(channel, channel_id)] = channel
    return stock


def variable(channel: Stocked, name: str) -> str:
    """ "" = it is not set."""
    return str(channel.get(f"variable_{name}", ""))


def up(channel: Stocked) -> bool:
    return channel.get("Answer-State") == "answered"


def parties(there: Mapping[str, Stocked], app: str) -> dict[str, ChannelInfo]:
    """Those of somebody: the other end of a leg into an open line is a tool."""
    return {channel_id: info(channel_id, one, app) for channel_id, one in there.items() if not is_end(one)}


def info(channel_id: str, channel: Stocked, app: str) -> ChannelInfo:
    """A leg that we call and that still rings is not ours yet."""
    args = variable(channel, translate.ARGS).split(",")
    called = channel.get("Call-Direction") == "outbound"
    ours = variable(channel, translate.APP) == app and (up(channel) or not called)
    return ChannelInfo(
        id=channel_id,
        name=channel.get("Channel-Name", ""),
        up=up(channel),
        ours=ours,
        caller=translate.caller(channel),
        dialled=args[1] if len(args) > 1 else channel.get("Caller-Destination-Number", ""),
        endpoint=translate.whose(channel),
        created_at=int(channel.get("Caller-Channel-Created-Time", "0")) / 1_000_000,
        contact_id=variable(channel, translate.TIE),
        waits=not ours and waits(channel),
    )


def waits(channel: Stocked) -> bool:
    """In the switch's own queue for want of a controller, and talked to by nobody."""
    queued = variable(channel, "current_application") in translate.OWN_QUEUES
    return queued and variable(channel, translate.WAITS) == "true" and not channel.get("Other-Leg-Unique-ID")


def _noted(asked: Pending, app: str) -> list[str]:
    """From lines like `D/APP_CHANNEL/1`."""
    begin = f"D/{app}_"
    try:
        lines = asked.wait().splitlines()
    except Refused:  # "no reply": nothing is noted
        return []
    return [line.removeprefix(begin).removesuffix("/1") for line in lines if line.startswith(begin)]


def decoded(text: str) -> dict[str, Any]:
    """JSON that it answered; raises PbxError for what is none."""
    try:
        found = decode(text)
    except (ValueError, json.JSONDecodeError, RecursionError) as error:
        raise PbxError(f"the PBX's list of channels cannot be read: {error}") from None
    return found if isinstance(found, dict) else {}
