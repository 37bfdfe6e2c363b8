"""No controller comes back: who waits for one is led to the PBX's own queues, and who talks is left alone."""

import os
from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event as Flag

from contactcentre.cli import group
from contactcentre.cli.last_word import silent_for
from contactcentre.cli.up import watch_over_callers
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind
from contactcentre.pbx.errors import LinkDown
from contactcentre.settings import Settings
from tests.controller.stack import Stack, last, one
from tests.waiting import eventually


@pytest.fixture
def here(stack: Stack) -> Iterator[Stack]:
    """Commands are for the stack's PBX."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.switch.environment().items():
            patch.setenv(name, value)
        yield stack


def long_silent(stack: Stack) -> None:
    """As if the controller, which is dead, had died some minutes ago."""
    stack.switch.lead_until(stack.switch.clock() - 300)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    status = group.run(["controller", "release", *arguments])
    out, err = capsys.readouterr()
    return status, out + err


def test_who_waits_is_led_on_and_who_talks_talks_on_and_the_next_controller_leaves_both_alone(
    here: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    with here.phone("anna", ring=0.1, tone=800), here.phone("bert", ring=0.1, tone=1200):
        here.act("anna", Verb.LOGIN)
        here.reachable("anna")
        talking = here.lab.dial("1000", caller="+33170000001", tone=400, talk=None, patience=None)
        here.wait_for("+33170000001", Kind.TALK_STARTED)
        waiting = here.lab.dial("1000", caller="+33170000002", talk=1, patience=None)
        here.wait_for("+33170000002", Kind.QUEUED)
        here.kill()
        long_silent(here)
        assert said(capsys) == (0, "1 callers were led to the PBX's own queues.\n")
        assert waiting.wait(120).served
        assert talking.result is None
        assert said(capsys) == (0, "0 callers were led to the PBX's own queues.\n")
        here.start()
        talking.hang_up()
        assert one(here.ended("+33170000001"), Kind.ENDED).data["outcome"] == "answered"
        assert last(here.ended("+33170000002"), Kind.ENDED).data["outcome"] == "abandoned"
    here.nothing_left_on_the_pbx()


def test_who_was_led_on_and_waits_there_still_is_fetched_by_the_next_controller(
    here: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = here.lab.dial("1000", caller="+33170000011", talk=1, patience=None)
    here.wait_for("+33170000011", Kind.QUEUED)
    here.kill()
    long_silent(here)
    assert said(capsys) == (0, "1 callers were led to the PBX's own queues.\n")
    eventually(here.switch.serves_by_itself, "the PBX's own queue has it")
    here.start()
    eventually(lambda: len([one for one in here.story("+33170000011") if one.kind is Kind.ARRIVED]) == 2, "it is ours")
    with here.phone("anna", ring=0.1):
        here.act("anna", Verb.LOGIN)
        assert waiting.wait(120).served

    def outcomes() -> list[str]:
        return sorted(one.data["outcome"] for one in here.story("+33170000011") if one.kind is Kind.ENDED)

    eventually(lambda: outcomes() == ["answered", "transferred"], "it left our hands, came back and was served")
    here.nothing_left_on_the_pbx()


def test_nobody_is_led_on_while_a_controller_is_there_or_was_a_moment_ago(
    here: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    eventually(lambda: here.switch.led_until() > 0, "the dialplan was told that somebody is there")
    status, text = said(capsys)
    assert (status, "a controller is there: nobody is led on" in text) == (2, True)
    here.kill()
    here.switch.lead_until(here.switch.clock() - 5)
    status, text = said(capsys, "--after", "3600")
    assert status == 2
    assert "seconds ago, not 3600: nobody is led on" in text


def test_up_does_it_when_nobody_has_said_a_word_for_long_enough_and_not_before(
    here: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contactcentre.cli.up.LOOK_AFTER_CALLERS", 0.05)
    silences: list[float | Exception | None] = [None, -3.0, 0.05, LinkDown("the PBX is away"), 0.15]
    released = Flag()

    def silent(settings: Settings) -> float | None:
        now = silences.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    monkeypatch.setattr("contactcentre.cli.last_word.silent_for", silent)
    monkeypatch.setattr("contactcentre.cli.up._release", lambda environment: released.set())
    watch = gevent.spawn(watch_over_callers, Settings(last_resort=0.1), os.environ["DATABASE_URL"], {})
    try:
        assert released.wait(60)
        assert silences == []
    finally:
        watch.kill()


def test_the_silence_is_told_by_the_pbxs_own_clock(here: Stack) -> None:
    here.kill()
    here.switch.lead_until(here.switch.clock() - 100)
    silence = silent_for(settings(here))
    assert silence is not None
    assert silence >= 100
    here.switch.lead_until(here.switch.clock() + 3600)
    assert (silent_for(settings(here)) or 0) < 0


def settings(stack: Stack) -> Settings:
    return Settings(pbx=stack.switch.name)
