"""Simulated phones and callers against the real PBX: what they do, and what they say became of each call."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contactcentre.lab import BUSY, IGNORE, CallPlan, CallResult, Lab, LabError, LabTimeout, PhoneError
from contactcentre.lab.process import alive
from tests.lab.conftest import DIALPLAN, ENDPOINT, SECRET, strongest_hertz
from tests.waiting import eventually


def test_a_caller_hears_its_own_echo_and_hangs_up_when_it_has_talked(testbed: Lab, tmp_path: Path) -> None:
    result = testbed.call("100", talk=1, tone=450, heard=tmp_path / "heard.wav")
    assert result.outcome == "served"
    assert result.ended_by == "us"
    assert result.answered_at is not None
    assert result.person_at is not None
    assert result.started_at <= result.answered_at < result.person_at < result.ended_at
    assert 0.9 < result.ended_at - result.person_at < 5
    assert result.received > 45
    assert strongest_hertz(tmp_path / "heard.wav") == pytest.approx(450, abs=3)


def test_digits_arrive_as_pressed_with_pauses_between_them(testbed: Lab) -> None:
    result = testbed.call("101", digits="1,7#", digits_after=0.2, digit_pause=0.5, caller="+33199000101")
    assert (result.outcome, result.cause) == ("dropped", 21)
    eventually(lambda: any("PRESSED=17 BY=+33199000101" in line for line in testbed.logs()), "digits logged")


def test_digits_of_the_pbx_are_heard(testbed: Lab) -> None:
    assert testbed.call("104").digits_heard == "159*#"


def test_prompts_and_music_are_not_taken_for_a_person(testbed: Lab) -> None:
    result = testbed.call("102", patience=20)
    assert result.answered
    assert not result.served
    assert result.received > 150


def test_both_tones_reach_the_recording_each_on_its_own_side(testbed: Lab, tmp_path: Path) -> None:
    with testbed.phone("anna", SECRET, ring=0.1, tone=850, heard=tmp_path / "anna.wav") as anna:
        result = testbed.call("200", talk=1.5, tone=400, heard=tmp_path / "caller.wav")
        [taken] = anna.wait_calls()
    assert result.served
    assert taken.served
    assert taken.answered_at is not None
    assert result.answered_at is not None
    assert 0.09 < taken.answered_at - taken.started_at < 5
    monitor = testbed.directories.spool / "monitor"
    eventually(lambda: "MixMonitor" not in testbed.rx("core show channels"), "recording closed")
    for file, hertz in {
        monitor / "caller.wav": 400,
        monitor / "agent.wav": 850,
        tmp_path / "anna.wav": 400,
        tmp_path / "caller.wav": 850,
    }.items():
        assert strongest_hertz(file) == pytest.approx(hertz, abs=3), file


def test_a_phone_that_only_speaks_a_law_is_understood(testbed: Lab, tmp_path: Path) -> None:
    with testbed.phone("bea", SECRET, ring=0, tone=600, heard=tmp_path / "bea.wav"):
        assert testbed.call("202", talk=1, tone=500).served
    assert strongest_hertz(tmp_path / "bea.wav") == pytest.approx(500, abs=3)


def test_an_agent_who_hangs_up_ends_the_callers_call(testbed: Lab) -> None:
    with testbed.phone("anna", SECRET, ring=0, talk=0.5) as anna:
        result = testbed.call("201", talk=30)
        assert (result.outcome, result.ended_by) == ("served", "pbx")
        assert anna.wait_calls()[0].ended_by == "us"


@pytest.mark.parametrize(("answer", "status"), [(486, 486), (603, 603), (480, 480)])
def test_a_phone_rejects_with_the_status_it_was_told(testbed: Lab, answer: int, status: int) -> None:
    with testbed.phone("anna", SECRET, ring=0.1, answer=answer) as anna:
        result = testbed.call("201")
        assert result.outcome == "refused"
        assert anna.wait_calls()[0].status == status


def test_a_phone_on_a_call_is_busy_for_a_second_one(testbed: Lab) -> None:
    with testbed.phone("anna", SECRET, ring=0) as anna:
        first = testbed.dial("201", talk=None)
        first.until("person")
        assert testbed.call("201").status == 486
        first.hang_up()
        assert first.wait(60).served
        assert len(anna.wait_calls()) == 1


def test_a_caller_without_patience_cancels_while_it_rings_and_the_phone_stops_ringing(testbed: Lab) -> None:
    with testbed.phone("anna", SECRET, answer=IGNORE) as anna:
        call = testbed.dial("201", patience=1, caller="+33199000007", name="Zoë <b>&'", headers={"X-Why": "test"})
        ringing = anna.wait_ringing()
        assert ringing["caller"] == "+33199000007"
        assert ringing["caller_name"] == "Zoë <b>&'"
        result = call.wait()
        assert (result.outcome, result.ended_by, result.status) == ("abandoned", "patience", 487)
        assert anna.wait_calls()[0].status == 487
        assert not anna.ringing


def test_a_phone_answers_when_told_and_behaves_differently_from_then_on(testbed: Lab) -> None:
    with testbed.phone("anna", SECRET, answer=IGNORE) as anna:
        call = testbed.dial("201", talk=0.2)
        anna.wait_ringing()
        anna.answer()
        assert call.wait().served
        anna.behave(answer=BUSY, ring=0)
        assert testbed.call("201").status == 486


def test_a_feature_code_is_dialled_with_the_phones_own_identity(testbed: Lab) -> None:
    with testbed.phone("anna", SECRET) as anna:
        assert anna.dial("*45").wait().answered
    eventually(lambda: any("FEATURE=*45 OF=anna" in line for line in testbed.logs()), "feature code logged")


@pytest.mark.parametrize(
    "name", ["\udcff", "\0\r\nBYE sip:x SIP/2.0", "<sip:1@2>;tag=x", '"' * 50, "\u202eesrever", "x" * 900]
)
def test_a_caller_may_have_any_name(testbed: Lab, name: str) -> None:
    assert testbed.call("100", name=name, talk=0.1).served


@pytest.mark.parametrize("caller", ["", "anonymous", "+33 1 (2)", "a@b", "<>;tag=1", "\udcff\n"])
def test_a_caller_may_have_any_number(testbed: Lab, caller: str) -> None:
    assert testbed.call("100", caller=caller, talk=0.1).served


def test_a_number_nobody_has_is_refused(testbed: Lab) -> None:
    result = testbed.call("99999")
    assert (result.outcome, result.status) == ("refused", 404)


@pytest.mark.parametrize("did", ["100),System(touch x", "1&echo", "100,1)", "${EXTEN}", '1"1', "100 ;x"])
def test_a_number_that_is_none_reaches_no_dialplan(testbed: Lab, did: str) -> None:
    assert testbed.call(did).outcome == "refused"


def test_a_wrong_secret_does_not_register(testbed: Lab) -> None:
    with pytest.raises(LabTimeout, match=r"not registered.*401"):
        testbed.phone("anna", "a guess", deadline=1)


def test_a_secret_may_be_fetched_when_it_is_needed(testbed: Lab) -> None:
    with testbed.phone("anna", lambda: SECRET) as anna:
        assert anna.registered
        eventually(
            lambda: "Avail" in testbed.rx("pjsip show contacts") or "NonQual" in testbed.rx("pjsip show contacts"),
            "contact",
        )
    assert "anna" not in testbed.rx("pjsip show contacts")


def test_many_calls_each_have_their_result(testbed: Lab) -> None:
    told: list[CallResult] = []
    plans = (CallPlan("100", caller=f"+331{n:08}", talk=0.3) for n in range(40))
    results = testbed.calls(plans, rate=40, on_result=told.append)
    assert [r.caller for r in results] == [f"+331{n:08}" for n in range(40)]
    assert {r.outcome for r in results} == {"served"}
    assert len({r.call_id for r in results}) == len(told) == 40


def test_placing_calls_can_be_stopped(testbed: Lab) -> None:
    stop = threading.Event()
    plans = (CallPlan("100", talk=0.1) for _ in range(1000))
    results = testbed.calls(plans, rate=50, on_result=lambda _: stop.set(), stop=stop)
    assert 0 < len(results) < 100


def test_a_call_can_be_followed_and_hung_up_early(testbed: Lab) -> None:
    call = testbed.dial("103", patience=None)
    assert call.until("ringing") >= 0
    call.hang_up()
    assert call.wait(60).status == 487
    with pytest.raises(PhoneError, match="without: answered"):
        call.until("answered", 1)


def test_waiting_for_what_does_not_happen_ends_at_its_deadline(testbed: Lab) -> None:
    call = testbed.dial("103")
    with pytest.raises(LabTimeout, match="no answered within"):
        call.until("answered", 0.1)
    call.hang_up()
    call.wait(60)


def test_calls_end_when_the_process_that_made_them_is_closed(testbed: Lab) -> None:
    testbed.dial("100", talk=None).until("person")
    pid = testbed.handsets().pid
    testbed.close()
    assert not alive(pid)
    eventually(lambda: "0 active calls" in testbed.rx("core show channels"), "no call is left")


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        ({"tone": 440}, "multiple of 50"),
        ({"digits": "1x"}, "digits"),
        ({"headers": {"X-A": "b\r\nEvil: 1"}}, "control characters"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_anything_is_sent(
    testbed: Lab, plan: dict[str, object], rule: str
) -> None:
    with pytest.raises(LabError, match=rule):
        testbed.call("100", **plan)


def test_phones_and_calls_end_with_the_process_that_made_them_even_when_it_is_killed(testbed: Lab) -> None:
    program = (
        "import os, sys; from contactcentre.lab import Lab\n"
        "lab = Lab(sys.argv[1]); lab.phone('anna', sys.argv[2]); lab.dial('100', talk=None).until('person')\n"
        "print(lab.handsets().pid, flush=True); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, str(testbed.directories.state), SECRET]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    eventually(lambda: not alive(int(done.stdout)), "the phones' process ended")
    eventually(lambda: "0 active calls" in testbed.rx("core show channels"), "its call ended")
    assert "anna" not in testbed.rx("pjsip show contacts")


def test_when_the_phones_process_dies_who_waits_is_told_and_a_new_one_serves_the_next(testbed: Lab) -> None:
    anna = testbed.phone("anna", SECRET)
    call = testbed.dial("100", talk=None)
    call.until("person")
    os.kill(testbed.handsets().pid, signal.SIGKILL)
    with pytest.raises(PhoneError, match="is gone"):
        call.wait(60)
    with pytest.raises(PhoneError, match="is gone"):
        anna.wait_ringing()
    testbed.rx("channel request hangup all")
    assert testbed.call("100", talk=0.1).served


def test_a_phone_registers_again_when_the_pbx_was_killed_and_is_back(fresh_lab: Lab) -> None:
    provisioned = fresh_lab.directories.provisioned
    (provisioned / "pjsip.conf").write_text(ENDPOINT.format(name="anna", secret=SECRET, codec="ulaw"))
    (provisioned / "extensions.conf").write_text(DIALPLAN)
    fresh_lab.rx("core reload")
    eventually(lambda: "anna" in fresh_lab.rx("pjsip show endpoints"), "endpoint loaded")
    anna = fresh_lab.phone("anna", SECRET, ring=0)
    os.kill(fresh_lab.info().pid, signal.SIGKILL)
    eventually(lambda: fresh_lab.status() is None, "killed")
    (fresh_lab.directories.db / "astdb.sqlite3").unlink()
    fresh_lab.start(until_parent_dies=True)
    anna.renew()
    eventually(lambda: "anna" in fresh_lab.rx("pjsip show contacts"), "registered again", seconds=20)
    assert fresh_lab.call("201", talk=0.2).served


def test_another_makers_caller_is_served_as_well(testbed: Lab, tmp_path: Path) -> None:
    sipp = shutil.which("sipp")
    if sipp is None:
        pytest.skip("sipp is not installed: apt install sip-tester")
    info = testbed.info()
    command = [sipp, "-sn", "uac", f"{info.sip_host}:{info.sip_port}", "-s", "100", "-m", "5", "-r", "10", "-d", "200"]
    command += ["-i", "127.0.0.1", "-ci", "127.0.0.1", "-nostdin", "-timeout", "20"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
