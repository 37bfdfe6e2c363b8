"""Callers who ask to be called back: the request is a fact of the contact. (Calling back is nobody's task here.)"""

from contactcentre.controller.contact import Contact
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.flows.actions import Callback


def note(contact: Contact, action: Callback) -> None:
    """Once for each queue and number, also when the action is repeated after a suspension."""
    asked = {
        "queue": action.queue,
        "number": action.number,
        "requirement": " and ".join(f"{skill} >= {level}" for skill, level in action.skills.items()),
        "priority": contact.node.queue(action.queue).priority + action.priority,
        "language": action.language,
    }
    contact.outcome = Outcome.CALLBACK
    known = contact.now.detail.get("callback", {})
    if any(known.get(name) != asked[name] for name in ("queue", "number")):
        contact.emit(Kind.CALLBACK_REQUESTED, **asked)
    contact.save(detail={**contact.now.detail, "callback": asked, "outcome": contact.outcome.value})
