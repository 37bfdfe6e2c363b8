"""Does anything that comes in at the edges upset a running contact centre?

The whole of it on the lab's PBX, and from a seeded generator, N of each:

  * *commands* to the controller, in its stream in Redis: malformed, deep, oversize, sent twice, verbs of calls and
    supervisors with values that nobody means;
  * *calls* whose SIP headers (From, P-Asserted-Identity, Diversion, User-Agent, Remote-Party-ID) hold hostile bytes or
    are very long, by raw datagrams; who is answered hangs up;
  * *keys*: callers who press a hundred and more of them in the menu.

Afterwards every process must be the one that it was, the controller must answer, no line of the log may be a
traceback, no channel may be left, and a caller must be served. Exits with 1 otherwise.

N=200 SEED=1 PBX=asterisk.
"""

import json
import os
import random
import socket
import string
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
import gevent.monkey

SECONDS = 90.0
"""That what was begun may take to come to rest."""
TOP = ("ping", "hangup", "call", "softphone", "supervise", "handover", "-", "shutdown")
VERBS = (
    *("hold", "resume", "consult", "toggle", "complete", "conference", "cancel", "add", "kick", "drop", "park"),
    *("retrieve", "transfer", "mute", "unmute", "dtmf", "record", "pickup", "takeover", "away", "here", "rejoin"),
)
TARGETS = ("agent:anna", "agent:bert", "queue:one", "queue:two", "number:+33123456789", "voicemail:one", "flow:main")
ACTIONS = ("list", "start", "mode", "stop", "", "x")
HOSTILE: tuple[Any, ...] = (
    *("", "nobody", "anna", "agent:anna", "agent:" + "x" * 5000, "number:+33" + "1" * 500, "queue:one\r\nX: y", "\0"),
    *("\ud800", "${system(x)}", "'; drop table contacts; --", "\u202e", "0" * 64, "-1", "../../etc/passwd"),
    *(None, True, -1, 1e308, [], ["a"] * 50, {}, {"a": {"b": []}}),
)
NAMES = (
    *("agent", "to", "party", "leg", "slot", "digits", "action", "supervisor", "phone", "endpoint", "channel", "mode"),
)
MALFORMED = (
    *(
        "",
        "no json",
        "[]",
        "7",
        "[" * 16_000,
        '{"id": "a"}',
        '{"id": "\\ud800", "verb": "ping", "args": {}, "timeout": 5}',
    ),
    '{"id": "a", "verb": "ping", "args": {}, "timeout": NaN}',
    json.dumps({"id": "a", "verb": "ping", "args": {"x": "y" * 40_000}, "timeout": 5}),
)
TEXTS = (
    *(
        b'"',
        b"\\",
        b"<sip:x@y>;tag=1",
        b"\xff\xfe\x80",
        b"${SHELL(id)}",
        b"${system(id)}",
        b"$[1+1]",
        b"|,&;",
        b"%0d%0aX: y",
    ),
    *(
        "\u202e\U0001f600".encode(),
        b"\x01\x1b[31m",
        b"A" * 3000,
        b"'; drop table contacts; --",
        b"<script>alert(1)</script>",
    ),
)


def asks(chance: random.Random, contact: str) -> tuple[str, dict[str, Any]]:
    """A command's verb and arguments; mostly about this contact."""

    def some() -> Any:
        return chance.choice(HOSTILE)

    inner = {name: some() for name in chance.sample(NAMES, chance.randrange(5))}
    match top := chance.choice(TOP[2:5] if chance.random() < 0.8 else TOP):
        case "call":
            verb = chance.choice(VERBS) if chance.random() < 0.8 else some()
            whose = contact if chance.random() < 0.8 else some()
            if chance.random() < 0.3:
                inner["to"] = chance.choice(TARGETS)
            wanted = inner if chance.random() < 0.9 else some()
            return top, {"contact": whose, "verb": verb, "args": wanted, "by": some()}
        case "supervise":
            return top, {**inner, "action": chance.choice(ACTIONS), "id": some(), "contact": some()}
        case "hangup" | "handover":
            return top, {"contact": some(), "to": some()}
        case _:
            return top, {**inner, "holder": some(), "take": some(), "end": some()}


def invite(chance: random.Random, number: str, here: tuple[str, int], there: tuple[str, int], call: str) -> bytes:
    """A call whose headers are not what one expects."""
    text = lambda: chance.choice(TEXTS)  # noqa: E731
    name = text().replace(b'"', b"").replace(b"\r", b"").replace(b"\n", b"") if chance.random() < 0.7 else text()
    at, port = (part.encode() if isinstance(part, str) else str(part).encode() for part in here)
    user = chance.choice([b"+33%d" % chance.randrange(10**9), b"x" * chance.randrange(1, 200), b"anonymous"])
    sdp = b"v=0\r\no=- 1 1 IN IP4 %b\r\ns=-\r\nc=IN IP4 %b\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n" % (at, at, 40000)
    lines = [
        b"INVITE sip:%b@%b:%d SIP/2.0" % (number.encode(), there[0].encode(), there[1]),
        b"Via: SIP/2.0/UDP %b:%b;branch=z9hG4bK%b;rport" % (at, port, call.encode()),
        b'From: "%b" <sip:%b@%b>;tag=%b' % (name, user, at, call.encode()),
        b"To: <sip:%b@%b>" % (number.encode(), there[0].encode()),
        b"Call-ID: %b" % call.encode(),
        b"CSeq: 1 INVITE",
        b"Max-Forwards: 70",
        b"Contact: <sip:x@%b:%b>" % (at, port),
        b"User-Agent: %b" % text(),
    ]
    for header in (b"P-Asserted-Identity", b"Diversion", b"Remote-Party-ID", b"X-Any"):
        if chance.random() < 0.5:
            lines.append(b'%b: "%b" <sip:%b@%b>' % (header, text(), user, at))
    lines += [b"Content-Type: application/sdp", b"Content-Length: %d" % len(sdp), b"", b""]
    return b"\r\n".join(lines) + sdp


def headers_of(message: bytes) -> dict[bytes, bytes]:
    lines = message.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}


def call_in(chance: random.Random, number: str, there: tuple[str, int]) -> str:
    """The status of the final answer, "" = there was none within some seconds. Who is answered hangs up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(5)
        here = wire.getsockname()
        call = "".join(chance.choices(string.ascii_letters, k=16))
        message = invite(chance, number, here, there, call)
        wire.sendto(message, there)
        try:
            while True:
                answer = wire.recv(65536)
                status = answer.split(b" ", 2)[1] if answer.startswith(b"SIP/2.0 ") else b"100"
                if status >= b"200":
                    break
        except TimeoutError:
            return ""
        mine, theirs = headers_of(message), headers_of(answer)
        for method in ("ACK", "BYE") if status < b"300" else ("ACK",):
            lines = [
                b"%b sip:%b@%b:%d SIP/2.0" % (method.encode(), number.encode(), there[0].encode(), there[1]),
                mine[b"via"].join([b"Via: ", b""]) if method == "ACK" else b"Via: " + mine[b"via"] + b"b",
                b"From: " + mine[b"from"],
                b"To: " + theirs.get(b"to", b""),
                b"Call-ID: " + mine[b"call-id"],
                b"CSeq: %d %b" % (1 if method == "ACK" else 2, method.encode()),
                b"Max-Forwards: 70",
                b"Content-Length: 0",
                b"\r\n",
            ]
            wire.sendto(b"\r\n".join(lines), there)
        return status.decode(errors="replace")


def main() -> int:
    from contactcentre.demo.stage import stage

    seed, number = int(os.environ.get("SEED", "1")), int(os.environ.get("N", "200"))
    pbx = os.environ.get("PBX", "asterisk")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cc-fuzz-", dir="/tmp") as directory:
        state = Path(directory)
        state.chmod(0o755)
        os.environ["CONTACTCENTRE_WEB_PORT"] = os.environ["CONTACTCENTRE_WATCH_PORT"] = "0"
        with stage(state, 1.0, lambda text: print(text, file=sys.stderr), ring=(0.1, 0.1), pbx=pbx) as here:
            told = attack(here, random.Random(seed), number)  # noqa: S311 - to be repeated
    told |= {"seed": seed, "n": number, "pbx": pbx, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(told))
    return 0 if not told["faults"] else 1


def attack(here: Any, chance: random.Random, number: int) -> dict[str, Any]:
    from contactcentre.live import CommandFailed, Commands

    redis, node = here.live.redis, here.settings.node
    commands, said, answers = Commands(redis), Counter[str](), Counter[str]()
    before = {name: child["pid"] for name, child in here.supervisor.status().items()}
    dids = list(here.site.dids)
    info = here.lab.info()

    def pressing() -> None:
        for _ in range(max(1, number // 50)):
            keys = ",".join(chance.choices("0123456789*#", k=120))
            here.lab.dial(chance.choice(dids), digits=keys, digit_pause=0.05, talk=1, patience=20).wait(SECONDS)

    keys = gevent.spawn(pressing)
    for count in range(number):
        contacts = list(here.live.contacts()) or ["nobody"]
        verb, args = asks(chance, chance.choice(contacts))
        if verb != "handover":
            try:
                commands.send(node, verb, args, timeout=15)
                said["done"] += 1
            except CommandFailed as refused:
                said[refused.code] += 1
        redis.xadd(f"cc:commands:{node}", {"command": chance.choice(MALFORMED)})
        again = json.dumps({"id": f"again{count // 5}", "verb": "ping", "args": {}, "timeout": 60})
        redis.xadd(f"cc:commands:{node}", {"command": again})
        answers[call_in(chance, chance.choice(dids), (info.sip_host, info.sip_port))] += 1
    keys.join()
    faults = [f"{count} times {code}" for code in ("internal", "malformed") if (count := said[code])]
    until = time.monotonic() + SECONDS
    while here.live.contacts() and time.monotonic() < until:
        gevent.sleep(0.2)
    faults += ["contacts are left"] if here.live.contacts() else []
    faults += [] if commands.send(node, "ping")["linked"] else ["the controller is not linked"]
    faults += (
        []
        if here.lab.dial(dids[0], digits="1,2", digit_pause=1, talk=1, patience=60).wait(SECONDS).served
        else ["not served"]
    )
    after = {name: child["pid"] for name, child in here.supervisor.status().items()}
    faults += [f"{name} was started again" for name in before if after[name] != before[name]]
    log = here.log.read_text(errors="replace")
    faults += (
        [f"{log.count('Traceback')} tracebacks: {log[log.index('Traceback') :][:2000]}"] if "Traceback" in log else []
    )
    return {"commands": dict(said), "calls": dict(answers), "faults": faults}


if __name__ == "__main__":
    gevent.monkey.patch_all()
    sys.exit(main())
