"""The verbs of a PBX (`pbx.protocol.Pbx`) on an Asterisk."""

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import time
from typing import Any

from gevent.event import Event as Flag

from contactcentre.pbx.asterisk import accounts, lamps, presence, translate
from contactcentre.pbx.asterisk.channels import AsteriskBridge, AsteriskChannel
from contactcentre.pbx.asterisk.company import Company
from contactcentre.pbx.asterisk.connection import Connection
from contactcentre.pbx.asterisk.decoders import Decoders
from contactcentre.pbx.asterisk.endpoints import Endpoints
from contactcentre.pbx.asterisk.entries import Entries
from contactcentre.pbx.asterisk.foreign import Foreign
from contactcentre.pbx.asterisk.intake import Intake
from contactcentre.pbx.asterisk.listener import Address, Listener
from contactcentre.pbx.asterisk.protocol import ChannelGone, Event, Query, resource
from contactcentre.pbx.asterisk.silence import changes_to_and_fro
from contactcentre.pbx.asterisk.stock import take_stock
from contactcentre.pbx.asterisk.taps import Taps
from contactcentre.pbx.asterisk.transfers import LED_TO_US, LEFT_TO_US, Transfers
from contactcentre.pbx.asterisk.upkeep import Upkeep
from contactcentre.pbx.asterisk.waiting import WaitingRooms
from contactcentre.pbx.errors import Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import (
    Answered,
    Cause,
    NodeEvent,
    Party,
    Phone,
)
from contactcentre.pbx.legs import Legs
from contactcentre.pbx.outlet import Outlet, report
from contactcentre.pbx.protocol import NO_ACCOUNTS, Inbox, Inventory, MayAct, Mode, always, line_end
from contactcentre.pbx.timing import PBX, timed

STOP_ATTEMPTS, STOP_AGAIN = 10, 0.03
"""How often, and after how many seconds again, a playback is told to stop that goes on to its next part."""
AUTO_ANSWER = {
    "Call-Info": "<sip:auto-answer.invalid>;answer-after=0",
    "Alert-Info": "<http://auto-answer.invalid>;info=alert-autoanswer;delay=0",
}
"""SIP headers that ask a phone to answer by itself: some makers' phones look for the one, some for the other. The
standard, RFC 5373's Answer-Mode, is known to few."""
_app_name = re.compile(r"[A-Za-z0-9_-]{1,60}").fullmatch

log = logging.getLogger(__name__)


@timed(*PBX)
class AsteriskPbx:
    """See pbx.protocol.Pbx. `technology` is the channel driver of phones and trunks (tests use Local); `sounds` is a
    directory that the PBX can read, too, for sounds that some builds need (see decoders). `listen`: where the PBX
    connects to us, with the same user and secret; else we connect to it."""

    def __init__(
        self,
        node: str,
        url: str,
        user: str,
        secret: str,
        app: str = "contactcentre",
        *,
        technology: str = "PJSIP",
        sounds: Path | None = None,
        may_act: MayAct = always,
        listen: Address | None = None,
    ) -> None:
        if not _app_name(app):
            raise ValueError(f"ARI application {app!r}: must be letters, digits, _ and -")
        self.node, self.app, self._technology = node, app, technology
        self._outlet = Outlet()
        self._stopped = Flag()
        self._link = Connection(
            url,
            user,
            secret,
            app,
            on_event=self._on_event,
            on_up=self._set_up,
            on_lost=self._lost,
            may_act=may_act,
            listener=Listener(listen, user, secret) if listen else None,
        )
        self.link_is_shared = listen is None
        self.request = self._link.request
        self.legs = Legs(report)
        self.rooms = WaitingRooms(self)
        self.decoders = Decoders(self._link.send, self.legs, sounds)
        self.company = Company(self.request, self._try, self.decoders.renew_soon)
        self.taps = Taps(app, self._link.send, self.decoders)
        self._entries = Entries()
        self._foreign = Foreign(app, self._link.send, self.legs, self._entries)
        self.transfers = Transfers(self.legs, self._try, self.request, self._link.over_http)
        self.intake = Intake(
            self.legs,
            self.rooms,
            self.company,
            self.decoders,
            self.taps,
            self._entries,
            self.transfers,
            tell=self._outlet.tell,
            stop_playback=self._stop_playback,
        )
        self._upkeep = Upkeep(self._link, self.legs, self.intake, self.company, self.taps, self._try)
        self._endpoints = Endpoints(technology, self._link.over_http, self._outlet.tell, self.legs)

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def start(self, sink: Callable[[NodeEvent], None]) -> None:
        """See Pbx.start. Returns at once; LinkUp tells when the PBX is there."""
        self._outlet.lead_to(sink)
        self._stopped.clear()
        self._link.open()
        self._link.spawn(self._upkeep.run, self._stopped)
        self._link.spawn(self._watch_endpoints)

    def stop(self) -> None:
        self._stopped.set()
        self._link.close()
        self._outlet.hold()

    def adopt(self, channel_id: str, inbox: Inbox, *, rings_until: float = 0.0) -> AsteriskChannel:
        """Raises Gone for a channel that is not there (any more)."""
        known = channel_id in self.legs
        channel = AsteriskChannel(self, channel_id)
        leg = self.legs.bind(channel_id, inbox)
        if rings_until:
            leg.called, leg.deadline = True, rings_until
            if leg.answered:  # nobody is there any more to whom that was told
                self.legs.tell(Answered(channel_id, time()))
        if not known:
            leg.recovered = True
            self.company.unsure(channel_id)
        if not known or (rings_until and not leg.answered):
            try:
                there = self.request("GET", resource("channels", channel_id))
            except BaseException:
                self.legs.drop(channel_id)
                raise
            up = there["state"] == "Up"
            if not rings_until:
                leg.answered = up
            elif up and translate.in_application(there, self.app, True):  # else StasisStart tells
                self.legs.answer(channel_id, time())
        return channel

    def call(
        self,
        endpoint: str,
        *,
        channel_id: str,
        inbox: Inbox,
        contact_id: str,
        caller: Party,
        ring_seconds: float,
        auto_answer: bool = False,
        beside: str = "",
    ) -> AsteriskChannel:
        """See Pbx.call. An endpoint that cannot be called at all is no error: Ended(UNREACHABLE) follows at once."""
        channel = AsteriskChannel(self, channel_id)
        is_line = endpoint.startswith(translate.LINE)
        query: Query = {
            "endpoint": translate.dial_string(self._technology, endpoint),
            "app": self.app,
            "appArgs": f"leg,{contact_id}",
            "callerId": translate.caller_id(caller),
            "timeout": max(1, math.ceil(ring_seconds)),
            "otherChannelId": line_end(channel_id) if is_line else None,
            "formats": None if is_line else translate.formats(self.legs.spoken(beside, self._ask_codecs)),
        }
        variables = {translate.TIE: contact_id, **self.transfers.variables}
        if auto_answer:
            variables |= {f"PJSIP_HEADER(add,{name})": value for name, value in AUTO_ANSWER.items()}
        body = {"variables": variables}
        leg = self.legs.bind(channel_id, inbox, called=True)
        leg.deadline = time() + ring_seconds
        try:
            self.request("POST", resource("channels", channel_id), query, body)
        except Refused as refused:
            if refused.status in (401, 403):
                self.legs.drop(channel_id)
                raise
            # 409: it is there already, the request was repeated. Else: no such endpoint, or nowhere to reach it.
            if refused.status != 409:
                self.legs.end(channel_id, time(), Cause.UNREACHABLE)
        except BaseException:
            # It may ring or it may not. Should it be answered, it arrives as ("leg", contact_id).
            self.legs.drop(channel_id)
            self._try("DELETE", resource("channels", channel_id))
            raise
        leg.placed = True
        return channel

    def spy(self, channel_id: str, *, spy_id: str, mode: Mode, inbox: Inbox) -> AsteriskChannel:
        """See Pbx.spy."""
        self.decoders.snooped(channel_id)
        self._foreign.spy(channel_id, spy_id, mode, inbox)
        return AsteriskChannel(self, spy_id)

    def take(self, channel_id: str, inbox: Inbox) -> AsteriskChannel:
        """See Pbx.take."""
        if channel_id in self.legs:
            return self.adopt(channel_id, inbox)
        self._foreign.take(channel_id, inbox)
        return AsteriskChannel(self, channel_id)

    def fetch(self, channel_id: str) -> None:
        """See Pbx.fetch."""
        self._foreign.fetch(channel_id)

    def bridge(self, bridge_id: str, *, digits: bool = False) -> AsteriskBridge:
        self.make_bridge(bridge_id, "mixing,dtmf_events" if digits else "mixing")
        return AsteriskBridge(self, bridge_id)

    def inventory(self) -> Inventory:
        """Everything that is there now, but for the channels that are tools (music, announcements, recording)."""
        stock, heard = take_stock(self._link, self.app)
        for bridge in stock.bridges.values():
            self.rooms.recover(bridge.id, bridge.channels)
            if bridge.kind == "mixing":
                self.company.recover(bridge.id, heard.intersection(bridge.channels), time())
        return stock

    def phones(self) -> Mapping[str, Phone]:
        """See Pbx.phones. One with a fixed address that is not asked for (qualify) counts as there."""
        return self._endpoints.phones()

    def show_messages(self, counts: Mapping[str, tuple[int, int]], accounts: Mapping[str, str] = NO_ACCOUNTS) -> None:
        """See Pbx.show_messages."""
        for text in lamps.batches(counts):
            place = {"context": lamps.CONTEXT, "extension": "wait"}
            query: Query = {"endpoint": f"Local/{lamps.EXTENSION}@{lamps.CONTEXT}", **place}
            self.request("POST", "channels", query, {"variables": {lamps.VARIABLE: text}})

    def set_password(self, account: str, password: str) -> None:
        """See Pbx.set_password. Asterisk's sorcery.conf must keep what is pushed (docs/admin.rst, softphones)."""
        path, fields = accounts.push(account, password)
        if password:
            self.request("PUT", path, body={"fields": fields})
        else:
            with suppress(Gone):  # there was none
                self.request("DELETE", path)

    def stay(self, seconds: float, *, answers: bool = False) -> None:
        """See Pbx.stay."""
        presence.stay(self._beside, seconds, answers)

    def recording(self, name: str) -> Iterator[bytes]:
        """See Pbx.recording. Asterisk would also give what is there of one that still runs."""
        if self._link.has(resource("recordings", "live", name)):
            raise Gone(f"recording {name} has not ended")
        return self._link.stream(f"{resource('recordings', 'stored', name)}/file")

    def delete_recording(self, name: str) -> None:
        """A recording that is gone already is no error."""
        with suppress(Gone):
            self.request("DELETE", resource("recordings", "stored", name))

    # -- for the driver's other parts --------------------------------------------------------------------------------

    def request_on(self, *channel_ids: str, method: str, path: str, query: Query | None = None) -> Any:
        """A request that Asterisk carries out on these channels' own threads, after what plays or records there.

        It keeps the answer back until then, and with it every later request of the same websocket. So while something
        runs on one of the channels it goes over HTTP, where only its caller waits.
        """
        now = time()
        if any(self.legs.busy(channel_id, now) for channel_id in channel_ids):
            return self._link.over_http(method, path, query)
        return self._beside(method, path, query)

    def _beside(self, method: str, path: str, query: Query | None = None) -> Any:
        """A request that others shall not wait for, nor it for them, when the PBX has too much to do: then it goes over
        HTTP. All of them there would be threads of the PBX that keep each other from working."""
        return (self._link.over_http if self._link.behind else self.request)(method, path, query)

    def _ask_codecs(self, channel_id: str) -> tuple[str, ...]:
        """Of whom we have called or found, and where the dialplan does not say it."""
        path = f"{resource('channels', channel_id)}/variable"
        said = self.request("GET", path, {"variable": translate.SPOKEN})
        return translate.codecs(str(said["value"])) or translate.EVERYBODY_SPEAKS

    def _silence(self, channel_id: str) -> None:
        if (leg := self.legs.get(channel_id)) is not None:
            for name in leg.doing - self.intake.recordings.keys():
                self.stop_playback(channel_id, name)

    def stop_playback(self, channel_id: str, playback_id: str) -> None:
        """A playback that ended already is no error."""
        try:
            self.request("DELETE", resource("playbacks", playback_id))
        except Gone:
            pass
        except Refused as refused:
            # 500: it speaks a number, which Asterisk cannot interrupt. It is stopped before what follows the number.
            if refused.status != 500:
                raise
            self.intake.stopping.add(playback_id)
            return
        self.legs.done(channel_id, playback_id)

    def make_bridge(self, bridge_id: str, kind: str) -> None:
        """One that exists already is no error (Asterisk 22 answers 409, 18 and 20 answer 500)."""
        path = resource("bridges", bridge_id)
        try:
            self.request("POST", path, {"type": kind, "name": bridge_id})
        except Refused as refused:
            if refused.status not in (409, 500) or not self._link.has(path):
                raise

    def change(self, bridge_id: str, verb: str, *channel_ids: str, absorb: bool = False) -> None:
        """`addChannel` to or `removeChannel` from a bridge; what plays on the channels is stopped."""
        for channel_id in channel_ids:
            self._silence(channel_id)
        with self.company.moving(channel_ids, bridge_id):
            if verb == "addChannel":
                there = self.company.members(bridge_id).difference(channel_ids)
                with self.decoders.joining(bridge_id, channel_ids, there):
                    self._move(bridge_id, verb, channel_ids, absorb)
                joined = [channel_id for channel_id in channel_ids if channel_id in self.legs]  # it may have hung up
                self.company.joined(bridge_id, joined, time())
            else:
                self._move(bridge_id, verb, channel_ids, absorb)
                for channel_id in channel_ids:
                    self.company.left(channel_id, time())

    def _move(self, bridge_id: str, verb: str, channel_ids: Sequence[str], absorb: bool) -> None:
        query: Query = {"channel": ",".join(channel_ids), "absorbDTMF": absorb or None}
        try:
            self.request_on(*channel_ids, method="POST", path=f"{resource('bridges', bridge_id)}/{verb}", query=query)
        except Refused as refused:
            # 422: one is in no Stasis application. One whose end we told is just being taken down there.
            if refused.status != 422 or all(channel_id in self.legs for channel_id in channel_ids):
                raise
            raise ChannelGone(str(refused)) from None

    def music(self, bridge_id: str, music: str) -> None:
        """Turns it on, without waiting for the answer."""
        self._try("POST", f"{resource('bridges', bridge_id)}/moh", {"mohClass": music})

    def silence(self, bridge_id: str) -> None:
        """Turns the music off, without waiting for the answer; none is no error."""
        self._try("DELETE", f"{resource('bridges', bridge_id)}/moh")

    def _on_event(self, event: Event) -> None:
        self.intake.take(event)

    def _stop_playback(self, playback_id: str) -> None:
        self._link.spawn(self._stop_persistently, playback_id)

    def _stop_persistently(self, playback_id: str) -> None:
        """Between two parts of a playback there is a moment in which it cannot be stopped either."""
        for _ in range(STOP_ATTEMPTS):
            with suppress(PbxError):
                self.request("DELETE", resource("playbacks", playback_id))
                return
            if self._stopped.wait(STOP_AGAIN) or playback_id not in self.intake.stopping:
                return

    def _try(self, method: str, path: str, query: Query | None = None) -> None:
        """Sends a request whose answer nobody waits for."""
        with suppress(PbxError):
            self._link.send(method, path, query)

    # -- the link, called by its keeper ----------------------------------------------------------------------------

    def _set_up(self) -> None:
        """A link is there: say which events we want, find out what we missed, then tell LinkUp."""
        if self._technology == "PJSIP":
            # That a server takes requests over the websocket (20.14, 21.9, 22.4) tells that it can leave a REFER to us;
            # those that came a little before could too.
            self.transfers.variables = LEFT_TO_US if self._link.speaks_rest else LED_TO_US
        self.taps.silences.to_and_fro = changes_to_and_fro(self._link.version)
        self.decoders.prepare(self._link.version)
        bound = self.legs.placed()
        # The filter drops answers to requests like any event, were they not on the list.
        wanted = (*self.intake.kinds, "ApplicationReplaced", "RESTResponse")
        self.request(
            "PUT",
            f"{resource('applications', self.app)}/eventFilter",
            body={"allowed": [{"type": kind} for kind in wanted], "disallowed": []},
        )
        self._upkeep.reconnected(bound)
        self.rooms.forget()
        self._look_at_endpoints()
        self._outlet.up()

    def _lost(self, reason: str, replaced: bool) -> None:
        self._outlet.hold()
        self.intake.lost()
        self.decoders.lost()
        self.taps.lost(LinkDown(reason))
        self._entries.lost(LinkDown(reason))
        self._outlet.lost(reason, replaced)

    def _watch_endpoints(self) -> None:
        while not self._stopped.wait(self._endpoints.pause):
            if self._outlet.linked:  # there is a link
                self._look_at_endpoints()

    def _look_at_endpoints(self) -> None:
        try:
            self._endpoints.look()
        except PbxError as error:
            log.info("endpoints: %s", error)
