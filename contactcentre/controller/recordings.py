"""The recording of a contact: on the customer's line, so that it runs on whoever talks with them."""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from contactcentre.domain.conversation import Refusal
from contactcentre.domain.events import Kind
from contactcentre.domain.ids import uuid7
from contactcentre.domain.recorded import FLOW, QUEUE, SENSITIVE
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.protocol import Tap

if TYPE_CHECKING:
    from contactcentre.controller.contact import Contact

log = structlog.get_logger(__name__)


class Recorder:
    """Of one contact, whose facts say whether it is recorded and whether that is paused (`Contact.recorded`)."""

    def __init__(self, contact: "Contact") -> None:
        self._contact = contact
        self._tap: Tap | None = None

    def begin(self, by: str, agent: str = "", queue: str = "") -> bool:
        """Where that is possible. `by`: see `domain.recorded`. False: it cannot be recorded. Raises LinkDown, Deadline;
        then whoever takes the contact up tries again."""
        contact = self._contact
        recording = uuid7(contact.node.now())
        try:
            self._tap = contact.caller.tap(recording)
        except Gone:  # the call is over already, there is nothing to record
            return False
        except (LinkDown, Deadline):
            raise
        except PbxError as error:  # the call goes on; that it is not recorded is a fact
            contact.emit(Kind.RECORDING_FAILED, recording=recording, error=str(error))
            return False
        contact.emit(Kind.RECORDING_STARTED, recording=recording, agent=agent, queue=queue, by=by)
        contact.save()
        return True

    def take_over(self) -> None:
        """The one that an earlier controller began, or that ran on while the link was away."""
        recording = self._contact.recorded.recording
        if not recording:
            return
        try:
            self._tap = self._contact.caller.tap(recording)
        except LinkDown:
            raise
        except PbxError as error:  # the call goes on; its files end with it, under the names a tap gives them
            log.warning("recording not taken over", recording=recording, error=str(error))

    # -- of a conversation --------------------------------------------------------------------------------------------

    def may_start(self) -> None:
        """On demand. Raises Refusal."""
        contact, now = self._contact, self._contact.recorded
        if now.recording:
            raise Refusal("recorded_already", "the conversation is recorded already")
        if not contact.node.queue(now.queue).record_on_demand:
            raise Refusal("not_allowed", f"queue {now.queue} allows no recording on demand")

    def do(self, action: str, by: str) -> None:
        """stop, pause or resume, as somebody in the conversation asks. Raises Refusal, Gone, Refused."""
        now = self._contact.recorded
        if action not in ("pause", "resume", "stop"):
            raise Refusal("unknown_verb", f"{action!r} is nothing that can be done with a recording")
        if not now.recording or self._tap is None:
            raise Refusal("not_recorded", "the conversation is not recorded")
        if action == "stop":
            self.finish()
        elif (action == "pause") is bool(now.paused):
            raise Refusal(f"{action}d_already", f"the recording is {'' if now.paused else 'not '}paused")
        elif action == "pause":
            self._pause(by)
        elif now.paused == QUEUE:
            raise Refusal("not_allowed", f"queue {now.queue} allows no recording")
        else:
            self._resume(by)

    def conversation_begins(self) -> None:
        """With an agent. One that the flow began is silent where the queue allows no recording whatever."""
        queue, now = self._contact.node.queue(self._contact.recorded.queue), self._contact.recorded
        if now.state == "running" and not queue.record and not queue.record_on_demand:
            self._keep_out(QUEUE)

    def conversation_over(self) -> None:
        """What is the flow's goes on, also when an agent had paused it; any other recording is complete."""
        now = self._contact.recorded
        if not now.whole:
            self.finish()
        elif now.paused not in ("", FLOW, SENSITIVE):
            self._let_on(now.paused)

    # -- of a flow ----------------------------------------------------------------------------------------------------

    def as_flow_says(self, action: str) -> bool:
        """start, stop, pause or resume; what is so already stays as it is. False: it cannot be recorded. Raises
        LinkDown, Deadline."""
        now = self._contact.recorded
        match action:
            case "start" if not now.recording:
                return self.begin(FLOW)
            case "stop":
                self.finish()
            case "pause" if now.state == "running":
                self._keep_out(FLOW)
            case "resume" if now.state == "paused":
                self._let_on(FLOW)
        return True

    def keep_out(self, sensitive: bool) -> None:
        """What the caller keys in from now on is to be in no recording, or may be. Raises LinkDown, Deadline."""
        now = self._contact.recorded
        if sensitive and now.state == "running":
            self._keep_out(FLOW, SENSITIVE)
        elif not sensitive and now.paused == SENSITIVE:
            self._let_on(FLOW)

    def _keep_out(self, by: str, reason: str = "") -> None:
        """Silence, come what may: where the PBX cannot pause the recording it is ended."""
        try:
            if self._tap is None:
                raise Refused("the recording was not taken over")
            self._pause(by, reason)
        except (Gone, Refused) as error:
            log.warning("recording ended instead of paused", contact_id=self._contact.id, error=str(error))
            self.finish()

    def _let_on(self, by: str) -> None:
        try:
            self._resume(by)
        except (Gone, Refused) as error:  # it stays silent
            log.warning("recording not resumed", contact_id=self._contact.id, error=str(error))

    def _pause(self, by: str, reason: str = "") -> None:
        contact = self._contact
        if self._tap is not None:
            self._tap.pause()
        contact.emit(Kind.RECORDING_PAUSED, recording=contact.recorded.recording, by=by, reason=reason)
        contact.save()

    def _resume(self, by: str) -> None:
        contact = self._contact
        if self._tap is not None:
            self._tap.resume()
        contact.emit(Kind.RECORDING_RESUMED, recording=contact.recorded.recording, by=by)
        contact.save()

    def finish(self) -> None:
        """Its files are complete."""
        contact, now, tap = self._contact, self._contact.recorded, self._tap
        if not now.recording:
            return
        if tap is not None:
            with suppress(Gone):
                tap.stop()
        recording_ended(contact, now.recording, now.agent, now.queue, tap.started if tap else {})
        self._tap = None
        contact.save()


def recording_ended(
    contact: "Contact", recording: str, agent: str, queue: str, started: Mapping[str, float] = MappingProxyType({})
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
