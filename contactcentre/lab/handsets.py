"""The process that plays simulated phones and callers: `python -m contactcentre.lab.handsets FD HOST:PORT`.

A process of its own, so that its 20 ms rhythm does not depend on what the controlling process is doing, and
one clock times both ends of a call. It takes commands and gives events as JSON lines on the inherited socket
FD, and ends, with every call it has, when that socket is closed. See `phones` for the side that controls it.
"""

import asyncio
import json
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from contactcentre.lab import keys, mailboxes
from contactcentre.lab.dialog import T1, Call, Script, arriving, outgoing
from contactcentre.lab.media import FRAME_SECONDS
from contactcentre.lab.sip import (
    Message,
    NotSip,
    authorization,
    new_branch,
    response,
    tag_of,
    user_of,
)

TRANSACTION_DEADLINE = 64 * T1
RETRY_REGISTRATION = 2.0
_SCRIPT_FIELDS = frozenset(f.name for f in fields(Script))


@dataclass
class Handset:
    """A phone that registers. Behaviour may be changed between calls."""

    name: str
    secret: str
    ring: float = 1.0
    """Seconds it rings before it answers or rejects."""
    answer: int = 200
    """SIP status it gives: 200 answers, 486, 480, 603 ... reject, 0 lets it ring for ever."""
    lines: int = 1
    expires: int = 60
    script: dict[str, Any] = field(default_factory=dict)
    registered: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: bool = False


class Switchboard(asyncio.DatagramProtocol):
    """All phones and calls of this process on one UDP socket."""

    def __init__(self, host: str, pbx: str) -> None:
        self.host = host
        self.port = 0
        self.pbx = pbx
        pbx_host, _, pbx_port = pbx.rpartition(":")
        self._pbx_address = (pbx_host, int(pbx_port))
        self._handsets: dict[str, Handset] = {}
        self._calls: dict[str, Call] = {}
        self._replies: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._busy = asyncio.Event()
        self._transport: asyncio.DatagramTransport
        self._control: asyncio.StreamWriter

    # -- the process -------------------------------------------------------------------------------

    async def run(self, control: socket.socket) -> None:
        """Serve until the controlling side is gone, then end every call and registration."""
        loop = asyncio.get_running_loop()
        sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sip.bind((self.host, 0))
        self.port = sip.getsockname()[1]
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sip)
        commands, self._control = await asyncio.open_connection(sock=control, limit=1 << 20)
        self.spawn(self._rhythm())
        while line := await commands.readline():
            command = json.loads(line)
            try:
                getattr(self, "do_" + command.pop("do"))(**command)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                self.emit(
                    {
                        "event": "refused",
                        "command": command,
                        "why": f"{type(error).__name__}: {error}",
                    }
                )
        self.do_hang_up_all()
        await asyncio.gather(*(self._sign_off(h) for h in self._handsets.values()))
        self._transport.close()

    async def _sign_off(self, handset: Handset) -> None:
        handset.leaving = True
        with suppress(TimeoutError):  # the PBX is gone already
            await asyncio.wait_for(self._register(handset, 0), 1)

    async def _rhythm(self) -> None:
        loop = asyncio.get_running_loop()
        beat = loop.time()
        while True:
            if not self._calls:
                self._busy.clear()
                await self._busy.wait()
            beat = max(beat + FRAME_SECONDS, loop.time() - 0.2)  # after a stall catch up, but not with a burst
            await asyncio.sleep(beat - loop.time())
            for call in list(self._calls.values()):
                if call.record["answered_at"] is not None:
                    call.tick()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.emit(
                {
                    "event": "refused",
                    "command": {},
                    "why": f"{type(error).__name__}: {error}",
                }
            )

    def emit(self, event: dict[str, Any]) -> None:
        self._control.write(json.dumps(event).encode() + b"\n")

    def _add(self, call: Call) -> None:
        self._calls[call.id] = call
        self._busy.set()

    def forget(self, call: Call) -> None:
        self._calls.pop(call.id, None)

    # -- commands ----------------------------------------------------------------------------------

    def do_register(self, phone: str, secret: str, **behaviour: Any) -> None:
        handset = self._handsets[phone] = Handset(phone, secret)
        self.do_behave(phone, **behaviour)
        self.spawn(self._stay_registered(handset))

    def do_behave(self, phone: str, **behaviour: Any) -> None:
        handset = self._handsets[phone]
        for key, value in behaviour.items():
            if key in _SCRIPT_FIELDS:
                handset.script[key] = value
            else:
                setattr(handset, key, value)

    def do_refresh(self, phone: str) -> None:
        self._handsets[phone].wake.set()

    def do_subscribe(self, phone: str) -> None:
        self.spawn(self._subscribe(self._handsets[phone]))

    async def _subscribe(self, handset: Handset) -> None:
        status = await mailboxes.subscribe(self, handset)
        self.emit({"event": "subscribed", "phone": handset.name, "status": status})

    def do_unregister(self, phone: str) -> None:
        handset = self._handsets.pop(phone)
        handset.leaving = True
        handset.wake.set()
        for call in [c for c in self._calls.values() if c.phone == phone]:
            call.hang_up()

    def do_call(
        self,
        call: str,
        number: str,
        caller: str,
        name: str,
        phone: str,
        headers: dict[str, str],
        **script: Any,
    ) -> None:
        secret = self._handsets[phone].secret if phone else ""
        placed = outgoing(
            self,
            call,
            number,
            Script(**script),
            caller,
            name,
            phone,
            secret,
            tuple(headers.items()),
        )
        self._add(placed)
        self.spawn(self._place(placed))

    async def _place(self, call: Call) -> None:
        try:
            await call.place()
        except Exception:
            call.finish("nobody", 500)  # whoever waits for its result gets one; `_done` says what went wrong
            raise

    def do_hang_up(self, call: str) -> None:
        if found := self._calls.get(call):
            found.hang_up()

    def do_hang_up_all(self) -> None:
        for call in list(self._calls.values()):
            call.hang_up()

    def do_answer(self, call: str) -> None:
        if found := self._calls.get(call):
            found.answer()

    def do_digits(self, call: str, digits: str) -> None:
        if found := self._calls.get(call):
            found.send_digits(digits)

    def do_hold(self, call: str, held: bool, music: int | None) -> None:
        if found := self._calls.get(call):
            self.spawn(keys.hold(found, held, music))

    def do_transfer(self, call: str, number: str, other: str) -> None:
        if found := self._calls.get(call):
            self.spawn(keys.transfer(found, number, self._calls[other] if other else None))

    def do_hear(self, call: str, seconds: float, path: str, token: str) -> None:
        if found := self._calls.get(call):
            heard = {"event": "heard", "call": token}
            found.media.hear(seconds, Path(path), lambda packets: self.emit({**heard, "packets": packets}))
        else:
            raise ValueError(f"no call {call} that could hear anything")

    # -- registration ------------------------------------------------------------------------------

    async def _stay_registered(self, handset: Handset) -> None:
        call_id, cseq = secrets.token_hex(12), 0
        while True:
            expires = 0 if handset.leaving else handset.expires
            status = await self._register(handset, expires, call_id, cseq)
            cseq += 2
            handset.registered = status == 200 and expires > 0
            kind = "registered" if handset.registered else "unregistered"
            self.emit(
                {
                    "event": kind,
                    "phone": handset.name,
                    "status": status,
                    "at": time.time(),
                }
            )
            if handset.leaving:
                return
            handset.wake.clear()
            pause = expires / 2 if handset.registered else RETRY_REGISTRATION
            with suppress(TimeoutError):
                await asyncio.wait_for(handset.wake.wait(), pause)

    async def _register(self, handset: Handset, expires: int, call_id: str = "", cseq: int = 1000000) -> int:
        """The status of the last answer; 408 when there was none."""
        uri, user = f"sip:{self.pbx}", quote(handset.name)
        address = f"<sip:{user}@{self.pbx}>"
        proof: list[tuple[str, str]] = []
        status = 408
        for attempt in (1, 2):
            via = f"SIP/2.0/UDP {self.host}:{self.port};branch={new_branch()};rport"
            headers = [("Via", via), ("Max-Forwards", "70"), ("To", address)]
            headers += [
                ("From", f"{address};tag={new_branch()[7:]}"),
                ("Call-ID", call_id or secrets.token_hex(12)),
            ]
            headers += [
                ("CSeq", f"{cseq + attempt} REGISTER"),
                ("Expires", str(expires)),
            ]
            headers += [("Contact", f"<sip:{user}@{self.host}:{self.port}>"), *proof]
            reply = await self.transact(Message(f"REGISTER {uri} SIP/2.0", headers))
            status = reply.status if reply else 408
            if reply is None or status != 401 or attempt == 2:
                break
            challenge = reply.get("www-authenticate")
            proof = [
                (
                    "Authorization",
                    authorization(challenge, handset.name, handset.secret, "REGISTER", uri),
                )
            ]
        return status

    # -- the wire ----------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        self._transport.sendto(message.encode(), self._pbx_address)

    async def transact(self, request: Message, progress: Callable[[Message], None] | None = None) -> Message | None:
        """Send a request until it is answered (RFC 3261 17.1); its final response, None without any."""
        key = (request.branch, request.method)
        replies = self._replies[key] = asyncio.Queue()
        invite = request.method == "INVITE"
        give_up = time.monotonic() + TRANSACTION_DEADLINE
        interval: float | None = T1
        try:
            self.send(request)
            while time.monotonic() < give_up:
                try:
                    reply = await asyncio.wait_for(replies.get(), interval)
                except TimeoutError:
                    interval = min((interval or T1) * 2, TRANSACTION_DEADLINE if invite else 4.0)
                    self.send(request)
                    continue
                if reply.status < 200:
                    if invite:
                        interval, give_up = None, float("inf")
                    if progress is not None:
                        progress(reply)
                    continue
                if invite and reply.status >= 300:
                    self.send(_ack_of_refusal(request, reply))
                return reply
            return None
        finally:
            del self._replies[key]

    def datagram_received(self, data: bytes, address: tuple[str | Any, int]) -> None:
        try:
            message = Message.parse(data)
        except NotSip:
            return
        if message.status:
            self._take_response(message)
        else:
            self._take_request(message)

    def error_received(self, error: Exception) -> None:
        """An ICMP error: the PBX is down. Deadlines deal with it."""

    def _take_response(self, message: Message) -> None:
        method = message.cseq[1]
        replies = self._replies.get((message.branch, method))
        if replies is not None:
            replies.put_nowait(message)
        elif method == "INVITE" and 200 <= message.status < 300 and (call := self._calls.get(message.get("call-id"))):
            call.acknowledge()

    def _take_request(self, message: Message) -> None:
        call = self._calls.get(message.get("call-id"))
        if call is not None:
            call.receive(message)
        elif message.method == "INVITE" and not tag_of(message.get("to")):
            self._take_call(message)
        elif message.method in ("OPTIONS", "NOTIFY", "INFO", "MESSAGE"):
            self.send(response(message, 200, new_branch()[7:]))
            if message.method == "NOTIFY" and (lamp := mailboxes.told(message)):
                self.emit(lamp)
        elif message.method != "ACK":
            self.send(response(message, 481))

    def _take_call(self, invite: Message) -> None:
        handset = self._handsets.get(unquote(user_of(invite.uri)))
        if handset is None:
            self.send(response(invite, 404, new_branch()[7:]))
            return
        if sum(call.phone == handset.name for call in self._calls.values()) >= handset.lines:
            self.send(response(invite, 486, new_branch()[7:]))
            return
        script = dict(handset.script)
        if "talk" in script and isinstance(script["talk"], list):
            low, high = script["talk"]
            script["talk"] = low + (high - low) * secrets.randbelow(1001) / 1000
        call = arriving(self, invite, handset.name, handset.secret, Script(**script))
        self._add(call)
        call.ring()
        self.emit({"event": "incoming", **call.record})
        if handset.answer == 200:
            call.after(handset.ring, call.answer)
        elif handset.answer:
            call.after(handset.ring, lambda: call.reject(handset.answer))


def _ack_of_refusal(invite: Message, reply: Message) -> Message:
    """The ACK of a non-2xx final response belongs to the INVITE's own transaction (RFC 3261 17.1.1.3)."""
    headers = [
        ("Via", invite.get("via")),
        ("Max-Forwards", "70"),
        ("From", invite.get("from")),
        ("To", reply.get("to")),
    ]
    headers += [("Call-ID", invite.get("call-id")), ("CSeq", f"{invite.cseq[0]} ACK")]
    return Message(f"ACK {invite.uri} SIP/2.0", headers)


def main(arguments: list[str]) -> int:
    """Run until the controlling socket closes."""
    if len(arguments) != 2 or not arguments[0].isdigit() or not re.fullmatch(r"[\d.]+:\d+", arguments[1]):
        print(
            "usage: python -m contactcentre.lab.handsets FD HOST:PORT (started by contactcentre.lab)",
            file=sys.stderr,
        )
        return 2
    control = socket.socket(fileno=int(arguments[0]))
    asyncio.run(Switchboard("127.0.0.1", arguments[1]).run(control))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
