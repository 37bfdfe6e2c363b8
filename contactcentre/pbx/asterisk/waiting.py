"""Waiting rooms: holding bridges with music, shared by those who wait with the same music class.

One player of music serves a whole room, which makes it the cheapest place to wait (a quarter less CPU than music per
channel); but all of a room's channels are mixed by one thread, so a room takes ROOM_SIZE callers and then another is
opened.

Asterisk ends a room's music when its last caller leaves. So who enters a room in which nobody is known to have stayed
turns the music on again; turning on what is on already does no harm, except to the ear when it is done all the time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Protocol

from contactcentre.pbx.asterisk.protocol import ChannelGone
from contactcentre.pbx.errors import Gone, Refused

ROOM_SIZE = 50
"""Channels per holding bridge: with 500 in one, single hand-overs took up to 50 ms, once 600 ms."""
SETTLED = 2.0
"""Seconds after which a caller is known to have been in the room: longer than the news of anybody's hangup takes."""
PREFIX = "waiting-"
"""Rooms are named `waiting-MUSIC-N`, so that a restarted controller finds its own again."""


class Switchboard(Protocol):
    """What rooms need of the driver. `change` is addChannel or removeChannel; `music` and
    `silence` do not wait for an answer."""

    def make_bridge(self, bridge_id: str, kind: str) -> None: ...
    def change(self, bridge_id: str, verb: str, channel_id: str) -> None: ...
    def music(self, bridge_id: str, music: str) -> None: ...
    def silence(self, bridge_id: str) -> None: ...


@dataclass(slots=True)
class _Room:
    bridge_id: str
    music: str
    members: dict[str, float] = field(default_factory=dict)  # channel -> when it entered, monotonic seconds
    made: bool = False

    def has_settled(self) -> bool:
        now = monotonic()
        return any(now - since > SETTLED for since in self.members.values())


class WaitingRooms:
    """Who waits in which bridge."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._rooms: dict[str, list[_Room]] = {}
        self._where: dict[str, _Room] = {}

    def enter(self, channel_id: str, music: str) -> None:
        """Raises Gone (the channel), Refused (it is not ours)."""
        self.left(channel_id)
        room = self._room(music)
        music_plays = room.made and room.has_settled()
        # before the requests: others who enter meanwhile must see the place taken
        self._take_place(room, channel_id)
        try:
            if not room.made:
                self._make(room)
            try:
                self._switchboard.change(room.bridge_id, "addChannel", channel_id)
            except ChannelGone:
                raise
            except Gone:  # the bridge: somebody destroyed it
                self._make(room)
                self._switchboard.change(room.bridge_id, "addChannel", channel_id)
                music_plays = False
        except BaseException:
            self.left(channel_id)
            raise
        if not music_plays and channel_id in room.members:  # it may have hung up meanwhile
            self._switchboard.music(room.bridge_id, music)

    def leave(self, channel_id: str) -> None:
        """Takes it out; no error when it is in no room, or gone."""
        room = self.left(channel_id)
        if room is None:
            return
        try:
            self._switchboard.change(room.bridge_id, "removeChannel", channel_id)
        except Gone:
            pass
        except Refused as refused:
            if refused.status not in (400, 409, 422):  # not in this bridge, or not in our hands any more
                raise

    def left(self, channel_id: str) -> _Room | None:
        """We take it out of this room. To be called before the request that does: who enters next must know."""
        if (room := self._where.pop(channel_id, None)) is not None:
            del room.members[channel_id]
            if not room.members:
                # mostly Asterisk does it by itself, but not if we turned it on when the last one had just gone
                self._switchboard.silence(room.bridge_id)
        return room

    def stayed(self, channel_id: str, room: _Room | None) -> None:
        """The request that was to take it out of this room was refused."""
        if room is not None and channel_id not in self._where:
            self._take_place(room, channel_id)
            self._switchboard.music(room.bridge_id, room.music)

    def ended(self, channel_id: str) -> None:
        """The channel left its room some moments ago, which may have emptied it before the others entered."""
        room = self.left(channel_id)
        if room is not None and room.members and not room.has_settled():
            self._switchboard.music(room.bridge_id, room.music)

    def recover(self, bridge_id: str, channel_ids: Iterable[str]) -> None:
        """A bridge that is there, perhaps an earlier controller's room."""
        music, _, number = bridge_id.removeprefix(PREFIX).rpartition("-")
        if not bridge_id.startswith(PREFIX) or not music or not number.isdecimal():
            return
        rooms = self._rooms.setdefault(music, [])
        room = next((room for room in rooms if room.bridge_id == bridge_id), None)
        if room is None:
            room = _Room(bridge_id, music)
            rooms.append(room)
        for channel_id in channel_ids:
            if channel_id not in self._where:
                self._take_place(room, channel_id)

    def forget(self) -> None:
        """The PBX may have been restarted: rooms are made again before the next one enters."""
        for rooms in self._rooms.values():
            for room in rooms:
                room.made = False

    def _room(self, music: str) -> _Room:
        rooms = self._rooms.setdefault(music, [])
        for room in rooms:
            if len(room.members) < ROOM_SIZE:
                return room
        taken = {room.bridge_id for room in rooms}
        names = (f"{PREFIX}{music}-{number}" for number in count(1))
        room = _Room(next(name for name in names if name not in taken), music)
        rooms.append(room)
        return room

    def _make(self, room: _Room) -> None:
        self._switchboard.make_bridge(room.bridge_id, "holding")
        room.made = True

    def _take_place(self, room: _Room, channel_id: str) -> None:
        room.members[channel_id] = monotonic()
        self._where[channel_id] = room
