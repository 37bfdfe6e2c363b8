"""A caller leaves a message: an agent's lamp shows it, the agent hears it by phone, and says that it is done."""

import os
import signal

import pytest

from contactcentre.domain.voicemail import boxes_of
from contactcentre.lab import Phone
from tests.system.centre import Centre
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def leave_message(centre: Centre) -> str:
    """Nobody is on duty, so the caller is asked for one. Its id."""
    known = {one.id for one in centre.store.messages()}
    call = centre.support("1", talk=None, patience=120)
    eventually(lambda: "voicemail" in [one.state for one in centre.live.contacts().values()], "the message is recorded")
    call.send_digits(",,#")  # after two pauses of a second, in which it is said

    def came() -> str:
        return next((one.id for one in centre.store.messages() if one.id not in known), "")

    return str(eventually(came, "history has the message"))


def listened(centre: Centre, message: str, by: str) -> bool:
    return by in [entry.actor for entry in centre.store.audit_entries(subject=message, action="recording.listen")]


@pytest.fixture
def bruno(centre: Centre) -> Phone:
    assert "support" in boxes_of(centre.here.site, "bruno")
    centre.phones["bruno"].wait_messages(0, deadline=60)
    return centre.phones["bruno"]


def test_a_message_lights_the_lamp_until_it_is_done(centre: Centre, bruno: Phone) -> None:
    message = leave_message(centre)
    assert bruno.wait_messages(1, deadline=60)["waiting"] is True
    assert centre.ask_json("status")["queues"]["support"]["messages"] == 1
    call = bruno.dial("*97", talk=None, patience=None)
    eventually(lambda: listened(centre, message, "phone:bruno"), "bruno hears it", 60)
    bruno.wait_messages(0, 1, deadline=60)
    call.send_digits("3")
    assert bruno.wait_messages(0, 0, deadline=60)["waiting"] is False
    assert call.wait(40).answered, "there are no more messages"
    assert centre.store.message(message).message.owner == "bruno"


def test_what_changed_while_the_controller_was_away_is_shown_when_it_is_back(centre: Centre, bruno: Phone) -> None:
    message = leave_message(centre)
    bruno.wait_messages(1, deadline=60)
    before = centre.processes()["controller"]
    os.kill(before["pid"], signal.SIGKILL)
    centre.ask("voicemail", "done", message)
    bruno.wait_messages(0, deadline=60)
    eventually(lambda: centre.controller_signs().get("linked"), "the controller is back")
    assert centre.processes()["controller"]["pid"] != before["pid"]
