"""Carries out on the PBX what the flow of a contact asks for, from the contact's first moment to its end."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import requests
import structlog
import urllib3

from contactcentre.controller import talk
from contactcentre.controller.contact import SUSPENDING, CallerGone, Contact
from contactcentre.controller.offers import withdraw
from contactcentre.controller.queueing import QueueStay
from contactcentre.controller.speech import SpeechError
from contactcentre.controller.transfers import transfer
from contactcentre.domain.events import Kind, LeftQueue, Outcome
from contactcentre.domain.flows import actions as act
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.ids import uuid7
from contactcentre.live import ContactNow
from contactcentre.pbx.errors import Gone, PbxError
from contactcentre.pbx.events import Cause, Digit, PlaybackEnded, RecordingEnded
from contactcentre.pbx.protocol import REQUEST_DEADLINE

log = structlog.get_logger(__name__)

PLAY_DEADLINE = 600.0
"""Seconds that one announcement may take at most, in case the PBX never says that it ended."""

SHORTEST_MESSAGE = 1.0
"""Seconds; what is shorter is a caller who hung up at the beep."""

APOLOGY = "sound:an-error-has-occurred"


@dataclass(frozen=True, slots=True)
class Earlier:
    """Where a suspended contact was, and what is still there of it."""

    now: ContactNow
    leg: str  # of the agent or target, "" when it has ended meanwhile


class Conductor:
    """Walks one contact through its flow."""

    def __init__(self, contact: Contact, walker: Walker, *, answered: bool, earlier: Earlier | None = None) -> None:
        """`answered`: the caller's leg is answered already. `earlier`: where the contact was when it was suspended."""
        self.contact = contact
        self.walker = walker
        self._answered = answered
        self._earlier = earlier

    def run(self, first: act.Result) -> None:
        """From `first` (Begin or Resume) to the contact's end. Leaves the call alone when suspended."""
        contact = self.contact
        try:
            self._walk(first)
        except SUSPENDING:
            raise
        except CallerGone as gone:
            self._end(gone.cause)
        except Gone:  # a verb met a channel that has just ended: the event is on its way
            self._end(self._last_cause())
        except Exception:
            log.exception("contact failed", contact=contact.id)
            contact.outcome, contact.ended_by = Outcome.LOST, "system"
            self._apologise()
            self._end(Cause.FAILURE)

    def _walk(self, result: act.Result) -> None:
        contact = self.contact
        if self._earlier is not None:
            result = self._take_up(self._earlier)
        while True:
            action = self.walker.step(result, contact.node.now())
            for kind, data in self.walker.take_notes():
                contact.emit(kind, **data)
            if not isinstance(action, act.Enqueue):
                contact.save(state="ivr", flow=self.walker.flow.name, flow_state=self.walker.save())
            else:
                contact.save(flow=self.walker.flow.name, flow_state=self.walker.save())
            if isinstance(action, act.Hangup):
                return self._hang_up(action)
            result = self._carry_out(action)

    def _take_up(self, earlier: Earlier) -> act.Result:
        """Goes on where the contact was suspended, without doing twice what people would notice."""
        contact, now = self.contact, earlier.now
        action = self.walker.step(act.Resume(), contact.node.now())
        if now.state == "talking":
            talk.resume(contact, now, earlier.leg)
            return act.Left(LeftQueue.ANSWERED.value) if isinstance(action, act.Enqueue) else act.Transferred()
        if now.state == "ringing":
            withdraw(contact, now)
        elif earlier.leg:
            contact.node.hang_up(earlier.leg)
        if isinstance(action, act.Enqueue):
            return self._enqueue(action, float(now.detail.get("entered", now.since)))
        if isinstance(action, act.Hangup):
            raise CallerGone
        return self._carry_out(action)

    def _carry_out(self, action: act.Action) -> act.Result:
        match action:
            case act.Answer():
                return self._answer()
            case act.Play():
                return self._play(action)
            case act.Gather():
                return self._gather(action)
            case act.Lookup():
                return look_up(action)
            case act.Enqueue():
                return self._enqueue(action)
            case act.Voicemail():
                return self._voicemail(action)
            case act.Transfer():
                return transfer(self.contact, action)
            case act.Hangup():
                raise AssertionError("a hangup ends the walk")

    # -- one method per action ----------------------------------------------------------------------------------------

    def _answer(self) -> act.Done:
        if not self._answered:
            self.contact.caller.answer()
            self.contact.emit(Kind.ANSWERED)
            self.contact.emit(Kind.LEG_ANSWERED, leg=self.contact.caller.id)
            self._answered = True
        return act.Done()

    def _play(self, action: act.Play) -> act.Done:
        playback = self._start(action.speech, action.language)
        if not playback:
            return act.Done(ok=False)
        typed = len(self.contact.typed)
        until = self.contact.node.now() + PLAY_DEADLINE
        while (message := self.contact.next(until)) is not None:
            match message:
                case PlaybackEnded(playback_id=ended, ok=ok) if ended == playback:
                    return act.Done(ok)
                case Digit() if action.interruptible and len(self.contact.typed) > typed:
                    self.contact.caller.stop_playing(playback)
                    return act.Done()
        self.contact.caller.stop_playing(playback)
        return act.Done(ok=False)

    def _gather(self, action: act.Gather) -> act.Digits:
        contact, now = self.contact, self.contact.node.now
        if not action.type_ahead:
            contact.typed.clear()
        pressed = ""
        playback = ""
        if not contact.typed or not action.barge_in:
            playback = self._start(action.speech, action.language)
        until = now() + (PLAY_DEADLINE if playback else action.timeout)
        while True:
            while contact.typed:
                pressed += contact.typed.popleft()
                if playback and action.barge_in:
                    contact.caller.stop_playing(playback)
                    playback = ""
                complete = act.gathered(action, pressed)
                if complete is not None:
                    if playback:
                        contact.caller.stop_playing(playback)
                    return complete
                if not playback:
                    until = now() + action.digit_timeout
            message = contact.next(until)
            if isinstance(message, PlaybackEnded) and message.playback_id == playback:
                playback = ""
                until = now() + (action.digit_timeout if pressed else action.timeout)
            elif message is None and now() >= until:
                return act.timed_out(action, pressed)

    def _enqueue(self, action: act.Enqueue, entered: float | None = None) -> act.Left:
        self.contact.typed.clear()
        left = QueueStay(self.contact, action, entered).run()
        self.contact.outcome = Outcome.ANSWERED if left.reason == LeftQueue.ANSWERED else Outcome.SELF_SERVED
        self.contact.caller.stop_waiting()
        return left

    def _voicemail(self, action: act.Voicemail) -> act.Recorded:
        contact = self.contact
        self._play(act.Play(action.speech, action.language, interruptible=True))
        contact.typed.clear()
        name = uuid7(contact.node.now())
        contact.save(state="voicemail", detail={"recording": name, "box": action.box})
        started = contact.node.now()
        contact.emit(Kind.RECORDING_STARTED, recording=name, agent="", queue=action.box)
        try:
            contact.caller.record(
                name,
                max_seconds=action.max_seconds,
                max_silence=action.max_silence,
                terminate_on=action.terminators,
                beep=action.beep,
            )
            seconds = self._recorded(name, started + action.max_seconds + 10)
        except CallerGone:
            # Hanging up is how most people end a message; the PBX keeps what was said.
            self._keep_message(name, action.box, contact.node.now() - started)
            raise
        return act.Recorded(seconds, name, ok=self._keep_message(name, action.box, seconds))

    def _recorded(self, name: str, until: float) -> float:
        """Seconds recorded; 0 when the PBX could not."""
        while (message := self.contact.next(until)) is not None:
            if isinstance(message, RecordingEnded) and message.name == name:
                return message.seconds if message.ok else 0.0
        self.contact.caller.stop_recording(name)
        return 0.0

    def _keep_message(self, name: str, box: str, seconds: float) -> bool:
        """False: too short to be a message. Somebody hung up at the beep, or the PBX could not record."""
        if seconds < SHORTEST_MESSAGE:
            self.contact.emit(Kind.RECORDING_FAILED, recording=name, error=f"no message: {seconds:.1f} s")
            return False
        self.contact.outcome = Outcome.VOICEMAIL
        self.contact.emit(
            Kind.RECORDING_ENDED, recording=name, agent="", queue=box, files={"left": name}, offsets={"left": 0.0}
        )
        self.contact.emit(Kind.VOICEMAIL, recording=name, box=box, seconds=round(seconds, 3))
        return True

    # -- speech -------------------------------------------------------------------------------------------------------

    def _start(self, speech: act.Speech, language: str) -> str:
        """Starts to play. "" when there is nothing to hear, or nothing of it can be made: the flow goes on without."""
        if not speech:
            return ""
        contact = self.contact
        contact.language = language
        try:
            media = contact.node.configuration.prompts.media(speech, language)
        except SpeechError as error:
            log.warning("prompt not played", contact=contact.id, error=str(error))
            return ""
        playback = contact.new_id("p")
        contact.caller.play(playback, media, language)
        return playback

    # -- the end ------------------------------------------------------------------------------------------------------

    def _hang_up(self, action: act.Hangup) -> None:
        contact = self.contact
        if action.turned_away and contact.outcome is Outcome.SELF_SERVED:
            contact.outcome = Outcome.REJECTED
        if contact.outcome is not Outcome.ANSWERED:
            contact.ended_by = "system"
        contact.caller.hangup(Cause(action.cause))
        self._end(Cause(action.cause))

    def _apologise(self) -> None:
        """Says that something went wrong before the line goes dead, and takes down what the contact still holds."""
        contact, node = self.contact, self.contact.node
        steps: list[Callable[[], Any]] = [
            lambda: node.router.leave(contact),
            lambda: node.release_agent(contact),
            lambda: contact.caller.play(contact.new_id("p"), [APOLOGY]),
            lambda: contact.next(node.now() + 4.0),
        ]
        for step in steps:
            try:
                step()
            except (PbxError, CallerGone):
                break
        for channel in contact.now.channels.values():
            node.hang_up(channel)

    def _last_cause(self) -> Cause:
        try:
            until = self.contact.node.now() + REQUEST_DEADLINE
            while self.contact.next(until) is not None:
                pass
        except CallerGone as gone:
            return gone.cause
        return Cause.UNKNOWN

    def _end(self, cause: Cause) -> None:
        contact = self.contact
        contact.emit(Kind.LEG_ENDED, leg=contact.caller.id, cause=int(cause))
        contact.emit(Kind.ENDED, outcome=contact.outcome.value, by=contact.ended_by, cause=int(cause))
        contact.drop_bridge()
        contact.node.saver.put(contact.id, None)


def look_up(action: act.Lookup) -> act.Looked | act.LookupFailed:
    """One HTTP request as the flow wants it, `action.timeout` seconds in all; anything but a JSON object of at most
    `action.max_bytes` is a LookupFailed."""
    session = requests.Session()
    session.trust_env = False  # the environment's proxies and .netrc are not the flow's business
    try:
        with (
            gevent.Timeout(action.timeout, requests.Timeout("the whole of it took too long")),
            session,
            session.request(
                action.method,
                action.url,
                json=dict(action.body) if action.body is not None else None,
                timeout=action.timeout,
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            if not 200 <= answer.status_code < 300:
                return act.LookupFailed(f"status {answer.status_code}")
            body = answer.raw.read(action.max_bytes + 1, decode_content=True)
    except requests.Timeout:
        return act.LookupFailed("timeout")
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return act.LookupFailed(type(error).__name__)
    if len(body) > action.max_bytes:
        return act.LookupFailed("too large")
    try:
        values = json.loads(body)
    except ValueError:
        return act.LookupFailed("not JSON")
    if not isinstance(values, dict):
        return act.LookupFailed("not a JSON object")
    return act.Looked(answer.status_code, values)
