"""Messages that callers leave: what is said after the beep, by whom it was ended, and whether it was one at all.

Where the flow or the box says so, callers may hear what they have said, and say it again, before it is kept. A message
under way stands in the contact's record: `recording`, `box`, `began` (epoch seconds) and `until` (when it must have
ended), and in `review`, where there is one, what a controller that comes after needs to go on with it.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog

from contactcentre.controller.contact import CallerGone, Contact
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.flows import actions as act
from contactcentre.domain.flows.leaving import REVIEW, REVIEW_LAST
from contactcentre.domain.ids import uuid7
from contactcentre.live import ContactNow
from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.events import PlaybackEnded, RecordingEnded
from contactcentre.pbx.protocol import RECORDING, Medium
from contactcentre.prompts.speech import SpeechError

log = structlog.get_logger(__name__)

SHORTEST_MESSAGE = 1.0
"""Seconds; what is shorter is a caller who hung up at the beep."""

LEAVING = 0.3
"""Seconds in which a caller whose message came to nothing may turn out to have hung up."""

TAKES = 3
"""How often a caller may say it; the last one can only be heard and kept."""

ROUNDS = 10
"""Keys that are answered at most; then the message is kept."""

KEY_SECONDS, TIMES_ASKED = 6.0, 2
"""So long a key is waited for, after each of so many times that the keys were told; then the message is kept."""

SAID_SECONDS = 60.0
"""So long the keys may take to be told, should the PBX never say that it was done."""

_WRONG: Medium = "sound:beeperr"


def leave(contact: Contact, action: act.Voicemail) -> act.Recorded:
    """Records what the caller says, from now on. Raises CallerGone, Suspended."""
    limits = {
        "max_seconds": action.max_seconds,
        "max_silence": action.max_silence,
        "terminate_on": action.terminators,
        "beep": action.beep,
    }
    name = uuid7(contact.node.now())
    try:
        _record(contact, name, limits)
    except Refused as error:
        log.warning("message not recorded", contact_id=contact.id, error=str(error))
        contact.emit(Kind.RECORDING_FAILED, recording=name, error=str(error))
        return act.Recorded(0.0, name, ok=False)
    _began(contact, name, action.box, limits, TAKES if action.review else 0)
    return finish(contact, contact.now)


def finish(contact: Contact, was: ContactNow, *, resumed: bool = False) -> act.Recorded:
    """Waits for the end of the message that is being recorded, also of one that was begun before a suspension."""
    while True:
        detail = was.detail
        name, box, began = str(detail["recording"]), str(detail["box"]), float(detail.get("began", was.since))
        review: Mapping[str, Any] = detail.get("review") or {}
        seconds = float(review.get("seconds", 0.0)) if review.get("recording") == name else 0.0
        try:
            if not seconds:
                seconds = _recorded(contact, name, began, float(detail["until"]), resumed)
            while not contact.caller_there:  # left while nobody looked: that is the next news
                contact.next()
            if seconds < SHORTEST_MESSAGE or not review or not _said_again(contact, name, box, seconds, review):
                break
        except (CallerGone, Gone):
            # Hanging up is how most people end a message; the PBX keeps what was said.
            keep(contact, name, box, seconds or contact.node.now() - began)
            raise
        was, resumed = contact.now, False
    kept = keep(contact, name, box, seconds)
    if not kept:
        _let_leave(contact)
    return act.Recorded(seconds, name, ok=kept)


def keep_what_is_there(contact: Contact) -> None:
    """The contact comes to its end by a fault of ours, with a message under way."""
    detail = contact.now.detail
    name, review = str(detail["recording"]), detail.get("review") or {}
    seconds = float(review.get("seconds", 0.0)) if review.get("recording") == name else 0.0
    began = float(detail.get("began", contact.now.since))
    keep(contact, name, str(detail["box"]), seconds or contact.node.now() - began)


def keep(contact: Contact, name: str, box: str, seconds: float) -> bool:
    """False: too short to be a message. Somebody hung up at the beep, or the PBX could not record."""
    if seconds < SHORTEST_MESSAGE:
        contact.emit(Kind.RECORDING_FAILED, recording=name, error=f"no message: {seconds:.1f} s")
        return False
    contact.outcome = Outcome.VOICEMAIL
    contact.emit(Kind.RECORDING_ENDED, recording=name, agent="", queue=box, files={"left": name}, offsets={"left": 0.0})
    contact.emit(Kind.VOICEMAIL, recording=name, box=box, seconds=round(seconds, 3))
    return True


# -- recording ---------------------------------------------------------------------------------------------------------


def _record(contact: Contact, name: str, limits: Mapping[str, Any]) -> None:
    """Raises Refused."""
    contact.typed.clear()
    contact.caller.record(name, **limits)


def _began(contact: Contact, name: str, box: str, limits: Mapping[str, Any], takes: int) -> None:
    """`takes`: how often the caller may still say it, this time included; 0 = there is no review."""
    now = contact.node.now()
    contact.emit(Kind.RECORDING_STARTED, recording=name, agent="", queue=box)
    message = {"recording": name, "box": box, "began": now, "until": now + limits["max_seconds"] + 10}
    review = {"takes": takes, "limits": limits} if takes else None
    contact.save(state="voicemail", detail={**contact.now.detail, **message, "review": review})


def _recorded(contact: Contact, name: str, began: float, until: float, resumed: bool) -> float:
    """Seconds recorded; 0 when the PBX could not."""
    if resumed and contact.caller_there and _is_complete(contact, name):
        until = 0.0  # ended while nobody looked, perhaps with a word of it
    while (message := contact.next(until)) is not None:
        if isinstance(message, RecordingEnded) and message.name == name:
            # Of one that ended while the link was away the PBX may not say how long it was.
            return (message.seconds or contact.node.now() - began) if message.ok else 0.0
    if not until:
        return contact.node.now() - began
    contact.caller.stop_recording(name)
    return 0.0


def _is_complete(contact: Contact, name: str) -> bool:
    try:
        next(iter(contact.node.pbx.recording(name)), b"")
    except Gone:
        return False
    return True


def _let_leave(contact: Contact) -> None:
    """Of a caller who hangs up at the beep the PBX first says that the recording has ended: that is no failure with
    which the flow would have to deal."""
    until = contact.node.now() + LEAVING
    while contact.next(until) is not None or contact.node.now() < until:
        pass


# -- review ------------------------------------------------------------------------------------------------------------


def _said_again(contact: Contact, name: str, box: str, seconds: float, review: Mapping[str, Any]) -> bool:
    """The caller wants to say it again, and it is being recorded. False: it is to be kept. Raises CallerGone,
    Suspended."""
    review = {**review, "recording": name, "seconds": seconds}
    contact.save(detail={**contact.now.detail, "review": review})
    takes = int(review["takes"])
    if not _wants_again(contact, name, seconds, takes):
        return False
    again = uuid7(contact.node.now())
    try:
        _record(contact, again, review["limits"])
    except Refused as error:
        log.warning("message not recorded again", contact_id=contact.id, error=str(error))
        return False
    contact.emit(Kind.RECORDING_FAILED, recording=name, error="the caller said it again")
    _began(contact, again, box, review["limits"], takes - 1)
    with suppress(PbxError):  # the sweep finds it
        contact.node.pbx.delete_recording(name)
    return True


def _wants_again(contact: Contact, name: str, seconds: float, takes: int) -> bool:
    contact.typed.clear()
    key = _asked(contact, takes)
    for _ in range(ROUNDS):
        match key:
            case "1" | "#" | "":
                return False
            case "2":
                key = _play(contact, [f"{RECORDING}{name}"], seconds + SAID_SECONDS)
            case "3" if takes > 1:
                return True
            case _:
                key = _play(contact, [_WRONG], SAID_SECONDS)
        key = key or _asked(contact, takes)
    return False


def _asked(contact: Contact, takes: int) -> str:
    """The key pressed; "" = none."""
    prompt = act.Piece(act.Sort.PROMPT, REVIEW if takes > 1 else REVIEW_LAST)
    try:
        media = contact.node.configuration.prompts.media([prompt], contact.language)
    except SpeechError as error:
        log.warning("keys not told", contact_id=contact.id, error=str(error))
        return ""
    for _ in range(TIMES_ASKED):
        if key := _play(contact, media, SAID_SECONDS) or _pressed(contact):
            return key
    return ""


def _play(contact: Contact, media: list[Medium], seconds: float) -> str:
    """The key that cut it short; "" = none."""
    until = contact.node.now() + seconds
    try:
        playback = contact.say(media, contact.language)
    except Refused as error:
        log.warning("not played", contact_id=contact.id, error=str(error))
        return ""
    while not contact.typed and (message := contact.next(until)) is not None:
        if isinstance(message, PlaybackEnded) and message.playback_id == playback:
            return ""
    contact.caller.stop_playing(playback)
    return contact.typed.popleft() if contact.typed else ""


def _pressed(contact: Contact) -> str:
    until = contact.node.now() + KEY_SECONDS
    while not contact.typed and (contact.next(until) is not None or contact.node.now() < until):
        pass
    return contact.typed.popleft() if contact.typed else ""
