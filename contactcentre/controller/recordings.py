"""The recording of a conversation: on the customer's line, so that it runs on whoever talks with them."""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from contactcentre.controller.contact import Contact
from contactcentre.controller.handset import BEEP
from contactcentre.domain.conversation import Place, Refusal
from contactcentre.domain.events import Kind
from contactcentre.domain.ids import uuid7
from contactcentre.pbx.errors import Gone, LinkDown, PbxError
from contactcentre.pbx.protocol import Tap

if TYPE_CHECKING:
    from contactcentre.controller.talk import Talk

log = structlog.get_logger(__name__)


class Recorder:
    """Of one conversation, whose facts say whether it is recorded and whether that is paused."""

    def __init__(self, talk: "Talk") -> None:
        self._talk = talk
        self._tap: Tap | None = None
        self._beeped = 0.0  # the first beep comes at once

    def begin(self) -> None:
        """Where that is possible."""
        talk, contact = self._talk, self._talk.contact
        recording = uuid7(contact.node.now())
        try:
            self._tap = contact.caller.tap(recording)
        except Gone:  # the conversation is over already, there is nothing to record
            return
        except PbxError as error:  # the call goes on; that it is not recorded is a fact
            contact.emit(Kind.RECORDING_FAILED, recording=recording, error=str(error))
            return
        talk.note((Kind.RECORDING_STARTED, {"recording": recording, "agent": talk.last, "queue": talk.now.queue}))
        talk.save()

    def take_over(self) -> None:
        """The one that an earlier controller began, or that ran on while the link was away."""
        recording = self._talk.now.recording
        if not recording:
            return
        try:
            self._tap = self._talk.contact.caller.tap(recording)
        except LinkDown:
            raise
        except PbxError as error:  # the call goes on; its files end with it, under the names a tap gives them
            log.warning("recording not taken over", recording=recording, error=str(error))

    def do(self, action: str, by: str) -> None:
        """start, stop, pause or resume. Raises Refusal, Gone, Refused."""
        talk, now = self._talk, self._talk.now
        if action == "start":
            if now.recording:
                raise Refusal("recorded_already", "the conversation is recorded already")
            if not talk.contact.node.queue(now.queue).record_on_demand:
                raise Refusal("not_allowed", f"queue {now.queue} allows no recording on demand")
            return self.begin()
        if action not in ("pause", "resume", "stop"):
            raise Refusal("unknown_verb", f"{action!r} is nothing that can be done with a recording")
        if not now.recording or self._tap is None:
            raise Refusal("not_recorded", "the conversation is not recorded")
        if action == "stop":
            self.finish()
        elif (action == "pause") is now.paused:
            raise Refusal(f"{action}d_already", f"the recording is {'' if now.paused else 'not '}paused")
        elif action == "pause":
            self._tap.pause()
            talk.note((Kind.RECORDING_PAUSED, {"recording": now.recording, "by": by, "reason": ""}))
        else:
            self._tap.resume()
            talk.note((Kind.RECORDING_RESUMED, {"recording": now.recording, "by": by}))
        return talk.save()

    @property
    def next_beep(self) -> float | None:
        """When the two are to hear again that they are recorded (epoch seconds)."""
        every = self._talk.contact.node.queue(self._talk.now.queue).record_beep
        recorded = bool(self._talk.now.recording) and not self._talk.now.paused
        return self._beeped + every if every and recorded else None

    def beep(self, at: float) -> None:
        """Plays what is due."""
        if (due := self.next_beep) is not None and due <= at:
            self._beeped = at
            talk = self._talk
            legs = [leg for leg, party in talk.now.parties.items() if party.place is Place.TOGETHER]
            for leg in (talk.contact.caller_id, *legs):
                talk.play(leg, BEEP)

    def finish(self) -> None:
        """Its files are complete."""
        talk, recording = self._talk, self._talk.now.recording
        if not recording:
            return
        if self._tap is not None:
            with suppress(Gone):
                self._tap.stop()
        recording_ended(talk.contact, recording, talk.last, talk.now.queue, self._tap.started if self._tap else {})
        talk.forget_recording()


def recording_ended(
    contact: Contact, recording: str, agent: str, queue: str, started: Mapping[str, float] = MappingProxyType({})
) -> None:
    """Its files are complete, under the names that a tap gives them. `started`: epoch seconds of each side."""
    first = min(started.values(), default=0.0)
    contact.emit(
        Kind.RECORDING_ENDED,
        recording=recording,
        agent=agent,
        queue=queue,
        files={side: f"{recording}-{side}" for side in ("left", "right")},
        offsets={side: round(at - first, 3) for side, at in started.items()},
    )
