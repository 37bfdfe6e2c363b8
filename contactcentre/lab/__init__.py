"""The lab: a private Asterisk on loopback, with simulated phones and callers, for tests, demo and bench.

    lab = Lab("/some/state/dir")
    info = lab.start()          # idempotent; info.ari_url, info.sip_port, info.recordings_dir
    print(lab.rx("core show channels"))

    anna = lab.phone("anna", secret, ring=0.5, talk=20, tone=800)     # registered when this returns
    result = lab.call("0800", digits="1,2", talk=5, tone=400)         # a real call: SIP, RTP, RFC 4733 digits
    result.outcome, result.wait, result.call_id                       # served, 3.2, ...
    results = lab.calls((CallPlan("0800", caller=f"+33{n:09}") for n in range(100)), rate=5)
    anna.close()
    lab.stop()

Everything blocks until it is done or its deadline has passed (then LabTimeout); it works in threads and,
monkey-patched, in greenlets. Phones and callers live in one process per Lab object, which ends with that
object's process.

A caller cannot see in SIP when the PBX connects it to an agent, but it can hear it: simulated phones play
steady tones (see `media`). `CallResult.person_at` is that moment. So the customer's own ear tells who was served
and how long it took, independently of anything we count.
"""

from contactcentre.lab.choice import AnyLab, lab_of
from contactcentre.lab.ends import Hearing
from contactcentre.lab.errors import LabError, LabNotRunning, LabTimeout, NoAsterisk, NoFreeswitch, PhoneError
from contactcentre.lab.freeswitch import FreeswitchInfo, FreeswitchLab, can_have_freeswitch
from contactcentre.lab.install import can_have_asterisk
from contactcentre.lab.lab import Lab, LabInfo
from contactcentre.lab.phones import (
    ANSWER,
    BUSY,
    DECLINE,
    IGNORE,
    UNAVAILABLE,
    OngoingCall,
    Phone,
)
from contactcentre.lab.results import CallPlan, CallResult

__all__ = [
    "ANSWER",
    "BUSY",
    "DECLINE",
    "IGNORE",
    "UNAVAILABLE",
    "AnyLab",
    "CallPlan",
    "CallResult",
    "FreeswitchInfo",
    "FreeswitchLab",
    "Hearing",
    "Lab",
    "LabError",
    "LabInfo",
    "LabNotRunning",
    "LabTimeout",
    "NoAsterisk",
    "NoFreeswitch",
    "OngoingCall",
    "Phone",
    "PhoneError",
    "can_have_asterisk",
    "can_have_freeswitch",
    "lab_of",
]
