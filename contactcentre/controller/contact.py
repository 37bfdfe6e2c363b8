"""One customer's contact: its identity, its event counter, and the inbox that its greenlet reads.

Everything that happens to a contact arrives in one inbox in one order: events of its legs, reservations by the router,
commands. The caller's hangup is raised as `CallerGone` out of whatever the greenlet waits in, and caught once, by its
runner. A lost link, an unanswered request and the controller's own stop *suspend* a contact: its greenlet ends without
touching the call, and `reconcile` takes it up again, in this process or the next.
"""

import itertools
import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gevent
import structlog
from gevent.event import AsyncResult
from gevent.queue import Empty, Queue

from contactcentre.controller.node import Node
from contactcentre.controller.recordings import Recorder
from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.conditions import Refusal
from contactcentre.domain.events import Event, Kind, Outcome
from contactcentre.domain.ids import uuid7
from contactcentre.domain.keying import codes_of
from contactcentre.domain.recorded import Recorded, after
from contactcentre.domain.replacing import replace
from contactcentre.domain.routing import Decision
from contactcentre.live import CommandFailed, ContactNow, LiveError
from contactcentre.live.listens import LISTENERS
from contactcentre.pbx.errors import Deadline, LinkDown, PbxError
from contactcentre.pbx.events import Cause, ChannelEvent, Digit, Ended, Left, LinkLost, Party
from contactcentre.pbx.protocol import Bridge, Channel, Medium

log = structlog.get_logger(__name__)

DIGITS_LIMIT = 1000
"""With so many messages waiting for a contact its caller's digits are dropped: all else is bounded by what we do."""

WATCH = 300.0
"""Seconds after which a greenlet that waits for nothing in particular looks around (every wait has a deadline)."""


OF_WAITING = frozenset({"move", "front", "priority"})
"""What can be asked for a contact that waits, and for no other."""

ANSWER_DEADLINE = 10.0
"""Seconds within which a contact's conductor answers what it is asked for: a request to the PBX, or two."""


class CallerGone(Exception):
    """The caller's leg ended (`by` the caller), or left our hands for the PBX's own dialplan (`by` the system)."""

    def __init__(self, cause: Cause = Cause.NORMAL, by: str = "caller") -> None:
        super().__init__(cause.name)
        self.cause, self.by = cause, by


class Suspended(Exception):
    """We may not act on this contact now; whoever reconciles takes it up as it is."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The router has reserved an agent for this contact."""

    agent: AgentStatus
    decision: Decision


@dataclass(frozen=True, slots=True)
class TurnedOut:
    """Nobody is there any more in the queue where this contact waits: it has to leave."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Prepared:
    """An announcement can be played now."""

    playback: str  # its id
    media: tuple[Medium, ...]  # none: nothing could be made of it
    told: Mapping[str, Any]  # what it says, as the data of its fact


@dataclass(frozen=True, slots=True)
class Sound:
    """Something comes from an agent's window again, or nothing for some seconds (`controller.sound`)."""

    leg: str
    comes: bool


class SiteChanged:
    """Another version of the configuration counts from now on."""


class Asked:
    """Somebody outside asks for something to be done with the contact; whoever conducts it answers."""

    def __init__(self, verb: str, args: Mapping[str, Any], by: str) -> None:
        """`by`: agent, supervisor or program."""
        self.verb, self.args, self.by = verb, args, by
        self.answer: AsyncResult[dict[str, Any]] = AsyncResult()

    @property
    def refused(self) -> bool:
        return self.answer.exception is not None

    def refuse(self, code: str, text: str) -> None:
        self.answer.set_exception(CommandFailed(code, text))


Message = ChannelEvent | Granted | TurnedOut | Prepared | Sound | SiteChanged | Asked | LinkLost

SUSPENDING = (Suspended, LinkDown, Deadline, gevent.GreenletExit)
"""What ends a contact's greenlet but not the contact."""


class Contact:
    def __init__(self, node: Node, now: ContactNow) -> None:
        self.node = node
        self.now = now  # what Redis knows of us
        self.id = now.contact_id
        self.seq = now.seq
        self.caller: Channel
        self.outcome = Outcome.SELF_SERVED  # so far
        self.ended_by = "caller"
        self.dismissed = False  # a supervisor or program hangs up
        self.caller_there = True  # False: left while nobody looked; that it has is the inbox's first news
        self.over = False  # its end is told
        self.parked = False  # suspended: its greenlet has ended, the call has not
        self.in_talk = False  # whoever conducts it takes what is `Asked`
        self.waits = False  # in a queue, whose stay takes what is `Asked` of `OF_WAITING`
        self.language = node.site.settings.language
        self.told: set[tuple[Kind, str]] = set()  # facts of legs that an earlier controller has journalled, or we
        self.recorded = Recorded.restore(now.detail.get("recorded", {}))
        self.recorder = Recorder(self)
        self._bridge: Bridge | None = None
        # another one in each process that takes it up: what the one before began to play ends under its own name
        self._serial = itertools.count(1 if not now.seq else int(node.now() * 1000))
        self.typed: deque[str] = deque(maxlen=64)  # digits that nobody has read yet (type-ahead)
        self._inbox: Queue[Message] = Queue()

    @classmethod
    def new(
        cls, node: Node, *, channel_id: str, did: str, caller: Party, flow: str, at: float, answered: bool
    ) -> "Contact":
        """A contact that begins now. `channel_id`: the customer's; "" = we are to call them."""
        contact_id = uuid7(at)
        now = ContactNow(
            contact_id=contact_id,
            node=node.name,
            state="ivr",
            flow=flow,
            channels={"caller": channel_id or f"{contact_id}.o"},
            caller=printable(caller.number),
            caller_name=printable(caller.name),
            did=printable(did),
            arrived=at,
            since=at,
            detail={"answered": answered},
        )
        return cls(node, now)

    # -- the inbox ----------------------------------------------------------------------------------------------------

    def post(self, message: Message) -> None:
        """Never blocks."""
        if not isinstance(message, Digit) or self._inbox.qsize() < DIGITS_LIMIT:
            self._inbox.put_nowait(message)

    def next(self, until: float | None = None) -> Message | None:
        """The next message, or None when `until` (epoch seconds) or `WATCH` has passed. Digits of the caller are also
        kept in `typed`. Raises CallerGone, Suspended."""
        now = self.node.now()
        timeout = WATCH if until is None else max(0.0, until - now)
        try:
            message = self._inbox.get(timeout=timeout)
        except Empty:
            return None
        match message:
            case Ended(channel_id=leg, cause=cause) if leg == self.caller_id:
                raise CallerGone(cause)
            case Left(channel_id=leg) if leg == self.caller_id:
                self.outcome = Outcome.TRANSFERRED
                raise CallerGone(by="system")
            case Left(channel_id=leg, at=at):  # a leg that went elsewhere is as good as ended
                return Ended(leg, at, Cause.UNKNOWN)
            case Digit(channel_id=leg, digit=digit) if leg == self.caller_id:
                self.typed.append(digit)
            case Asked(verb=verb) if verb in OF_WAITING and not self.waits:
                message.refuse("not_waiting", "this caller waits in no queue")
            case Asked(verb=verb) if verb not in OF_WAITING and not self.in_talk:
                message.refuse("not_talking", "no agent talks with this customer")
            case LinkLost():
                raise Suspended
        return message

    def ask(self, verb: str, args: Mapping[str, Any], by: str) -> dict[str, Any]:
        """Something is to be done with its conversation: whoever conducts it answers. Raises CommandFailed."""
        if self.parked:
            raise CommandFailed("suspended", "the link to the PBX was lost: try again")
        asked = Asked(verb, args, by)
        self.post(asked)
        try:
            told = asked.answer.get(timeout=ANSWER_DEADLINE) or {}
        except gevent.Timeout:
            raise CommandFailed("no_answer", f"the call did not answer within {ANSWER_DEADLINE:g} s") from None
        with suppress(LiveError):  # whoever was answered finds the call as it is now, by a new agent's name or its slot
            self.node.saver.flush()
        return told

    def take_out(self, *kinds: type[object]) -> list[Message]:
        """Takes the messages of these kinds out of the inbox; the others keep their order."""
        waiting = [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        for message in waiting:
            if not isinstance(message, kinds):
                self._inbox.put_nowait(message)
        return [message for message in waiting if isinstance(message, kinds)]

    def put_back(self, messages: Iterable[Message]) -> None:
        """The last messages that `next` gave come before all others again, as if it had not given them."""
        messages = list(messages)
        for message in messages:
            if isinstance(message, Digit) and message.channel_id == self.caller_id and self.typed:
                self.typed.pop()
        for message in (*messages, *self.take_out(object)):
            self._inbox.put_nowait(message)

    def park(self) -> None:
        """Its greenlet has ended, without touching the call; what happens on its legs waits in the inbox."""
        self.parked, self.in_talk, self.waits = True, False, False
        self._bridge = None  # may be another one when we come back
        self.refuse_asked("suspended", "the link to the PBX was lost: try again")
        self.save()

    def refuse_asked(self, code: str, text: str) -> None:
        """Nobody will answer what is asked for."""
        for message in self.take_out(Asked):
            assert isinstance(message, Asked)
            message.refuse(code, text)

    def unpark(self) -> None:
        """A new greenlet takes it up. What was told to the old one is void."""
        self.parked = False
        self.take_out(Granted, TurnedOut, Prepared, Sound, LinkLost, SiteChanged)

    # -- facts --------------------------------------------------------------------------------------------------------

    def emit(self, kind: Kind, **data: Any) -> None:
        """Journals a fact, unless an earlier controller did (see `told`), or the leg's end a second time."""
        if self.told and (kind, data.get("leg")) in self.told:
            return
        if kind is Kind.LEG_ENDED:
            self.told.add((kind, str(data["leg"])))
        self.seq += 1
        self.recorded = after(self.recorded, kind, data)
        self.node.tally.take(kind, data)
        self.node.journal.append(Event(self.id, self.seq, self.node.now(), kind, data))

    def save(self, **changes: Any) -> None:
        """Notes where this contact is; Redis learns it some milliseconds later. A new `state` begins a new `since`."""
        if "state" in changes and changes["state"] != self.now.state:
            changes.setdefault("since", self.node.now())
        detail = {**changes.pop("detail", self.now.detail), "recorded": self.recorded.save()}
        self.now = replace(self.now, seq=self.seq, detail=detail, **changes)
        self.node.saver.put(self.id, self.now)

    def note(self, **detail: Any) -> None:
        """Adds to what the record says of it, unless it has ended: a record written then would never go."""
        if not self.over:
            self.save(detail={**self.now.detail, **detail})

    def unheard(self, reason: str) -> None:
        """Nobody listens to it any more: the fact of each who did."""
        for one in self.now.detail.get(LISTENERS, ()):
            agent = str(one.get("agent", ""))
            self.emit(Kind.SUPERVISION_ENDED, supervisor=str(one["supervisor"]), agent=agent, reason=reason)
        self.now = replace(self.now, detail={**self.now.detail, LISTENERS: []})

    def say(self, media: Sequence[Medium], language: str = "", playback: str = "") -> str:
        """Begins to play it to the caller; answers the playback's id ("": a new one). Whoever takes the contact up must
        stop it first: the PBX would let the caller wait for its end before anything else."""
        playback = playback or self.new_id("p")
        self.note(plays=playback)
        self.caller.play(playback, media, language)
        return playback

    def hush(self) -> None:
        """Stops what an earlier controller has begun to play, if it still does."""
        if plays := self.now.detail.get("plays"):
            self.caller.stop_playing(str(plays))

    def bridge(self) -> Bridge:
        """The one bridge in which this contact's conversations take place; made when first needed."""
        if self._bridge is None:
            self._bridge = self.node.pbx.bridge(f"{self.id}.b", digits=self.reads_keys)
            self.save(detail={**self.now.detail, "bridge": True})
        return self._bridge

    @property
    def reads_keys(self) -> bool:
        """What agents press in a conversation is for us, not for the others in it."""
        return bool(codes_of(self.node.site.features.keys))

    def leave_bridge(self) -> None:
        """The caller's conversation is over and the call goes on."""
        if self._bridge is not None or "bridge" in self.now.detail:
            self.bridge().remove(self.caller)

    def drop_bridge(self) -> None:
        """At the contact's end, also the bridge that an earlier controller made."""
        if self._bridge is not None or "bridge" in self.now.detail:
            try:
                (self._bridge or self.node.pbx.bridge(f"{self.id}.b")).destroy()
            except PbxError as error:
                log.info("bridge not destroyed", contact_id=self.id, error=str(error))

    def channel(self, leg: str) -> Channel:
        """One of its legs, whose events come to the inbox. Raises Gone."""
        return self.node.pbx.adopt(leg, self.post)

    def new_id(self, kind: str) -> str:
        """An id for a leg (`a`, `t`) or playback (`p`), unique also after a restart."""
        return f"{self.id}.{kind}{self.seq}-{next(self._serial)}"

    @property
    def caller_id(self) -> str:
        """The caller's channel."""
        return self.now.channels["caller"]

    @property
    def party(self) -> Party:
        return Party(self.now.caller, self.now.caller_name)


def printable(text: str, limit: int = 80) -> str:
    """What a caller sent as name or number, without control and formatting characters, cut to `limit` characters."""
    return "".join(c for c in text if unicodedata.category(c)[0] != "C")[:limit].strip()
