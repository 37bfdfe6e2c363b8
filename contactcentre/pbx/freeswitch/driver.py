"""The verbs of a PBX (`pbx.protocol.Pbx`) on a FreeSWITCH."""

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import time
from uuid import uuid4

from gevent.event import Event as Flag

from contactcentre.domain.stereo import stereo_of
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import Answered, Cause, NodeEvent, Party, Phone
from contactcentre.pbx.freeswitch import names, presence, protocol, stock, translate
from contactcentre.pbx.freeswitch.accounts import Accounts
from contactcentre.pbx.freeswitch.awaited import PARKED, Awaited
from contactcentre.pbx.freeswitch.channels import FreeSwitchBridge, FreeSwitchChannel, FreeSwitchSpy
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.door import VARIABLE, Door
from contactcentre.pbx.freeswitch.endpoints import Endpoints
from contactcentre.pbx.freeswitch.holds import OFFER, Holds
from contactcentre.pbx.freeswitch.intake import CONTROLLERS, EVENTS, NOT_OF, OF_ALL, Intake
from contactcentre.pbx.freeswitch.lamps import Lamps
from contactcentre.pbx.freeswitch.link import Pending
from contactcentre.pbx.freeswitch.places import Places
from contactcentre.pbx.freeswitch.playing import Playing
from contactcentre.pbx.freeswitch.protocol import identity, word
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.freeswitch.recordings import Recordings
from contactcentre.pbx.freeswitch.sounds import Sounds
from contactcentre.pbx.freeswitch.spies import Spies
from contactcentre.pbx.freeswitch.stock import Stocked, parties, take_stock, up, variable
from contactcentre.pbx.freeswitch.taps import Taps
from contactcentre.pbx.freeswitch.transfers import Transfers
from contactcentre.pbx.legs import Legs
from contactcentre.pbx.outlet import Outlet, report
from contactcentre.pbx.protocol import NO_ACCOUNTS, SPY, Inbox, Inventory, MayAct, Mode, always
from contactcentre.pbx.timing import PBX, timed

SWEEP = 0.5
"""Seconds between two looks for what is overdue."""
SLACK = 5.0
"""Seconds after its ringing time in which FreeSWITCH itself ends a call that nobody answered."""
LIST_LAG = 5.0
"""Seconds after which FreeSWITCH's list of channels has what happened, with much to spare."""
AUTO_ANSWER = {
    "sip_h_Call-Info": "<sip:auto-answer.invalid>;answer-after=0",
    "sip_h_Alert-Info": "<http://auto-answer.invalid>;info=alert-autoanswer;delay=0",
}
"""SIP headers that ask a phone to answer by itself: some makers' phones look for the one, some for the other."""
_app_name = re.compile(r"[A-Za-z0-9_-]{1,60}").fullmatch

log = logging.getLogger(__name__)


@timed(*PBX)
class FreeSwitchPbx:
    """See pbx.protocol.Pbx. `recordings_dir` is where FreeSWITCH writes recordings, as both of us see it; `door` the
    address that its dialplan reaches us at, `sounds` where sounds are that it has not itself (`Sounds`). Calls
    that come are taken while `may_take`."""

    link_is_shared = True

    def __init__(
        self,
        node: str,
        host: str,
        port: int,
        secret: str,
        recordings_dir: Path | str,
        app: str = "contactcentre",
        *,
        door: str = "127.0.0.1",
        sounds: Path | None = None,
        may_act: MayAct = always,
        may_take: MayAct = always,
    ) -> None:
        if not _app_name(app):
            raise ValueError(f"application {app!r}: must be letters, digits, _ and -")
        self.node, self.app, self.recordings, self.sounds = node, app, Recordings(recordings_dir), Sounds(sounds)
        self._me = str(uuid4())
        self._outlet = Outlet()
        self._stopped = Flag()
        self._left: dict[str, float] = {}  # channels that we gave back lately, and when
        self.ringing: set[str] = set()
        """Who hears ringing that we play."""
        filters = [
            (f"variable_{translate.APP}", app),
            (f"variable_{translate.PEER}", app),
            *(("Event-Name", name) for name in OF_ALL),
            *(("Application", f"-{name}") for name in NOT_OF),
        ]
        self._link = Connection(
            host,
            port,
            secret,
            events=EVENTS,
            filters=filters,
            on_event=lambda event: self.intake.take(event),
            on_up=self._set_up,
            on_lost=self._lost,
            may_act=may_act,
        )
        self.request, self._awaited = self._link.request, Awaited()
        self.legs, self.spies = Legs(report), Spies()
        self.places = Places(self._link, self.legs, self._awaited, self.spies.spied)
        self.places.attached, self.places.later = self.spies.attached, self._later
        self.playing, self.taps = Playing(self._link, self.legs), Taps(self._link, self.recordings)
        self.transfers = Transfers(app, self._link, self.legs, self.places, self._awaited, self._later)
        self._lamps, self._accounts = Lamps(self._link), Accounts(self._link)
        self.holds = Holds(self._link, self.legs, self._later)
        self.intake = Intake(
            app,
            self.legs,
            self.places,
            self.playing,
            self.taps,
            self.spies,
            self._awaited,
            self.transfers,
            self.holds,
            tell=self._outlet.tell,
            attempt=self._try,
            another=self._another,
            registered=self._registered,
        )
        self._endpoints = Endpoints(app, self._link, self._outlet.tell, self.legs)
        # whoever was on the way to us when another one took our place is taken for that one
        self._door = Door(app, door, lambda: (self._link.up or self._link.replaced) and may_take())

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def start(self, sink: Callable[[NodeEvent], None]) -> None:
        """See Pbx.start. Returns at once; LinkUp tells when the PBX is there. Raises OSError when the dialplan's calls
        cannot be listened for."""
        self._outlet.lead_to(sink)
        self._stopped.clear()
        self._door.start()
        self._link.open()
        self._link.spawn(self._sweep)
        self._link.spawn(self._watch_endpoints)

    def stop(self) -> None:
        self._stopped.set()
        self._door.stop()
        self._link.close()
        self._down(LinkDown("we closed it"))

    def adopt(self, channel_id: str, inbox: Inbox, *, rings_until: float = 0.0) -> FreeSwitchChannel:
        """Raises Gone for a channel that is not there (any more)."""
        if channel_id.startswith(SPY):
            if channel_id not in self.spies:
                raise Gone(f"spy {channel_id} is over")
            self.spies.bind(channel_id, inbox)
            return FreeSwitchSpy(self, channel_id)
        channel = FreeSwitchChannel(self, channel_id)
        known = channel_id in self.legs
        leg = self.legs.bind(channel_id, inbox)
        if rings_until:
            leg.called, leg.deadline = True, rings_until
            if leg.answered:
                self.legs.tell(Answered(channel_id, time()))
        if not known:
            leg.recovered = True
            try:
                up = self.request(f"uuid_getvar {channel.id} endpoint_disposition") == "ANSWER"
                if not rings_until:
                    leg.answered = up
                elif up:
                    self.legs.answer(channel_id, time())
                # whoever found it did perhaps not see it park: should it do so again, it has not just arrived
                self._try(f"uuid_setvar {channel.id} {translate.TOLD} true")
            except BaseException:
                self.legs.drop(channel_id)
                raise
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
    ) -> FreeSwitchChannel:
        """See Pbx.call. An endpoint that cannot be called at all is no error: Ended(UNREACHABLE) follows at once."""
        channel, target = FreeSwitchChannel(self, channel_id), translate.dial_string(endpoint)
        variables = {
            "origination_uuid": channel.id,
            "originate_timeout": str(math.ceil(ring_seconds + SLACK)),  # by whole seconds: ours is to the point
            "ignore_early_media": "true",  # else a leg counts as answered when it rings with a sound of its own
            **translate.shown(caller),
            **translate.HANDS,
            translate.APP: self.app,
            translate.ENDPOINT: endpoint,
            translate.TIE: contact_id,
            **(AUTO_ANSWER if auto_answer else {}),
            **translate.spoken(self.legs.spoken(beside, self._ask_codecs)),
            **names.halves(endpoint, channel.id),
        }
        is_phone = "@" not in endpoint and not translate.line_of(endpoint)
        variables |= self.transfers.variables(channel.id) if is_phone else {}
        leg = self.legs.bind(channel_id, inbox, called=True)
        leg.deadline = time() + ring_seconds
        try:
            self._try(f"{stock.NOTE}/{self.app}/{channel.id}/1")
            job = self._link.link().bgapi(f"originate {protocol.variables(variables)}{target} &park()")
            assert job.started is not None
            job.started.wait()
        except BaseException:
            self.legs.drop(channel_id)
            self._try(f"uuid_kill {channel.id}")
            raise
        leg.placed = True
        if is_phone:
            self.transfers.allow(channel_id)
        self._link.spawn(self._watch_call, channel_id, job, ring_seconds)
        return channel

    def _ask_codecs(self, channel_id: str) -> tuple[str, ...]:
        """Of whom we have found; of others an event has told it."""
        return translate.speaks(self.request(f"uuid_getvar {identity(channel_id)} {translate.READS}"))

    def spy(self, channel_id: str, *, spy_id: str, mode: Mode, inbox: Inbox) -> FreeSwitchSpy:
        """See Pbx.spy."""
        if not spy_id.startswith(SPY):
            raise Refused(f"spy {spy_id[:100]!r}: its id must begin with {SPY!r}")
        if self.request(f"uuid_exists {identity(channel_id)}") != "true":
            raise Gone(f"channel {channel_id} is gone")
        spy = FreeSwitchSpy(self, spy_id)
        self.spies.add(spy_id, channel_id, mode, inbox)
        return spy

    def end_spy(self, spy_id: str) -> None:
        """One that is over already is no error."""
        bridge_id = self.places.where(spy_id)
        self.intake.spy_over(spy_id, time())
        if bridge_id:
            with suppress(Gone):
                self.places.rearrange(bridge_id)

    def take(self, channel_id: str, inbox: Inbox) -> FreeSwitchChannel:
        """See Pbx.take."""
        if channel_id in self.legs:
            return self.adopt(channel_id, inbox)
        channel = FreeSwitchChannel(self, channel_id)
        values = ";".join(f"{name}={value}" for name, value in {**translate.HANDS, translate.APP: self.app}.items())
        self._try(f"{stock.NOTE}/{self.app}/{channel.id}/1")
        up = self._link.send(f"uuid_getvar {channel.id} endpoint_disposition")
        handed = f"{translate.PEER}=;{translate.ATTENDED}=;park_timeout="  # if a phone of ours gave it to us
        self.request(f"uuid_setvar_multi {channel.id} {values};{translate.TOLD}=true;{handed}")
        leg = self.legs.bind(channel_id, inbox)
        leg.answered = up.wait() == "ANSWER"
        try:
            with self._awaited.expected(PARKED, channel_id):
                self.request(f"uuid_transfer {channel.id} park inline")
        except BaseException:
            self.legs.drop(channel_id)
            raise
        return channel

    def fetch(self, channel_id: str) -> None:
        """See Pbx.fetch: through the door that it found closed."""
        name = identity(channel_id)
        there = stock.decoded(self.request(f"uuid_dump {name} json"))
        if stock.waits(there):
            did = stock.variable(there, translate.ARGS).split(",")[1]
            args = f"{translate.ARGS}=did,{did},{stock.variable(there, translate.SINCE)}"
            self.request(f"uuid_setvar_multi {name} {args};{translate.TOLD}=")
            self.request(f"uuid_transfer {name} door XML contactcentre-hands")

    def bridge(self, bridge_id: str, *, digits: bool = False) -> FreeSwitchBridge:
        """Digits are told in every bridge."""
        self.places.make(bridge_id)
        return FreeSwitchBridge(self, bridge_id)

    def inventory(self) -> Inventory:
        there, _ = self._take_stock()
        return Inventory(
            channels=parties(there, self.app),
            bridges=self.places.infos(there),
            spies=self.spies.targets(),
        )

    def phones(self) -> Mapping[str, Phone]:
        """See Pbx.phones: the users of its directory."""
        return self._endpoints.phones()

    def show_messages(self, counts: Mapping[str, tuple[int, int]], accounts: Mapping[str, str] = NO_ACCOUNTS) -> None:
        """See Pbx.show_messages."""
        self._lamps.show(counts, accounts)

    def set_password(self, account: str, password: str) -> None:
        """See Pbx.set_password."""
        self._accounts.set_password(account, password)

    def stay(self, seconds: float, *, answers: bool = False) -> None:
        """See Pbx.stay. Its dialplan answers nobody."""
        presence.stay(self.request, seconds)

    def recording(self, name: str) -> Iterator[bytes]:
        """See Pbx.recording."""
        if self.playing.runs(name) or self.taps.running(stereo_of(name)[0]):
            raise Gone(f"recording {name} has not ended")
        return self.recordings.read(name)

    def delete_recording(self, name: str) -> None:
        """A recording that is gone already is no error."""
        self.recordings.delete(name)

    # -- for the driver's other parts ----------------------------------------------------------------------------------

    def ask(self, verb: str, channel_id: str, arguments: str = "") -> str:
        """A quick api for a channel. That it is gone is said in many ways; so who is refused looks whether it is.
        Raises Gone, Refused, TooLarge, LinkDown, Deadline."""
        try:
            return self.request(f"{verb} {channel_id} {arguments}".rstrip())
        except Refused:
            if self.request(f"uuid_exists {channel_id}") == "true":
                raise
            raise Gone(f"channel {channel_id} is gone") from None

    def run(self, channel_id: str, application: str, argument: str) -> None:
        """Begins an application of our own inside of what the channel does. Raises Gone, LinkDown, Deadline."""
        self._link.link().send(protocol.execute(channel_id, application, argument)).wait()

    def leaving(self, channel_id: str) -> None:
        """It is about to be moved: what plays to it ends with that."""
        self.playing.stop_all(channel_id)
        self.ringing.discard(channel_id)

    def leave_to(self, channel_id: str, context: str, extension: str) -> None:
        """Raises Gone, Refused, LinkDown, Deadline."""
        self.leaving(channel_id)
        known = channel_id in self.legs
        where = f"{word(extension)} XML {word(context)}"
        names = ";".join(f"{name}=" for name in (*translate.HANDS, translate.APP, translate.BRIDGE, translate.MUSIC))
        self.request(f"uuid_setvar_multi {identity(channel_id)} {names};hangup_after_bridge=true")
        self.request(f"uuid_transfer {identity(channel_id)} {where}")
        self.places.ended(channel_id)
        self._left[channel_id] = time()
        if known:
            self.legs.leave(channel_id, time())

    def _take_stock(self) -> tuple[dict[str, Stocked], set[str]]:
        """What is there, noted in our books too; and the channels that must have been when it was asked. Who comes
        while it is being told is in neither."""
        known, placed = self.legs.ids(), self.legs.placed()
        members = self.places.members()
        there = take_stock(self._link, self.app, [*known, *self._left])
        ours = {channel_id: one for channel_id, one in there.items() if variable(one, translate.APP) == self.app}
        self.places.lose(members - ours.keys())
        self.places.recover({channel_id: one for channel_id, one in ours.items() if channel_id not in known})
        for channel_id, one in ours.items():
            self.holds.saw(channel_id, variable(one, OFFER))
            if self.transfers.is_phone(one):
                self.transfers.allow(channel_id)
            spy_id, _, target = variable(one, translate.SPYING).partition("/")
            if spy_id and target in there and variable(one, "current_application") == "eavesdrop":
                self.spies.recover(spy_id, target, channel_id)
        return there, placed

    def _try(self, line: str) -> None:
        """Sends an api whose answer nobody waits for."""
        with suppress(PbxError):
            self._link.send(line)

    def _later(self, do: Callable[[], None]) -> None:
        def run() -> None:
            with suppress(PbxError):
                do()

        self._link.spawn(run)

    def _watch_call(self, channel_id: str, job: Pending, ring_seconds: float) -> None:
        """Of a call that cannot be made at all nothing else is told."""
        if not job.settles_within(ring_seconds):
            self._try(f"uuid_kill {channel_id} NO_ANSWER")
        try:
            job.wait(2 * SLACK)
        except (LinkDown, Deadline):
            pass  # found out when the link is back
        except PbxError as error:
            leg = self.legs.get(channel_id)
            if leg is not None:
                self.intake.gone(channel_id, time(), leg.cause or leg.reason(translate.failure(str(error)), time()))

    # -- the link, called by its keeper ----------------------------------------------------------------------------

    def _set_up(self, restarted: bool) -> None:
        """A link is there: say that we are, find out what we missed, then tell LinkUp."""
        link = self._link.link()
        headers = {"Event-Subclass": CONTROLLERS, "Controller": self._me, "Application": self.app}
        link.api(f"global_setvar {VARIABLE}={self._door.address}").wait()
        told = link.send(protocol.command("sendevent CUSTOM", headers))  # not before callers are led to us
        there, placed = self._take_stock()
        self._catch_up(there, placed)
        told.wait()
        self._look_at_endpoints()
        self._outlet.up()

    def _catch_up(self, there: Mapping[str, Stocked], placed: set[str]) -> None:
        """Tells the ends that came while there was no link."""
        for channel_id in placed - there.keys():
            self.intake.gone(channel_id, time(), Cause.UNKNOWN)
        for channel_id, one in there.items():
            leg = self.legs.get(channel_id)
            if leg is not None and not leg.answered and up(one):
                self.legs.answer(channel_id, time())
        self.taps.linked()
        self.playing.catch_up()

    def _another(self, event: Event) -> None:
        """A controller says that it is there."""
        if event.get("Application") == self.app and event.get("Controller") != self._me:
            self._link.give_way("another controller took our place")

    def _lost(self, reason: str, replaced: bool) -> None:
        self._down(LinkDown(reason))
        self._outlet.lost(reason, replaced)

    def _down(self, error: LinkDown) -> None:
        self._outlet.hold()
        self._awaited.lost(error)
        self.places.forget()

    def _sweep(self) -> None:
        while not self._stopped.wait(SWEEP):
            now = time()
            self.playing.overdue(now, self._try)
            self._left = {channel_id: at for channel_id, at in self._left.items() if now - at < LIST_LAG}
            for leg in self.legs.expire(now):
                log.warning("channel %s: nobody took it within 30 s", leg.id)

    def _watch_endpoints(self) -> None:
        while not self._stopped.is_set():
            self._endpoints.wait()
            if self._outlet.linked:  # there is a link
                self._look_at_endpoints()

    def _registered(self, event: Event) -> None:
        self._endpoints.registered(event)
        self._lamps.registered(event)

    def _look_at_endpoints(self) -> None:
        try:
            self._endpoints.look()
        except PbxError as error:
            log.info("endpoints: %s", error)
