"""Where every channel in our hands is: alone, on music, with another one, in a conference, spying.

FreeSWITCH has no bridges that one could enter and leave; it connects two channels with each other. So a bridge is ours:
a name and its members. One member is parked and hears silence; two are connected (`uuid_bridge`), which costs least,
and lets a phone's transfer key work; three are in a conference of its name, until one of them leaves. Channels are
moved one move after the other: each is over when its event came.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from gevent.event import Event as Flag
from gevent.lock import RLock

from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.freeswitch import translate
from contactcentre.pbx.freeswitch.awaited import BRIDGED, PARKED, Awaited
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.protocol import identity
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.freeswitch.stock import Stocked, variable
from contactcentre.pbx.legs import Legs
from contactcentre.pbx.protocol import SPY, BridgeInfo

CONFERENCE = "contactcentre"
"""The conference profile: without sounds, and with no digit meaning anything. See docs/decisions."""
ROOM = "waiting-"
"""Those who wait with the same music are listed as a bridge `waiting-MUSIC`. Each has the music for itself: FreeSWITCH
reads a class of music once for all."""
COMES_WITHIN = 1.0
"""Seconds in which a channel that a phone transferred has parked in our context."""
FILTER = "bridge_filter_dtmf"
"""FreeSWITCH's variable of a channel whose digits are kept from whom it is connected with."""
BOND = "signal_bond"
"""FreeSWITCH's variable of a channel while it is connected: with whom. It is gone when that is over."""
_ALONE, _MUSIC, _WITH, _CONFERENCE, _SPYING = "alone", "music", "with", "conference", "spying"


@dataclass(slots=True)
class _Bridge:
    id: str
    members: dict[str, bool] = field(default_factory=dict)  # channel or spy -> are its digits kept from the others?
    conference: bool = False

    @property
    def channels(self) -> list[str]:
        return [member for member in self.members if not member.startswith(SPY)]

    @property
    def spies(self) -> list[str]:
        return [member for member in self.members if member.startswith(SPY)]


class Places:
    """`spied(spy)` gives whom it spies on and the two whisper variables; `attached(spy, channel, event)` is told when a
    supervisor hears through it; `later` runs something outside of the reader."""

    def __init__(self, link: Connection, legs: Legs, awaited: Awaited, spied: Callable[[str], tuple[str, str]]) -> None:
        self._link, self._legs, self._awaited, self._spied = link, legs, awaited, spied
        self.attached: Callable[[str, str, Event], None] = lambda spy, channel_id, event: None
        self.later: Callable[[Callable[[], None]], None] = lambda do: None
        self._bridges: dict[str, _Bridge] = {}
        self._where: dict[str, str] = {}  # channel or spy -> bridge
        self._music: dict[str, str] = {}
        self._does: dict[str, str] = {}  # channel -> what, as far as it is known
        self._with: dict[str, str] = {}  # those that are connected
        self._filtered: dict[str, bool] = {}  # channel -> are its digits kept from whom it is connected with next?
        self._locks: dict[str, RLock] = {}
        self._coming: dict[str, Flag] = {}  # channels that a phone has transferred, and that will park

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def make(self, bridge_id: str) -> None:
        if not bridge_id.startswith(ROOM):
            self._bridges.setdefault(identity(bridge_id), _Bridge(bridge_id))

    def enter(self, bridge_id: str, members: Iterable[str], absorb: bool) -> None:
        """Raises Gone (one of them; then nobody was moved, as a rule), Refused, LinkDown, Deadline."""
        new = list(dict.fromkeys(members))
        bridge = self._bridges.get(bridge_id)
        if bridge is None:
            raise Gone(f"bridge {bridge_id} was destroyed")
        everybody = {*bridge.members, *new}
        spies = {member for member in everybody if member.startswith(SPY)}
        if spies and len(everybody - spies) > 1:
            raise Refused(f"bridge {bridge_id}: one listens through a spy, and nobody else")
        with self._hold(new, bridge):
            self._mark(new, {translate.BRIDGE: bridge_id, translate.MUSIC: "", FILTER: str(absorb).lower()})
            for member in new:
                self._leave(member)
                bridge.members[member] = absorb
                self._where[member] = bridge_id
                if self._filtered.get(member) is not absorb:
                    self._filtered[member] = absorb
                    self._with.pop(member, None)  # it is read when they are connected
            try:
                self._arrange(bridge)
            except Gone:
                for member in new:
                    if member not in self._legs:
                        self.ended(member)
                raise

    def leave(self, bridge_id: str, member: str) -> None:
        bridge = self._bridges.get(bridge_id)
        if bridge is None or member not in bridge.members:
            raise Refused(f"channel {member} is not in bridge {bridge_id}", 422)
        with self._hold([member], bridge):
            was_conference = bridge.conference
            self._leave(member)
            self._note(member, translate.BRIDGE, "")
            self._settle(bridge, member)
            if was_conference:
                self._arrange(bridge)

    def destroy(self, bridge_id: str) -> None:
        if bridge_id.startswith(ROOM):
            for channel_id in [c for c, music in self._music.items() if bridge_id == f"{ROOM}{music}"]:
                self.stop_music(channel_id)
            return
        if (bridge := self._bridges.get(bridge_id)) is None:
            return
        with self._hold(list(bridge.members), bridge):
            self._bridges.pop(bridge_id, None)
            for member in list(bridge.members):
                self._leave(member)
                try:
                    self._note(member, translate.BRIDGE, "")
                    self._settle(bridge, member)
                except Gone:
                    self.ended(member)

    def music(self, channel_id: str, music: str) -> None:
        stream = translate.music(music)
        with self._hold([channel_id]):
            self._mark([channel_id], {translate.MUSIC: music, translate.BRIDGE: ""})
            self._leave(channel_id)
            self._run(channel_id, "playback", stream, _MUSIC)  # the stream has no end
            self._music[channel_id] = music

    def stop_music(self, channel_id: str) -> None:
        """No error when it hears none, or is gone."""
        with self._hold([channel_id]):
            if self._music.pop(channel_id, None) is not None:
                try:
                    self._note(channel_id, translate.MUSIC, "")
                    self._park(channel_id)
                except Gone:
                    self.ended(channel_id)

    def rearrange(self, bridge_id: str) -> None:
        """A spy in it is over: the supervisor hears through another one, or silence."""
        if (bridge := self._bridges.get(bridge_id)) is not None:
            with self._hold([], bridge):
                self._arrange(bridge)

    def reconnect(self, member: str) -> None:
        """FreeSWITCH has connected it by itself, in a way that would end with a hangup."""
        self._with.pop(member, None)
        self.rearrange(self.where(member))

    def where(self, member: str) -> str:
        return self._where.get(member, "")

    def others(self, member: str) -> list[str]:
        """The channels that are in the same bridge."""
        bridge = self._bridges.get(self._where.get(member, ""))
        return [c for c in bridge.channels if c != member] if bridge is not None else []

    def in_conference(self, member: str) -> bool:
        bridge = self._bridges.get(self._where.get(member, ""))
        return bridge is not None and bridge.conference

    def absorbed(self, member: str) -> bool:
        """Are its digits kept from the others?"""
        bridge = self._bridges.get(self._where.get(member, ""))
        return bridge is None or bridge.members.get(member, False)

    def infos(self, there: Mapping[str, Stocked]) -> dict[str, BridgeInfo]:
        """`there`: what the PBX says of each channel. Of two who were to be connected, and are not because nothing more
        was sent for some reason, none is told to be in the bridge."""
        infos = {
            b.id: BridgeInfo(b.id, "mixing", tuple(c for c in b.channels if self._is_there(b, c, there.get(c, {}))))
            for b in self._bridges.values()
        }
        for channel_id, music in self._music.items():
            room = infos.get(name := f"{ROOM}{music}", BridgeInfo(name, "holding", ()))
            infos[name] = BridgeInfo(name, "holding", (*room.channels, channel_id))
        return infos

    def _is_there(self, bridge: _Bridge, channel_id: str, said: Stocked) -> bool:
        """Our books, and the variables, have a channel where it is about to be; the PBX knows where it is."""
        if bridge.conference:
            return self._does.get(channel_id) == _CONFERENCE or variable(said, "current_application") == "conference"
        if bridge.spies or len(bridge.channels) == 1:
            return True
        return channel_id in self._with or bool(variable(said, BOND))

    # -- told by others ------------------------------------------------------------------------------------------------

    def parked(self, channel_id: str) -> None:
        """Its event came: it is alone now, whatever it did."""
        self._does[channel_id] = _ALONE
        if (coming := self._coming.pop(channel_id, None)) is not None:
            coming.set()
        if (other := self._with.pop(channel_id, None)) is not None and self._with.get(other) == channel_id:
            del self._with[other]

    def transferred(self, channel_id: str) -> None:
        """FreeSWITCH is moving it by itself; nobody else does until it has parked."""
        self._coming[channel_id] = Flag()

    def connected(self, first: str, second: str) -> None:
        for one, other in ((first, second), (second, first)):
            self._does[one], self._with[one] = _WITH, other

    def ended(self, member: str) -> None:
        """It is gone, or not in our hands any more."""
        if (bridge := self._bridges.get(self._where.pop(member, ""))) is not None:
            bridge.members.pop(member, None)
            if bridge.conference and bridge.channels:
                bridge_id = bridge.id
                self.later(lambda: self.rearrange(bridge_id))
        self._filtered.pop(member, None)
        self._music.pop(member, None)
        self._does.pop(member, None)
        self._with.pop(member, None)
        self._locks.pop(member, None)
        if (coming := self._coming.pop(member, None)) is not None:
            coming.set()

    def members(self) -> set[str]:
        """Every channel that is in a bridge or on music."""
        return {member for member in (*self._where, *self._music) if not member.startswith(SPY)}

    def lose(self, members: Iterable[str]) -> None:
        """They were looked for and are not there."""
        for member in members:
            self.ended(member)

    def recover(self, there: Mapping[str, Stocked]) -> None:
        """Channels that we do not know, with their variables, perhaps where an earlier controller has put them."""
        for channel_id, variables in there.items():
            if channel_id in self._where or channel_id in self._music:
                continue
            if music := variable(variables, translate.MUSIC):
                self._music[channel_id] = music
            elif bridge_id := variable(variables, translate.BRIDGE):
                bridge = self._bridges.setdefault(bridge_id, _Bridge(bridge_id))
                bridge.members[channel_id] = variable(variables, FILTER) == "true"
                self._where[channel_id] = bridge_id
                bridge.conference = bridge.conference or variable(variables, "current_application") == "conference"

    def forget(self) -> None:
        """The link was lost: what a channel does may have changed meanwhile."""
        self._does.clear()
        self._with.clear()

    # -- inside --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _hold(self, members: Iterable[str], bridge: _Bridge | None = None) -> Iterator[None]:
        """Nobody else moves these meanwhile."""
        everybody = sorted({*members, *(bridge.members if bridge is not None else ())})
        with ExitStack() as stack:
            for member in everybody:
                stack.enter_context(self._locks.setdefault(member, RLock()))
            for member in everybody:
                if (coming := self._coming.get(member)) is not None and not coming.wait(COMES_WITHIN):
                    self._coming.pop(member, None)
            yield

    def _mark(self, members: Iterable[str], variables: Mapping[str, str]) -> None:
        """Notes where they are about to be, for the controller after this one. Raises Gone, if one of them is, before
        anybody is moved."""
        values = ";".join(f"{name}={value}" for name, value in variables.items())
        channels = [member for member in members if not member.startswith(SPY)]
        asked = [(c, self._link.send(f"uuid_setvar_multi {identity(c)} {values}")) for c in channels]
        try:
            for _, pending in asked:
                pending.wait()
        except Gone:
            for channel_id in channels:  # they are where they were
                self._note(channel_id, translate.BRIDGE, self._where.get(channel_id, ""))
                self._note(channel_id, translate.MUSIC, self._music.get(channel_id, ""))
            raise

    def _leave(self, member: str) -> None:
        """Out of the bridge and off the music that it is in, in our books."""
        if (bridge := self._bridges.get(self._where.pop(member, ""))) is not None:
            bridge.members.pop(member, None)
        self._music.pop(member, None)

    def _note(self, member: str, variable: str, value: str) -> None:
        """For the controller after this one. Does not wait."""
        if not member.startswith(SPY):
            self._link.send(f"uuid_setvar {identity(member)} {variable} {value}".rstrip())

    def _settle(self, bridge: _Bridge, member: str) -> None:
        """It left this bridge, and goes nowhere else."""
        if not member.startswith(SPY):
            self._park(member)
        elif bridge.channels:
            self._arrange(bridge)

    def _arrange(self, bridge: _Bridge) -> None:
        channels, spies = bridge.channels, bridge.spies
        if spies:
            for channel_id in channels:
                self._listen(channel_id, spies[-1])
        elif len(channels) > 2:
            for channel_id in channels:
                if not bridge.conference or self._does.get(channel_id) != _CONFERENCE:
                    self._run(channel_id, "conference", f"{identity(bridge.id)}@{CONFERENCE}", _CONFERENCE)
            bridge.conference = True
        else:
            bridge.conference = False
            if len(channels) == 2:
                self._connect(bridge, *channels)
            elif channels:
                self._park(channels[0])

    def _connect(self, bridge: _Bridge, first: str, second: str) -> None:
        apart = self._with.get(first) != second or self._with.get(second) != first
        for channel_id in (first, second):
            if self._filtered.get(channel_id) is not (absorb := bridge.members[channel_id]):
                self._filtered[channel_id] = absorb
                self._note(channel_id, FILTER, str(absorb).lower())  # it is read when they are connected
                apart = True
        if not apart:
            return
        for channel_id in (first, second):
            self._open(channel_id)
        with self._awaited.expected(BRIDGED, first, second):
            self._link.request(f"uuid_bridge {identity(first)} {identity(second)}")

    def _park(self, channel_id: str) -> None:
        if self._does.get(channel_id) == _ALONE:
            return
        with self._awaited.expected(PARKED, channel_id):
            self._link.request(f"uuid_transfer {identity(channel_id)} park inline")
        self._does[channel_id] = _ALONE

    def _listen(self, channel_id: str, spy: str) -> None:
        target, variables = self._spied(spy)
        self._note(channel_id, translate.SPYING, f"{spy}/{target}")
        done = self._run(channel_id, "eavesdrop", target, _SPYING, variables)
        self.attached(spy, channel_id, done)

    def _run(self, channel_id: str, application: str, argument: str, does: str, before: str = "") -> Event:
        """Moves it into this application, after which it parks. `before`: applications that come first."""
        self._open(channel_id)
        steps = f"{before}{application}:{argument}^park:"
        with self._awaited.expected(application, channel_id) as begun:
            self._link.request(f"uuid_transfer {identity(channel_id)} 'm:^:{steps}' inline")
        self._with.pop(channel_id, None)
        self._does[channel_id] = does
        event = begun.get()
        assert event is not None
        return event

    def _open(self, channel_id: str) -> None:
        """A channel without media must not be connected: FreeSWITCH would hang up both."""
        leg = self._legs.get(channel_id)
        if leg is not None and not leg.answered:
            try:
                self._link.request(f"uuid_pre_answer {identity(channel_id)}")
            except Gone:
                raise
            except PbxError:
                pass  # it is open already
