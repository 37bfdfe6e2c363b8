"""Says to a waiting contact what its queue has said (`domain.treatment` tells when), without ever keeping it from an
agent: what must be synthesised first is made in a greenlet of its own, while the contact's own takes offers.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from contactcentre.controller.contact import Contact, Message, Prepared
from contactcentre.domain.estimate import whole_minutes
from contactcentre.domain.events import Kind
from contactcentre.domain.flows.actions import Piece, Sort, Speech
from contactcentre.domain.site import Queue
from contactcentre.domain.treatment import Comfort, Position, Treatment
from contactcentre.live import Waiting
from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import PlaybackEnded
from contactcentre.prompts.speech import SpeechError

log = structlog.get_logger(__name__)


class Announcer:
    """The announcements of one contact in one queue."""

    def __init__(self, contact: Contact, queue: Queue, waiting: Waiting, resumed: bool) -> None:
        """`resumed`: the contact waited in this queue before, and goes on from there."""
        self._contact, self._queue, self._name = contact, queue, waiting.queue
        heard = contact.now.detail.get("heard") if resumed else None
        self._treatment = Treatment(queue, waiting.entered, contact.node.now() if resumed else None, heard)
        self._playback = ""  # the one under way, from its preparation on

    @property
    def moment(self) -> float | None:
        """When something is to be said next (epoch seconds); None = never."""
        return self._treatment.moment

    def configure(self, queue: Queue) -> None:
        if queue != self._queue:
            self._queue = queue
            self._treatment.configure(queue, self._contact.node.now())

    def look(self, waiting: Waiting) -> None:
        """Begins what is due now."""
        match self._treatment.due(self._contact.node.now()):
            case Position():
                self._position(waiting)
            case Comfort(prompt):
                self._prepare((Piece(Sort.PROMPT, prompt),), {})

    def take(self, message: Message | None, speak: bool) -> None:
        """What was prepared is played if `speak` (no phone rings); the end of what was played is noted. What was
        prepared for an earlier queue is left unsaid."""
        match message:
            case Prepared(playback=self._playback) as prepared if speak:
                self._play(prepared)
            case Prepared(playback=self._playback) | PlaybackEnded(playback_id=self._playback):
                self._over()

    def _position(self, waiting: Waiting) -> None:
        replica = self._contact.node.replica
        position = self._treatment.kind(replica.index.position(waiting))
        estimate = replica.estimates.of(waiting) if self._queue.announce_wait else None
        speech = spoken_position(self._queue.announce_prompt, position)
        if estimate is not None:
            speech += spoken_wait(estimate)
        told = {"position": position, "estimate": "" if estimate is None else round(estimate, 1)}
        self._prepare(speech, told)

    def _prepare(self, speech: Speech, told: Mapping[str, Any]) -> None:
        contact = self._contact
        self._playback = contact.new_id("p")
        contact.node.greenlets.spawn(f"announce {contact.id}", self._make, self._playback, speech, told)

    def _make(self, playback: str, speech: Speech, told: Mapping[str, Any]) -> None:
        contact = self._contact
        try:
            media = contact.node.configuration.prompts.media(speech, contact.language)
        except SpeechError as error:
            self._unsaid(error)
            media = []
        contact.post(Prepared(playback, tuple(media), told))

    def _play(self, prepared: Prepared) -> None:
        contact = self._contact
        try:
            if prepared.media:
                contact.say(prepared.media, contact.language, prepared.playback)
            else:
                self._over()
        except Refused as error:
            self._unsaid(error)
            self._over()
        else:
            if prepared.media and prepared.told:
                self._has_heard(prepared.told)

    def _has_heard(self, told: Mapping[str, Any]) -> None:
        contact = self._contact
        contact.emit(Kind.ANNOUNCED, queue=self._name, **told)
        self._treatment.heard(told["position"])
        contact.save(detail={**contact.now.detail, "heard": told["position"]})

    def _over(self) -> None:
        self._treatment.over(self._contact.node.now())

    def _unsaid(self, error: Exception) -> None:
        log.warning("nothing announced", contact_id=self._contact.id, queue=self._name, error=str(error))


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
