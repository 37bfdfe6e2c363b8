"""What a flow tells the caller, and asks: prompts, keys, and that the call is recorded."""

import structlog

from contactcentre.controller.contact import Contact
from contactcentre.controller.recording_notice import heard, owed, say
from contactcentre.domain.flows import actions as act
from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import Digit, PlaybackEnded
from contactcentre.prompts.speech import SpeechError

log = structlog.get_logger(__name__)

PLAY_DEADLINE = 600.0
"""Seconds that one announcement may take at most, in case the PBX never says that it ended."""


class Dialogue:
    """With the caller of one contact. All of it raises CallerGone, Suspended, Gone."""

    def __init__(self, contact: Contact) -> None:
        self._contact = contact

    def play(self, action: act.Play) -> act.Done:
        """To its end, or to the first key where that may interrupt it."""
        playback = self._start(action.speech, action.language)
        if not playback:
            return act.Done(ok=False)
        return self._await(playback, action.interruptible)

    def _await(self, playback: str, interruptible: bool = False) -> act.Done:
        typed = len(self._contact.typed)
        until = self._contact.node.now() + PLAY_DEADLINE
        while (message := self._contact.next(until)) is not None:
            match message:
                case PlaybackEnded(playback_id=ended, ok=ok) if ended == playback:
                    return act.Done(ok)
                case Digit() if interruptible and len(self._contact.typed) > typed:
                    self._contact.caller.stop_playing(playback)
                    return act.Done()
        self._contact.caller.stop_playing(playback)
        return act.Done(ok=False)

    def gather(self, action: act.Gather) -> act.Digits:
        """Says it, and waits for the keys."""
        contact, now = self._contact, self._contact.node.now
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

    def announce(self, queue: str, language: str) -> bool:
        """Says that the call is recorded, where the caller has not heard it. False: it could not be said."""
        contact = self._contact
        if not (prompt := owed(contact, queue)):
            return True
        contact.language = language or contact.language
        if not (playback := say(contact, prompt)):
            return False
        if said := self._await(playback).ok:
            heard(contact, prompt)
        return said

    def _start(self, speech: act.Speech, language: str) -> str:
        """Starts to play. "" when there is nothing to hear, or nothing of it can be made: the flow goes on without."""
        if not speech:
            return ""
        contact = self._contact
        contact.language = language
        try:
            media = contact.node.configuration.prompts.media(speech, language)
            return contact.say(media, language)
        except (SpeechError, Refused) as error:
            log.warning("prompt not played", contact_id=contact.id, error=str(error))
            return ""
