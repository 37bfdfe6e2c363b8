"""Agents hear messages on their own phones, on a real Asterisk, judged by what they hear."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contactcentre.domain.events import Kind
from contactcentre.domain.site import Trunk
from contactcentre.domain.voicemail import MessageState
from contactcentre.lab import OngoingCall, Phone
from contactcentre.store import AuditEntry
from tests.controller.conftest import SITE
from tests.controller.stack import Stack, one
from tests.controller.test_devices_heard import configure, elsewhere, port_of
from tests.controller.test_verbs_heard import hears
from tests.pbx.spectrum import loudness, seconds, share, write_tone
from tests.store.test_boxes import left
from tests.waiting import eventually


@pytest.fixture
def anna(stack: Stack) -> Iterator[Phone]:
    with stack.phone("anna", ring=0.1, tone=800) as phone:
        yield phone
    stack.nothing_left_on_the_pbx()


@contextmanager
def calling(phone: Phone) -> Iterator[OngoingCall]:
    call = phone.dial("*97", tone=800, talk=None, patience=None)
    call.until("answered")
    try:
        yield call
    finally:
        call.hang_up()
        call.wait(120)


def keep(stack: Stack, name: str, box: str, hertz: int, length: float, caller: str = "+33100000000") -> None:
    """A message that was fetched from the PBX and is open to nobody but us."""
    path = stack.settings.recordings_dir / f"{name}.wav"
    write_tone(path, hertz, length)
    path.chmod(0o600)
    left(stack.store, name, time.time() - 300, box=box, path=path.name, caller=caller)


def listened(stack: Stack, message: str, times: int = 1) -> AuditEntry:
    """So often its sound has begun to be played."""

    def entry() -> AuditEntry | None:
        found = stack.store.audit_entries(subject=message, action="recording.listen")
        return found[0] if len(found) == times else None

    found: AuditEntry = eventually(entry, f"{message} is listened to {times} times")
    return found


def speaks(call: OngoingCall, heard: Path) -> bool:
    """Is anything said, but what a caller says?"""
    said = call.hear(0.5, heard).wait()
    return loudness(said) > 300 and share(said, 400) < 0.5


def is_done(stack: Stack, message: str) -> None:
    eventually(lambda: stack.store.message(message).message.state is MessageState.DONE, "done")


def test_a_message_that_a_caller_has_just_left_is_heard_and_done(stack: Stack, anna: Phone, tmp_path: Path) -> None:
    caller = stack.lab.dial("1004", caller="+33100000971", tone=400, talk=None, patience=None)
    story = stack.ended("+33100000971")
    assert caller.wait(120).answered
    message = one(story, Kind.VOICEMAIL).data["recording"]
    stack.store.record(story)
    said = tmp_path / "said.wav"
    with calling(anna) as call:
        eventually(lambda: speaks(call, said), "new messages: one")
        assert listened(stack, message).actor == "phone:anna"
        eventually(lambda: hears(call) == {"caller"}, "what the caller said")
        eventually(lambda: speaks(call, said), "then it is asked what is to be done")
        call.send_digits("3")
        is_done(stack, message)


def test_a_stored_message_can_be_heard_again_and_stays_new_when_the_agent_hangs_up_early(
    stack: Stack, anna: Phone
) -> None:
    keep(stack, "stored", "anna", 1200, 20)
    with calling(anna) as call:
        listened(stack, "stored")
        eventually(lambda: hears(call) == {"bert"}, "1200 Hz")
        assert stack.store.message("stored").message.owner == "anna"
        call.send_digits("1")
        listened(stack, "stored", 2)
        eventually(lambda: hears(call) == {"bert"}, "1200 Hz again")
    eventually(lambda: stack.store.message("stored").message.state is MessageState.NEW, "nobody has heard it")
    lent = stack.settings.prompts_dir / "lent"
    eventually(lambda: not list(lent.iterdir()), "the copy is gone")
    assert lent.stat().st_mode & 0o777 == 0o711, "other users cannot list it"
    with calling(anna) as call:
        listened(stack, "stored", 3)
        call.send_digits("3")
        is_done(stack, "stored")


def test_the_caller_is_called_back_and_the_call_outlives_the_controller(stack: Stack, anna: Phone) -> None:
    number = "+33611223344"
    with elsewhere(stack) as handsets, Phone(handsets, "bert", stack.store.secret("agent/bert") or "") as known:
        carrier = Trunk(host="127.0.0.1", port=port_of(stack, "bert"), match=("127.0.0.9",), caller_id="+33100000000")
        settings = stack.store.site()[1].settings.model_copy(update={"transfer_numbers": ("+336",)})  # type: ignore[union-attr]
        configure(stack, trunks={"carrier": carrier}, settings=settings)
        outside = Phone(handsets, number, "no secret", ring=0.1, tone=1200, deadline=0)
        known.close()
        keep(stack, "callback", "support", 400, 5, caller=number)
        with calling(anna) as call:
            listened(stack, "callback")
            call.send_digits("4")
            assert outside.wait_ringing()["caller"] == "+33100000000"
            eventually(lambda: hears(call) == {"bert"}, "the customer's 1200 Hz")
            stack.kill()
            assert (hears(call), hears(outside)) == ({"bert"}, {"anna"})
            stack.start()
            assert (hears(call), hears(outside)) == ({"bert"}, {"anna"})
    assert stack.store.message("callback").message.owner == "anna", "whom it stays with"
    configure(stack)


def test_a_caller_hears_the_own_message_and_says_it_again(stack: Stack) -> None:
    flows = {name: dict(flow) for name, flow in SITE["flows"].items()}  # type: ignore[attr-defined]
    box = {"type": "voicemail", "box": "support", "max_seconds": 30, "review": True}
    flows["message"] = {"start": "hello", "nodes": {"hello": {"type": "answer", "next": "box"}, "box": box}}
    configure(stack, flows=flows)
    call = stack.lab.dial("1004", caller="+33100000972", tone=400, talk=None, patience=None)
    first = stack.wait_for("+33100000972", Kind.RECORDING_STARTED).data["recording"]
    call.send_digits(",,#")  # after two seconds of message
    contact = stack.wait_for("+33100000972", Kind.ARRIVED).contact_id

    def long(recording: str) -> bool:
        found = stack.live.contact(contact)
        review = (found.detail.get("review") if found is not None else None) or {}
        return review.get("recording") == recording and "seconds" in review

    eventually(lambda: long(first), "it is complete")
    call.send_digits("2")
    eventually(lambda: hears(call) == {"caller"}, "the own 400 Hz")
    call.send_digits("3")

    def again() -> str:
        begun = [e for e in stack.story("+33100000972") if e.kind is Kind.RECORDING_STARTED]
        return begun[1].data["recording"] if len(begun) > 1 else ""

    second = eventually(again, "it is said again")
    call.send_digits(",,#")
    eventually(lambda: long(second), "complete, too")
    call.send_digits("1")
    assert call.wait(120).answered
    story = stack.ended("+33100000972")
    message = one(story, Kind.VOICEMAIL).data
    assert message["recording"] == second
    assert share(stack.recordings / f"{second}.wav", 400) > 0.8
    assert message["seconds"] == pytest.approx(seconds(stack.recordings / f"{second}.wav"), abs=1.0)
    assert not (stack.recordings / f"{first}.wav").exists(), "what was not kept is nowhere"
    configure(stack)
