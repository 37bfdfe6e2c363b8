"""Who hears whom, on the PBX: everybody is moved to where the conversation says they are."""

from collections.abc import Container

from contactcentre.controller.contact import Contact
from contactcentre.domain.conversation import Conversation, Place
from contactcentre.pbx.errors import Gone
from contactcentre.pbx.protocol import Channel


def move(contact: Contact, was: Conversation, now: Conversation) -> None:
    """From one state to the next. Raises Gone, Refused, LinkDown, Deadline; some may have been moved already."""
    music, joining = contact.node.queue(now.queue).music, []
    if was.hears_ringing in now.parties and not now.hears_ringing:
        ears(contact, was.hears_ringing).stop_ringing()
    if now.customer is Place.MUSIC and was.customer is not Place.MUSIC:
        contact.caller.wait_with_music(music)
    if now.customer is Place.TOGETHER and was.customer is not Place.TOGETHER and now.parties:
        joining.append(contact.caller)
    for leg, party in now.parties.items():
        before = was.parties.get(leg)
        place = before.place if before is not None else Place.RINGING
        if party.place is Place.MUSIC and place is not Place.MUSIC:
            contact.channel(leg).wait_with_music(music)
        elif party.place is Place.TOGETHER and place is not Place.TOGETHER:
            joining.append(contact.channel(leg))
        if party.muted is not (before is not None and before.muted):
            _mute(contact.channel(leg), party.muted)
    if now.customer_muted is not was.customer_muted:
        _mute(contact.caller, now.customer_muted)
    if joining:
        contact.bridge().add(*joining, absorb=contact.reads_keys)
    if now.hears_ringing and not was.hears_ringing:
        ears(contact, now.hears_ringing).ring()


def put_back(contact: Contact, now: Conversation, there: Container[str], together: Container[str]) -> None:
    """After a suspension. `there`: the legs that are; `together`: those in the contact's bridge. Who is where they
    should be is not moved."""
    music, joining = contact.node.queue(now.queue).music, []
    places = {contact.caller_id: now.customer, **{leg: p.place for leg, p in now.parties.items() if leg in there}}
    for leg, place in places.items():
        if place is not Place.MUSIC and (place is not Place.TOGETHER or leg in together or len(places) == 1):
            continue
        try:
            channel = contact.caller if leg == contact.caller_id else contact.channel(leg)
            if place is Place.MUSIC:
                channel.wait_with_music(music)
            else:
                joining.append(channel)
        except Gone:  # its end is on its way
            continue
    if joining:
        contact.bridge().add(*joining, absorb=contact.reads_keys)


def ears(contact: Contact, leg: str) -> Channel:
    """What an agent hears with: a tone does not come through a leg into an open line. Raises Gone."""
    return contact.node.lines.device(leg) or contact.channel(leg)


def _mute(channel: Channel, muted: bool) -> None:
    if muted:
        channel.mute()
    else:
        channel.unmute()
