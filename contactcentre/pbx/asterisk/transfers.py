"""The transfer keys of agents' phones (SIP REFER), so that the controller and not Asterisk transfers.

Asterisk 20.13, 21.8, 22.3 and later tell a REFER (ChannelTransfer) and leave it to the application, for channels that
ask for it. Older ones, and any for a REFER in a call that is not ours, transfer at once; there we undo what was done:
in the place of the phone stands one end of a Local channel then, whose other end is wherever the phone was to go. A
blind transfer leads into a context of ours, where nothing is but the application.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import time
from typing import Any

import gevent

from contactcentre.pbx.asterisk.protocol import Event, Query, resource
from contactcentre.pbx.asterisk.translate import number_of
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import TransferAsked
from contactcentre.pbx.legs import Legs
from contactcentre.pbx.protocol import Progress

ASKED = "transfer"
"""The first argument of a channel that an older Asterisk has transferred; see dialplans/, contactcentre-transfer."""
LEFT_TO_US: Mapping[str, str] = {"PJSIP_TRANSFER_HANDLING()": "ari-only"}
LED_TO_US: Mapping[str, str] = {"TRANSFER_CONTEXT": "contactcentre-transfer"}
SIP_DIALOG: Query = {"variable": "CHANNEL(pjsip,call-id)"}
"""Asterisk reads this in the thread that takes the messages of the channel's SIP dialog, one after the other."""
OTHER_CALL = 1.0
"""Seconds that a phone's other call may take to be over."""

_STATES = {
    Progress.TRYING: "channel_progress",
    Progress.DONE: "channel_answered",
    Progress.DECLINED: "channel_declined",
    Progress.UNAVAILABLE: "channel_unavailable",
}


class Transfers:
    """`attempt` sends a request and does not wait; `over_http` sends one that nobody else waits for."""

    def __init__(
        self,
        legs: Legs,
        attempt: Callable[[str, str, Query], None],
        request: Callable[..., Any],
        over_http: Callable[[str, str, Query], Any],
    ) -> None:
        self._legs, self._attempt, self._request, self._over_http = legs, attempt, request, over_http
        self.variables: Mapping[str, str] = {}
        """What a phone's channel needs; LEFT_TO_US or LED_TO_US, as the server is."""
        self._stand_ins: dict[str, str] = {}  # a leg that was transferred away -> what stands in its place

    def keep(self, channel_id: str) -> None:
        """A phone called us: it may become the leg of an agent."""
        for name, value in self.variables.items():
            path = f"{resource('channels', channel_id)}/variable"
            self._attempt("POST", path, {"variable": name, "value": value})

    def took(self, channel_id: str, event: Event) -> bool:
        """Is the channel that came in nobody, but one end of a transfer?"""
        if event["args"][:1] == [ASKED]:
            return True  # the other end's hangup will end it
        replaced = event.get("replace_channel", {}).get("id", "")
        if replaced not in self._legs:
            return False
        self._stand_ins[replaced] = channel_id
        return True

    def on_told(self, event: Event, at: float) -> None:
        """ChannelTransfer: all is left to us."""
        if "state" in event:
            return  # the echo of what we told the phone
        to = event["refer_to"]
        leg_id = event["referred_by"]["source_channel"]["id"]
        other = to.get("destination_channel", {}).get("id", "")
        if (leg := self._legs.get(leg_id)) is not None:
            leg.other_call = other
        self._tell(
            leg_id,
            at,
            str(to["requested_destination"]["destination"]),
            other=other,
            peer=to.get("connected_channel", {}).get("id", ""),
        )

    def answer(self, channel_id: str, progress: Progress) -> None:
        """See Channel.transfer_progress. Asterisk dies of an answer that comes too soon, and may die of one about a
        call that is just ending (docs/decisions/asterisk-driver.rst)."""
        if self.variables is not LEFT_TO_US:
            return  # Asterisk has told the phone
        path = resource("channels", channel_id)
        with suppress(Gone, Refused):  # 409: it is just going
            self._over_http("GET", f"{path}/variable", SIP_DIALOG)  # answered when Asterisk has done with the REFER
            if progress is Progress.DONE and (leg := self._legs.get(channel_id)) is not None and leg.other_call:
                self._end(leg.other_call)
            self._request("POST", f"{path}/transfer_progress", {"states": _STATES[progress]})

    def _end(self, channel_id: str) -> None:
        """Ends the phone's other call, which the transfer has made superfluous, and returns when it is over."""
        path, until = resource("channels", channel_id), time() + OTHER_CALL
        with suppress(Gone):
            self._request("DELETE", path)
            while time() < until:
                self._request("GET", path)
                gevent.sleep(0.01)

    def on_blind(self, event: Event, at: float) -> None:
        """BridgeBlindTransfer: an older Asterisk did it."""
        channel_id = event["channel"]["id"]
        if event["result"] == "Success" and channel_id in self._legs:
            self._remove_stand_in(channel_id)
            self._tell(channel_id, at, str(event["exten"]))

    def on_attended(self, event: Event, at: float) -> None:
        """BridgeAttendedTransfer: Asterisk connected the two calls of the phone."""
        if event["result"] != "Success":
            return
        first, second = event["transferer_first_leg"], event["transferer_second_leg"]
        if first["id"] not in self._legs:
            first, second = second, first
        if (leg_id := first["id"]) not in self._legs:
            return
        if second["id"] in self._legs:
            self._remove_stand_in(leg_id)
            self._stand_ins.pop(second["id"], None)
            peer = ""
        else:
            # The other call is none of ours: its party is there already, behind this end.
            peer = self._stand_ins.pop(leg_id, "")
            if peer:
                self._legs.arrive(peer, time(), answered=True).unasked = True
        self._tell(leg_id, at, str(second["dialplan"]["exten"]), other=second["id"], peer=peer)

    def _remove_stand_in(self, leg_id: str) -> None:
        if stand_in := self._stand_ins.pop(leg_id, ""):
            self._attempt("DELETE", resource("channels", stand_in), {})

    def _tell(self, leg_id: str, at: float, number: str, other: str = "", peer: str = "") -> None:
        self._legs.tell(TransferAsked(leg_id, at, number_of(number), other, peer))
