"""The lab's FreeSWITCH: its life, and the same phones and callers on it as on the lab's Asterisk."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactcentre.lab import (
    FreeswitchLab,
    LabError,
    LabTimeout,
    NoFreeswitch,
    can_have_freeswitch,
)
from contactcentre.lab.freeswitch.console import NotOurs, ask
from tests.lab.conftest import SECRET, strongest_hertz
from tests.waiting import eventually

USER = """<include>
  <user id="{name}">
    <params><param name="password" value="{secret}"/></params>
    <variables><variable name="user_context" value="phones"/></variables>
  </user>
</include>
"""

DIALPLAN = """<include>
  <X-PRE-PROCESS cmd="set" data="pause=silence_stream://100"/>
  <context name="contactcentre-in">
    <extension name="parked">
      <condition field="destination_number" expression="^800$"><action application="park"/></condition>
    </extension>
    <extension name="echo">
      <condition field="destination_number" expression="^100$">
        <action application="answer"/>
        <action application="echo"/>
      </condition>
    </extension>
    <extension name="digits">
      <condition field="destination_number" expression="^101$">
        <action application="answer"/>
        <action application="play_and_get_digits" data="3 3 1 5000 # $${pause} $${pause} pressed"/>
        <action application="log" data="NOTICE pressed=${pressed} by=${caller_id_number}"/>
        <action application="hangup" data="CALL_REJECTED"/>
      </condition>
    </extension>
    <extension name="music">
      <condition field="destination_number" expression="^102$">
        <action application="answer"/>
        <action application="playback" data="$${hold_music}"/>
      </condition>
    </extension>
    <extension name="anna">
      <condition field="destination_number" expression="^200$">
        <action application="bridge" data="user/anna"/>
        <action application="hangup" data="${originate_disposition}"/>
      </condition>
    </extension>
  </context>
  <context name="phones">
    <extension name="who am I">
      <condition field="destination_number" expression="^\\*45$">
        <action application="answer"/>
        <action application="log" data="NOTICE feature=${destination_number} of=${sip_auth_username}"/>
        <action application="hangup"/>
      </condition>
    </extension>
  </context>
</include>
"""


@pytest.fixture(scope="module")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeswitchLab]:
    """One with a small dialplan and two phones."""
    if reason := can_have_freeswitch():
        pytest.skip(reason)
    lab = FreeswitchLab(tmp_path_factory.mktemp("freeswitch"))
    lab.start(until_parent_dies=True)
    etc = lab.directories.etc
    for name in ("anna", "bea"):
        (etc / f"directory/default/{name}.xml").write_text(USER.format(name=name, secret=SECRET))
    (etc / "dialplan/test.xml").write_text(DIALPLAN)
    assert lab.rx("reloadxml").startswith("+OK")
    yield lab
    lab.stop()


# -- its life ------------------------------------------------------------------------------------------


def test_it_answers_on_its_event_socket_with_the_password_of_its_owners_file_only(freeswitch: FreeswitchLab) -> None:
    info = freeswitch.info()
    assert "is ready" in freeswitch.rx("status")
    assert info.version in freeswitch.rx("version")
    with pytest.raises(NotOurs):
        ask(info.esl_port, "ClueCon", "status", 5)
    kept = Path(info.state_dir) / "lab.json"
    assert json.loads(kept.read_text())["esl_password"] == info.esl_password
    for file in (kept, Path(info.etc_dir) / "autoload_configs/event_socket.conf.xml"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_console_command_cannot_smuggle_in_another(freeswitch: FreeswitchLab) -> None:
    with pytest.raises(LabError, match="control characters"):
        freeswitch.rx("status\n\napi fsctl shutdown now")
    assert "is ready" in freeswitch.rx("status")


def test_a_state_directory_that_freeswitch_would_expand_is_refused() -> None:
    with pytest.raises(LabError, match="as something else"):
        FreeswitchLab("/tmp/a$${domain}")


# -- where it comes from -------------------------------------------------------------------------------


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_without_a_freeswitch_it_says_what_to_install_or_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FREESWITCH_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoFreeswitch, match=r"no FreeSWITCH on PATH.*FREESWITCH_BIN"):
        FreeswitchLab(tmp_path / "lab").start()
    monkeypatch.setenv("FREESWITCH_BIN", str(tmp_path / "nowhere"))
    assert can_have_freeswitch() == f"FREESWITCH_BIN is {tmp_path / 'nowhere'}: there is no such program"


def test_one_that_is_too_old_broken_or_incomplete_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin/freeswitch"
    monkeypatch.setenv("FREESWITCH_BIN", str(program))
    _program(program, "echo cannot load libsofia >&2; exit 127")
    assert "cannot load libsofia" in str(can_have_freeswitch())
    _program(program, "echo 'FreeSWITCH version: 1.8.7 (64bit)'")
    assert "at least 1.10 is needed" in str(can_have_freeswitch())
    _program(program, "echo 'FreeSWITCH version: 1.10.12 (64bit)'")
    assert "has no modules" in str(can_have_freeswitch())
    (tmp_path / "lib/freeswitch/mod").mkdir(parents=True)
    assert "was built without mod_commands" in str(can_have_freeswitch())


# -- phones and callers --------------------------------------------------------------------------------


def test_a_call_from_the_trunk_arrives_and_is_parked_without_an_answer(freeswitch: FreeswitchLab) -> None:
    call = freeswitch.dial("800", caller="+33199000800", name="Zoë & <Co>", patience=None)
    eventually(lambda: ",park," in freeswitch.rx("show channels"), "the call is parked")
    [channel] = json.loads(freeswitch.rx("show channels as json"))["rows"]
    assert (channel["cid_num"], channel["cid_name"], channel["dest"]) == ("+33199000800", "Zoë & <Co>", "800")
    assert channel["context"] == "contactcentre-in"
    call.hang_up()
    assert call.wait(60).answered_at is None


def test_a_caller_hears_its_own_echo(freeswitch: FreeswitchLab, tmp_path: Path) -> None:
    result = freeswitch.call("100", talk=1, tone=450, heard=tmp_path / "heard.wav")
    assert (result.outcome, result.ended_by) == ("served", "us")
    assert strongest_hertz(tmp_path / "heard.wav") == pytest.approx(450, abs=3)


def test_digits_arrive_as_pressed(freeswitch: FreeswitchLab) -> None:
    result = freeswitch.call("101", digits="1,7*", digits_after=0.2, digit_pause=0.3, caller="+33199000101")
    assert result.outcome == "dropped"
    eventually(lambda: any("pressed=17* by=+33199000101" in line for line in freeswitch.logs()), "digits logged")


def test_music_on_hold_is_heard_and_not_taken_for_a_person(freeswitch: FreeswitchLab, tmp_path: Path) -> None:
    result = freeswitch.call("102", patience=4, heard=tmp_path / "music.wav")
    assert result.answered
    assert not result.served
    assert strongest_hertz(tmp_path / "music.wav") in (
        pytest.approx(262, abs=3),
        pytest.approx(330, abs=3),
        pytest.approx(392, abs=3),
    )


def test_a_number_that_nobody_has_is_refused(freeswitch: FreeswitchLab) -> None:
    assert freeswitch.call("999").status == 404


def test_a_phone_registers_rings_and_both_hear_each_other(freeswitch: FreeswitchLab, tmp_path: Path) -> None:
    with freeswitch.phone("anna", SECRET, ring=0.1, tone=850, heard=tmp_path / "anna.wav") as anna:
        assert freeswitch.rx("sofia_contact anna").startswith("sofia/internal/sip:anna@127.0.0.1:")
        result = freeswitch.call("200", talk=1.5, tone=400, heard=tmp_path / "caller.wav")
        [taken] = anna.wait_calls()
    assert result.served
    assert taken.served
    assert strongest_hertz(tmp_path / "anna.wav") == pytest.approx(400, abs=3)
    assert strongest_hertz(tmp_path / "caller.wav") == pytest.approx(850, abs=3)
    assert freeswitch.rx("sofia_contact anna") == "error/user_not_registered"


def test_a_phone_that_is_busy_rejects_for_its_caller_too(freeswitch: FreeswitchLab) -> None:
    with freeswitch.phone("anna", SECRET, ring=0.1, answer=486) as anna:
        assert freeswitch.call("200").status == 486
        assert anna.wait_calls()[0].status == 486


def test_a_phone_with_a_wrong_password_cannot_register(freeswitch: FreeswitchLab) -> None:
    with pytest.raises(LabTimeout, match="last answer 403"):
        freeswitch.phone("anna", "guessed", deadline=3)


def test_a_call_from_a_phone_has_proved_whose_it_is(freeswitch: FreeswitchLab) -> None:
    with freeswitch.phone("bea", SECRET) as bea:
        assert bea.dial("*45").wait(60).answered
    eventually(lambda: any("feature=*45 of=bea" in line for line in freeswitch.logs()), "the dialplan knew who called")


def test_a_caller_who_only_says_to_be_a_phone_is_asked_for_proof(freeswitch: FreeswitchLab) -> None:
    assert freeswitch.call("*45", caller="bea").status == 407
    assert freeswitch.call("100", caller="bea").status == 407
