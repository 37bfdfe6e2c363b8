"""Says to a waiting contact what its queue has said (`domain.treatment` tells when), without ever keeping it from an
agent: what must be synthesised first is made in a greenlet of its own, while the contact's own takes offers.
"""

from collections.abc import Mapping

import structlog

from contactcentre.controller.contact import Contact, Message, Prepared
from contactcentre.controller.speech import SpeechError
from contactcentre.domain.estimate import whole_minutes
from contactcentre.domain.events import Kind
from contactcentre.domain.flows.actions import Piece, Sort, Speech
from contactcentre.domain.site import Queue
from contactcentre.domain.treatment import Comfort, Position, Treatment
from contactcentre.live import Waiting
from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import PlaybackEnded

log = structlog.get_logger(__name__)


class Announcer:
    """The announcements of one contact in one queue."""

    def __init__(self, contact: Contact, queue: Queue, entered: float) -> None:
        self._contact, self._queue = contact, queue
        self._treatment = Treatment(queue, entered, contact.node.now())
        self._playback = ""

    @property
    def moment(self) -> float | None:
        """When something is to be said next (epoch seconds); None = never."""
        return self._treatment.moment

    def configure(self, queue: Queue) -> None:
        self._queue = queue
        self._treatment.configure(queue)

    def look(self, waiting: Waiting) -> None:
        """Begins what is due now."""
        match self._treatment.due(self._contact.node.now()):
            case Position():
                self._position(waiting)
            case Comfort(prompt):
                self._prepare((Piece(Sort.PROMPT, prompt),), {})

    def take(self, message: Message | None, speak: bool) -> None:
        """What was prepared is played if `speak` (no phone rings); the end of what was played is noted."""
        match message:
            case Prepared() as prepared if speak:
                self._play(prepared)
            case Prepared():
                self._treatment.over(self._contact.node.now())
            case PlaybackEnded(playback_id=playback) if playback == self._playback:
                self._treatment.over(self._contact.node.now())

    def _position(self, waiting: Waiting) -> None:
        node = self._contact.node
        position = self._treatment.told(node.replica.index.position(waiting))
        estimate = node.replica.estimates.of(waiting) if self._queue.announce_wait else None
        speech = spoken_position(self._queue.announce_prompt, position)
        if estimate is not None:
            speech += spoken_wait(estimate)
            node.replica.estimates.told(waiting, estimate)
        told = {"position": position, "estimate": "" if estimate is None else round(estimate, 1)}
        self._prepare(speech, told)

    def _prepare(self, speech: Speech, told: Mapping[str, object]) -> None:
        self._contact.node.greenlets.spawn(f"announce {self._contact.id}", self._make, speech, told)

    def _make(self, speech: Speech, told: Mapping[str, object]) -> None:
        contact = self._contact
        try:
            media = contact.node.configuration.prompts.media(speech, contact.language)
        except SpeechError as error:
            log.warning("nothing announced", contact=contact.id, queue=self._queue_name, error=str(error))
            media = []
        contact.post(Prepared(tuple(media), told))

    @property
    def _queue_name(self) -> str:
        return self._contact.now.queue

    def _play(self, prepared: Prepared) -> None:
        contact = self._contact
        self._playback = contact.new_id("p")
        try:
            if prepared.media:
                contact.caller.play(self._playback, prepared.media, contact.language)
            else:
                self._treatment.over(contact.node.now())
        except Refused as error:
            log.warning("nothing announced", contact=contact.id, queue=self._queue_name, error=str(error))
            self._treatment.over(contact.node.now())
        else:
            if prepared.told and prepared.media:
                contact.emit(Kind.ANNOUNCED, queue=self._queue_name, **prepared.told)


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


def spoken_wait(seconds: float) -> Speech:
    """What a waiting caller hears of the estimated wait: whole minutes, rounded up."""
    minutes = whole_minutes(seconds)
    return (
        Piece(Sort.SOUND, "queue-holdtime"),  # "the estimated hold time is currently"
        Piece(Sort.NUMBER, str(minutes)),
        Piece(Sort.SOUND, "queue-minute" if minutes == 1 else "queue-minutes"),
    )
