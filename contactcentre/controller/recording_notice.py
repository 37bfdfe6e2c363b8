"""That they are recorded, told to those who talk: said once before it begins, and beeped every so often, as their queue
or the site says."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from contactcentre.controller.contact import Contact
from contactcentre.domain.conversation import Place, Refusal
from contactcentre.domain.events import Kind
from contactcentre.domain.flows.actions import Piece, Sort
from contactcentre.domain.ids import uuid7
from contactcentre.domain.recorded import CUSTOMER, QUEUE
from contactcentre.domain.sampling import chosen
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import PlaybackEnded
from contactcentre.pbx.protocol import Medium
from contactcentre.prompts.speech import SpeechError

if TYPE_CHECKING:
    from contactcentre.controller.talk import Talk

log = structlog.get_logger(__name__)

BEEP = "tone:beep"

SAYING = 30.0
"""Seconds that saying it may take."""


def recorded_by(contact: Contact, queue: str) -> str:
    """Who wants its conversation for this queue recorded from the beginning: QUEUE, or "" for nobody. For the queue ""
    (an agent's own call) nobody does."""
    settings = contact.node.queue(queue)
    if not queue or not settings.record or contact.recorded.recording:
        return ""
    return QUEUE if chosen(contact.id, settings.record_share) else ""


def announcement(contact: Contact, queue: str) -> str:
    """The prompt; "" = nothing is said. The queue's own wins over the site's."""
    own = contact.node.queue(queue).record_announce
    return contact.node.site.settings.record_announce if own is None else own


def owed(contact: Contact, queue: str) -> str:
    """The prompt that the customer has to hear before anything is recorded; "" = none, or has heard it."""
    return "" if CUSTOMER in contact.recorded.told else announcement(contact, queue)


def spoken(contact: Contact, prompt: str) -> tuple[list[Medium], str]:
    """In the customer's language, or where there is none in the site's. Raises SpeechError."""
    prompts, site = contact.node.configuration.prompts, contact.node.site.settings.language
    language = contact.language if prompts.knows(prompt, contact.language) else site
    return prompts.media((Piece(Sort.PROMPT, prompt),), language), language


def say(contact: Contact, prompt: str) -> str:
    """Begins to say it to the customer; the playback's id, "" = it could not be said. Raises Gone."""
    try:
        media, language = spoken(contact, prompt)
        return contact.say(media, language)
    except (SpeechError, Refused) as error:
        log.warning("recording not announced", contact_id=contact.id, prompt=prompt, error=str(error))
        return ""


def heard(contact: Contact, prompt: str, who: str = CUSTOMER) -> None:
    """Nobody has to hear it twice."""
    contact.emit(Kind.RECORDING_ANNOUNCED, prompt=prompt, to=who)
    contact.save()


def not_said(contact: Contact) -> None:
    """So nothing is recorded, which is a fact."""
    recording = uuid7(contact.node.now())
    contact.emit(Kind.RECORDING_FAILED, recording=recording, error="the announcement could not be said")


@dataclass(frozen=True, slots=True)
class _Saying:
    prompt: str
    playback: str
    by: str  # who wants the recording
    until: float


class Notice:
    """Of one conversation."""

    def __init__(self, talk: "Talk") -> None:
        self._talk = talk
        self._contact = talk.contact
        self.wanted = ""
        """By whom the recording is wanted that has not begun yet; kept with the contact, for whoever takes it up."""
        self._beeped = 0.0  # the first beep comes at once
        self._saying: _Saying | None = None
        self._deaf: set[str] = set()  # legs to which it could not be said

    @property
    def state(self) -> str:
        """beginning (the customer is being told) | running | paused | "" """
        return "beginning" if self._saying is not None else self._contact.recorded.state

    def do(self, action: str, by: str) -> None:
        """start, stop, pause or resume. Raises Refusal, Gone, Refused."""
        if action == "start":
            self._contact.recorder.may_start()
            if self._saying is not None:
                raise Refusal("recorded_already", "the customer is being told that a recording begins")
            self.begin(by)
        elif action == "stop" and self._saying is not None:
            playback, self._saying = self._saying.playback, None
            self._want("")
            self._contact.caller.stop_playing(playback)
        else:
            self._contact.recorder.do(action, by)

    def begin(self, by: str) -> None:
        """To record, as soon as the customer knows. Raises LinkDown, Deadline; then it is still `wanted`."""
        contact, queue = self._contact, self._talk.now.queue
        self._want(by)
        prompt = owed(contact, queue)
        if not prompt:
            contact.recorder.begin(by, self._talk.last, queue)
            self._want("")
            return
        try:
            playback = say(contact, prompt)
        except Gone:  # its end is on its way
            return
        if not playback:
            self._want("")
            not_said(contact)
            return
        self._saying = _Saying(prompt, playback, by, contact.node.now() + SAYING)

    def take_up(self) -> None:
        """What is wanted begins; after a suspension what was being said is said again."""
        if self.wanted:
            self.begin(self.wanted)

    def _want(self, by: str) -> None:
        if by != self.wanted:
            self.wanted = by
            self._contact.save(detail={**self._contact.now.detail, "to_record": by})

    def take(self, message: object) -> None:
        if isinstance(message, PlaybackEnded) and self._saying and message.playback_id == self._saying.playback:
            self._said(message.ok)

    def _said(self, ok: bool) -> None:
        contact, said = self._contact, self._saying
        assert said is not None
        self._saying = None
        if not ok:
            self._want("")
            return not_said(contact)
        heard(contact, said.prompt)
        self.begin(said.by)
        return None

    # -- now and then -------------------------------------------------------------------------------------------------

    @property
    def moment(self) -> float | None:
        """When to `look` (epoch seconds)."""
        if self._saying is not None:
            return self._saying.until
        if self._contact.recorded.state != "running":
            return None
        return 0.0 if self._untold() else self._next_beep

    @property
    def _next_beep(self) -> float | None:
        every = self._contact.node.queue(self._talk.now.queue).record_beep
        return self._beeped + every if every else None

    def look(self, at: float) -> None:
        """Says and plays what is due."""
        due = self.moment
        if due is None or due > at:
            return
        if self._saying is not None:
            self._said(ok=False)
            return
        self._tell()
        if (beep := self._next_beep) is not None and beep <= at:
            self._beeped = at
            for leg in (self._contact.caller_id, *self._others()):
                self._talk.play(leg, BEEP)

    def _others(self) -> dict[str, str]:
        """The legs of those who are heard in the recording, and who they are."""
        parties = self._talk.now.parties
        return {leg: p.agent or p.to or leg for leg, p in parties.items() if p.place is Place.TOGETHER}

    def _untold(self) -> dict[str, str]:
        """Of them, those who are still to be told that they are recorded."""
        contact, queue = self._contact, self._talk.now.queue
        everybody = contact.node.queue(queue).record_announce_all
        if not (contact.node.site.settings.record_announce_all if everybody is None else everybody):
            return {}
        if not announcement(contact, queue):
            return {}
        told, deaf = contact.recorded.told, self._deaf
        return {leg: who for leg, who in self._others().items() if who not in told and leg not in deaf}

    def _tell(self) -> None:
        contact, prompt = self._contact, announcement(self._contact, self._talk.now.queue)
        for leg, who in self._untold().items():
            try:
                media, language = spoken(contact, prompt)
                contact.channel(leg).play(contact.new_id("p"), media, language)
            except (SpeechError, Refused, Gone) as error:
                log.warning("not told of the recording", contact_id=contact.id, who=who, error=str(error))
                self._deaf.add(leg)
            else:
                heard(contact, prompt, who)
