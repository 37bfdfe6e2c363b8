"""Who is with whom in our mixing bridges: whoever is alone there for a moment is sent silence.

Asterisk sends nothing at all to a channel that is alone in a bridge, such as the agent whose customer is on music. Then
a supervisor's whisper is not heard either (it is mixed into what is sent), and phones and carriers take a line without
packets for a dead one. But while silence is sent, nothing else gets through: so it ends before anybody joins.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, suppress

from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.asterisk.waiting import PREFIX
from contactcentre.pbx.errors import Gone, Refused

ALONE = 0.5
"""Seconds after which somebody is alone, and not just left by a call that ends."""


class Company:
    """`request` sends and waits, `attempt` sends and does not; `left_two` is told whom others have left together."""

    def __init__(
        self,
        request: Callable[[str, str], object],
        attempt: Callable[[str, str], None],
        left_two: Callable[[Iterable[str]], None],
    ) -> None:
        self._request, self._attempt, self._left_two = request, attempt, left_two
        self._members: dict[str, set[str]] = {}
        self._where: dict[str, str] = {}
        self._since: dict[str, float] = {}  # bridge -> when somebody was left alone in it
        self._hushed: set[str] = set()
        self._ringing: set[str] = set()  # those hear ringing, which silence would end
        self._moving: Counter[str] = Counter()  # those may have company by now

    @contextmanager
    def moving(self, channel_ids: Iterable[str], bridge_id: str) -> Iterator[None]:
        """For as long as the PBX takes to move them into this bridge, or out of it: none of those concerned is sent
        silence. Raises LinkDown, Deadline."""
        concerned = {*channel_ids, *self._members.get(bridge_id, ())}
        self._moving.update(concerned)
        try:
            self.break_silence(concerned)
            yield
        finally:
            self._moving -= Counter(concerned)

    def break_silence(self, channel_ids: Iterable[str]) -> None:
        """To be called before they are played to. Raises LinkDown, Deadline."""
        for channel_id in self._hushed.intersection(channel_ids):
            with suppress(Gone, Refused):  # it is just going
                self._request("DELETE", f"{resource('channels', channel_id)}/silence")
            self._hushed.discard(channel_id)

    def ringing(self, channel_id: str) -> None:
        """To be called before it hears ringing. Raises LinkDown, Deadline."""
        self.break_silence([channel_id])
        self._ringing.add(channel_id)

    def rang(self, channel_id: str) -> None:
        """It hears no ringing any more."""
        self._ringing.discard(channel_id)

    def joined(self, bridge_id: str, channel_ids: Iterable[str], now: float) -> None:
        """They are in this bridge now, and in no other."""
        for channel_id in channel_ids:
            self.left(channel_id, now)
            if not bridge_id.startswith(PREFIX):
                self._members.setdefault(bridge_id, set()).add(channel_id)
                self._where[channel_id] = bridge_id
        self._count(bridge_id, now)

    def left(self, channel_id: str, now: float) -> None:
        """It is in no bridge any more."""
        if (bridge_id := self._where.pop(channel_id, None)) is not None:
            self._members[bridge_id].discard(channel_id)
            self._count(bridge_id, now)
            if len(members := self.members(bridge_id)) == 2:
                self._left_two(members)

    def ended(self, channel_id: str, now: float) -> None:
        self.left(channel_id, now)
        self._hushed.discard(channel_id)
        self._ringing.discard(channel_id)

    def members(self, bridge_id: str) -> frozenset[str]:
        return frozenset(self._members.get(bridge_id, ()))

    def replaced(self, channel_id: str, stand_in: str, now: float) -> None:
        """Another channel came into its place, by a transfer that is none of ours."""
        if bridge_id := self._where.get(channel_id):
            self.joined(bridge_id, [stand_in], now)

    def dissolved(self, bridge_id: str, now: float) -> None:
        for channel_id in list(self._members.get(bridge_id, ())):
            self.left(channel_id, now)

    def recover(self, bridge_id: str, channel_ids: Iterable[str], now: float) -> None:
        """A bridge that is there, perhaps an earlier controller's."""
        self.joined(bridge_id, [c for c in channel_ids if self._where.get(c) != bridge_id], now)

    def unsure(self, channel_id: str) -> None:
        """An earlier controller may have sent it silence."""
        self._hushed.add(channel_id)

    def look(self, now: float, busy: Container[str]) -> None:
        """Sends silence to who has been alone for a while, unless something plays to them."""
        for bridge_id in [bridge_id for bridge_id, since in self._since.items() if now - since >= ALONE]:
            for channel_id in self._members[bridge_id] - self._hushed - self._ringing - self._moving.keys():
                if channel_id not in busy:
                    self._hushed.add(channel_id)
                    self._attempt("POST", f"{resource('channels', channel_id)}/silence")

    def _count(self, bridge_id: str, now: float) -> None:
        members = self._members.get(bridge_id)
        if not members:
            self._members.pop(bridge_id, None)
        if members is not None and len(members) == 1:
            self._since.setdefault(bridge_id, now)
        else:
            self._since.pop(bridge_id, None)
