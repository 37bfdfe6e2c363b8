"""What Asterisk is told about a transfer, and when: it dies of an answer to a REFER with which it has not done yet."""

from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag

from contactcentre.pbx.asterisk import AsteriskPbx, transfers
from contactcentre.pbx.events import TransferAsked
from contactcentre.pbx.protocol import Progress
from tests.pbx.asterisk.fake import FakeAri, Seen, channel
from tests.pbx.bed import Heard

DIALOG, TOLD = "GET channels/c1/variable", "POST channels/c1/transfer_progress"


def asks(ari: FakeAri, pbx: AsteriskPbx, other: str = "") -> None:
    """A phone asks for a transfer, to another call of its own if there is one."""
    ari.answers["GET", "channels/c1"] = (200, channel("c1", state="Up"))
    inbox = Heard()
    pbx.adopt("c1", inbox)
    to: dict[str, Any] = {"requested_destination": {"destination": "203"}}
    if other:
        to["destination_channel"] = {"id": other}
    ari.send("ChannelTransfer", refer_to=to, referred_by={"source_channel": {"id": "c1"}})
    assert inbox.next(TransferAsked).other == other
    ari.seen.clear()


def sent(ari: FakeAri) -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in ari.seen]


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize("progress", list(Progress))
def test_an_answer_waits_until_asterisk_has_done_with_the_refer_and_keeps_nobody_else_waiting(
    ari: FakeAri, pbx: AsteriskPbx, progress: Progress
) -> None:
    asks(ari, pbx)
    done = Flag()

    def read(seen: Seen) -> tuple[int, Any]:
        assert (seen.over, seen.query) == ("http", {"variable": "CHANNEL(pjsip,call-id)"})
        done.wait()
        return 200, {"value": "a dialog's name"}

    ari.answers["GET", "channels/c1/variable"] = read
    telling = gevent.spawn(pbx.adopt("c1", Heard()).transfer_progress, progress)
    ari.wait(lambda: DIALOG in sent(ari), "the dialog is asked for")
    pbx.bridge("b1")
    assert TOLD not in sent(ari)
    done.set()
    telling.get(timeout=60)
    assert sent(ari)[-1] == TOLD


@pytest.mark.usefixtures("nodes")
def test_a_phone_whose_call_is_over_is_told_nothing(ari: FakeAri, pbx: AsteriskPbx) -> None:
    asks(ari, pbx)
    ari.answers["GET", "channels/c1/variable"] = (404, {"message": "Channel not found"})
    pbx.adopt("c1", Heard()).transfer_progress(Progress.DONE)
    assert sent(ari) == [DIALOG]


@pytest.mark.usefixtures("nodes")
def test_a_transfer_to_another_call_is_done_when_that_call_is_over(ari: FakeAri, pbx: AsteriskPbx) -> None:
    asks(ari, pbx, other="c2")
    there = iter([200, 200])
    ari.answers["GET", "channels/c2"] = lambda seen: (next(there, 404), channel("c2", state="Up"))
    pbx.adopt("c1", Heard()).transfer_progress(Progress.DONE)
    assert sent(ari) == [DIALOG, "DELETE channels/c2", *["GET channels/c2"] * 3, TOLD]


@pytest.mark.usefixtures("nodes")
def test_a_call_that_does_not_end_keeps_no_phone_waiting_for_ever(
    ari: FakeAri, pbx: AsteriskPbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "OTHER_CALL", 0.05)
    asks(ari, pbx, other="c2")
    ari.answers["GET", "channels/c2"] = (200, channel("c2", state="Up"))
    pbx.adopt("c1", Heard()).transfer_progress(Progress.DONE)
    assert sent(ari)[-1] == TOLD


@pytest.mark.usefixtures("nodes")
def test_a_transfer_that_comes_to_nothing_leaves_the_other_call_alone(ari: FakeAri, pbx: AsteriskPbx) -> None:
    asks(ari, pbx, other="c2")
    for progress in (Progress.TRYING, Progress.DECLINED, Progress.UNAVAILABLE):
        pbx.adopt("c1", Heard()).transfer_progress(progress)
    assert sent(ari) == [DIALOG, TOLD] * 3
