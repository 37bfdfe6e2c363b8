"""Phones that are not ours, SIPp and baresip, so that what we take for SIP is not only our own idea of it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import gevent

from contactcentre.lab.ports import LOOPBACK, free_port
from contactcentre.processes import bind_to_parent
from tests.pbx.spectrum import write_tone

_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nMax-Forwards: 70"
_HERE = "Contact: <sip:ben@[local_ip]:[local_port]>"
_DIALOG = f"From: [$us];tag=sipp-[call_number]\nTo: [$them]\nCall-ID: [call_id]\n{_HERE}"
_SDP = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 7 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={direction}"""


def _send(text: str) -> str:
    return f"<send>\n<![CDATA[\n{text}\n]]>\n</send>"


def _renew(number: int, direction: str) -> str:
    sdp = _SDP.format(version=number, direction=direction)
    return "\n".join(
        [
            _send(f"INVITE [$target] SIP/2.0\n{_VIA}\n{_DIALOG}\nCSeq: {number} INVITE\n{sdp}"),
            '<recv response="100" optional="true"/><recv response="200"/>',
            _send(f"ACK [$target] SIP/2.0\n{_VIA}\n{_DIALOG}\nCSeq: {number} ACK\nContent-Length: 0\n"),
        ]
    )


def _keep(header: str, pattern: str, name: str) -> str:
    return f'<ereg regexp="{pattern}" search_in="hdr" header="{header}" check_it="true" assign_to="{name}"/>'


def _sipp_scenario(pbx: str, target: str) -> str:
    """Answers, holds, resumes, asks for a blind transfer, and hangs up when it is told that it is done."""
    answer = "[last_Via:]\n[last_From:]\n[last_To:];tag=sipp-[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n"
    known = answer.replace(";tag=sipp-[call_number]", "")
    notified = '<recv request="NOTIFY"/>\n' + _send(f"SIP/2.0 200 OK\n{known}Content-Length: 0\n")
    return "\n".join(
        [
            '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">',
            '<scenario name="keys">',
            '<recv request="INVITE"><action>',
            _keep("From:", "&lt;.*", "them"),
            _keep("To:", "&lt;.*&gt;", "us"),
            _keep("Contact:", "sip:[^&gt;]*", "target"),
            "</action></recv>",
            _send(f"SIP/2.0 180 Ringing\n{answer}{_HERE}\nContent-Length: 0\n"),
            _send(f"SIP/2.0 200 OK\n{answer}{_HERE}\n{_SDP.format(version=1, direction='sendrecv')}"),
            '<recv request="ACK"/><pause milliseconds="300"/>',
            _renew(2, "sendonly"),
            '<pause milliseconds="500"/>',
            _renew(3, "sendrecv"),
            '<pause milliseconds="500"/>',
            _send(
                f"REFER [$target] SIP/2.0\n{_VIA}\n{_DIALOG}\nCSeq: 4 REFER\n"
                f"Refer-To: <sip:{target}@{pbx}>\nReferred-By: [$us]\nContent-Length: 0\n"
            ),
            '<recv response="202"/>',
            notified,
            notified,
            _send(f"BYE [$target] SIP/2.0\n{_VIA}\n{_DIALOG}\nCSeq: 5 BYE\nContent-Length: 0\n"),
            '<recv response="200"/>',
            "</scenario>",
        ]
    )


@contextlib.contextmanager
def sipp(directory: Path, pbx: str, port: int, target: str) -> Iterator[subprocess.Popen[bytes]]:
    """SIPp at a fixed port; ends with status 0 when everything came as a phone expects it."""
    file = directory / "keys.xml"
    file.write_text(_sipp_scenario(pbx, target))
    command = ["sipp", pbx, "-sf", str(file), "-i", LOOPBACK, "-ci", LOOPBACK, "-p", str(port), "-m", "1", "-nostdin"]
    errors = directory / "errors"
    command += ["-timeout", "20", "-trace_err", "-error_file", str(errors)]
    with _ended(command, directory) as process:
        yield process


class Baresip:
    """A baresip that registers, answers by itself, and is told what to do through its control port."""

    def __init__(self, control: int) -> None:
        self._socket = socket.create_connection((LOOPBACK, control), 5)

    def do(self, command: str, parameters: str = "") -> None:
        """Press a key: `hold`, `resume`, `transfer NUMBER`."""
        data = json.dumps({"command": command, "params": parameters, "token": command}).encode()
        self._socket.sendall(b"%d:%s," % (len(data), data))

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def baresip(directory: Path, pbx: str, port: int, user: str, secret: str, tone: int) -> Iterator[Baresip]:
    control = free_port(socket.SOCK_STREAM)
    program = shutil.which("baresip")
    assert program is not None
    modules = os.environ.get("BARESIP_MODULES", "/usr/lib/baresip/modules")
    lines = {
        "sip_listen": f"{LOOPBACK}:{port}",
        "ctrl_tcp_listen": f"{LOOPBACK}:{control}",
        "module_path": modules,
        "audio_source": f"aufile,{directory}/tone.wav",
        "audio_player": "aubridge,nowhere",
        "audio_alert": "aubridge,nowhere",
        "net_interface": LOOPBACK,
    }
    text = "".join(f"{name}\t{value}\n" for name, value in lines.items())
    text += "".join(f"module\t{name}.so\n" for name in ("g711", "aubridge", "aufile"))
    text += "".join(f"module_app\t{name}.so\n" for name in ("account", "menu", "ctrl_tcp"))
    (directory / "config").write_text(text)
    (directory / "accounts").write_text(f"<sip:{user}@{pbx}>;auth_pass={secret};answermode=auto;regint=60\n")
    (directory / "contacts").touch()
    write_tone(directory / "tone.wav", tone, 60)
    with _ended([program, "-f", str(directory)], directory):
        phone = Baresip(_listening(control))
        try:
            yield phone
        finally:
            phone.close()


def _listening(port: int) -> int:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
            return port
        gevent.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@contextlib.contextmanager
def _ended(command: list[str], directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment: Mapping[str, str] = os.environ | {"TERM": "dumb"}
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=bind_to_parent(signal.SIGTERM),
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
