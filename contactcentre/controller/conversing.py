"""How a conversation begins, and how it is taken up after a suspension. What happens in it is in `talk`."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from contactcentre.controller.contact import Contact
from contactcentre.controller.places import put_back
from contactcentre.controller.recording_notice import recorded_by
from contactcentre.controller.talk import Talk
from contactcentre.domain.agents import Verb as Step
from contactcentre.domain.conversation import Conversation, Place
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.flows.actions import Sent
from contactcentre.pbx.errors import Gone
from contactcentre.pbx.events import Cause, Ended


@dataclass(frozen=True, slots=True)
class Joined:
    """An agent who has just been connected with the caller."""

    agent: str
    token: str
    queue: str
    leg: str


def begin(contact: Contact, joined: Joined) -> Talk:
    """The two have just begun to hear each other. It will be recorded where its queue says so."""
    contact.outcome = Outcome.ANSWERED
    talk = Talk(contact)
    started = {"agent": joined.agent, "queue": joined.queue, "leg": joined.leg, "token": joined.token}
    talk.note((Kind.TALK_STARTED, started))
    talk.notice.wanted = recorded_by(contact, joined.queue)
    talk.save()
    return talk


def converse(talk: Talk) -> Sent | None:
    """A conversation that has begun. See `Talk.converse`."""
    talk.contact.recorder.conversation_begins()
    talk.notice.take_up()
    return talk.converse()


def of(contact: Contact) -> Talk:
    """As the conversation was saved with the contact, or as its facts tell: they do not say what is to be recorded."""
    saved: Mapping[str, Any] = contact.now.detail.get("talk", {})
    talk = Talk(contact, Conversation.restore(saved))
    talk.last = str(saved.get("last", ""))
    talk.notice.wanted = str(contact.now.detail.get("to_record", recorded_by(contact, talk.now.queue)))
    return talk


def resume(contact: Contact, there: frozenset[str], together: frozenset[str]) -> Sent | None:
    """Takes up the conversation that the contact was in when it was suspended. `there`: the legs that are; `together`:
    those in the contact's bridge, the caller perhaps among them. See `Talk.converse`."""
    talk, node = of(contact), contact.node
    contact.outcome = Outcome.ANSWERED
    for leg in set(contact.now.channels.values()) - {contact.caller_id, *talk.now.parties}:
        node.hang_up(leg)  # a phone that still rang; its agent is free already
        contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(Cause.NORMAL))
    for leg, party in talk.now.parties.items():
        if party.place is Place.RINGING:  # whoever asked asks again
            node.hang_up(leg)
            contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(Cause.NORMAL))
            if party.token:
                node.agents.change(party.agent, Step.RELEASE, token=party.token)
        elif leg in there and contact.caller_there:
            with suppress(Gone):
                contact.channel(leg)
                continue
        contact.post(Ended(leg, node.now(), Cause.UNKNOWN))
    if contact.caller_there:
        put_back(contact, talk.now, there, together)
        contact.recorder.conversation_begins()  # which may have been cut off
        talk.notice.take_up()
    return talk.converse()
