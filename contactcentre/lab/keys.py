"""The hold and transfer keys of a simulated phone, in a call that is answered."""

from urllib.parse import quote

from contactcentre.lab.dialog import Call
from contactcentre.lab.sip import Message, read_sdp, tag_of, uri_of


async def hold(call: Call, held: bool, music: int | None) -> None:
    """The hold key, by a re-INVITE (RFC 3264 8.4). A phone that holds sends nothing, or a tone of `music` Hz."""
    call.held = held
    call.cseq += 1
    reply = await call.invite(None)
    if reply is not None and reply.status in (401, 407) and call.secret:
        reply = await call.invite(reply)
    if call.over or reply is None:
        return
    if reply.status == 200:
        call.acknowledge()
        if (sdp := read_sdp(reply.body)) is not None:
            call.media.send_to(sdp)
        call.media.tone = music if held else call.script.tone
    call.wire.emit({"event": "renewed", "call": call.id, "phone": call.phone, "status": reply.status})


async def transfer(call: Call, number: str, other: Call | None) -> None:
    """The transfer key, by REFER (RFC 3515): to a number, or to the party of another call of this phone (RFC 3891)."""
    target = f"sip:{quote(number, safe='+*')}@{call.wire.pbx}"
    if other is not None:
        replaces = f"{other.id};to-tag={tag_of(other.remote)};from-tag={tag_of(other.local)}"
        target += f"?Replaces={quote(replaces, safe='')}"
    reply: Message | None = None
    for _ in range(2):
        request = call.request("REFER")
        request.headers += [("Contact", call.contact), ("Refer-To", f"<{target}>")]
        request.headers.append(("Referred-By", f"<{uri_of(call.local)}>"))
        call.prove(request, reply)
        reply = await call.wire.transact(request)
        if reply is None or reply.status not in (401, 407) or not call.secret:
            break
    call.transferring(reply.status if reply is not None else 408)
