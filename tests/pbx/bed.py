"""A PBX under test with people around it: what the conformance suite needs of any switch, and how Asterisk gives it."""

import itertools
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gevent
from gevent.queue import Empty, Queue

from contactcentre.lab import Lab, OngoingCall, Phone
from contactcentre.pbx.asterisk import AsteriskPbx
from contactcentre.pbx.asterisk.transfers import LEFT_TO_US
from contactcentre.pbx.events import Arrived, ChannelEvent, LinkUp, NodeEvent, Party
from contactcentre.pbx.protocol import Channel, ChannelInfo, MayAct, Pbx, always
from tests.pbx.spectrum import write_tone

PATIENCE = 60.0
"""Seconds that a test waits for what must happen soon."""
AGENTS = ("anna", "ben", "carla")
MUSIC = "steady"
"""A music class that is loud from its first moment on, which music is not."""
MUSIC_TONE = 600
"""Hz."""
SECRET = "only-for-tests-of-the-driver"
E = TypeVar("E")
_numbers = itertools.count(1)


class Heard:
    """An inbox or sink that a test reads from."""

    def __init__(self) -> None:
        self._queue: Queue[Any] = Queue()
        self.all: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.all.append(event)
        self._queue.put(event)

    def next(self, kind: type[E], within: float = PATIENCE) -> E:
        """The next event, which must be of this kind."""
        try:
            event = self._queue.get(timeout=within)
        except Empty:
            raise AssertionError(f"no {kind.__name__} within {within:g} s; so far {self.all}") from None
        assert isinstance(event, kind), f"{event} instead of {kind.__name__}; so far {self.all}"
        return event

    def until(self, kind: type[E], within: float = PATIENCE) -> E:
        """The next event of this kind; others before it are passed over."""
        with gevent.Timeout(within, AssertionError(f"no {kind.__name__} within {within:g} s; so far {self.all}")):
            while True:
                if isinstance(event := self._queue.get(), kind):
                    return event

    def nothing_for(self, seconds: float, *, but: type | tuple[type, ...] = ()) -> None:
        """No event comes, or only some of a kind that may come at any time."""
        with gevent.Timeout(seconds, False):
            while True:
                if not isinstance(event := self._queue.get(), but):
                    raise AssertionError(f"{event}, though nothing was to come")


@dataclass
class Arrival:
    """A real call that came in: both ends of it."""

    arrived: Arrived
    channel: Channel
    inbox: Heard
    call: OngoingCall


class Bed(ABC):
    """One switch, one driver connected to it, phones and callers."""

    pbx: Pbx
    nodes: Heard

    @property
    @abstractmethod
    def leaves_transfers(self) -> bool:
        """Does it leave a phone's transfer to us?"""

    beep = 700
    """Hz of its own beep."""
    records_beeps = True
    """Are they in the recording when they are played in a conversation?"""

    declines_carriers = True
    """Does a carrier that asks for a transfer hear that there will be none?"""

    takes_subscriptions = True
    """Can a phone ask to be told of its messages? It is told unasked in any case."""

    @abstractmethod
    def new_pbx(self, may_act: MayAct = always) -> Pbx:
        """Another driver for the same switch and application, not started."""

    @abstractmethod
    def phone(self, name: str, **behaviour: Any) -> Any:
        """A context manager: one of AGENTS registers, leaves at the end."""

    @abstractmethod
    def dial(self, did: str, **plan: Any) -> OngoingCall: ...

    @abstractmethod
    def cut(self) -> None:
        """Cuts the link, without the driver's knowledge."""

    @abstractmethod
    def channels(self) -> int:
        """How many channels the switch itself says it has."""

    @abstractmethod
    def hang_up_all(self) -> None:
        """By the switch's own administrator."""

    def start(self) -> None:
        self.nodes = Heard()
        self.pbx.start(self.nodes)
        self.nodes.next(LinkUp)

    def arrive(self, did: str = "800", *, adopt: bool = True, **plan: Any) -> Arrival:
        """A call from outside, adopted."""
        call = self.dial(did, **{"talk": None, "patience": None, **plan})
        arrived = self.nodes.until(Arrived)
        inbox = Heard()
        return Arrival(arrived, self.pbx.adopt(arrived.channel_id, inbox) if adopt else _Nobody(), inbox, call)

    def call(
        self,
        endpoint: str,
        contact_id: str = "contact",
        ring_seconds: float = 10.0,
        auto_answer: bool = False,
        beside: str = "",
    ) -> tuple[Channel, Heard]:
        inbox = Heard()
        channel = self.pbx.call(
            endpoint,
            channel_id=self.name("leg"),
            inbox=inbox,
            contact_id=contact_id,
            caller=Party("0140", "A caller"),
            ring_seconds=ring_seconds,
            auto_answer=auto_answer,
            beside=beside,
        )
        return channel, inbox

    @staticmethod
    def name(kind: str) -> str:
        """A name that no other test uses."""
        return f"{kind}-test-{next(_numbers)}"

    def quiet(self) -> None:
        """No channel is left."""
        self.hang_up_all()
        with gevent.Timeout(PATIENCE, AssertionError(f"{self.channels()} channels are left")):
            while self.channels():
                gevent.sleep(0.02)


class _Nobody:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError("this call was not adopted")


class AsteriskBed(Bed):
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._provided = provided = Path(lab.info().provisioned_dir)
        provided.mkdir(exist_ok=True)
        self._phones = "".join(_ENDPOINT.format(name=name, secret=SECRET, codec=_CODECS[name]) for name in AGENTS)
        self._phones += _LAMP.format(name=AGENTS[-1])  # goes on with the last one's aor, then adds to the endpoint
        (provided / "pjsip.conf").write_text(self._phones)
        (provided / "extensions.conf").write_text(_DIALPLAN)
        music = Path(lab.info().state_dir) / "steady-music"
        music.mkdir(exist_ok=True)
        write_tone(music / "tone.wav", MUSIC_TONE)
        (provided / "musiconhold.conf").write_text(f"[{MUSIC}]\nmode = files\ndirectory = {music}\n")
        (provided / "queues.conf").write_text(
            f"[own]\nmusicclass = {MUSIC}\nstrategy = ringall\nsetqueueentryvar = yes\nmember => PJSIP/anna\n"
        )
        lab.rx("core reload")
        self.pbx = self._made = self.new_pbx()

    @property
    def leaves_transfers(self) -> bool:
        return self._made.transfers.variables == LEFT_TO_US

    def new_pbx(self, may_act: MayAct = always) -> AsteriskPbx:
        info = self.lab.info()
        sounds = Path(info.state_dir) / "sounds-of-ours"
        return AsteriskPbx("node1", info.ari_url, info.ari_user, info.ari_secret, sounds=sounds, may_act=may_act)

    @contextmanager
    def phone(self, name: str, **behaviour: Any) -> Iterator[Phone]:
        phone = self.lab.phone(name, SECRET, **behaviour)
        try:
            phone.wait_registered()
            yield phone
        finally:
            phone.close()

    def place(self, name: str, address: str) -> None:
        """Another endpoint, at a fixed address."""
        text = _ENDPOINT.format(name=name, secret=SECRET, codec="ulaw").replace(f"auth = {name}\n", "")
        text = text.replace("remove_existing = yes", f"contact = sip:{name}@{address}")
        (self._provided / "pjsip.conf").write_text(self._phones + text)
        self.lab.rx("module reload res_pjsip.so")

    @property
    def address(self) -> str:
        """Where phones find the switch, host:port."""
        info = self.lab.info()
        return f"{info.sip_host}:{info.sip_port}"

    def dial(self, did: str, **plan: Any) -> OngoingCall:
        return self.lab.dial(did, **plan)

    def cut(self) -> None:
        if "No such command" in self.lab.rx("ari shutdown websocket sessions"):  # before 20.14
            websocket = self._made._link._socket
            assert websocket is not None
            websocket._socket.shutdown(socket.SHUT_RDWR)

    def channels(self) -> int:
        said = self.lab.rx("core show channels count")
        return int(said.split()[0])

    def hang_up_all(self) -> None:
        self.lab.rx("channel request hangup all")


_CODECS = {"anna": "ulaw", "ben": "ulaw,alaw", "carla": "alaw"}
"""Not all the same, as in life."""

_ENDPOINT = """
[{name}]
type = endpoint
transport = transport-udp
context = contactcentre-agents
disallow = all
allow = {codec}
direct_media = no
auth = {name}
aors = {name}

[{name}]
type = auth
auth_type = userpass
username = {name}
password = {secret}

[{name}]
type = aor
max_contacts = 1
remove_existing = yes
"""

_LAMP = """mailboxes = {name}@contactcentre

[{name}](+)
mailboxes = {name}@contactcentre
mwi_subscribe_replaces_unsolicited = yes
"""

_DIALPLAN = """
[contactcentre-in]
exten => _X.,1,GotoIf($["${CONTACTCENTRE_UNTIL}" != "" & ${EPOCH} > 0${CONTACTCENTRE_UNTIL}]?nobody)
 same => n,Stasis(contactcentre,did,${EXTEN},speaks:${CHANNEL(audionativeformat)})
 same => n,GotoIf($["${STASISSTATUS}" = "SUCCESS"]?done)
 same => n(nobody),Answer()
 same => n,Playback(vm-goodbye)
 same => n(done),Hangup()
exten => *1,1,Answer()
 same => n,Queue(own)
exten => *2,1,Dial(PJSIP/anna)
exten => *3,1,Set(CONTACTCENTRE_DID=800)
 same => n,Set(CONTACTCENTRE_SINCE=1795000000)
 same => n,Goto(contactcentre-fallback,own,1)

[contactcentre-fallback]
exten => own,1,Set(CONTACTCENTRE_QUEUE=own)
 same => n,Answer()
 same => n,Queue(own)

[contactcentre-agents]
exten => *99,1,Dial(PJSIP/ben)
exten => _*X.,1,Stasis(contactcentre,feature,${EXTEN},${CHANNEL(endpoint)})
 same => n,Hangup()

[contactcentre-transfer]
exten => _[0-9A-Za-z*#+]!,1,Stasis(contactcentre,transfer)
 same => n,Hangup()

[contactcentre-take]
exten => take,1,ChannelRedirect(${CHANNEL_TO_TAKE},contactcentre-take,taken,1)
 same => n,Hangup()
exten => taken,1,StopMusicOnHold()
 same => n,Stasis(contactcentre,taken)
 same => n,Hangup()
exten => fetch,1,GotoIf($["${IMPORT(${CHANNEL_TO_TAKE},CONTACTCENTRE_DID)}" = ""]?done)
 same => n,GotoIf($[${LEN(${IMPORT(${CHANNEL_TO_TAKE},QEHOLDTIME)}${IMPORT(${CHANNEL_TO_TAKE},BRIDGEPEER)})} > 0]?done)
 same => n,ChannelRedirect(${CHANNEL_TO_TAKE},contactcentre-take,fetched,1)
 same => n(done),Hangup()
exten => fetched,1,StopMusicOnHold()
 same => n,Stasis(contactcentre,did,${CONTACTCENTRE_DID},${CONTACTCENTRE_SINCE},speaks:${CHANNEL(audionativeformat)})
 same => n,GotoIf($["${STASISSTATUS}" = "FAILED"]?contactcentre-fallback,${CONTACTCENTRE_QUEUE},1)
 same => n,Hangup(16)

[contactcentre-messages]
exten => show,1,Set(SHOWN=${SHIFT(MESSAGE_COUNTS,+)})
 same => n,GotoIf($["${SHOWN}" = ""]?done)
 same => n,MinivmMWI(${CUT(SHOWN,:,1)}@contactcentre,0,${CUT(SHOWN,:,2)},${CUT(SHOWN,:,3)})
 same => n,Goto(show,1)
 same => n(done),Hangup()

[elsewhere]
exten => 1,1,Answer()
 same => n,Wait(60)
"""


def told(nodes: Heard, kind: type[NodeEvent]) -> list[Any]:
    return [event for event in nodes.all if isinstance(event, kind)]


def endings(inbox: Heard) -> list[ChannelEvent]:
    from contactcentre.pbx.events import Ended, Left

    return [event for event in inbox.all if isinstance(event, Ended | Left)]


def listed(bed: Bed, endpoint: str) -> list[ChannelInfo]:
    """Channels of the dialplan's, which a PBX may list some tenths of a second late."""
    with gevent.Timeout(PATIENCE, AssertionError(f"no channel of {endpoint} is listed")):
        while not (found := [c for c in bed.pbx.inventory().channels.values() if c.endpoint == endpoint]):
            gevent.sleep(0.02)
    return found
