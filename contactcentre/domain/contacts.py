"""What became of a contact: `fold` derives its row, legs, segments, queue visits and recordings from its
events.

Two clocks never meet here: all times are those of the events (epoch seconds, UTC), and where a clock was set
back the earlier event's time counts, so no duration is negative.

Seconds of a contact, and where each definition comes from:

* waited: from entering a queue until an agent talks, or until it leaves the queue; the ring time at the
  agent's phone belongs to it, as in Asterisk's CONNECT holdtime (facts: app_queue, [A1]). Over several queues
  the sum.
* ring: while a reserved agent's phone was rung (Asterisk's ringtime), a part of waited.
* talk: while the contact was an agent's, from the first word on: holding, consulting and conferences included
  (Asterisk's talktime), so talk + wrap_up is what AHT counts.
* hold, consult: the parts of talk in which the customer heard music, because of the hold key, or because the
  agent asked somebody (Genesys shows them apart, [G3]).
* wrap_up: after-call work, from its start to its end; comes after the conversation and runs on after the
  contact's end.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from contactcentre.domain.conversation import Conversation, Party, Place, after
from contactcentre.domain.data import integer_of, mapping_of, number_of, text_of
from contactcentre.domain.events import AFTERWARDS, SAID, Direction, Event, Kind, LeftQueue, OfferResult, Outcome
from contactcentre.domain.history import (
    Contact,
    ContactHistory,
    Leg,
    Participation,
    Phase,
    Recording,
    Said,
    Segment,
    Visit,
    Voicemail,
)
from contactcentre.domain.replacing import replace
from contactcentre.domain.said import say

__all__ = [
    "Contact",
    "ContactHistory",
    "Folding",
    "Leg",
    "Participation",
    "Phase",
    "Recording",
    "Said",
    "Segment",
    "Visit",
    "Voicemail",
    "fold",
]


def fold(events: Iterable[Event]) -> ContactHistory:
    """The history that these events tell; their order and repetition do not matter. An event that makes no
    sense where it stands (an end without a beginning) changes nothing. Raises ValueError when there is none,
    or of several contacts."""
    ordered, afterwards = _arrange(events)
    folding = Folding((ordered or afterwards)[0])
    for event in ordered:
        folding.take(event)
    for event in afterwards:
        if event.kind in SAID:
            say(folding.said, event)
        else:
            folding.recording(event)
    return folding.history(_missing([event.seq for event in ordered]))


def _arrange(events: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """(the owner's events by seq, each once; what was added afterwards, in a fixed order)."""
    by_seq: dict[int, Event] = {}
    added: dict[tuple[str, str], Event] = {}
    contacts = set()
    for event in events:
        contacts.add(event.contact_id)
        if event.seq != AFTERWARDS:
            by_seq.setdefault(event.seq, event)
        else:
            added.setdefault((text_of(event.data, "id" if event.kind in SAID else "recording"), event.kind), event)
    if len(contacts) != 1:
        raise ValueError(f"events of {len(contacts)} contacts cannot be folded into one")
    return [by_seq[seq] for seq in sorted(by_seq)], [added[key] for key in sorted(added)]


def _missing(seqs: Sequence[int]) -> tuple[tuple[int, int], ...]:
    pairs = zip([0, *seqs], seqs, strict=False)
    return tuple((before + 1, seq - 1) for before, seq in pairs if seq - before > 1)


_PHASES = {
    "talking": Phase.TALK,
    "toggled": Phase.TALK,
    "held": Phase.HOLD,
    "asking": Phase.CONSULT,
    "consulting": Phase.CONSULT,
    "conference": Phase.CONFERENCE,
    "parked": Phase.PARKED,
    "outside": Phase.OUTSIDE,
}
"""What a conversation's state is to the contact."""
_OF_CONVERSATIONS = frozenset(
    {
        *(Kind.TALK_STARTED, Kind.TALK_ENDED, Kind.TALK_HELD, Kind.TALK_RESUMED, Kind.PARKED, Kind.RETRIEVED),
        *(Kind.CONSULT_STARTED, Kind.CONSULT_ANSWERED, Kind.CONSULT_TOGGLED, Kind.CONSULT_ENDED),
        *(Kind.PARTY_JOINED, Kind.PARTY_LEFT, Kind.REJOINED),
    }
)
HANDLED = (Phase.TALK, Phase.HOLD, Phase.CONSULT, Phase.CONFERENCE)
"""The contact is an agent's."""

_OF_LIFE = frozenset({Kind.NODE, Kind.QUEUED, Kind.UNQUEUED, Kind.OFFERED, Kind.REFUSED, Kind.TALK_STARTED})
"""Cannot happen any more once the contact has ended; wrap-up, legs, recordings and dispositions can."""


class Folding:
    """The walk over one contact's events: `take` the owner's in their order, `history` tells what they mean so far."""

    def __init__(self, first: Event) -> None:
        self.at = self.begin = first.at
        self.facts: dict[str, Any] = {}
        self.legs: dict[str, Leg] = {}
        self.tiles: list[Segment] = [Segment(Phase.IVR, first.at)]
        self.wraps: list[Segment] = []
        self.visits: list[Visit] = []
        self.ringing: list[str] = []  # agents, in the order of their offers
        self.conversation = Conversation()
        self.taking_part: list[Participation] = []
        self.agents: list[str] = []
        self.recordings: dict[str, Recording] = {}
        self.voicemails: dict[str, Voicemail] = {}
        self.said: dict[str, Said] = {}  # by queue
        self.contact = Contact(first.contact_id)
        self.for_queue = ""  # an agent called for it

    def take(self, event: Event) -> None:
        self.at = max(self.at, event.at)
        data = event.data
        self.facts["last_seq"] = event.seq
        if "ended" in self.facts and event.kind in _OF_LIFE:
            return
        match event.kind:
            case Kind.ARRIVED:
                names = ("node", "did", "caller", "caller_name", "flow", "language")
                self.facts.update({name: text_of(data, name) for name in names})
                if text_of(data, "direction") == Direction.OUTBOUND:
                    self.facts["direction"], self.for_queue = Direction.OUTBOUND.value, text_of(data, "queue")
                    self.tiles[0] = replace(self.tiles[0], kind=Phase.DIALLING)
            case Kind.ANSWERED:
                self.facts.setdefault("answered", self.at)
            case Kind.NODE if not self._waiting() and self.conversation.state == "over":
                self._phase(Phase.VOICEMAIL if text_of(data, "type") == "voicemail" else Phase.IVR)
            case Kind.QUEUED | Kind.UNQUEUED | Kind.OFFERED | Kind.REFUSED:
                self._queueing(event.kind, data)
            case Kind.TALK_STARTED:
                self._leave(LeftQueue.ANSWERED, text_of(data, "agent"))
                self.facts.setdefault("connected", self.at)
                self.agents.append(text_of(data, "agent"))
            case Kind.WRAP_UP_STARTED | Kind.WRAP_UP_ENDED:
                self._wrapping(event.kind, text_of(data, "agent"), text_of(data, "queue"))
            case Kind.LEG_STARTED | Kind.LEG_ANSWERED | Kind.LEG_ENDED:
                self._leg(event.kind, data)
            case Kind.TRANSFERRED:
                self.facts["transferred_to"] = text_of(data, "to")
            case Kind.DISPOSITION | Kind.CALLED_BACK:
                say(self.said, event)
            case Kind.ENDED:
                self._end(data)
            case _ if "recording" in data:
                self.recording(event)
        if event.kind in _OF_CONVERSATIONS and "ended" not in self.facts:
            self._converse(event.kind, data)

    # -- phases ----------------------------------------------------------------------------------------------

    def _phase(self, kind: Phase, queue: str = "", agent: str = "") -> None:
        """Ends the tile that runs and begins the next where it ended. Nothing begins any more after the
        contact's end."""
        last = self.tiles[-1]
        if last.ended is None and (last.kind, last.queue, last.agent) != (kind, queue, agent):
            self.tiles[-1] = replace(last, ended=self.at)
            self.tiles.append(Segment(kind, self.at, None, queue, agent))

    def _waiting(self) -> Visit | None:
        return self.visits[-1] if self.visits and self.visits[-1].left is None else None

    def _leave(self, reason: str, agent: str = "") -> None:
        if visit := self._waiting():
            waited = self.at - visit.entered
            self.ringing.clear()
            self.visits[-1] = replace(visit, left=self.at, waited=waited, reason=visit.reason or reason, agent=agent)

    def _queueing(self, kind: Kind, data: Mapping[str, Any]) -> None:
        queue, visit = text_of(data, "queue"), self._waiting()
        if kind is Kind.QUEUED:
            self._leave(LeftQueue.TRANSFERRED)
            self.visits.append(Visit(queue, self.at, text_of(data, "requirement"), integer_of(data, "priority")))
            self.facts.setdefault("queued", self.at)
            self._phase(Phase.QUEUE, queue)
        elif visit is None:
            return
        elif kind is Kind.UNQUEUED:
            reason = text_of(data, "reason") or LeftQueue.LOST
            if reason == LeftQueue.ANSWERED:  # the wait goes on until they talk
                self.visits[-1] = replace(visit, reason=reason)
            else:
                self._leave(reason)
                self._phase(Phase.IVR)
        elif kind is Kind.OFFERED:
            self.visits[-1] = replace(visit, offers=visit.offers + 1)
            self.ringing.append(text_of(data, "agent"))
            self._phase(Phase.RING, visit.queue, self.ringing[0])
        else:
            if text_of(data, "result") not in (OfferResult.CALLER_GONE, OfferResult.ANSWERED_ELSEWHERE):
                self.visits[-1] = replace(visit, missed=visit.missed + 1)
            if (agent := text_of(data, "agent")) in self.ringing:
                self.ringing.remove(agent)
            if self.ringing:
                self._phase(Phase.RING, visit.queue, self.ringing[0])
            else:
                self._phase(Phase.QUEUE, visit.queue)

    def _converse(self, kind: Kind, data: Mapping[str, Any]) -> None:
        was = self.conversation
        if kind is Kind.TALK_STARTED and was.state == "over":
            was = Conversation()
        try:
            now = after(was, kind, data, self.at)
        except (KeyError, TypeError, ValueError, AttributeError):  # what some other version has written
            return
        self.conversation = now
        if (phase := _PHASES.get(now.state)) is not None:
            owner = now.agent
            self._phase(phase, now.queue, owner.agent if owner is not None else "")
        elif was.state != "over":
            self._phase(Phase.IVR)
        self._participate(now)

    def _participate(self, now: Conversation) -> None:
        doing = {party.agent: _part(now, party) for party in now.parties.values() if party.agent}
        for n, part in enumerate(self.taking_part):
            if part.ended is None and doing.pop(part.agent, None) != (part.kind, part.had_customer):
                self.taking_part[n] = replace(part, ended=self.at)
                again = next((p for p in now.parties.values() if p.agent == part.agent), None)
                if again is not None:
                    doing[part.agent] = _part(now, again)
        for agent, does in doing.items():
            if does is not None:
                self.taking_part.append(Participation(agent, does[0], self.at, None, now.queue, does[1]))

    def _wrapping(self, kind: Kind, agent: str, queue: str) -> None:
        running = [n for n, wrap in enumerate(self.wraps) if wrap.agent == agent and wrap.ended is None]
        if kind is Kind.WRAP_UP_STARTED and not running:
            self.wraps.append(Segment(Phase.WRAP_UP, self.at, None, queue, agent))
        elif kind is Kind.WRAP_UP_ENDED and running:
            self.wraps[running[0]] = replace(self.wraps[running[0]], ended=self.at)

    def _end(self, data: Mapping[str, Any]) -> None:
        if "ended" in self.facts:
            return
        self.taking_part = [replace(p, ended=self.at) if p.ended is None else p for p in self.taking_part]
        outcome = text_of(data, "outcome")
        self._leave(LeftQueue.ABANDONED if outcome == Outcome.ABANDONED else LeftQueue.LOST)
        self.tiles[-1] = replace(self.tiles[-1], ended=self.at)
        self.facts.update(
            ended=self.at,
            outcome=outcome or Outcome.LOST,
            ended_by=text_of(data, "by"),
            cause=integer_of(data, "cause"),
        )

    # -- legs and recordings ---------------------------------------------------------------------------------

    def _leg(self, kind: Kind, data: Mapping[str, Any]) -> None:
        name = text_of(data, "leg")
        leg = self.legs.get(name)
        if kind is Kind.LEG_STARTED and leg is None:
            role, endpoint, agent = (text_of(data, key) for key in ("role", "endpoint", "agent"))
            self.legs[name] = Leg(name, role, endpoint, agent, self.at)
        elif leg is not None and kind is Kind.LEG_ANSWERED:
            self.legs[name] = replace(leg, answered=self.at if leg.answered is None else leg.answered)
        elif leg is not None and kind is Kind.LEG_ENDED and leg.ended is None:
            self.legs[name] = replace(leg, ended=self.at, cause=integer_of(data, "cause"))

    def recording(self, event: Event) -> None:
        """Takes a fact about a recording, from the owner or from afterwards (whose time may be any)."""
        data, at = event.data, event.at
        id = text_of(data, "recording")
        known = self.recordings.get(id, Recording(id))
        match event.kind:
            case Kind.RECORDING_STARTED:
                known = replace(known, started=at, agent=text_of(data, "agent"), queue=text_of(data, "queue"))
            case Kind.RECORDING_ENDED:
                started = number_of(data, "started_at") or known.started
                files, offsets = mapping_of(data, "files"), mapping_of(data, "offsets")
                agent, queue = known.agent or text_of(data, "agent"), known.queue or text_of(data, "queue")
                known = replace(
                    known, started=started, ended=at, files=files, offsets=offsets, agent=agent, queue=queue
                )
            case Kind.RECORDING_STORED:
                known = replace(
                    known,
                    stored_at=at,
                    path=text_of(data, "path"),
                    seconds=number_of(data, "seconds"),
                    sha256=text_of(data, "sha256"),
                    bytes=integer_of(data, "bytes", bits=53),
                    channels=integer_of(data, "channels"),
                    file_sha256=text_of(data, "file_sha256"),
                )
            case Kind.RECORDING_FAILED:
                known = replace(known, failed_at=at, error=text_of(data, "error"))
            case Kind.RECORDING_DELETED:
                known = replace(known, deleted_at=at)
            case Kind.VOICEMAIL:
                box, seconds = text_of(data, "box"), number_of(data, "seconds")
                known = replace(known, kind="voicemail", box=box, ended=known.ended or at)
                self.voicemails[id] = Voicemail(id, box, at, seconds)
            case _:
                return
        self.recordings[id] = known

    # -- the result ------------------------------------------------------------------------------------------

    def history(self, missing: tuple[tuple[int, int], ...] = ()) -> ContactHistory:
        """`missing`: see Contact."""
        tiles = [tile for tile in self.tiles if tile.ended is None or tile.ended > tile.started]
        visits = self._handled(tiles)
        contact = replace(
            self.contact,
            **self.facts,
            arrived=self.begin,
            queue=visits[-1].queue if visits else self.for_queue,
            queues=tuple(dict.fromkeys(name for name in (self.for_queue, *(visit.queue for visit in visits)) if name)),
            agent=self.agents[-1] if self.agents else "",
            agents=tuple(dict.fromkeys(self.agents)),
            waited=sum((visit.waited or 0.0 for visit in visits), 0.0),
            ring=_seconds(tiles, Phase.RING),
            talk=_seconds(tiles, *HANDLED),
            hold=_seconds(tiles, Phase.HOLD),
            consult=_seconds(tiles, Phase.CONSULT),
            wrap_up=_seconds(self.wraps, Phase.WRAP_UP),
            disposition=max(self.said.values(), key=lambda one: one.at).code if self.said else "",
            missing=missing,
        )
        return ContactHistory(
            contact,
            tuple(self.legs.values()),
            (*tiles, *self.wraps),
            tuple(p for p in self.taking_part if p.ended is None or p.ended > p.started),
            tuple(visits),
            tuple(self.recordings.values()),
            tuple(self.voicemails.values()),
            tuple(self.said.values()),
        )

    def _handled(self, tiles: Sequence[Segment]) -> list[Visit]:
        """The visits with the talk and wrap-up that each led to: from its end until the next visit's
        beginning (a wrap-up is the visit's whose agent and queue it names, the latest such before it began).
        """
        visits = list(self.visits)
        for segment in (*tiles, *self.wraps):
            if segment.kind not in (*HANDLED, Phase.WRAP_UP) or segment.ended is None:
                continue
            seconds = segment.ended - segment.started
            for n in reversed(range(len(visits))):
                visit = visits[n]
                if visit.queue == segment.queue and visit.agent and visit.entered <= segment.started:
                    if segment.kind is Phase.WRAP_UP:
                        visits[n] = replace(visit, wrap_up=visit.wrap_up + seconds)
                    else:
                        visits[n] = replace(visit, talk=visit.talk + seconds)
                    break
        return visits


def _part(now: Conversation, party: Party) -> tuple[Phase, bool] | None:
    """What an agent does in a conversation, and whether the customer is that one's. None: rings still."""
    if party.place is Place.RINGING:
        return None
    phase = _PHASES.get(now.state, Phase.TALK)
    if party.leg == now.owner:
        return phase, True
    if party.leg == now.asked:
        return (Phase.CONSULT if party.place is Place.TOGETHER else Phase.HOLD), False
    return (Phase.CONFERENCE if phase is not Phase.OUTSIDE else Phase.TALK), False


def _seconds(segments: Iterable[Segment], *kinds: Phase) -> float:
    return sum((s.ended - s.started for s in segments if s.kind in kinds and s.ended is not None), 0.0)
