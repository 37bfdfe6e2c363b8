"""A contact's stay in a queue: music, announcements, offers, and the one way out it takes."""

import structlog

from contactcentre.controller.contact import SUSPENDING, CallerGone, Contact, Granted, SiteChanged
from contactcentre.controller.offers import Offer
from contactcentre.controller.speech import SpeechError
from contactcentre.controller.talk import begin, converse
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind, LeftQueue, Outcome
from contactcentre.domain.flows.actions import Enqueue, Left, Piece, Sort, Speech
from contactcentre.domain.site import Queue
from contactcentre.live import Waiting
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import Digit

log = structlog.get_logger(__name__)


class QueueStay:
    """From entering a queue to leaving it, answered or not."""

    def __init__(self, contact: Contact, action: Enqueue, entered: float | None = None) -> None:
        """`entered` (epoch seconds): when the contact entered this queue, if an earlier controller let it in."""
        node = contact.node
        self.contact = contact
        self.action = action
        self.name = action.queue
        self.resumed = entered is not None
        self._answered_before = contact.outcome is Outcome.ANSWERED
        self.entered = node.now() if entered is None else entered
        self._inside = self.resumed  # in the waiting order
        self._configure()
        self.waiting = Waiting(
            contact_id=contact.id,
            queue=action.queue,
            node=node.name,
            requires=requirement(action),
            priority=self.queue.priority + action.priority,
            arrived=contact.now.arrived,
            entered=self.entered,
            caller=contact.now.caller,
        )

    def _configure(self) -> None:
        """Takes over the queue's settings, also when they have changed while the contact waits."""
        now = self.contact.node.now()
        self.queue: Queue = self.contact.node.queue(self.name)
        max_wait = self.queue.max_wait if self.action.max_wait is None else self.action.max_wait
        self._until = self.entered + max_wait if max_wait else None
        self._announce_at = now + self.queue.announce_position if self.queue.announce_position else None

    def run(self) -> Left:
        """Raises CallerGone, Suspended."""
        contact, router = self.contact, self.contact.node.router
        if not self.resumed:
            self._entered_event()
            if self._closed() or (self.action.leave_when_empty and not router.anyone_for(self.waiting)):
                return self._left(LeftQueue.EMPTY)
            if 0 < self.queue.max_length <= router.length(self.name):
                return self._left(LeftQueue.FULL)
        contact.outcome = Outcome.ABANDONED  # what it is if the caller hangs up now
        try:
            self._enter()
            return self._wait()
        except SUSPENDING:
            raise
        except Exception as error:
            self._leave()
            if contact.outcome is not Outcome.ANSWERED:
                self._left(_reason(error))
            raise

    def _closed(self) -> bool:
        """The queue was removed from the site: nobody will ever be found for it."""
        return self.name not in self.contact.node.site.queues

    def _enter(self) -> None:
        contact = self.contact
        if not contact.caller_there:
            return
        contact.save(state="queue", queue=self.name, agent="", detail={**contact.now.detail, "entered": self.entered})
        # First the queue, then the music: with an agent free, both are under way at the same time.
        contact.node.router.enter(contact, self.waiting)
        self._inside = True
        contact.caller.wait_with_music(self.queue.music)

    def _entered_event(self) -> None:
        waiting = self.waiting
        self.contact.emit(Kind.QUEUED, queue=self.name, requirement=waiting.requires, priority=waiting.priority)

    def _wait(self) -> Left:
        contact = self.contact
        while True:
            match contact.next(self._next_moment()):
                case Digit(channel_id=contact.caller_id, digit=key) if key in self.action.keys:
                    self._leave()
                    contact.typed.clear()
                    return self._left(LeftQueue.KEY, key)
                case Granted() as granted:
                    if self._serve(granted):
                        return Left(LeftQueue.ANSWERED)
                case SiteChanged():
                    self._configure()
                    if self._closed():
                        self._leave()
                        return self._left(LeftQueue.EMPTY)
                case None:
                    now = contact.node.now()
                    if self._until is not None and self._until <= now:
                        self._leave()
                        return self._left(LeftQueue.TIMEOUT)
                    if self._announce_at is not None and self._announce_at <= now:
                        self._announce()

    def _next_moment(self) -> float | None:
        moments = [moment for moment in (self._until, self._announce_at) if moment is not None]
        return min(moments, default=None)

    def _serve(self, granted: Granted) -> bool:
        """Rings the reserved agent. True: the conversation took place and the agent has left."""
        contact = self.contact
        offered = granted.agent
        if contact.node.now() > (offered.since + offered.deadline) / 2:  # we were busy; it is no fault of the agent's
            contact.node.agents.change(offered.name, Verb.RELEASE, token=offered.token)
            self._enter_again()
            return False
        offer = Offer(contact, granted)
        talk = offer.ring()
        if talk is None:
            self._enter_again()
            if offer.moved:
                contact.caller.wait_with_music(self.queue.music)
            return False
        self._left(LeftQueue.ANSWERED)
        begin(contact, talk)
        self._leave()
        converse(contact, talk)
        return True

    def _enter_again(self) -> None:
        """Back in its place, after an offer that came to nothing."""
        contact = self.contact
        contact.save(state="queue", agent="", channels={"caller": contact.caller_id})
        contact.node.router.enter(contact, self.waiting)

    def _announce(self) -> None:
        contact, node = self.contact, self.contact.node
        position = node.router.position(self.waiting)
        speech = spoken_position(self.queue.announce_prompt, position)
        try:
            media = node.configuration.prompts.media(speech, contact.language)
            contact.caller.play(contact.new_id("p"), media, contact.language)
        except (SpeechError, Refused) as error:
            log.warning("position not announced", contact=contact.id, error=str(error))
        contact.emit(Kind.ANNOUNCED, queue=self.name, position=position)
        self._announce_at = node.now() + self.queue.announce_position

    def _leave(self) -> None:
        """Out of the waiting order. An agent whom the router reserved in this very moment is given back."""
        contact, router = self.contact, self.contact.node.router
        if not self._inside:
            return
        self._inside = False
        router.leave(contact)
        for granted in contact.take_out(Granted):
            assert isinstance(granted, Granted)
            contact.node.agents.change(granted.agent.name, Verb.RELEASE, token=granted.agent.token)

    def _left(self, reason: LeftQueue, key: str = "") -> Left:
        contact = self.contact
        contact.emit(
            Kind.UNQUEUED,
            queue=self.name,
            reason=reason.value,
            waited=round(contact.node.now() - self.entered, 3),
        )
        if reason in _TO_THE_FLOW:
            contact.outcome = Outcome.ANSWERED if self._answered_before else Outcome.SELF_SERVED
        if reason is not LeftQueue.ANSWERED:
            left = {"left": {"reason": reason.value, "key": key}, "outcome": contact.outcome.value}
            contact.save(state="ivr", detail={**contact.now.detail, **left})
        return Left(reason.value, key)


_TO_THE_FLOW = (LeftQueue.TIMEOUT, LeftQueue.KEY, LeftQueue.FULL, LeftQueue.EMPTY)


def _reason(error: Exception) -> LeftQueue:
    match error:
        case CallerGone(by="caller") | Gone():
            return LeftQueue.ABANDONED
        case CallerGone():
            return LeftQueue.TRANSFERRED
        case _:
            return LeftQueue.LOST


def spoken_position(prompt: str, position: int) -> Speech:
    """What a waiting caller hears of the place in the queue."""
    if prompt:
        return (Piece(Sort.PROMPT, prompt), Piece(Sort.NUMBER, str(position)))
    if position == 1:
        return (Piece(Sort.SOUND, "queue-youarenext"),)
    return (
        Piece(Sort.SOUND, "queue-thereare"),  # "you are currently caller number"
        Piece(Sort.NUMBER, str(position)),
        Piece(Sort.SOUND, "queue-callswaiting"),
    )


def requirement(action: Enqueue) -> str:
    """The contact's own requirement: what the flow asks for, and the least levels it has set."""
    parts = [f"({action.requires})"] if action.requires else []
    parts += [f"{skill} >= {level}" for skill, level in action.skills.items()]
    return " and ".join(parts)
