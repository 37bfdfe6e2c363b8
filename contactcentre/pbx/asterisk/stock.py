"""What is there on the PBX now."""

from contactcentre.pbx.asterisk import translate
from contactcentre.pbx.asterisk.connection import Connection, Pending
from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.protocol import BridgeInfo, Inventory


def take_stock(link: Connection, app: str) -> tuple[Inventory, set[str]]:
    """See Pbx.inventory. `ours` are the channels in our Stasis application; a leg that still rings is not, but has its
    `contact_id`. With it: the channels through which somebody is heard, also those that lead into an open line."""
    everything = link.over_http("GET", "channels")
    parties = [c for c in everything if translate.is_party(c["name"])]
    channels = [c for c in parties if not translate.is_line_end(c["name"])]
    subscribed = set(link.over_http("GET", resource("applications", app))["channel_ids"])
    query = {"variable": translate.TIE}
    ties = {
        c["id"]: link.send("GET", f"{resource('channels', c['id'])}/variable", query)
        for c in channels
        if c["id"] in subscribed
    }
    bridges = link.over_http("GET", "bridges")
    together = {channel for bridge in bridges for channel in bridge["channels"]}
    inventory = Inventory(
        channels={
            c["id"]: translate.info(
                c,
                ours=translate.in_application(c, app, c["id"] in subscribed),
                contact_id=_tie(ties.get(c["id"])),
                waits=translate.in_own_queue(c) and c["id"] not in together,
            )
            for c in channels
        },
        bridges={b["id"]: BridgeInfo(b["id"], b["bridge_type"], tuple(b["channels"])) for b in bridges},
        spies={c["id"]: target for c in everything if (target := translate.spied(c)) is not None},
    )
    return inventory, {c["id"] for c in parties} | inventory.spies.keys()


def _tie(asked: Pending | None) -> str:
    try:
        return str(asked.wait()["value"]) if asked is not None else ""
    except (Gone, Refused):  # 404: it has no such variable, or ended meanwhile
        return ""
