"""Messages that callers leave: what is said after the beep, by whom it was ended, and whether it was one at all."""

import structlog

from contactcentre.controller.contact import CallerGone, Contact
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.flows import actions as act
from contactcentre.domain.ids import uuid7
from contactcentre.live import ContactNow
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import RecordingEnded

log = structlog.get_logger(__name__)

SHORTEST_MESSAGE = 1.0
"""Seconds; what is shorter is a caller who hung up at the beep."""

LEAVING = 0.3
"""Seconds in which a caller whose message came to nothing may turn out to have hung up."""


def leave(contact: Contact, action: act.Voicemail) -> act.Recorded:
    """Records what the caller says, from now on. Raises CallerGone, Suspended."""
    now = contact.node.now
    contact.typed.clear()
    name = uuid7(now())
    try:
        contact.caller.record(
            name,
            max_seconds=action.max_seconds,
            max_silence=action.max_silence,
            terminate_on=action.terminators,
            beep=action.beep,
        )
    except Refused as error:
        log.warning("message not recorded", contact=contact.id, error=str(error))
        contact.emit(Kind.RECORDING_FAILED, recording=name, error=str(error))
        return act.Recorded(0.0, name, ok=False)
    contact.emit(Kind.RECORDING_STARTED, recording=name, agent="", queue=action.box)
    message = {"recording": name, "box": action.box, "until": now() + action.max_seconds + 10}
    contact.save(state="voicemail", detail={**contact.now.detail, **message})
    return finish(contact, contact.now)


def finish(contact: Contact, was: ContactNow, *, resumed: bool = False) -> act.Recorded:
    """Waits for the end of the message that is being recorded, also of one that was begun before a suspension."""
    now = contact.node.now
    name, box = str(was.detail["recording"]), str(was.detail["box"])
    try:
        seconds = _recorded(contact, name, was.since, float(was.detail["until"]), resumed)
    except CallerGone:
        # Hanging up is how most people end a message; the PBX keeps what was said.
        keep(contact, name, box, now() - was.since)
        raise
    kept = keep(contact, name, box, seconds)
    if not kept:
        _let_leave(contact)
    return act.Recorded(seconds, name, ok=kept)


def _let_leave(contact: Contact) -> None:
    """Of a caller who hangs up at the beep the PBX first says that the recording has ended: that is no failure with
    which the flow would have to deal."""
    until = contact.node.now() + LEAVING
    while contact.next(until) is not None or contact.node.now() < until:
        pass


def _recorded(contact: Contact, name: str, since: float, until: float, resumed: bool) -> float:
    """Seconds recorded; 0 when the PBX could not."""
    if resumed and contact.caller_there and _is_complete(contact, name):
        until = 0.0  # ended while nobody looked, perhaps with a word of it
    while (message := contact.next(until)) is not None:
        if isinstance(message, RecordingEnded) and message.name == name:
            # Of one that ended while the link was away the PBX may not say how long it was.
            return (message.seconds or contact.node.now() - since) if message.ok else 0.0
    if not until:
        return contact.node.now() - since
    contact.caller.stop_recording(name)
    return 0.0


def _is_complete(contact: Contact, name: str) -> bool:
    try:
        next(iter(contact.node.pbx.recording(name)), b"")
    except Gone:
        return False
    return True


def keep(contact: Contact, name: str, box: str, seconds: float) -> bool:
    """False: too short to be a message. Somebody hung up at the beep, or the PBX could not record."""
    if seconds < SHORTEST_MESSAGE:
        contact.emit(Kind.RECORDING_FAILED, recording=name, error=f"no message: {seconds:.1f} s")
        return False
    contact.outcome = Outcome.VOICEMAIL
    contact.emit(Kind.RECORDING_ENDED, recording=name, agent="", queue=box, files={"left": name}, offsets={"left": 0.0})
    contact.emit(Kind.VOICEMAIL, recording=name, box=box, seconds=round(seconds, 3))
    return True
