"""One call of a simulated phone or caller: its SIP dialog, its audio, and what it does when."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from contactcentre.lab.media import FRAME_SECONDS, Media
from contactcentre.lab.sip import (
    CODECS,
    Message,
    authorization,
    display_of,
    new_branch,
    quoted,
    read_sdp,
    response,
    tag_of,
    uri_of,
    user_of,
    write_sdp,
)

T1 = 0.5
"""RFC 3261's round-trip estimate, seconds: first retransmission interval."""
ANSWERED_ELSEWHERE = 26
"""Q.850's "non-selected user clearing"."""


class Wire(Protocol):
    """What a dialog needs from the process it lives in."""

    host: str
    port: int
    pbx: str
    """host:port of the PBX."""

    def send(self, message: Message) -> None: ...
    def emit(self, event: dict[str, Any]) -> None: ...
    def forget(self, call: "Call") -> None: ...
    async def transact(self, request: Message, progress: Callable[[Message], None] | None = None) -> Message | None: ...
    def spawn(self, work: Any) -> None: ...


@dataclass
class Script:
    """What one side of a call does. Seconds, Hz; None for a time means: never by itself."""

    tone: int = 400
    talk: float | None = None
    """Seconds to stay: a caller counts from when it hears another phone, a phone from when it answered."""
    patience: float | None = 60.0
    """A caller that has not heard another phone by then (counted from its INVITE) gives up."""
    digits: str = ""
    digits_after: float = 1.0
    """Seconds between being answered and the first digit."""
    digit_pause: float = 2.0
    """Seconds a comma among the digits waits."""
    heard: str | None = None
    """A WAV file to be written with what was heard."""
    sequence: int | None = None
    """The number before that of the first RTP packet, 0 to 65535; None: any below 32768."""
    frames: int = 1
    """Frames of 20 ms that each RTP packet has, and should have that we are sent."""
    codec: str = ""
    """`PCMU` or `PCMA`: the only one that a call is offered; "": both."""

    @property
    def ptime(self) -> int:
        """Milliseconds of sound in a packet (RFC 4566)."""
        return round(1000 * FRAME_SECONDS) * self.frames


@dataclass
class Call:
    """A call in either direction. Its record is sent as an `ended` event when it is over."""

    wire: Wire
    id: str
    script: Script
    local: str
    """Our From or To header's value, with our tag."""
    remote: str
    target: str
    """The URI our requests in this dialog go to."""
    phone: str = ""
    """The simulated phone's name; empty for a caller of the trunk."""
    secret: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    incoming: Message | None = None
    record: dict[str, Any] = field(default_factory=dict)
    media: Media = field(init=False)
    over: bool = False
    held: bool = False
    cseq: int = 1
    _last_invite: Message | None = None
    _acked: bool = False
    _cancelled: bool = False
    _provisional: bool = False
    _final: Message | None = None
    _timers: list[asyncio.TimerHandle] = field(default_factory=list)
    _talking: bool = False

    def __post_init__(self) -> None:
        heard = Path(self.script.heard) if self.script.heard else None
        self.media = Media(self.wire.host, self.script.tone, heard, self.script.sequence)
        self.media.frames = self.script.frames
        self.record = {
            "call": self.id,
            "phone": self.phone,
            "started_at": time.time(),
            "ringing_at": None,
            "answered_at": None,
            "person_at": None,
            "ended_at": None,
            "ended_by": "",
            "status": 0,
            "cause": None,
            **self.record,
        }

    # -- both directions ---------------------------------------------------------------------------

    def after(self, seconds: float | None, do: Callable[[], None]) -> None:
        if seconds is not None:
            self._timers.append(asyncio.get_running_loop().call_later(seconds, do))

    def transferring(self, status: int) -> None:
        """A SIP status came for a transfer that was asked for: of the REFER itself, or in a NOTIFY."""
        self.wire.emit({"event": "transfer", "call": self.id, "phone": self.phone, "status": status})
        if status == 200:  # phones hang up by themselves when they are told that it is done
            self.hang_up()

    def tick(self) -> None:
        """Every 20 ms while the call is answered."""
        self.media.tick()
        if self.record["person_at"] is None and self.media.person_at is not None:
            self.record["person_at"] = self.media.person_at
            self.wire.emit({"event": "person", "call": self.id, "phone": self.phone, "at": self.media.person_at})
            if self.incoming is None:
                self.after(self.script.talk, self.hang_up)

    def hang_up(self, by: str = "us") -> None:
        """End the call, in whatever state it is."""
        if self.over:
            return
        if self.record["answered_at"] is not None:
            self.wire.spawn(self.wire.transact(self.request("BYE")))
            self.finish(by)
        elif self.incoming is not None:
            self._answer_finally(480)
            self.finish(by, 480)
        elif not self._cancelled:
            self._cancelled = True
            self.record["ended_by"] = by
            if self._provisional:  # RFC 3261 9.1: not before a provisional response
                self._send_cancel()

    def finish(self, by: str, status: int | None = None, cause: int | None = None) -> None:
        if self.over:
            return
        self.over = True
        for timer in self._timers:
            timer.cancel()
        self.media.close()
        self.record |= {
            "ended_at": time.time(),
            "ended_by": self.record["ended_by"] or by,
            "cause": cause,
            "sent": self.media.sent,
            "received": self.media.received,
            "digits_heard": self.media.digits_heard,
            "silence": round(self.media.silence, 3),
            "silence_at": self.media.silence_at,
        }
        if status is not None:
            self.record["status"] = status
        self.wire.emit({"event": "ended", **self.record})
        self.wire.forget(self)

    def request(self, method: str, branch: str = "", cseq: int | None = None) -> Message:
        if cseq is None:
            self.cseq += method not in ("ACK", "CANCEL")
            cseq = self.cseq
        via = f"SIP/2.0/UDP {self.wire.host}:{self.wire.port};branch={branch or new_branch()};rport"
        headers = [
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", self.remote),
        ]
        headers += [("Call-ID", self.id), ("CSeq", f"{cseq} {method}")]
        return Message(f"{method} {self.target} SIP/2.0", headers)

    @property
    def contact(self) -> str:
        return f"<sip:{quote(self.phone or 'caller')}@{self.wire.host}:{self.wire.port}>"

    def _answered(self) -> None:
        self.record["answered_at"] = time.time()
        self.record["status"] = 200
        self.wire.emit({"event": "answered", "call": self.id, "phone": self.phone, "at": self.record["answered_at"]})
        if self.script.digits:
            self.after(self.script.digits_after, lambda: self.send_digits(self.script.digits))

    def send_digits(self, digits: str) -> None:
        self.media.play_digits(digits, self.script.digit_pause)

    # -- calling -----------------------------------------------------------------------------------

    async def place(self) -> None:
        """Send the INVITE and see the call through to its answer or failure."""
        self.after(self.script.patience, self._out_of_patience)
        reply = await self.invite(None)
        if reply is not None and reply.status in (401, 407) and self.secret:
            reply = await self.invite(reply)
        if self.over:
            return
        if reply is None:
            self.finish("nobody", 408)
        elif reply.status >= 300:
            self.finish("pbx", reply.status, _cause(reply))
        else:
            self.remote = reply.get("to")
            self.target = uri_of(reply.get("contact")) or self.target
            self.acknowledge()
            sdp = read_sdp(reply.body)
            self._answered()
            if self._cancelled or sdp is None:
                self.hang_up()
            else:
                self.media.send_to(sdp)

    async def invite(self, challenge: Message | None) -> Message | None:
        if challenge is not None:
            self.cseq += 1
        invite = self.request("INVITE", cseq=self.cseq)
        invite.headers += [
            ("Contact", self.contact),
            ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, NOTIFY"),
        ]
        invite.headers += [*self.headers, ("Content-Type", "application/sdp")]
        self.prove(invite, challenge)
        direction = "sendonly" if self.held else "sendrecv"
        invite.body = write_sdp(
            self.wire.host,
            self.media.port,
            tuple(kind for kind, name in CODECS.items() if self.script.codec in ("", name)),
            version=self.cseq,
            direction=direction,
            ptime=self.script.ptime,
        )
        self._last_invite = invite
        return await self.wire.transact(invite, self._progress)

    def prove(self, request: Message, challenge: Message | None) -> None:
        """Answers a challenge, if there was one."""
        if challenge is not None:
            kind = "www-authenticate" if challenge.status == 401 else "proxy-authenticate"
            name = "Authorization" if challenge.status == 401 else "Proxy-Authorization"
            value = authorization(challenge.get(kind), self.phone, self.secret, request.method, self.target)
            request.headers.append((name, value))

    def _progress(self, reply: Message) -> None:
        self._provisional = True
        if reply.status >= 180 and self.record["ringing_at"] is None:
            self.record["ringing_at"] = time.time()
            self.wire.emit({"event": "ringing", "call": self.id, "phone": self.phone, "at": self.record["ringing_at"]})
        if self._cancelled:
            self._send_cancel()

    def acknowledge(self) -> None:
        """ACK a 2xx, also each time it is repeated."""
        self.wire.send(
            self.request(
                "ACK",
                cseq=self._last_invite.cseq[0] if self._last_invite else self.cseq,
            )
        )

    def _send_cancel(self) -> None:
        if self._last_invite is not None:
            cancel = self.request("CANCEL", self._last_invite.branch, self._last_invite.cseq[0])
            self.wire.spawn(self.wire.transact(cancel))

    def _out_of_patience(self) -> None:
        if self.record["person_at"] is None:
            self.hang_up("patience")

    # -- being called ------------------------------------------------------------------------------

    def ring(self) -> None:
        self.record["ringing_at"] = time.time()
        if self.incoming is not None:
            self.wire.send(response(self.incoming, 180, tag_of(self.local), self.contact))

    def answer(self) -> None:
        """Accept the call that rings."""
        if self.over or self.incoming is None or self.record["answered_at"] is not None:
            return
        offer = read_sdp(self.incoming.body)
        if offer is None:
            self.reject(488)
            return
        self.media.send_to(offer)
        self._final = self._with_answer(self.incoming)
        self._repeat_until_acknowledged(T1)
        self._answered()
        self.after(self.script.talk, self.hang_up)

    def reject(self, status: int) -> None:
        if not self.over:
            self._answer_finally(status)
            self.finish("us", status)

    def _with_answer(self, request: Message) -> Message:
        offer = read_sdp(request.body)
        codecs = (offer.codec,) if offer else (0, 8)
        events = offer.events if offer else 101
        body = write_sdp(self.wire.host, self.media.port, codecs, events, ptime=self.script.ptime)
        return response(request, 200, tag_of(self.local), self.contact, body)

    def _answer_finally(self, status: int) -> None:
        if self.incoming is not None:
            self.wire.send(response(self.incoming, status, tag_of(self.local)))

    def _repeat_until_acknowledged(self, interval: float) -> None:
        if self._final is None or self._acked or self.over:
            return
        if interval > 16:
            self.hang_up("nobody")
            return
        self.wire.send(self._final)
        self.after(interval, lambda: self._repeat_until_acknowledged(interval * 2))

    # -- what the PBX says in this dialog ----------------------------------------------------------

    def receive(self, request: Message) -> None:
        """A request of the PBX that belongs to this call."""
        method = request.method
        if method == "ACK":
            self._acked = True
        elif method == "BYE":
            self.wire.send(response(request, 200))
            self.finish("pbx", cause=_cause(request))
        elif method == "CANCEL":
            self.wire.send(response(request, 200, tag_of(self.local)))
            if self.incoming is not None and self.record["answered_at"] is None:
                self._answer_finally(487)
                self.finish("pbx", 487, _cause(request))
        elif method in ("INVITE", "UPDATE"):
            self._renegotiate(request)
        elif method == "NOTIFY" and (found := re.match(r"SIP/2.0 (\d{3})", request.body)):
            self.wire.send(response(request, 200, tag_of(self.local)))
            self.transferring(int(found[1]))
        else:
            self.wire.send(response(request, 200, tag_of(self.local)))

    def _renegotiate(self, request: Message) -> None:
        if request.method == "INVITE" and self.incoming is not None and request.branch == self.incoming.branch:
            if self._final is not None:
                self.wire.send(self._final)  # the INVITE was repeated: so is what was said to it
            return
        offer = read_sdp(request.body)
        if offer is None and request.method == "UPDATE":
            self.wire.send(response(request, 200, tag_of(self.local), self.contact))
            return
        if offer is not None:
            self.media.send_to(offer)
        self._acked = request.method == "UPDATE"
        self._final = self._with_answer(request)
        if self._acked:
            self.wire.send(self._final)
        else:
            self._repeat_until_acknowledged(T1)


def outgoing(
    wire: Wire,
    call_id: str,
    number: str,
    script: Script,
    caller: str,
    name: str,
    phone: str = "",
    secret: str = "",
    headers: tuple[tuple[str, str], ...] = (),
) -> Call:
    """A call about to be placed: by the phone of that name, or from the trunk with that caller number."""
    user = quote(phone or caller, safe="+*#", errors="replace")
    identity = f"{user}@{wire.host}" if user else wire.host
    display = quoted(name) + " " if name else ""
    target = f"sip:{quote(number, safe='+*', errors='replace')}@{wire.pbx}"
    local = f"{display}<sip:{identity}:{wire.port}>;tag={new_branch()[7:]}"
    details = {"number": number, "caller": caller, "incoming": False}
    return Call(
        wire,
        call_id,
        script,
        local,
        f"<{target}>",
        target,
        phone,
        secret,
        headers,
        record=details,
    )


def arriving(wire: Wire, invite: Message, phone: str, secret: str, script: Script) -> Call:
    """A call that has just come in for a phone."""
    sender, offer = invite.get("from"), read_sdp(invite.body)
    details = {
        "number": user_of(invite.uri),
        "caller": user_of(sender),
        "caller_name": display_of(sender),
        "incoming": True,
        "headers": dict(invite.headers),
        "offered": [CODECS[kind] for kind in offer.ours] if offer else [],
    }
    return Call(
        wire,
        invite.get("call-id"),
        script,
        local=f"{invite.get('to')};tag={new_branch()[7:]}",
        remote=sender,
        target=uri_of(invite.get("contact")),
        phone=phone,
        secret=secret,
        incoming=invite,
        record=details,
    )


def _cause(message: Message) -> int | None:
    """The Q.850 cause of a Reason header (RFC 3326). Its SIP cause 200 says that somebody else answered."""
    for reason in message.all("reason"):
        protocol, _, rest = reason.partition(";")
        for parameter in rest.split(";"):
            key, _, value = parameter.strip().partition("=")
            if key != "cause" or not value.isdigit():
                continue
            if protocol.strip().upper() == "Q.850":
                return int(value)
            if protocol.strip().upper() == "SIP" and value == "200":
                return ANSWERED_ELSEWHERE
    return None
