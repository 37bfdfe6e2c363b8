"""SIPp (package sip-tester) as callers and as agents' phones: signalling only, everything on loopback.

SIPp writes one line for each moment that counts, with the microseconds of the system's clock, so callers and phones are
seen by one clock. The port named for their media is bound here and never read: nobody answers, and nothing is refused.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from contactcentre.lab.install import clean_environment
from contactcentre.lab.sip import Message, authorization, new_branch, response
from contactcentre.processes import bind_to_parent

LOOPBACK = "127.0.0.1"
ANSWER_DEADLINE = 5.0
STOP_DEADLINE = 5.0


class SippFailed(Exception):
    """SIPp is not there, or did not do what it was started for; the text says what."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a trace: something happened to one call."""

    at: float  # epoch seconds
    what: str
    agent: str  # "" in the callers' trace
    caller: str


# -- scenarios ------------------------------------------------------------------------------------------

_NOW = '<gettimeofday assign_to="sec,usec"/>'
_SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media] RTP/AVP 8 0
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
"""
_VIA = "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\nMax-Forwards: 70"
_TAG = "tag=[pid]b[call_number]"


def _scenario(name: str, *steps: str) -> str:
    body = "\n".join(steps)
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n{body}\n</scenario>\n'


def _send(text: str, sdp: bool = False, retransmit: bool = False) -> str:
    head = text + ("\nContent-Type: application/sdp" if sdp else "") + "\nContent-Length: [len]\n\n"
    attributes = ' retrans="500"' if retransmit else ""
    return f"<send{attributes}><![CDATA[\n{head}{_SDP if sdp else ''}\n]]></send>"


def _answer(status: str, tag: str = "") -> str:
    copied = f"[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]"
    return f"SIP/2.0 {status}\n{copied}\nContact: <sip:[local_ip]:[local_port]>"


def _log(what: str, agent: str, caller: str) -> str:
    return f'<nop><action>{_NOW}<log message="[$sec] [$usec] {what} {agent} {caller}"/></action></nop>'


def phone(ring: float, talk: tuple[float, float]) -> str:
    """An agent's phone: rings `ring` seconds, talks `talk` (least, most) seconds, hangs up. Answers OPTIONS, too."""
    least, most = (round(1000 * seconds) for seconds in talk)
    bye = f"BYE [$peer] SIP/2.0\n{_VIA}\nFrom: [$to];{_TAG}\nTo: [$from]\nCall-ID: [call_id]\nCSeq: 1 BYE"
    return _scenario(
        "phone",
        '<recv request="OPTIONS" optional="true" next="asked"/>',
        f"""<recv request="INVITE"><action>{_NOW}
<ereg regexp="sip:([^@]+)@" search_in="msg" check_it="true" assign_to="all,agent"/>
<ereg regexp="sip:([^@]+)@" search_in="hdr" header="From:" assign_to="some,caller"/>
<ereg regexp="[^ ].*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp="[^ ].*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp="sip:[^>]+" search_in="hdr" header="Contact:" assign_to="peer"/>
<log message="[$sec] [$usec] invited [$agent] [$caller]"/>
</action></recv>""",
        _send(_answer("180 Ringing", f";{_TAG}")),
        f'<pause milliseconds="{round(1000 * ring)}"/>',
        _send(_answer("200 OK", f";{_TAG}"), sdp=True, retransmit=True),
        '<recv request="ACK"/>',
        f'<pause distribution="uniform" min="{least}" max="{most}"/>',
        _log("hung-up", "[$agent]", "[$caller]"),
        _send(bye, retransmit=True),
        '<recv response="200" next="end"/>',
        '<label id="asked"/>',
        _send(_answer("200 OK", f";{_TAG}")),
        '<label id="end"/>',
        "<nop/>",
        '<Reference variables="all,some"/>',
    )


def caller(did: str, prefix: str, linger: tuple[float, float] = (0.0, 0.0)) -> str:
    """Calls `did` and waits until the other side hangs up; `linger`: seconds before its place is taken by the next."""
    least, most = (round(1000 * seconds) for seconds in linger)
    number = f"{prefix}[call_number]"
    uri = f"sip:{did}@[remote_ip]:[remote_port]"
    dialog = f"From: <sip:{number}@[local_ip]>;{_TAG}\nTo: <{uri}>%s\nCall-ID: [call_id]\nCSeq: 1 %s"
    contact = "\nContact: <sip:caller@[local_ip]:[local_port]>"
    return _scenario(
        "caller",
        _log("called", "-", number),
        _send(f"INVITE {uri} SIP/2.0\n{_VIA}\n{dialog % ('', 'INVITE')}{contact}", sdp=True, retransmit=True),
        '<recv response="100" optional="true"/>',
        '<recv response="180" optional="true"/>',
        '<recv response="183" optional="true"/>',
        '<recv response="200"/>',
        _log("answered", "-", number),
        _send(f"ACK sip:[remote_ip]:[remote_port] SIP/2.0\n{_VIA}\n{dialog % ('[peer_tag_param]', 'ACK')}"),
        '<recv request="BYE"/>',
        _log("over", "-", number),
        _send(_answer("200 OK")),
        f'<pause distribution="uniform" min="{least}" max="{most}"/>' if most else "",
    )


# -- processes ------------------------------------------------------------------------------------------


class Sipp:
    """One running SIPp."""

    def __init__(self, directory: Path, name: str, scenario: str, pbx: str, media: int, *arguments: str) -> None:
        """`pbx`: host:port. Everything it writes goes below `directory` under `name`. Raises SippFailed."""
        program = shutil.which("sipp")
        if program is None:
            raise SippFailed("sipp is not there: install the package sip-tester")
        self.trace = directory / f"{name}.trace"
        self.errors = directory / f"{name}.errors"
        self._stderr = directory / f"{name}.stderr"
        self.trace.unlink(missing_ok=True)
        file = directory / f"{name}.xml"
        file.write_text(scenario)
        self.process = subprocess.Popen(
            [
                *(program, pbx, "-sf", str(file), "-i", LOOPBACK, "-ci", LOOPBACK, "-nostdin"),
                *("-trace_logs", "-log_file", str(self.trace), "-trace_err", "-error_file", str(self.errors)),
                *("-key", "media", str(media), "-buff_size", "4000000", "-trace_screen"),
                *("-screen_file", str(directory / f"{name}.screen"), "-skip_rlimit", *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr.open("wb"),
            env=clean_environment() | {"TERM": "dumb"},
            cwd=directory,
            preexec_fn=bind_to_parent(signal.SIGTERM),
        )

    def wait(self, deadline: float) -> int | None:
        """Its exit status, None when it still runs after `deadline` seconds."""
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Takes it away; calls under way are not ended."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(how)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(STOP_DEADLINE)

    def moments(self, since: float = 0.0) -> list[Moment]:
        """What it has written so far of what happened after `since` (epoch seconds)."""
        return [moment for moment in self._read() if moment.at > since]

    def says(self) -> str:
        """The last lines of its complaints."""
        texts = [file.read_text(errors="replace") for file in (self._stderr, self.errors) if file.exists()]
        return " | ".join(" ".join(texts).split("\n")[-12:])[-1500:]

    def _read(self) -> Iterator[Moment]:
        if not self.trace.exists():
            return
        for line in self.trace.read_text(errors="replace").splitlines():
            parts = line.split()
            if len(parts) == 5 and parts[0][0].isdigit():
                yield Moment(float(parts[0]) + float(parts[1]) / 1e6, parts[2], parts[3], parts[4])


def register(users: Mapping[str, str], pbx: tuple[str, int], port: int) -> None:
    """Registers users (name -> secret) at `port` of loopback, one after the other; their phones are to be started there
    at once. Raises SippFailed. SIPp cannot: meanwhile the PBX asks each new phone with OPTIONS whether it is there."""
    with socket.socket(type=socket.SOCK_DGRAM) as here:
        here.bind((LOOPBACK, port))
        here.connect(pbx)
        here.settimeout(ANSWER_DEADLINE)
        uri = f"sip:{pbx[0]}:{pbx[1]}"
        for user, secret in users.items():
            answer = _registration(here, user, uri, 1)
            if answer.status == 401:
                proof = authorization(answer.get("www-authenticate"), user, secret, "REGISTER", uri)
                answer = _registration(here, user, uri, 2, proof)
            if answer.status != 200:
                raise SippFailed(f"{user} could not be registered: {answer.start}")
        here.settimeout(1.0)  # for the last one to be asked
        with contextlib.suppress(TimeoutError):
            while True:
                _answer_options(here)


def _registration(here: socket.socket, user: str, uri: str, cseq: int, proof: str = "") -> Message:
    """Sends one REGISTER; its answer."""
    host, port = here.getsockname()
    address = f"<sip:{user}@{uri.removeprefix('sip:')}>"
    headers = [
        ("Via", f"SIP/2.0/UDP {host}:{port};branch={new_branch()}"),
        ("From", f"{address};tag={user}"),
        ("To", address),
        ("Call-ID", f"register-{user}"),
        ("CSeq", f"{cseq} REGISTER"),
        ("Contact", f"<sip:{user}@{host}:{port}>"),
        ("Expires", "7200"),
        *([("Authorization", proof)] if proof else []),
    ]
    here.send(Message(f"REGISTER {uri} SIP/2.0", headers).encode())
    while True:
        try:
            heard = _answer_options(here)
        except TimeoutError:
            raise SippFailed(f"{user} could not be registered: no answer") from None
        if heard.get("call-id") == f"register-{user}" and heard.cseq[0] == cseq and heard.status >= 200:
            return heard


def _answer_options(here: socket.socket) -> Message:
    """The next message, after an answer to it if it is a question."""
    heard = Message.parse(here.recv(65_535))
    if heard.method == "OPTIONS":
        here.send(response(heard, 200, "here").encode())
    return heard


def sip_port() -> int:
    """A free UDP port."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def media_port() -> tuple[int, socket.socket]:
    """A bound port that nobody reads, and the socket that keeps it."""
    kept = socket.socket(type=socket.SOCK_DGRAM)
    kept.bind((LOOPBACK, 0))
    return int(kept.getsockname()[1]), kept
