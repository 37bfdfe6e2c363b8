"""Our message lamps beside the voicemail of a PBX that has its own."""

from pathlib import Path

import gevent

from contactcentre.lab import Lab
from tests.pbx.bed import AGENTS, AsteriskBed

OURS, THEIRS = AGENTS[-1], AGENTS[0]
_VOICEMAIL = """[general]
format = wav

[default]
100 => 1234,Anna
"""
_DIALPLAN = """
[contactcentre-in](+)
exten => *4,1,Answer()
 same => n,VoiceMail(100@default,s)
"""


def leave_message(bed: AsteriskBed) -> None:
    """In the PBX's own mailbox."""
    call = bed.dial("*4", tone=400, talk=None, patience=None)
    call.until("answered")
    gevent.sleep(3)  # after the beep, of message
    call.hang_up()
    call.wait(60)


def test_the_pbxs_own_voicemail_keeps_its_lamps_and_we_keep_ours(fresh_lab: Lab) -> None:
    bed = AsteriskBed(fresh_lab)
    etc, provisioned = Path(fresh_lab.info().etc_dir), Path(fresh_lab.info().provisioned_dir)
    (etc / "voicemail.conf").write_text(_VOICEMAIL)
    with (provisioned / "pjsip.conf").open("a") as file:
        file.write(f"\n[{THEIRS}](+)\nmailboxes = 100@default\n")
    with (provisioned / "extensions.conf").open("a") as file:
        file.write(_DIALPLAN)
    assert "Loaded" in fresh_lab.rx("module load app_voicemail.so")
    fresh_lab.rx("core reload")
    bed.start()
    try:
        with bed.phone(OURS) as ours, bed.phone(THEIRS) as theirs:
            bed.pbx.show_messages({OURS: (4, 0)})
            ours.wait_messages(4)
            leave_message(bed)
            theirs.wait_messages(1)
            bed.pbx.show_messages({OURS: (5, 0)})
            ours.wait_messages(5)
            assert theirs.lamp["new"] == 1
        with bed.phone(OURS) as ours, bed.phone(THEIRS) as theirs:
            ours.wait_messages(5)
            theirs.wait_messages(1)
    finally:
        bed.pbx.stop()
        bed.hang_up_all()
