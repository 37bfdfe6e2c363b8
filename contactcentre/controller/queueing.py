"""A contact's stay in a queue: music, announcements, offers, and the one way out it takes."""

import structlog

from contactcentre.controller.contact import CallerGone, Contact, Granted
from contactcentre.controller.offers import Offer
from contactcentre.controller.speech import SpeechError
from contactcentre.controller.talk import Talk
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind, LeftQueue, Outcome
from contactcentre.domain.flows.actions import Enqueue, Left, Piece, Sort, Speech
from contactcentre.domain.site import Queue
from contactcentre.live import Waiting
from contactcentre.pbx.errors import Gone
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
        self.queue: Queue = node.queue(action.queue)
        self.resumed = entered is not None
        self.entered = node.now() if entered is None else entered
        self._inside = False  # in the waiting order
        max_wait = self.queue.max_wait if action.max_wait is None else action.max_wait
        self._until = self.entered + max_wait if max_wait else None
        self._announce_at = node.now() + self.queue.announce_position if self.queue.announce_position else None
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

    def run(self) -> Left:
        """Raises CallerGone, Suspended."""
        contact, router = self.contact, self.contact.node.router
        if not self.resumed and 0 < self.queue.max_length <= router.length(self.name):
            self._entered_event()
            return self._left(LeftQueue.FULL)
        if self.action.leave_when_empty and not router.anyone_for(self.waiting):
            self._entered_event()
            return self._left(LeftQueue.EMPTY)
        try:
            self._enter()
            return self._wait()
        except (CallerGone, Gone):
            self._leave()
            if contact.outcome is not Outcome.ANSWERED:
                contact.outcome = Outcome.ABANDONED
                self._left(LeftQueue.ABANDONED)
            raise

    def _enter(self) -> None:
        contact = self.contact
        if not self.resumed:
            self._entered_event()
        contact.outcome = Outcome.ABANDONED  # what it is if the caller hangs up now
        contact.save(state="queue", queue=self.name, agent="", detail={"entered": self.entered})
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
                case Digit(channel_id=contact.caller.id, digit=key) if key in self.action.keys:
                    self._leave()
                    contact.typed.clear()
                    return self._left(LeftQueue.KEY, key)
                case Granted() as granted:
                    if self._serve(granted):
                        return Left(LeftQueue.ANSWERED)
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
        connected = Offer(contact, granted, contact.new_id("a")).ring()
        if connected is None:
            self._enter_again()
            return False
        talk = Talk(contact, connected, self.name)
        self._leave()
        if not talk.join():
            self._enter_again()
            return False
        self._left(LeftQueue.ANSWERED)
        talk.converse()
        return True

    def _enter_again(self) -> None:
        """Back in its place, after an offer that came to nothing."""
        contact = self.contact
        contact.save(state="queue", agent="", channels={"caller": contact.caller.id})
        contact.node.router.enter(contact, self.waiting)
        self._inside = True

    def _announce(self) -> None:
        contact, node = self.contact, self.contact.node
        position = node.router.position(self.waiting)
        speech = spoken_position(self.queue.announce_prompt, position)
        try:
            media = node.configuration.prompts.media(speech, contact.language)
        except SpeechError as error:
            log.warning("position not announced", contact=contact.id, error=str(error))
        else:
            contact.caller.play(contact.new_id("p"), media, contact.language)
        contact.emit(Kind.ANNOUNCED, queue=self.name, position=position)
        self._announce_at = node.now() + self.queue.announce_position

    def _leave(self) -> None:
        """Out of the waiting order. An agent whom the router reserved in this very moment is given back."""
        contact, router = self.contact, self.contact.node.router
        if not self._inside:
            return
        self._inside = False
        router.leave(contact)
        for message in contact.sweep():
            if isinstance(message, Granted):
                router.change(message.agent.name, Verb.RELEASE, token=message.agent.token)
            else:
                contact.post(message)

    def _left(self, reason: LeftQueue, key: str = "") -> Left:
        contact = self.contact
        contact.emit(
            Kind.UNQUEUED,
            queue=self.name,
            reason=reason.value,
            waited=round(contact.node.now() - self.entered, 3),
        )
        return Left(reason.value, key)


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
