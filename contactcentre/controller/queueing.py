"""A contact's stay in a queue: music, announcements, offers, and the one way out it takes."""

from collections.abc import Mapping
from types import MappingProxyType

from contactcentre.controller.contact import SUSPENDING, Asked, CallerGone, Contact, Granted, SiteChanged, TurnedOut
from contactcentre.controller.conversing import begin, converse
from contactcentre.controller.offers import Offer, Offers
from contactcentre.controller.treatment import Announcer
from contactcentre.domain.agents import AgentStatus, Verb
from contactcentre.domain.conversation import Refusal
from contactcentre.domain.events import TO_THE_FLOW, Kind, LeftQueue, OfferResult, Outcome
from contactcentre.domain.flows.actions import Enqueue, Left, Sent
from contactcentre.domain.replacing import replace
from contactcentre.domain.site import Queue
from contactcentre.live import Waiting
from contactcentre.pbx.errors import Gone
from contactcentre.pbx.events import Digit

MUSIC_AFTER = 0.5
"""Seconds in a queue after which the music begins: who is answered at once hears no snatch of it, and is not moved into
the waiting room and out again."""
LATE, MUSIC_AT_LAST = 0.25, 3.0
"""Seconds by which calls are late from when on the music begins later, and when it does at last. Of a PBX at its limit
that way into the waiting room and out again would take what it needs to answer callers, and then all would go it."""


_NOBODY: Mapping[str, AgentStatus] = MappingProxyType({})


class QueueStay:
    """From entering a queue to leaving it, answered or not."""

    def __init__(
        self,
        contact: Contact,
        action: Enqueue,
        entered: float | None = None,
        ringing: Mapping[str, AgentStatus] = _NOBODY,
    ) -> None:
        """`entered` (epoch seconds): when the contact entered this queue, if an earlier controller let it in;
        `ringing`: agents whose phones ring for it since then, by leg."""
        node = contact.node
        self.contact = contact
        self.action = action
        self.name = action.queue
        self.resumed = entered is not None
        self._ringing = ringing
        self._answered_before = contact.outcome is Outcome.ANSWERED
        self.entered = node.now() if entered is None else entered
        self._inside = self.resumed  # in the waiting order
        self._configure()
        known = node.replica.waiting.get(contact.id) if self.resumed else None
        preferred, prefer_for = (known.preferred, known.prefer_for) if known else preference(contact, action)
        self.waiting = Waiting(
            contact_id=contact.id,
            queue=action.queue,
            node=node.name,
            requires=requirement(action),
            priority=known.priority if known else self.queue.priority + action.priority,
            arrived=contact.now.arrived,
            entered=self.entered,
            excluded=action.excluded,
            caller=contact.now.caller,
            tried=known.tried if known else (),
            preferred=preferred,
            prefer_for=prefer_for,
            group=action.group,
        )
        self._offers = Offers(contact)
        self._announcer = Announcer(contact, self.queue, self.waiting, self.resumed)
        self._offered = False  # the waiting record says that somebody rings
        self._way_out: Left | None = None  # to be taken as soon as nobody rings
        self._rule = ""  # of that way out, in words
        self._sent: Sent | None = None  # where that way leads, if a supervisor says so
        self._music_at: float | None = None  # None: it plays

    def _configure(self) -> None:
        """Takes over the queue's settings, also when they have changed while the contact waits."""
        self.queue: Queue = self.contact.node.queue(self.name)
        max_wait = self.queue.max_wait if self.action.max_wait is None else self.action.max_wait
        self._until = self.entered + max_wait if max_wait else None

    def run(self) -> Left | Sent:
        """Raises CallerGone, Suspended."""
        contact, router = self.contact, self.contact.node.router
        if not self.resumed:
            self._entered_event()
            if (refused := router.refusal(self.waiting, self.action.leave_when_empty)) is not None:
                return self._left(Left(refused.reason.value), refused.rule)
        contact.outcome = Outcome.ABANDONED  # what it is if the caller hangs up now
        try:
            self._offers.take_over(self._ringing)
            self._enter()
            return self._wait()
        except SUSPENDING:
            raise
        except Exception as error:
            self._offers.failed(error)
            self._leave()
            if contact.outcome is not Outcome.ANSWERED:
                self._left(Left(_reason(error).value))
            raise

    def _enter(self) -> None:
        contact = self.contact
        if not contact.caller_there:
            return
        heard = contact.now.detail.get("heard") if self.resumed else None
        detail = {**contact.now.detail, "entered": self.entered, "heard": heard}
        if ringing := self._offers.agents:
            self._offered = True
            contact.save(state="ringing", queue=self.name, agent=ringing[0], detail=detail)
            contact.node.router.enter(contact, replace(self.waiting, offered=ringing[0]))
        else:
            contact.save(state="queue", queue=self.name, agent="", detail=detail)
            contact.node.router.enter(contact, self.waiting)
        self._inside = contact.waits = True
        self._music_at = contact.node.now() + (0 if self.resumed else MUSIC_AFTER)

    def _entered_event(self) -> None:
        waiting = self.waiting
        self.contact.emit(Kind.QUEUED, queue=self.name, requirement=waiting.requires, priority=waiting.priority)

    def _wait(self) -> Left | Sent:
        contact = self.contact
        while True:
            message = contact.next(self._next_moment())
            if self._music_at is not None and self._music_at <= contact.node.now():
                self._begin_music()
            match message:
                case Digit(channel_id=contact.caller_id, digit=key) if (
                    key in self.action.keys or key in self.queue.keys
                ):
                    contact.typed.clear()
                    self._leave_by(LeftQueue.KEY, key=key)
                case TurnedOut(refusal=refused) if not self._offers:
                    self._leave_by(refused.reason, refused.rule)
                case SiteChanged():
                    self._configure()
                    self._announcer.configure(self.queue)
                case Granted() as granted:
                    self._offered = True
                    self._offers.add(granted)
                case Asked() as asked if not asked.refused:
                    self._answer(asked)
            answered = self._offers.take(message)
            if answered is not None and (talked := self._serve(answered)) is not None:
                return talked
            self._take_note()
            self._announcer.take(message, speak=not self._offers)
            if not self._offers and (left := self._done()) is not None:
                return self._sent or left

    def _next_moment(self) -> float | None:
        """While a phone rings nothing makes the contact leave, and nothing is announced."""
        others = (self._offers.until,) if self._offers else (self._until, self._announcer.moment)
        return min((moment for moment in (self._music_at, *others) if moment is not None), default=None)

    def _begin_music(self) -> None:
        """It is time to, unless the PBX has more to do than it can. Who is taken up may have heard it already."""
        node = self.contact.node
        now = node.now()
        if not self.resumed and node.late() > LATE and now < self.entered + MUSIC_AT_LAST:
            self._music_at = now + MUSIC_AFTER
        else:
            self._play_music()

    def _play_music(self) -> None:
        self._music_at = None
        self.contact.caller.wait_with_music(self.queue.music)

    def _take_note(self) -> None:
        """Of agents who did not answer: they come last from now on. With nobody left who rings, the contact is back in
        its place."""
        contact, router, ringing = self.contact, self.contact.node.router, self._offers.agents
        if not self._offers.unanswered and (ringing or not self._offered):
            return
        names, self._offers.unanswered = self._offers.unanswered, []
        others = tuple(name for name in self.waiting.tried if name not in names)
        self.waiting = replace(self.waiting, tried=others + tuple(names))
        if ringing:
            router.put(replace(self.waiting, offered=ringing[0]))
            return
        self._offered = False
        contact.save(state="queue", agent="", channels={"caller": contact.caller_id})
        router.enter(contact, self.waiting)
        if self._offers.moved:
            self._offers.moved = False
            self._play_music()

    def _answer(self, asked: Asked) -> None:
        """What supervisors ask for while it waits; refused with a stable code, nothing has changed then."""
        try:
            if asked.verb == "move":
                self._move(str(asked.args.get("to", "")))
            elif asked.verb == "front":
                self._reorder(self._first_priority(), asked.by)
            else:
                self._reorder(int(asked.args.get("priority", 0)), asked.by)
        except Refusal as refusal:
            asked.refuse(refusal.code, str(refusal))
        else:
            state = "sent" if self._sent is not None else "waiting"
            told = {"contact": self.contact.id, "state": state, "slot": "", "recording": "", "parties": []}
            asked.answer.set({**told, "queue": self.name, "priority": self.waiting.priority})

    def _move(self, to: str) -> None:
        """Raises Refusal."""
        kind, _, queue = to.partition(":")
        if kind != "queue" or queue not in self.contact.node.site.queues:
            raise Refusal("no_such_queue", f"{to[:60]!r} is no queue of the site: queue:NAME")
        if queue == self.name:
            raise Refusal("same_queue", f"this caller waits in {queue} already")
        if self._offers:
            raise Refusal("ringing", f"{', '.join(self._offers.agents)}'s phone rings for this caller")
        self._sent = Sent(to, self.name)
        self._leave_by(LeftQueue.TRANSFERRED, f"a supervisor moved it to {queue}")
        self.contact.emit(Kind.TRANSFERRED, to=to, by="", how="moved")

    def _first_priority(self) -> int:
        """With which it is the next to be served here. Raises Refusal."""
        replica = self.contact.node.replica
        claims = replica.index.config.claims(self.name)
        here = [one for one in replica.waiting.values() if one.queue == self.name and not one.offered]
        others = [one for one in here if one.contact_id != self.waiting.contact_id]
        first = claims.to_the_front(self.waiting, others)
        if first == self.waiting.priority:
            raise Refusal("first_already", "this caller is the next one of the queue already")
        return first

    def _reorder(self, priority: int, by: str) -> None:
        self.waiting = replace(self.waiting, priority=priority)
        self.contact.emit(Kind.REORDERED, queue=self.name, priority=priority, by=by)
        ringing = self._offers.agents
        self.contact.node.router.put(replace(self.waiting, offered=ringing[0]) if ringing else self.waiting)

    def _leave_by(self, reason: LeftQueue, rule: str = "", key: str = "") -> None:
        if self._way_out is None:
            self._way_out, self._rule = Left(reason.value, key), rule

    def _done(self) -> Left | None:
        """Whether the contact leaves now; None = it waits on."""
        now = self.contact.node.now()
        if self.name not in self.contact.node.site.queues:  # nobody will ever be found for it
            self._leave_by(LeftQueue.EMPTY, "the queue is not in the site")
        if self._until is not None and self._until <= now:
            self._leave_by(LeftQueue.TIMEOUT)
        if self._way_out is not None:
            self._leave()
            return self._left(self._way_out, self._rule)
        self._announcer.look(self.waiting)
        return None

    def _serve(self, offer: Offer) -> Left | Sent | None:
        """The agent has answered. None: it came to nothing, else the conversation took place and is over."""
        contact = self.contact
        if self.queue.announce_to_agent:
            self._offers.withdraw(OfferResult.ANSWERED_ELSEWHERE, but=offer)
            if self._music_at is not None:
                self._play_music()
            if not self._offers.brief(offer, self.queue.announce_to_agent):
                return None
        joined = self._offers.join(offer)
        if joined is None:
            return None
        answered = self._left(Left(LeftQueue.ANSWERED.value))
        talk = begin(contact, joined)
        self._offers.withdraw(OfferResult.ANSWERED_ELSEWHERE)
        self._leave()
        return converse(talk) or answered

    def _leave(self) -> None:
        """Out of the waiting order. An agent whom the router reserved in this very moment is given back."""
        contact, router = self.contact, self.contact.node.router
        if not self._inside:
            return
        self._inside = contact.waits = False
        contact.refuse_asked("not_waiting", "this caller waits in no queue")
        router.leave(contact)
        for granted in contact.take_out(Granted):
            assert isinstance(granted, Granted)
            contact.node.agents.change(granted.agent.name, Verb.RELEASE, token=granted.agent.token)

    def _left(self, left: Left, rule: str = "") -> Left:
        contact = self.contact
        waited = round(contact.node.now() - self.entered, 3)
        contact.emit(Kind.UNQUEUED, queue=self.name, reason=left.reason, key=left.key, waited=waited, rule=rule)
        if left.reason in TO_THE_FLOW:
            contact.outcome = Outcome.ANSWERED if self._answered_before else Outcome.SELF_SERVED
        if left.reason != LeftQueue.ANSWERED:
            sent = self._sent and {"to": self._sent.to, "back": self._sent.back}
            way = {"left": None, "sent": sent} if sent else {"left": {"reason": left.reason, "key": left.key}}
            noted = {**way, "outcome": contact.outcome.value}
            contact.save(state="ivr", detail={**contact.now.detail, **noted})
        return left


def _reason(error: Exception) -> LeftQueue:
    match error:
        case CallerGone(by="caller") | Gone():
            return LeftQueue.ABANDONED
        case CallerGone():
            return LeftQueue.TRANSFERRED
        case _:
            return LeftQueue.LOST


def preference(contact: Contact, action: Enqueue) -> tuple[tuple[str, ...], float | None]:
    """The agents who have the contact for themselves at first, and for how many seconds (None: as the queue says)."""
    node, caller = contact.node, contact.now.caller
    last = node.last_agent(caller) if action.last_agent and caller else ""
    wanted, seconds = node.wanted_agent(caller) if node.site.settings.customer_lookup and caller else ("", None)
    names = dict.fromkeys(name for name in (*action.preferred, last, wanted) if name)
    return tuple(names), seconds


def requirement(action: Enqueue) -> str:
    """The contact's own requirement: what the flow asks for, and the least levels it has set."""
    parts = [f"({action.requires})"] if action.requires else []
    parts += [f"{skill} >= {level}" for skill, level in action.skills.items()]
    return " and ".join(parts)
