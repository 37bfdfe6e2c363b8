"""SIP over a websocket over TLS, on a real Asterisk set up as docs/admin.rst says: what a browser's phone needs."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from contactcentre.lab import Lab
from contactcentre.pbx.asterisk import AsteriskPbx
from tests.pbx.asterisk.test_accounts import pbx  # noqa: F401  (a fixture)
from tests.waiting import eventually

REGISTER = """REGISTER sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/WSS browser.invalid;branch=z9hG4bK1
Max-Forwards: 70
From: <sip:anna-web@127.0.0.1>;tag=1
To: <sip:anna-web@127.0.0.1>
Call-ID: one-of-its-own
CSeq: 1 REGISTER
Contact: <sip:anna-web@browser.invalid;transport=wss>
Content-Length: 0

"""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl on PATH")
def test_a_browser_reaches_the_account_by_a_certificate_that_it_believes(
    pbx: AsteriskPbx,  # noqa: F811
    fresh_lab: Lab,
    tmp_path: Path,
    unused_port: int,
) -> None:
    key, certificate = tmp_path / "pbx.key", tmp_path / "pbx.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    info = fresh_lab.info()
    with Path(info.etc_dir, "http.conf").open("a") as file:
        tls = {"enable": "yes", "bindaddr": f"127.0.0.1:{unused_port}", "certfile": certificate, "privatekey": key}
        file.writelines(f"tls{name} = {value}\n" for name, value in tls.items())
    pbx.set_password("anna-web", "only-for-this-window")
    fresh_lab.rx("module reload http")
    there = f"HTTPS Server Enabled and Bound to 127.0.0.1:{unused_port}"
    eventually(lambda: there in fresh_lab.rx("http show status"), "TLS is there")
    believes = ssl.create_default_context(cafile=certificate)
    with connect(f"wss://127.0.0.1:{unused_port}/ws", ssl=believes, subprotocols=[Subprotocol("sip")]) as browser:
        assert browser.subprotocol == "sip"
        browser.send(REGISTER.replace("\n", "\r\n"))
        answer = str(browser.recv(timeout=10))
        assert answer.startswith("SIP/2.0 401 "), "it is asked for the password"
        assert 'realm="asterisk"' in answer
