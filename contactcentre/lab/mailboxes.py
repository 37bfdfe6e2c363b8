"""The message lamp of a simulated phone: RFC 3842, told unasked or by a subscription (RFC 6665)."""

import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from contactcentre.lab.sip import Message, authorization, new_branch, user_of

if TYPE_CHECKING:
    from contactcentre.lab.handsets import Handset, Switchboard

_counts = re.compile(r"^voice-message:\s*(\d+)/(\d+)", re.IGNORECASE | re.MULTILINE)
_waiting = re.compile(r"^messages-waiting:\s*(yes|no)", re.IGNORECASE | re.MULTILINE)


def told(notify: Message) -> dict[str, Any] | None:
    """What a NOTIFY says of messages; None when it is about something else."""
    if notify.get("event").partition(";")[0].strip() != "message-summary":
        return None
    waiting, counts = _waiting.search(notify.body), _counts.search(notify.body)
    return {
        "event": "messages",
        "phone": unquote(user_of(notify.uri)),
        "waiting": waiting is not None and waiting[1].lower() == "yes",
        "new": int(counts[1]) if counts else 0,
        "old": int(counts[2]) if counts else 0,
        "asked": notify.get("subscription-state").startswith("active"),
    }


async def subscribe(board: "Switchboard", handset: "Handset", expires: int = 600) -> int:
    """Asks to be told; the status of the last answer, 408 when there was none."""
    user, call_id, tag = quote(handset.name), secrets.token_hex(12), new_branch()[7:]
    uri, proof, status = f"sip:{user}@{board.pbx}", "", 408
    for cseq in (1, 2):
        via = f"SIP/2.0/UDP {board.host}:{board.port};branch={new_branch()};rport"
        headers = [("Via", via), ("Max-Forwards", "70"), ("To", f"<{uri}>"), ("From", f"<{uri}>;tag={tag}")]
        headers += [("Call-ID", call_id), ("CSeq", f"{cseq} SUBSCRIBE"), ("Expires", str(expires))]
        headers += [("Event", "message-summary"), ("Accept", "application/simple-message-summary")]
        headers += [("Contact", f"<sip:{user}@{board.host}:{board.port}>")]
        headers += [("Authorization", proof)] if proof else []
        reply = await board.transact(Message(f"SUBSCRIBE {uri} SIP/2.0", headers))
        status = reply.status if reply else 408
        if reply is None or status != 401:
            break
        proof = authorization(reply.get("www-authenticate"), handset.name, handset.secret, "SUBSCRIBE", uri)
    return status
