"""What the driver knows of each channel, and the rule that a channel ends once, in whatever order the PBX tells it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import Answered, Cause, ChannelEvent, Ended, Left, Ringing
from contactcentre.pbx.protocol import Inbox

KEEP = 30.0
"""Seconds that the events of an arrived channel are kept for its `adopt`."""
SETTLE = 1.0
"""Seconds after StasisEnd within which a channel that is gone is reported gone."""


@dataclass(slots=True)
class Leg:
    id: str
    called: bool = False  # by us; it is in our hands only once it is answered
    placed: bool = True  # False while the PBX has not yet said that it makes this leg
    inbox: Inbox | None = None
    kept: list[ChannelEvent] = field(default_factory=list)
    kept_until: float = 0.0
    unasked: bool = False  # it did not come by itself, so that it goes when nobody adopts it
    rang: bool = False
    answered: bool = False
    over: bool = False  # ended or left before anybody adopted it
    leaving: bool = False  # given back to the dialplan by us
    released_at: float = 0.0  # when the PBX said that it left our hands, by our own clock; 0 = it did not
    hanging_up: bool = False
    cause: Cause = Cause.UNKNOWN  # of the hangup that is under way
    doing: set[str] = field(default_factory=set)  # playbacks and recordings that run on it
    occupied_until: float = 0.0  # digits are being sent to it until then, by our clock
    recovered: bool = False  # found there, so that we cannot know what runs on it
    deadline: float = 0.0  # until when a called leg may ring, by our clock
    other_call: str = ""  # of its phone, to whose party it wants to transfer
    speaks: tuple[str, ...] = ()  # codecs by the PBX's names, the one it likes best first; () is not known

    def reason(self, cause: Cause, now: float) -> Cause:
        """Why it ended, when the PBX said `cause`. A plain BYE names none: then somebody hung up, as one does."""
        cause = cause or self.cause
        if self.called and not self.answered:
            return Cause.NO_ANSWER if cause in (Cause.UNKNOWN, Cause.NORMAL) and now >= self.deadline else cause
        return cause or Cause.NORMAL


class Legs:
    """Every channel that is bound to an inbox or waits for its `adopt`. Frees itself on Ended and Left."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._legs: dict[str, Leg] = {}
        self._report = report

    def __len__(self) -> int:
        return len(self._legs)

    def __contains__(self, channel_id: str) -> bool:
        return channel_id in self._legs

    def called(self) -> set[str]:
        """Channels that we called, so that their phones are in no call of their own."""
        return {leg.id for leg in self._legs.values() if leg.called or leg.recovered}

    def placed(self) -> set[str]:
        """Channels that the PBX must know, unless they have ended."""
        return {leg.id for leg in self._legs.values() if leg.placed and not leg.over}

    def ids(self) -> list[str]:
        return list(self._legs)

    def get(self, channel_id: str) -> Leg | None:
        return self._legs.get(channel_id)

    def arrive(self, channel_id: str, now: float, *, answered: bool) -> Leg:
        """A channel that has no inbox yet."""
        leg = self._legs[channel_id] = Leg(channel_id, kept_until=now + KEEP, answered=answered)
        return leg

    def bind(self, channel_id: str, inbox: Inbox, *, called: bool = False) -> Leg:
        """Gives a channel its inbox and delivers what was kept."""
        leg = self._legs.setdefault(channel_id, Leg(channel_id, called=called, placed=not called))
        leg.inbox = inbox
        kept, leg.kept = leg.kept, []
        if leg.over:
            del self._legs[channel_id]
        for event in kept:
            self._put(leg, event)
        return leg

    def spoken(self, channel_id: str, ask: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
        """What a channel speaks. Where nobody has told, `ask` asks the PBX, and may raise Gone or Refused."""
        leg = self._legs.get(channel_id)
        if leg is None:
            return ()
        if not leg.speaks:
            with suppress(Gone, Refused):
                leg.speaks = ask(channel_id)
        return leg.speaks

    def is_recovered(self, channel_id: str) -> bool:
        leg = self._legs.get(channel_id)
        return leg is None or leg.recovered

    def begin(self, channel_id: str, what: str) -> None:
        """A playback or recording runs on the channel from now on."""
        if (leg := self._legs.get(channel_id)) is not None:
            leg.doing.add(what)

    def done(self, channel_id: str, what: str) -> None:
        if (leg := self._legs.get(channel_id)) is not None:
            leg.doing.discard(what)

    def running(self) -> list[tuple[str, str]]:
        """(channel, playback or recording) of all that runs."""
        return [(leg.id, what) for leg in self._legs.values() for what in leg.doing]

    def playing_to(self) -> set[str]:
        """Channels on which something plays or records."""
        return {leg.id for leg in self._legs.values() if leg.doing}

    def occupy(self, channel_id: str, until: float) -> None:
        """Something without an end that is told runs on it until then."""
        if (leg := self._legs.get(channel_id)) is not None:
            leg.occupied_until = max(leg.occupied_until, until)

    def busy(self, channel_id: str, now: float) -> bool:
        """May something run on the channel that keeps its thread in the PBX occupied?"""
        leg = self._legs.get(channel_id)
        return leg is None or leg.recovered or bool(leg.doing) or now < leg.occupied_until

    def drop(self, channel_id: str) -> None:
        self._legs.pop(channel_id, None)

    def tell(self, event: ChannelEvent) -> None:
        """An event that changes nothing here."""
        if (leg := self._legs.get(event.channel_id)) is not None:
            self._put(leg, event)

    def ringing(self, channel_id: str, at: float) -> None:
        leg = self._legs.get(channel_id)
        if leg is not None and leg.called and not leg.rang and not leg.answered:
            leg.rang = True
            self._put(leg, Ringing(channel_id, at))

    def answer(self, channel_id: str, at: float) -> None:
        leg = self._legs.get(channel_id)
        if leg is not None and not leg.answered:
            leg.answered = True
            self._put(leg, Answered(channel_id, at))

    def end(self, channel_id: str, at: float, cause: Cause) -> None:
        """The channel is gone."""
        self._finish(Ended(channel_id, at, cause))

    def note_cause(self, channel_id: str, cause: Cause) -> None:
        """We ask for a hangup with this cause."""
        if (leg := self._legs.get(channel_id)) is not None:
            leg.cause = leg.cause or cause

    def set_leaving(self, channel_id: str, leaves: bool) -> None:
        """We give it back to the dialplan: the StasisEnd that comes means Left."""
        if (leg := self._legs.get(channel_id)) is not None:
            leg.leaving = leaves

    def hang_up(self, channel_id: str, cause: Cause) -> None:
        """A hangup is under way; the first cause that is known is the one that counts."""
        if (leg := self._legs.get(channel_id)) is not None:
            leg.hanging_up = True
            leg.cause = leg.cause or cause

    def release(self, channel_id: str, at: float, now: float) -> None:
        """StasisEnd: out of our hands. Either we gave it away, or it was hung up (of a channel that we did not call no
        other end is ever told; and when an agent's call has ended, somebody may wait for that agent), or somebody else
        took it: then `overdue` names it."""
        leg = self._legs.get(channel_id)
        if leg is None:
            return
        if leg.leaving:
            self.leave(channel_id, at)
        elif not leg.hanging_up:
            leg.released_at = now
        elif leg.answered or not leg.called:
            self.end(channel_id, at, leg.reason(leg.cause, now))

    def leave(self, channel_id: str, at: float) -> None:
        self._finish(Left(channel_id, at))

    def _finish(self, event: Ended | Left) -> None:
        leg = self._legs.get(event.channel_id)
        if leg is None or leg.over:
            return
        if leg.inbox is None:
            leg.over = True  # stays for its adopt
        else:
            del self._legs[leg.id]
        self._put(leg, event)

    def overdue(self, now: float) -> Iterable[Leg]:
        """Legs that left our hands SETTLE seconds ago and whose end did not come: ask the PBX where they are."""
        return [
            leg for leg in self._legs.values() if leg.released_at and not leg.over and now - leg.released_at > SETTLE
        ]

    def expire(self, now: float) -> list[Leg]:
        """Forgets channels that nobody adopted in time, and returns them."""
        old = [leg for leg in self._legs.values() if leg.inbox is None and now > leg.kept_until]
        for leg in old:
            del self._legs[leg.id]
        return old

    def _put(self, leg: Leg, event: ChannelEvent) -> None:
        if leg.inbox is None:
            leg.kept.append(event)
            return
        try:
            leg.inbox(event)
        except Exception:
            self._report(f"the inbox of channel {leg.id} failed on {type(event).__name__}")
