"""A lab with a small dialplan and two agents' endpoints, to try phones and callers on."""

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from contactcentre.lab import Lab, can_have_asterisk
from tests.plugins.lab import running

SECRET = "the phones' secret"

DIALPLAN = """[contactcentre-in]
exten = 100,1,Answer()
 same = n,Echo()
exten = 101,1,Answer()
 same = n,Read(PRESSED,beep,3,,1,5)
 same = n,Verbose(0,PRESSED=${PRESSED} BY=${CALLERID(num)})
 same = n,Hangup(21)
exten = 102,1,Answer()
 same = n,Playback(vm-goodbye)
 same = n,MusicOnHold(default,3)
 same = n,Hangup()
exten = 103,1,Ringing()
 same = n,Wait(20)
exten = 104,1,Answer()
 same = n,SendDTMF(159*#,200)
 same = n,Wait(1)
 same = n,Hangup()
exten = 200,1,Answer()
 same = n,MixMonitor(mixed.wav,r(caller.wav)t(agent.wav))
 same = n,Dial(PJSIP/anna,20)
exten = 201,1,Dial(PJSIP/anna,20)
 same = n,Hangup(${HANGUPCAUSE})
exten = 202,1,Dial(PJSIP/bea,20)

[phones]
exten = *45,1,Answer()
 same = n,Verbose(0,FEATURE=${EXTEN} OF=${CHANNEL(endpoint)})
 same = n,Hangup()
"""

ENDPOINT = """
[{name}]
type = endpoint
transport = transport-udp
context = phones
disallow = all
allow = {codec}
auth = {name}
aors = {name}
direct_media = no

[{name}]
type = auth
auth_type = userpass
username = {name}
password = {secret}

[{name}]
type = aor
max_contacts = 1
remove_existing = yes
"""


@pytest.fixture(scope="package")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if reason := can_have_asterisk():
        pytest.skip(reason)
    lab = Lab(tmp_path_factory.mktemp("testbed"))
    provisioned = lab.directories.provisioned
    provisioned.mkdir(parents=True)
    (provisioned / "extensions.conf").write_text(DIALPLAN)
    agents = (("anna", "ulaw"), ("bea", "alaw"))
    endpoints = "".join(ENDPOINT.format(name=name, codec=codec, secret=SECRET) for name, codec in agents)
    (provisioned / "pjsip.conf").write_text(endpoints)
    yield from running(lab, None)


def strongest_hertz(path: Path) -> float:
    """The frequency with the most power in a mono WAV file."""
    with wave.open(str(path)) as sound:
        assert sound.getnchannels() == 1
        rate = sound.getframerate()
        samples = numpy.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(float)
    assert len(samples) > rate / 2, "less than half a second of sound"
    power = numpy.abs(numpy.fft.rfft(samples * numpy.hanning(len(samples)))) ** 2
    power[0] = 0
    return float(numpy.fft.rfftfreq(len(samples), 1 / rate)[power.argmax()])
