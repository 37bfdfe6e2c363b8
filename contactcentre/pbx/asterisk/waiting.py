"""Waiting rooms: holding bridges with music, shared by those who wait with the same music class.

One player of music serves a whole room, which makes it the cheapest place to wait (a quarter less CPU than music per channel);
but all of a room's channels are mixed by one thread, so a room takes ROOM_SIZE callers and then another is opened.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from contactcentre.pbx.asterisk.protocol import ChannelGone, resource
from contactcentre.pbx.errors import Gone, Refused

ROOM_SIZE = 50
"""Channels per holding bridge: with 500 in one, single hand-overs took up to 50 ms, once 600 ms."""
PREFIX = "waiting-"
"""Rooms are named `waiting-MUSIC-N`, so that a restarted controller finds its own again."""


@dataclass(slots=True)
class _Room:
    bridge_id: str
    members: set[str] = field(default_factory=set)
    ready: bool = False


class WaitingRooms:
    """Who waits in which bridge. `request_on` and `play_music` are the driver's."""

    def __init__(self, request_on: Callable[..., Any], play_music: Callable[[str, str], None]) -> None:
        self._request_on, self._play_music = request_on, play_music
        self._rooms: dict[str, list[_Room]] = {}
        self._where: dict[str, _Room] = {}

    def enter(self, channel_id: str, music: str) -> None:
        """Raises Gone (the channel), Refused (it is not ours)."""
        room = self._room(music)
        self.left(channel_id)
        # before the requests: others who enter meanwhile must see the place taken
        self._take_place(room, channel_id)
        try:
            if not room.ready:
                self._open(room, music)
            try:
                self._change(room, "addChannel", channel_id)
            except ChannelGone:
                raise
            except Gone:  # the bridge: somebody destroyed it
                self._open(room, music)
                self._change(room, "addChannel", channel_id)
        except BaseException:
            self.left(channel_id)
            raise

    def leave(self, channel_id: str) -> None:
        room = self._where.get(channel_id)
        self.left(channel_id)
        if room is None:
            return
        try:
            self._change(room, "removeChannel", channel_id)
        except Gone:
            pass
        except Refused as refused:
            # 409/422: gone from the bridge or from our hands meanwhile
            if refused.status not in (400, 409, 422):
                raise

    def left(self, channel_id: str) -> None:
        """The channel is in no room any more (it ended, or joined another bridge)."""
        if (room := self._where.pop(channel_id, None)) is not None:
            room.members.discard(channel_id)

    def recover(self, bridge_id: str, channel_ids: Iterable[str]) -> None:
        """A bridge that is there, perhaps an earlier controller's room."""
        music, _, number = bridge_id.removeprefix(PREFIX).rpartition("-")
        if not bridge_id.startswith(PREFIX) or not music or not number.isdecimal():
            return
        rooms = self._rooms.setdefault(music, [])
        room = next((room for room in rooms if room.bridge_id == bridge_id), None)
        if room is None:
            room = _Room(bridge_id)
            rooms.append(room)
        for channel_id in channel_ids:
            if channel_id not in self._where:
                self._take_place(room, channel_id)

    def _take_place(self, room: _Room, channel_id: str) -> None:
        room.members.add(channel_id)
        self._where[channel_id] = room

    def forget(self) -> None:
        """The PBX may have been restarted: rooms are made sure of again before the next one enters."""
        for rooms in self._rooms.values():
            for room in rooms:
                room.ready = False

    def _room(self, music: str) -> _Room:
        rooms = self._rooms.setdefault(music, [])
        for room in rooms:
            if len(room.members) < ROOM_SIZE:
                return room
        taken = {room.bridge_id for room in rooms}
        free = (f"{PREFIX}{music}-{number}" for number in count(1))
        room = _Room(next(name for name in free if name not in taken))
        rooms.append(room)
        return room

    def _open(self, room: _Room, music: str) -> None:
        # May be repeated: a bridge that is there stays as it is, music that plays is replaced.
        self._play_music(room.bridge_id, music)
        room.ready = True

    def _change(self, room: _Room, verb: str, channel_id: str) -> None:
        path = f"{resource('bridges', room.bridge_id)}/{verb}"
        self._request_on(channel_id, method="POST", path=path, query={"channel": channel_id})
